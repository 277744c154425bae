"""Compares what the config names with the pins of a run."""

from sparkscore.errors import PinsConflict
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import Pins, Postprocessing


def other_pins(attempt: Attempt, pins: Pins) -> list[str]:
    """One line per pin that the config names explicitly and that differs.

    A scoring digest that an older version wrote for the same settings does not.
    """
    settings = attempt.settings
    name, _, version = settings.model.uri.removeprefix("models:/").partition("/")
    asked = {
        "model_name": (name.partition("@")[0], pins.model_name),
        "model_version": (version or pins.model_version, pins.model_version),
        "source_version": (
            settings.source.version if isinstance(settings.source.version, int) else pins.source_version,
            pins.source_version,
        ),
        "scoring_digest": (_fitting_digest(attempt, pins)[:12], pins.scoring_digest[:12]),
    }
    return [f"{what} {theirs} published, {mine} asked for" for what, (mine, theirs) in asked.items() if mine != theirs]


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
    if pins.scoring_digest == attempt.scoring_digest:
        differences += postprocessing.differences(attempt.postprocessing_of(pins))
    if differences:
        raise PinsConflict(
            f"this as_of is published with other pins: {'; '.join(differences)}",
            "the published pins and output.threshold (scoring_digest: filter, keys, inputs, params, runtime,"
            " casts, missing values, pass-through, names of columns, rules that reject rows, reject_null_predictions,"
            " batch_timeout of the residency executor)",
            "add --replace to supersede it, or choose another as_of",
        )
