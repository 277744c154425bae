"""The model's inputs that are expressions: as columns beside the source's, by their types. Runs on the driver."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.expressions.number_types import UnfitExpression
from sparkscore.expressions.type_inference import LookupContents, TypeInference
from sparkscore.expressions.typed_expressions import TypedExpression
from sparkscore.expressions.zone_rules import load_zone_offsets
from sparkscore.records import Expression, expression_columns


@dataclass(frozen=True, slots=True)
class DerivedInputs:
    """The columns that are computed of a row before the model sees it."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Model input -> its column: of the source, or a computed one."""
    expressions: Mapping[str, TypedExpression] = field(default_factory=dict)
    """By the name of the column that each gives."""
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Computed column -> the columns of the source that it is made of."""

    def extend_schema(self, schema: pa.Schema) -> pa.Schema:
        """The source's columns and the computed ones."""
        return pa.schema([*schema, *(pa.field(name, one.kind) for name, one in self.expressions.items())])

    def source_columns(self, column: str) -> tuple[str, ...]:
        """The columns of the source behind a column: itself, if it is one of them."""
        return self.reads.get(column, (column,))


NO_DERIVED_INPUTS = DerivedInputs()


def derive_inputs(inputs: Mapping[str, str | Expression], schema: pa.Schema, lookups: LookupContents) -> DerivedInputs:
    """What the config computes, typed over the source's columns.

    Needs:   the content of each lookup.
    Raises:  ConfigError with every problem at once: where, what was found, what is expected, the cure.
    """
    inference, problems = TypeInference(schema, lookups), []
    columns: dict[str, str] = {}
    expressions: dict[str, TypedExpression] = {}
    reads: dict[str, tuple[str, ...]] = {}
    for name, source in inputs.items():
        if isinstance(source, str):
            columns[name] = source
            continue
        column = _name_column(name, (*schema.names, *expressions))
        try:
            expressions[column] = inference.infer(source)
            columns[name], reads[column] = column, expression_columns(source)
        except UnfitExpression as unfit:
            problems.append(f"model.inputs.{name}: {unfit}")
    if problems:
        raise ConfigError(
            "\n  ".join(["an expression does not fit the source:", *problems] if len(problems) > 1 else problems),
            "columns of the source, and operations that their types have",
            "correct model.inputs, or compute the column in the source",
        )
    return DerivedInputs(columns, expressions, reads)


def _name_column(name: str, taken: tuple[str, ...]) -> str:
    """A name that says where the column comes from, and is no other's: Spark compares names without case."""
    column, others = f"model.inputs.{name}", {one.lower() for one in taken}
    while column.lower() in others:
        column += "'"
    return column


def bind_zone_offsets(spark: SparkSession, expressions: Mapping[str, TypedExpression]) -> dict[str, TypedExpression]:
    """The expressions with the offsets of their time zones, as tasks need them that compute without Spark.

    Jobs:    three small ones for each time zone, once per process; none without one.
    """
    return {name: _bind_offsets(spark, one) for name, one in expressions.items()}


def _bind_offsets(spark: SparkSession, expression: TypedExpression) -> TypedExpression:
    parts = tuple(_bind_offsets(spark, one) for one in expression.parts)
    zone = None if expression.timezone is None else load_zone_offsets(spark, expression.timezone)
    return replace(expression, parts=parts, zone=zone)
