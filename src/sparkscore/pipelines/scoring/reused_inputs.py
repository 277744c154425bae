"""The different inputs of a run with `model.reuse`, planned as a run of their own: a table, a model, a stage."""

from dataclasses import replace

import pyarrow as pa

from sparkscore.expressions.derived_inputs import NO_DERIVED_INPUTS
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import RowRules, RunReport, Snapshot, json_digest
from sparkscore.schemas import INPUTS_HASH_COLUMN, PREDICTION_COLUMN, ContractColumn, TableContract
from sparkscore.spark.type_mapping import describe_source_type, spark_to_arrow_schema
from sparkscore.store.table import Table


def describe_scorer(attempt: Attempt, plan: Plan) -> str:
    """sha256 over all but the row that decides on a prediction: predictions of another one are never reused."""
    model, schema = attempt.settings.model, plan.row_schema
    inputs = [
        [one.name, str(one.type), None if column is None else describe_source_type(schema.field(column))]
        for one, column in zip(plan.model.inputs, plan.model_columns, strict=True)
    ]
    options = model.accelerator_options
    nullable = sorted(plan.nullable) if attempt.settings.scoring.reject_null_predictions else None
    settings = [model.params, model.config, model.casts, model.missing, model.runtime, model.signature.to_parts()]
    return json_digest(
        [
            plan.model.digest,
            str(plan.model.output),
            inputs,
            settings,
            [options.onnx_digest, options.torch_digest],
            nullable,
        ]
    )


def shorten_input_names(plan: Plan) -> dict[str, str]:
    """Column that the model reads -> its name among the inputs: the source's may be any."""
    names = dict.fromkeys(name for name in plan.model_columns if name is not None)
    return {name: f"c{number}" for number, name in enumerate(names)}


def plan_inputs(attempt: Attempt, plan: Plan, inputs: Table) -> tuple[Attempt, Plan]:
    """What scores the inputs: the run's model on their table, into a stage beside the run's.

    Jobs:    none.
    """
    settings = attempt.settings
    only_hash = {"keys": (INPUTS_HASH_COLUMN,), "passthrough": (), "where": ()}
    own = settings.model_copy(
        update={
            "source": settings.source.model_copy(update=only_hash),
            "output": settings.output.model_copy(update={"rename": {}}),
            "model": settings.model.model_copy(update={"reuse": False}),
            "challengers": (),
        }
    )
    report = RunReport(settings.job, attempt.report.as_of, "failed")
    child = replace(attempt, settings=own, report=report, stage_stores={}, measurings={}, verdicts=[])
    version = inputs.load_newest_version()
    schema = spark_to_arrow_schema(inputs.load_schema(version))
    names = shorten_input_names(plan)
    contract = TableContract(
        comment="",
        columns=(
            ContractColumn(INPUTS_HASH_COLUMN, pa.string(), "", nullable=False),
            ContractColumn(PREDICTION_COLUMN, plan.model.output, ""),
        ),
    )
    planned = replace(
        plan,
        run=replace(plan.run, pins=replace(plan.run.pins, source_id=inputs.id, source_version=version)),
        model_columns=tuple(None if name is None else names[name] for name in plan.model_columns),
        snapshot=Snapshot(inputs.ref, inputs.id, version, schema, tuple(schema.names), (INPUTS_HASH_COLUMN,)),
        contract=contract,
        rules=RowRules(),
        growth=None,
        derived=NO_DERIVED_INPUTS,
    )
    return child, planned
