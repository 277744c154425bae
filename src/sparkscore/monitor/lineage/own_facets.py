"""The facets that OpenLineage has no schema for: what identifies a run, and the model. `docs/lineage-facets.json` is
their schema. Pure."""

from importlib import import_module
from typing import Any

from sparkscore.records import ReportedModel, RunEvent, to_utc_text

SPARKSCORE_VERSION = str(import_module("sparkscore").__version__)  # by name: its lazy imports are those of all layers
_REPOSITORY = "https://github.com/sparkscore/sparkscore"
PRODUCER = f"{_REPOSITORY}/tree/v{SPARKSCORE_VERSION}"
RUN_FACET, MODEL_FACET = "sparkscore_run", "sparkscore_model"
_SCHEMA = f"{_REPOSITORY}/blob/v{SPARKSCORE_VERSION}/docs/lineage-facets.json#/$defs/"
_REPORTED = ("transport", "runtime")


def describe_run_facet(event: RunEvent) -> dict[str, Any]:
    """What identifies the attempt, and what it did."""
    details = event.parsed_details
    return _to_facet(
        "SparkscoreRunFacet",
        {
            "verb": event.verb,
            "runId": event.run_id,
            "asOf": to_utc_text(event.as_of),
            "revision": event.revision,
            "attempt": event.attempt,
            "ofRun": event.origin_run_id,
            "sourceSince": None if event.pins is None else event.pins.additions.changes_since,
            "rowsRead": event.rows_read,
            "rowsScored": event.rows_scored,
            "rowsRejected": event.rows_rejected,
            "rowsRemoved": details.get("rows_removed"),
            "exitCode": event.exit_code,
            **{name: details.get(name) for name in _REPORTED},
        },
    )


def describe_model_facet(model: ReportedModel, uri: str | None) -> dict[str, Any]:
    """A model that is pinned, and its URI as the config has it."""
    return _to_facet(
        "SparkscoreModelFacet",
        {
            "name": model.name,
            "version": model.version,
            "digest": model.digest,
            "modelId": model.model_id or None,
            "uri": uri,
        },
    )


def _to_facet(schema: str, values: dict[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in values.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": _SCHEMA + schema, **told}
