"""What a run reads and writes, for its lineage events. Fails no run."""

import os
from collections.abc import Callable

import pyarrow as pa
import structlog

from sparkscore.monitor.lineage.column_origins import TracedRun, trace_columns, trace_filters
from sparkscore.monitor.lineage.dataset_names import name_model_dataset
from sparkscore.pipelines.shared.lineage_reporter import LineageReporter, schema_fields
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import (
    ROW_FLAGS_COLUMN,
    DatasetName,
    Expression,
    LineageDataset,
    LineageField,
    ReportedModel,
    Run,
    RunEvent,
    RunLineage,
    find_lookups,
)
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.schemas import TableContract
from sparkscore.spark.type_mapping import arrow_to_spark_type
from sparkscore.store.table import Table

log = structlog.get_logger("sparkscore")
_MOST_MODELS = 100
"""Of one model per group: an event stays readable."""


def describe_run_lineage(attempt: Attempt, plan: Plan) -> None:
    """Let the events of a run that scores tell its source, lookups and model, and what it makes of them.

    Jobs:    none.
    """
    _describe(attempt, plan.run, lambda reporter: _scoring_lineage(attempt, plan, reporter))


def describe_rollback_lineage(attempt: Attempt, run: Run, earlier: RunEvent) -> None:
    """Let the events of a rollback tell that it reads the prediction table as it was.

    Jobs:    none.
    """

    def lineage(reporter: LineageReporter) -> RunLineage:
        version = None if earlier.table_version is None else str(earlier.table_version)
        return RunLineage(reporter.describe_table(attempt.target, version), reporter.describe_table(attempt.target))

    _describe(attempt, run, lineage)


def _describe(attempt: Attempt, run: Run, make: Callable[[LineageReporter], RunLineage]) -> None:
    if attempt.lineage is None:
        return
    try:
        attempt.lineage.describe(run.run_id, make(attempt.lineage))
    except Exception as error:  # noqa: BLE001  whatever it is, the events go out without it
        log.warning("lineage without columns", error=shorten_redacted(f"{type(error).__name__}: {error}", 300))


def _scoring_lineage(attempt: Attempt, plan: Plan, reporter: LineageReporter) -> RunLineage:
    source = _describe_source(attempt, plan, reporter)
    lookups, features = _lookup_tables(attempt, plan, reporter), _feature_tables(attempt, plan, reporter)
    joins = list(zip(attempt.settings.source.features, features, strict=True))
    traced = TracedRun(
        source.id,
        attempt.settings.output_names,
        _input_sources(attempt, plan),
        f"{plan.model.name} version {plan.model.version}",
        attempt.settings.output.threshold,
        [(one, lookups[one.table].id) for one in find_lookups(attempt.settings.model.inputs.values())],
        plan.outputs.columns,
        _output_lookups(attempt, lookups),
        [condition.column for condition in attempt.settings.source.where],
        {
            name: (table.id, column)
            for one, table in joins
            for name, column in zip(one.names, one.columns.values(), strict=True)
        },
        [(table.id, name) for one, table in joins for name in (*one.keys.values(), one.time)],
        attempt.settings.reason_names,
    )
    groups = () if plan.groups is None or plan.groups.table is None else (_group_table(attempt, plan, reporter),)
    return RunLineage(
        source,
        reporter.describe_table(attempt.target, fields=_contract_fields(plan.contract)),
        (*features, *lookups.values(), *groups),
        _describe_models(attempt, plan),
        reporter.describe_table(attempt.target.sibling("_rejects")),
        trace_columns(traced),
        trace_filters(traced),
    )


def _describe_source(attempt: Attempt, plan: Plan, reporter: LineageReporter) -> LineageDataset:
    """The source with its own columns: not those that are joined to its rows."""
    told, joined = attempt.report.source, {name for one in attempt.settings.source.features for name in one.names}
    is_landed = attempt.settings.source.is_landed
    version = (told.landed_at if told else None) if is_landed else str(plan.run.pins.source_version)
    own = [one for one in plan.snapshot.schema if one.name not in {*joined, ROW_FLAGS_COLUMN}]
    return reporter.describe_source(version, schema_fields(pa.schema(own)))


def _describe_models(attempt: Attempt, plan: Plan) -> tuple[tuple[LineageDataset, ReportedModel], ...]:
    registry = attempt.settings.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    found = (plan.model,) if plan.groups is None else plan.groups.pinned[:_MOST_MODELS]
    return tuple(
        (
            LineageDataset(name_model_dataset(registry, one.name), "MODEL", one.version),
            ReportedModel(one.name, one.version, one.model_id, one.digest),
        )
        for one in found
    )


def _input_sources(attempt: Attempt, plan: Plan) -> list[tuple[str, str | Expression]]:
    named = [one.name or str(position) for position, one in enumerate(plan.model.inputs)]
    pairs = zip(named, plan.model_columns, strict=True)
    return [(name, attempt.settings.model.inputs.get(name, column)) for name, column in pairs if column is not None]


def _lookup_tables(attempt: Attempt, plan: Plan, reporter: LineageReporter) -> dict[str, LineageDataset]:
    """The tables that inputs and output columns are looked up in, by their names in the config."""
    names = sorted({one.table for one in find_lookups(attempt.settings.model.inputs.values())})
    versions = {name: pin.version for name, pin in zip(names, plan.run.pins.lookups, strict=True)}
    versions |= {one.table: one.version for one in plan.run.postprocessing.lookups}
    home = attempt.settings.home_uri
    return {
        name: reporter.describe_table(Table.from_name(attempt.spark, name, home=home), str(version))
        for name, version in versions.items()
    }


def _feature_tables(attempt: Attempt, plan: Plan, reporter: LineageReporter) -> list[LineageDataset]:
    features, home = attempt.settings.source.features, attempt.settings.home_uri
    pins = plan.run.pins.additions.features
    return [
        reporter.describe_table(Table.from_name(attempt.spark, one.table, home=home), str(pin.version))
        for one, pin in zip(features, pins, strict=True)
    ]


def _group_table(attempt: Attempt, plan: Plan, reporter: LineageReporter) -> LineageDataset:
    """The table that maps groups to models."""
    named, pinned = attempt.settings.model.groups, None if plan.groups is None else plan.groups.table
    name = "" if named is None else named.table
    version = None if pinned is None else str(pinned.version)
    return reporter.describe_table(Table.from_name(attempt.spark, name, home=attempt.settings.home_uri), version)


def _output_lookups(
    attempt: Attempt, tables: dict[str, LineageDataset]
) -> dict[str, tuple[DatasetName, str, tuple[str, ...]]]:
    return {
        one.name: (tables[one.lookup.table].id, one.lookup.value, tuple(one.lookup.key))
        for one in attempt.settings.output.columns
        if one.lookup is not None
    }


def _contract_fields(contract: TableContract) -> tuple[LineageField, ...]:
    return tuple(
        LineageField(one.name, arrow_to_spark_type(one.type).simpleString(), one.comment) for one in contract.columns
    )
