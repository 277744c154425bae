"""Which file, variable or flag gives a setting."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sparkscore.settings.scalar_texts import ScalarTexts, dotted_path
from sparkscore.settings.setting_variables import dotted_name


@dataclass(frozen=True, slots=True)
class SettingOrigins:
    """What the layers of the settings hold; the last one that holds a path gives its value."""

    files: Sequence[str]
    names: Sequence[Mapping[str, str]]
    """Of the variables and of the flags, as they are spelled, by the dotted names of what they set."""
    layers: Sequence[Mapping[str, Any]]
    """One for each file, then the variables, then the flags."""
    texts: ScalarTexts

    @classmethod
    def of_layers(
        cls,
        layers: Sequence[Mapping[str, Any]],
        files: Iterable[str | Path],
        given: tuple[Iterable[str], Iterable[str]],
        texts: ScalarTexts,
    ) -> Self:
        """The origins of settings that these layers were merged to; `given`: the names of variables and of flags."""
        variables, flags = given
        names = ({dotted_name(name): name for name in variables}, {name.lower(): f"--{name}" for name in flags})
        return cls(tuple(map(str, files)), names, layers, texts)

    def find_origin(self, path: Sequence[str | int]) -> str:
        """The origin of what stands at a path, else of the nearest above it, else all files."""
        for length in range(len(path), 0, -1):
            for index, layer in reversed(list(enumerate(self.layers))):
                if _holds_path(layer, path[:length]):
                    return self._name_origin(index, path)
        return ", ".join(self.files) or "the settings"

    def find_layer(self, path: Sequence[str | int]) -> int | None:
        """The last layer that holds exactly this path; None where no layer does."""
        return next((at for at, layer in reversed(list(enumerate(self.layers))) if _holds_path(layer, path)), None)

    def _name_origin(self, index: int, path: Sequence[str | int]) -> str:
        if index < len(self.files):
            return self.files[index]
        names = self.names[index - len(self.files)]
        above = [dotted_path(path[:length]) for length in range(len(path), 0, -1)]
        return next((names[name] for name in above if name in names), "the environment")


def _holds_path(content: Any, path: Sequence[str | int]) -> bool:
    for part in path:
        if isinstance(content, str):  # its characters are no parts of it
            return False
        try:
            content = content[part]
        except (LookupError, TypeError):
            return False
    return True
