"""The page of tables, from `schemas`."""

import pyarrow as pa
from ci.reference.markdown import escape_words, format_code, format_page, format_table

from sparkscore.performance_schemas import PERFORMANCE_CONTRACT
from sparkscore.schemas import (
    COLUMN_UNITS,
    DRIFT_CONTRACT,
    PROFILE_CONTRACT,
    REJECT_COLUMN,
    REJECT_TYPE,
    REJECTS_CONTRACT,
    RUNS_CONTRACT,
    SCHEMA_VERSION,
    TABLE_PROPERTIES,
    ContractColumn,
    TableContract,
    prediction_contract,
    reused_contract,
)
from sparkscore.spark.type_mapping import arrow_to_spark_type

_INTRODUCTION = f"""\
The tables of a job stand beside one another: `output.table` is the prediction table, and the others have its
name and an ending. Types are those of Spark SQL; timestamps are UTC. Every column carries its comment
(`DESCRIBE TABLE`). The version of these contracts is {SCHEMA_VERSION}. Tables are readable by Delta readers of
version 1; the columns of profiles, drift and performance have the names of Databricks' monitors."""
_ANY_TYPE = pa.null()
_KEY = ContractColumn("<key>", _ANY_TYPE, "Each column of source.keys, with its name and type.", nullable=False)
_PASSED_THROUGH = ContractColumn("<pass-through>", _ANY_TYPE, "Each column of source.passthrough.")
_LATEST = """\
A view, only where the prediction table is in a catalog: for each key the row with the greatest `as_of`. Its
columns are those of the prediction table."""
_STAGE = """\
Predictions that are written and not published yet, in a folder under `output.stage`. It is no interface:
maintenance removes it when no attempt needs it."""


def build_table_page() -> str:
    """The page."""
    predictions = prediction_contract([_KEY], _ANY_TYPE, [_PASSED_THROUGH], threshold=0.5)
    tables = {
        "Predictions: `<table>`": predictions,
        "Run events: `<table>_runs`": RUNS_CONTRACT,
        "Rejects: `<table>_rejects`": REJECTS_CONTRACT,
        "Profiles: `<table>_profile`": PROFILE_CONTRACT,
        "Drift: `<table>_drift`": DRIFT_CONTRACT,
        "Realised performance: `<table>_performance`": PERFORMANCE_CONTRACT,
        "Reused predictions, with `model.reuse`: `<table>_reused`": reused_contract(_ANY_TYPE),
    }
    parts = [part for title, contract in tables.items() for part in _format_contract(title, contract)]
    parts += [
        "## Latest predictions: `<table>_latest`",
        _LATEST,
        "## Stage",
        _STAGE,
        _format_columns(_stage_contract()),
    ]
    properties = [(format_code(name), escape_words(words)) for name, words in TABLE_PROPERTIES.items()]
    return format_page(
        "Tables", [_INTRODUCTION, *parts, "## Properties", format_table(("property", "meaning"), properties)]
    )


def _stage_contract() -> TableContract:
    reject = ContractColumn(REJECT_COLUMN, REJECT_TYPE, "Why the row was rejected; NULL for a row with a prediction.")
    prediction = ContractColumn("prediction", _ANY_TYPE, "The model's output; NULL for a rejected row.")
    return TableContract("", (_KEY, _PASSED_THROUGH, prediction, reject))


def _format_contract(title: str, contract: TableContract) -> list[str]:
    partitions = ", ".join(format_code(name) for name in contract.partitioned_by)
    return [
        f"## {title}",
        escape_words(contract.comment),
        f"Partitioned by {partitions}." if partitions else "Not partitioned.",
        _format_columns(contract),
    ]


def _format_columns(contract: TableContract) -> str:
    header = ("column", "type", "null", "unit", "comment")
    return format_table(header, [_format_column(column) for column in contract.columns])


def _format_column(column: ContractColumn) -> tuple[str, ...]:
    unit = COLUMN_UNITS.get(column.name, "UTC" if pa.types.is_temporal(column.type) else "")
    comment = escape_words(column.comment)
    return format_code(column.name), _describe_column_type(column), "yes" if column.nullable else "no", unit, comment


def _describe_column_type(column: ContractColumn) -> str:
    if column.type != _ANY_TYPE:
        return format_code(arrow_to_spark_type(column.type).simpleString())
    return "as the model's output" if column.name == "prediction" else "as in the source"
