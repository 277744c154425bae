"""Compares what the config names with the pins of a run."""

from sparkscore.errors import PinsConflict
from sparkscore.model.registry.model_uri import LoggedModelUri, parse_model_uri
from sparkscore.pipelines.shared.endpoint_pinning import compute_endpoint_digest
from sparkscore.pipelines.shared.feature_pinning import other_feature_versions
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import Pins, Postprocessing
from sparkscore.settings import Settings


def other_pins(attempt: Attempt, pins: Pins) -> list[str]:
    """One line per pin that the config names explicitly and that differs.

    A scoring digest that an older version wrote for the same settings does not.
    """
    settings = attempt.settings
    name, version = _configured_model(settings)
    asked = {
        "model_name": (name, pins.model_name),
        "model_version": (version or pins.model_version, pins.model_version),
        "model_digest": (_configured_digest(settings, pins)[:12], pins.model_digest[:12]),
        "source_version": (
            settings.source.version if isinstance(settings.source.version, int) else pins.source_version,
            pins.source_version,
        ),
        **other_feature_versions(settings, pins),
        "scoring_digest": (_fitting_digest(attempt, pins)[:12], pins.scoring_digest[:12]),
        "source.read": (_fitting_read(attempt, pins), _describe_read(pins)),
    }
    return [f"{what} {theirs} published, {mine} asked for" for what, (mine, theirs) in asked.items() if mine != theirs]


def _fitting_read(attempt: Attempt, pins: Pins) -> str:
    """All rows, where the config asks for them; of changes the publications before decide whether they are all."""
    return _describe_read(pins) if attempt.settings.source.reads_changes and not attempt.is_full else "all"


def _describe_read(pins: Pins) -> str:
    return "all" if pins.additions.changes_since is None else "changes"


def _configured_model(settings: Settings) -> tuple[str, str | None]:
    """The name that the config gives its model in pins, and the version, where it names one."""
    if settings.model.by:
        return settings.model.uri, None
    model = parse_model_uri(settings.model.uri)
    return model.name, model.model_id if isinstance(model, LoggedModelUri) else model.version


def _configured_digest(settings: Settings, pins: Pins) -> str:
    """The digest of the model's files, where the config makes them; a registered model keeps that of its pins."""
    return compute_endpoint_digest(settings) if settings.llm.is_used else pins.model_digest


def _fitting_digest(attempt: Attempt, pins: Pins) -> str:
    former = attempt.former_scoring_digest
    return former if pins.scoring_digest == former else attempt.scoring_digest


def refuse_other_pins(attempt: Attempt, pins: Pins, postprocessing: Postprocessing) -> None:
    """Refuse a config that explicitly names other pins than the published ones.

    Raises:  PinsConflict.
    """
    differences = other_pins(attempt, pins)
    # of a source that is landed the scoring digest tells what it was; its copy may be gone
    source_id = pins.source_id if attempt.settings.source.is_landed else attempt.source.id
    if source_id != pins.source_id:
        differences.append(f"source_id {pins.source_id} published, {source_id} ({attempt.source.name}) in the config")
    if pins.settings_digest in (attempt.scoring_digest, attempt.former_scoring_digest):
        differences += postprocessing.differences(attempt.postprocessing_of(pins))
    if differences:
        raise PinsConflict(
            f"this as_of is published with other pins: {'; '.join(differences)}",
            "the published pins, output.threshold and output.columns (scoring_digest: filter, keys, inputs, params,"
            " runtime, casts, missing values, pass-through, names of columns, rules that reject rows,"
            " reject_null_predictions, batch_timeout of the residency executor)",
            "add --replace to supersede it, or choose another as_of",
        )
