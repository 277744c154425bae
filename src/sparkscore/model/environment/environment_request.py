"""What an environment is to hold, and for which nodes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkscore.errors import ConfigError, ModelError

WORKER_REQUIREMENTS = ("numpy", "packaging", "pandas>=2.2,<3", "pyarrow>=18,<26")
"""What Spark and this package need in a Python worker, beside what the model needs."""
_PLATFORM = re.compile(r"manylinux_2_(?P<minor>\d{1,3})_(?P<machine>[a-z0-9_]+)")
_OLDER_NAMES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
"""Names that wheels have for these versions of the C library."""
_OLDEST_GLIBC = 5


@dataclass(frozen=True, slots=True)
class Platform:
    """A Linux of the nodes, as wheels name it: `manylinux_2_28_x86_64` has a C library of at least 2.28."""

    glibc_minor: int
    machine: str

    @classmethod
    def parse(cls, name: str) -> "Platform":
        """The platform of a wheel's name.

        Raises:  ConfigError.
        """
        found = _PLATFORM.fullmatch(name)
        if found is None:
            raise ConfigError(
                f"--platform {name}",
                "a Linux as wheels name it, such as manylinux_2_28_x86_64 or manylinux_2_28_aarch64",
                "ask a node: `ldd --version` says 2.28, `uname -m` the machine; or leave it out where this machine is"
                " like the nodes",
            )
        return cls(int(found["minor"]), found["machine"])

    @property
    def wheel_names(self) -> Iterator[str]:
        """All names of wheels that run there, the newest first."""
        for minor in range(self.glibc_minor, _OLDEST_GLIBC - 1, -1):
            yield f"manylinux_2_{minor}_{self.machine}"
            if minor in _OLDER_NAMES:
                yield f"{_OLDER_NAMES[minor]}_{self.machine}"

    @property
    def name_of_uv(self) -> str:
        """As uv names it."""
        return f"{self.machine}-manylinux_2_{self.glibc_minor}"


@dataclass(frozen=True, slots=True)
class EnvironmentRequest:
    """What is packed."""

    requirements: tuple[str, ...]
    """Lines of packages, without options and files."""
    python: str
    """The interpreter that it is made with: the nodes have the same version."""
    node_python: str | None = None
    """Where the nodes have their Python; None: where this machine has it."""
    carries_python: bool = False
    """Whether the interpreter itself is packed: the nodes need none then."""
    platform: Platform | None = None
    """Of the nodes; None: this machine's."""
    allows_builds: bool = False
    """Whether packages without a wheel are built here, which runs their code."""


def select_model_requirements(lines: Sequence[str]) -> tuple[str, ...]:
    """The packages of a model's requirements.txt: its author names packages and versions, the operator where from.

    Raises:  ModelError for options, files, addresses and whatever else would be opened or fetched by the author's wish.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    wanted = []
    for number, line in enumerate(lines, 1):
        text = line.partition(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        try:
            is_plain = Requirement(text).url is None
        except InvalidRequirement:
            is_plain = False
        if not is_plain:
            raise ModelError(
                f"line {number} of the model's requirements.txt is no package of an index: {text[:100]}",
                "names and versions alone: an author's options, files and addresses are never opened",
                "write the requirements that you want into a file, and name it with --requirements",
            )
        wanted.append(text)
    return tuple(wanted)


def read_own_requirements(path: str) -> tuple[str, ...]:
    """The lines of the operator's own file.

    Raises:  ConfigError.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--requirements {path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}",
            "a file of requirements, one on each line",
            "name another file",
        ) from error
    return tuple(line for line in lines if line.strip())
