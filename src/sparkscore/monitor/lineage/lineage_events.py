"""Run events as OpenLineage's: one start and one end per attempt. Pure; needs the extra lineage."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from sparkscore.monitor.lineage.dataset_facets import (
    describe_assertions,
    describe_column_lineage,
    describe_dataset_facets,
    describe_rows_read,
    describe_rows_written,
    set_producers,
)
from sparkscore.monitor.lineage.own_facets import (
    MODEL_FACET,
    PRODUCER,
    RUN_FACET,
    SPARKSCORE_VERSION,
    describe_model_facet,
    describe_run_facet,
)
from sparkscore.records import (
    EventKind,
    LineageContext,
    LineageDataset,
    ParentRun,
    ReportedModel,
    RunEvent,
    RunLineage,
    to_utc_text,
)
from sparkscore.redaction.secret_patterns import redact_secrets

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.event_v2 import RunEvent as LineageEvent

LINEAGE_STATES: Mapping[EventKind, str] = {
    "started": "START",
    "published": "COMPLETE",
    "failed": "FAIL",
    "aborted": "ABORT",
}
"""Other events begin and end nothing."""


def lineage_run_id(run_id: str, attempt: int) -> str:
    """The UUID of an attempt: the same each time, so that an event which is sent again is known."""
    return str(uuid5(NAMESPACE_URL, f"sparkscore:{run_id}/{attempt}"))


def build_lineage_event(event: RunEvent, lineage: RunLineage | None, context: LineageContext) -> "LineageEvent":
    """The event as OpenLineage has it. `lineage`: None where nothing is known of its inputs and outputs.

    Needs:   an event of `LINEAGE_STATES`, with the id of its run.
    """
    from openlineage.client.event_v2 import Job, Run, RunState
    from openlineage.client.event_v2 import RunEvent as LineageEvent

    run = Run(lineage_run_id(event.run_id or "", event.attempt), _run_facets(event, context))
    name = event.job if event.verb == "score" else f"{event.job}.{event.verb}"
    return LineageEvent(
        eventTime=to_utc_text(event.at),
        producer=PRODUCER,
        eventType=RunState[LINEAGE_STATES[event.event]],
        run=run,
        job=Job(context.namespace, name, _job_facets(event)),
        inputs=[] if lineage is None else _describe_inputs(event, lineage, context),
        outputs=[] if lineage is None else _describe_outputs(event, lineage),
    )


def _job_facets(event: RunEvent) -> dict[str, Any]:
    from openlineage.client.facet_v2 import job_type_job as facets

    return set_producers({"jobType": facets.JobTypeJobFacet("BATCH", "SPARKSCORE", event.verb.upper())})


def _run_facets(event: RunEvent, context: LineageContext) -> dict[str, Any]:
    from openlineage.client import facet_v2 as facets

    as_of = facets.nominal_time_run.NominalTimeRunFacet(to_utc_text(event.as_of))
    found: dict[str, Any] = {"nominalTime": as_of}
    if context.engine_version is not None:
        engine = facets.processing_engine_run.ProcessingEngineRunFacet(context.engine_version, "spark")
        engine.openlineageAdapterVersion = SPARKSCORE_VERSION
        found["processing_engine"] = engine
    if context.parent is not None:
        found["parent"] = _describe_parent(context.parent)
    if event.event == "failed":
        message = redact_secrets(event.message or event.error or "")
        found["errorMessage"] = facets.error_message_run.ErrorMessageRunFacet(message, "PYTHON")
    found = set_producers(found) | {RUN_FACET: describe_run_facet(event)}
    if event.pins is not None:
        pins = event.pins
        model = ReportedModel(pins.model_name, pins.model_version, event.model_id or "", pins.model_digest)
        found[MODEL_FACET] = describe_model_facet(model, context.model_uri)
    return found


def _describe_parent(parent: ParentRun) -> Any:
    from openlineage.client.facet_v2 import parent_run as facets

    root = None
    if parent.root is not None:
        root = facets.Root(facets.RootRun(parent.root.run_id), facets.RootJob(parent.root.namespace, parent.root.job))
    return facets.ParentRunFacet(facets.Run(parent.run_id), facets.Job(parent.namespace, parent.job), root)


def _describe_inputs(event: RunEvent, lineage: RunLineage, context: LineageContext) -> list["InputDataset"]:
    of_source = describe_rows_read(event.rows_read) | describe_assertions(event.verdicts, "input")
    inputs = [_to_input(lineage.source, of_source), *(_to_input(one, {}) for one in lineage.others)]
    for dataset, model in lineage.models:
        own: Any = {MODEL_FACET: describe_model_facet(model, context.model_uri)}
        found = _to_input(dataset, {})
        found.facets = {**(found.facets or {}), **own}
        inputs.append(found)
    return inputs


def _to_input(dataset: LineageDataset, found: Mapping[str, Any]) -> "InputDataset":
    from openlineage.client.event_v2 import InputDataset

    facets = describe_dataset_facets(dataset)
    return InputDataset(dataset.id.namespace, dataset.id.name, dict(found), facets=facets)


def _describe_outputs(event: RunEvent, lineage: RunLineage) -> list["OutputDataset"]:
    from openlineage.client.event_v2 import OutputDataset

    is_published = event.event == "published"
    facets = describe_dataset_facets(lineage.output) | describe_column_lineage(lineage)
    if is_published and event.table_version is not None:
        version = LineageDataset(lineage.output.id, version=str(event.table_version))
        facets |= describe_dataset_facets(version)
    found = describe_assertions(event.verdicts, "output") | (
        describe_rows_written(event.rows_visible) if is_published else {}
    )
    outputs = [OutputDataset(lineage.output.id.namespace, lineage.output.id.name, found, facets=facets)]
    if lineage.rejects is not None and is_published and event.rows_rejected:
        rejects, rows = lineage.rejects, describe_rows_written(event.rows_rejected)
        facets = describe_dataset_facets(rejects)
        outputs.append(OutputDataset(rejects.id.namespace, rejects.id.name, rows, facets=facets))
    return outputs
