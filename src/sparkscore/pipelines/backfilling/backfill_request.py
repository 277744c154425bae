"""What a back-fill was asked for, and the settings of each of its runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sparkscore.errors import ConfigError
from sparkscore.model.registry.model_uri import LoggedModelUri, parse_model_uri, pinned_model_uri
from sparkscore.records import BackfillChoices, PlannedAsOf, to_utc_text
from sparkscore.settings import Settings

_MOST_NAMED = 5
"""Ranges of as_ofs in one message."""


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """The as_ofs, the job, and what was chosen for them: checked, and nothing was read yet."""

    as_ofs: tuple[datetime, ...]
    choices: BackfillChoices
    settings: Settings
    """Of the job, with the source as it was chosen."""
    model_name: str | None
    """In the registry; None for a model that no registry names."""
    fixed_model: str | None
    """The version that the choices or the config name; None where it follows from the as_of or from an alias."""

    @classmethod
    def of(
        cls, settings: Settings, as_ofs: Sequence[datetime], choices: BackfillChoices, *, now: datetime | None = None
    ) -> "BackfillRequest":
        """The request.

        Raises:  ConfigError for an as_of in the future, where nobody has said which version of the source is scored,
                 and for choices that contradict the config.
        """
        _refuse_future(as_ofs, now or datetime.now(UTC))
        if choices.parallel < 1:
            raise ConfigError(f"parallel is {choices.parallel}", "1 or more as_ofs at once", "correct --parallel")
        if settings.source.reads_changes:
            choices = _follow_order(choices)
        name, version = _requested_model(settings, choices)
        return cls(tuple(as_ofs), choices, _choose_source(settings, choices), name, choices.model_version or version)

    @property
    def source_label(self) -> str:
        """Which version of the source is scored, for people and the result."""
        version = self.settings.source.version
        return f"version {version}" if isinstance(version, int) else _SOURCE_LABELS[version]

    @property
    def model_label(self) -> str:
        """Which version of the model scores, for people and the result."""
        if self.model_name is None:
            return "as_it_is" if self.settings.model.by else self.settings.model.uri
        return self.choices.model if self.fixed_model is None else f"version {self.fixed_model}"

    @property
    def follows_history(self) -> bool:
        """Whether each as_of is scored with the model of the publication before it."""
        return self.model_name is not None and self.fixed_model is None and self.choices.model == "as_it_was"

    def settings_of(self, planned: PlannedAsOf) -> Settings:
        """The settings of the run of one as_of."""
        if planned.model_version is None or self.model_name is None:
            return self.settings
        uri = pinned_model_uri(self.model_name, planned.model_version)
        return self.settings.model_copy(update={"model": self.settings.model.model_copy(update={"uri": uri})})


_SOURCE_LABELS = {"as_of": "as_it_was", "latest": "as_it_is"}


def describe_as_ofs(as_ofs: Sequence[datetime], within: Sequence[datetime]) -> str:
    """The as_ofs as ranges of those that follow one another within all of them."""
    places = {as_of: place for place, as_of in enumerate(within)}
    ranges: list[list[datetime]] = []
    for as_of in sorted(as_ofs):
        if ranges and places[as_of] == places[ranges[-1][-1]] + 1:
            ranges[-1].append(as_of)
        else:
            ranges.append([as_of])
    named = [
        to_utc_text(one[0]) if len(one) == 1 else f"{to_utc_text(one[0])} to {to_utc_text(one[-1])}"
        for one in ranges[:_MOST_NAMED]
    ]
    more = f" and {len(ranges) - _MOST_NAMED} more ranges" if len(ranges) > _MOST_NAMED else ""
    return ", ".join(named) + more


def _refuse_future(as_ofs: Sequence[datetime], now: datetime) -> None:
    later = [as_of for as_of in as_ofs if as_of > now]
    if later:
        raise ConfigError(
            f"{len(later):,} of {len(as_ofs):,} as_ofs are in the future: {describe_as_ofs(later, as_ofs)}",
            f"as_ofs until now, {to_utc_text(now)[:19]} UTC",
            "end the range earlier: --to",
        )


def _requested_model(settings: Settings, choices: BackfillChoices) -> tuple[str | None, str | None]:
    """The name of the one registered model, and the version that the config names; None where it names none."""
    if settings.model.by:
        if choices.model_version is not None or choices.model == "as_it_was":
            raise ConfigError(
                f"a model per group (model.by: {', '.join(settings.model.by)}), and no one version of it for an as_of",
                "--model-as-it-is: the models that model.uri names for the groups now",
                "add --model-as-it-is",
            )
        return None, None
    uri = parse_model_uri(settings.model.uri)
    if not isinstance(uri, LoggedModelUri):
        return uri.name, uri.version
    if choices.model_version is not None:
        raise ConfigError(
            f"--model-version {choices.model_version}, and model.uri {uri.uri}, which names no registered model",
            "models:/<name>@<alias> or models:/<name>/<version>",
            "leave --model-version out, or register the model",
        )
    return None, None


def _follow_order(choices: BackfillChoices) -> BackfillChoices:
    """The choices of a job whose runs are increments: each begins where the one before has ended."""
    if choices.parallel > 1:
        raise ConfigError(
            f"{choices.parallel} as_ofs at once, with source.read: changes",
            "one after the other: an increment begins where the one before has ended",
            "leave --parallel out",
        )
    return replace(choices, fail_fast=True)


def _choose_source(settings: Settings, choices: BackfillChoices) -> Settings:
    source = settings.source
    if choices.source is None and source.version == "latest":
        kind = "" if not source.is_landed else f" A source of the format {source.format} has no versions: it is now."
        raise ConfigError(
            "nobody has said whether the source is scored as it was at each as_of, or as it is now",
            "one of them: as it was (source.version: as_of, or --source-as-it-was) takes the newest Delta version at"
            " each as_of, and with it what was known then; as it is (--source-as-it-is) takes the newest version for"
            f" all as_ofs, with what was corrected or added since.{kind}",
            "add --source-as-it-was or --source-as-it-is",
        )
    if choices.source is None:
        return settings
    if isinstance(source.version, int):
        raise ConfigError(
            f"source.version {source.version} in the config, and --source-{choices.source.replace('_', '-')}",
            "one of them",
            "leave the flag out to score that version for all as_ofs",
        )
    if choices.source == "as_it_was" and source.is_landed:
        raise ConfigError(
            f"--source-as-it-was for a source of the format {source.format}, which has no versions",
            "a Delta table",
            "--source-as-it-is lands it for each as_of as it is now",
        )
    version = "as_of" if choices.source == "as_it_was" else "latest"
    return settings.model_copy(update={"source": source.model_copy(update={"version": version})})
