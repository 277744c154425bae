"""The jobs that the web page shows: those with run events under a home folder, and those of configs."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import RLock
from urllib.parse import quote

from pyarrow import fs

from sparkscore.errors import ConfigError, NameRefused, SparkNeeded, SparkscoreError
from sparkscore.records import TableLocation, TableRef
from sparkscore.settings import Settings
from sparkscore.spark.identifiers import parse_table_ref
from sparkscore.store.table import Table
from sparkscore.store.table_growth import JOB_PROPERTY
from sparkscore.store.table_location import DIRECT_ERRORS, locate_table

RUNS_SUFFIX = "_runs"
_PLAIN_SLUG = re.compile(r"[A-Za-z0-9][\w.-]{0,100}", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class ServedJob:
    """A job as pages show it. There is one object of each."""

    name: str
    slug: str
    """Its name in addresses: made here, and only looked up there."""
    target: Table
    home: str
    settings: Settings | None = None
    """Of a config; None for a job that was found by its tables."""
    lock: RLock = field(default_factory=RLock, repr=False)
    """Held while a page is made of its tables, whose objects move on to newer versions."""

    @property
    def runs(self) -> Table:
        """Its run events."""
        return self.target.sibling(RUNS_SUFFIX)

    @property
    def address(self) -> str:
        """The path of its page."""
        return f"/jobs/{quote(self.slug, safe='')}"


class JobShelf:
    """The jobs of some homes and configs. Looks for new ones each time it is asked; what is known of a table stays."""

    def __init__(self, homes: Sequence[str], configs: Sequence[Settings] = ()) -> None:
        """Raises:  ConfigError for a home that is not there, or that only Spark reaches."""
        self.homes = tuple(dict.fromkeys([*homes, *(one.home_uri for one in configs)]))
        self._configs, self._tables, self._jobs = tuple(configs), dict[str, Table](), dict[Table, ServedJob]()
        self._lock = RLock()
        self._places = {home: _locate_home(home) for home in self.homes}

    def list_jobs(self) -> list[ServedJob]:
        """All jobs, by name."""
        with self._lock:
            found: dict[Table, tuple[str, str, Settings | None]] = {}
            for home in self.homes:
                for table in self._list_targets(home):
                    owner = _find_owner(table)
                    if owner is not None:
                        found[table] = (owner, home, None)
            for config in self._configs:
                target = self._open_table(config.output.table, config.home_uri)
                found[target] = (config.job, config.home_uri, config)
            names = [name for name, _, _ in found.values()]
            jobs = [
                self._keep_job(table, name, home, settings, is_unique=names.count(name) == 1)
                for table, (name, home, settings) in found.items()
            ]
            return sorted(jobs, key=lambda job: (job.name, job.slug))

    def find_job(self, slug: str) -> ServedJob | None:
        """The job that an address names; None where there is none."""
        return next((job for job in self.list_jobs() if job.slug == slug), None)

    def find_report(self, job: ServedJob, file: str) -> bytes | None:
        """A report of the job, `<run_id>.html` or `index.html`; None where it is not there."""
        place = self._places[job.home]
        if not re.fullmatch(r"(index|[0-9a-f]{64})\.html", file) or not _PLAIN_SLUG.fullmatch(job.name):
            return None
        path = f"{place.root}/reports/{job.name}/{file}"
        if place.filesystem is None and (Path(path).is_symlink() or Path(path).parent.is_symlink()):
            return None
        with suppress(OSError), place.files.open_input_stream(path) as stream:
            return bytes(stream.read())
        return None

    def _list_targets(self, home: str) -> list[Table]:
        """The tables that have run events beside them."""
        place = self._places[home]
        with suppress(OSError):
            listed = place.files.get_file_info(fs.FileSelector(f"{place.root}/tables", allow_not_found=True))
            names = sorted(one.base_name for one in listed if one.type is fs.FileType.Directory)
            stems = [name.removesuffix(RUNS_SUFFIX) for name in names if name.endswith(RUNS_SUFFIX)]
            tables = []
            for stem in stems:
                with suppress(NameRefused):
                    tables.append(self._open_table(stem, home))
            return [table for table in tables if _has_log(place, f"tables/{table.name}{RUNS_SUFFIX}")]
        return []

    def _open_table(self, name: str, home: str) -> Table:
        """The table's one object."""
        ref = parse_table_ref(name, home=home)
        return self._tables.setdefault(ref.path or ref.name, Table(None, ref))

    def _keep_job(self, table: Table, name: str, home: str, settings: Settings | None, *, is_unique: bool) -> ServedJob:
        slug = name if is_unique and _PLAIN_SLUG.fullmatch(name) else _made_slug(table)
        known = self._jobs.get(table)
        if known is None or (known.name, known.slug) != (name, slug):
            self._jobs[table] = ServedJob(name, slug, table, home, settings)
        return self._jobs[table]


def load_served_configs(files: Iterable[Sequence[str | Path]], flags: Mapping[str, str]) -> list[Settings]:
    """The settings of jobs, each of its own files.

    Raises:  ConfigError.
    """
    return [Settings.load(*layers, flags=flags) for layers in files]


def _made_slug(table: Table) -> str:
    place = table.path or table.name
    last = re.sub(r"[^\w-]", "-", place.rstrip("/").rpartition("/")[2], flags=re.ASCII)[:60]
    return f"{last}-{sha256(place.encode()).hexdigest()[:8]}"


def _find_owner(table: Table) -> str | None:
    """The job that the table of run events names; None for one of somebody else's, whose name ends like that.

    Where it cannot be read, the name of the prediction table: the page says why.
    """
    try:
        return table.sibling(RUNS_SUFFIX).properties.get(JOB_PROPERTY)
    except (*DIRECT_ERRORS, SparkscoreError, SparkNeeded):
        return table.name


def _locate_home(home: str) -> TableLocation:
    try:
        place = locate_table(None, TableRef(home, home))
        kind = place.files.get_file_info(place.root).type
    except (*DIRECT_ERRORS, SparkscoreError, SparkNeeded) as error:
        raise ConfigError(
            f"the home {home} cannot be reached without Spark: {error}",
            "a folder of this machine, S3, GCS or ADLS",
            "run this where the folder is",
        ) from error
    if kind is not fs.FileType.Directory:
        raise ConfigError(
            f"there is no home folder {home}", "the folder in which jobs keep their tables", "check its name"
        )
    return place


def _has_log(place: TableLocation, name: str) -> bool:
    return bool(place.files.get_file_info(f"{place.root}/{name}/_delta_log").type is fs.FileType.Directory)
