"""Settings of a source of which a run reads what has changed: which rows, what becomes of deleted ones."""

from typing import Literal, Self

from pydantic import Field, model_validator

from sparkscore.settings.frozen_settings import FrozenSettings

OnDelete = Literal["keep", "mark", "delete"]


class ChangeSettings(FrozenSettings):
    """Which rows of a source with versions are scored."""

    read: Literal["all", "changes"] = Field(
        default="all",
        description="all rows of the source, or the changes alone: the rows that were inserted or updated since the"
        " last publication; the first run scores all rows",
    )
    on_delete: OnDelete = Field(
        default="keep",
        description="with read: changes, what becomes of predictions whose row is deleted in the source: keep them,"
        " mark the key as deleted (readers of _latest no longer see it), or delete its predictions of all as_ofs",
    )
    on_new_model: Literal["everything", "from_now"] = Field(
        default="everything",
        description="with read: changes, what a new version of the model, or of a table that its inputs are looked up"
        " in, scores: everything again, or the changes from now on",
    )

    @property
    def reads_changes(self) -> bool:
        """Whether a run scores what has changed."""
        return self.read == "changes"

    @model_validator(mode="after")
    def _refuse_settings_of_changes(self) -> Self:
        """They would do nothing for a run that reads all rows."""
        idle = [name for name in ("on_delete", "on_new_model") if name in self.model_fields_set]
        if not self.reads_changes and any(getattr(self, name) != _DEFAULTS[name] for name in idle):
            raise ValueError(f"source.{' and source.'.join(idle)} have no effect without source.read: changes")
        return self


_DEFAULTS = {name: ChangeSettings.model_fields[name].default for name in ("on_delete", "on_new_model")}
