"""What an evaluation reads: both tables at one version each, what is predicted, and by which columns. No rows."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    NumericType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from sparkscore.errors import ConfigError
from sparkscore.monitor.quality.evaluation_windows import EvaluationWindow
from sparkscore.records import json_digest, to_utc_text
from sparkscore.settings import Settings
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.type_widening import can_hold_type
from sparkscore.store.table import Table

_TIMES = (TimestampType, TimestampNTZType, DateType)


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """Everything that decides on the rows of an evaluation."""

    settings: Settings
    predictions: Table
    predictions_version: int
    labels: Table
    labels_version: int
    problem: str
    keys: Mapping[str, str]
    """Key of the predictions -> column of the truths."""
    segments: tuple[str, ...]
    now: datetime
    windows: Mapping[EvaluationWindow, tuple[datetime, ...]] = field(default_factory=dict)
    """Those to evaluate, each with its as_ofs."""
    runs: Mapping[datetime, str] = field(default_factory=dict)
    """The run that is published for each as_of."""

    @classmethod
    def open(cls, spark: SparkSession, settings: Settings, *, now: datetime) -> "EvaluationPlan":
        """The plan without windows, with both tables pinned.

        Jobs:    none.
        Raises:  ConfigError for absent columns, keys of other types, and types that no metric is for; TableNotFound.
        """
        labels = Table.from_name(spark, _require_label_table(settings), home=settings.home_uri)
        predictions = Table.from_name(spark, settings.output.table, home=settings.home_uri)
        version = labels.load_newest_version() if settings.labels.version == "latest" else settings.labels.version
        schema, published = labels.load_schema(version), predictions.schema
        keys = _match_keys(settings, labels, schema, published)
        _check_times(settings, labels, schema)
        truth = find_field_type(schema, str(settings.labels.truth), f"{labels.name} (labels.truth)")
        predicted = find_field_type(
            published, settings.performance.prediction, f"{predictions.name} (performance.prediction)"
        )
        problem = choose_problem(settings, predicted, truth)
        for segment in settings.performance_segments:
            find_field_type(published, segment, f"{predictions.name} (performance.segments)")
        pinned = predictions.load_newest_version()
        return cls(settings, predictions, pinned, labels, version, problem, keys, settings.performance_segments, now)

    @property
    def threshold(self) -> float | None:
        """From where on a probability counts as positive."""
        own = self.settings.performance.threshold
        return self.settings.output.threshold if own is None else own

    def window_id(self, window: EvaluationWindow, as_ofs: tuple[datetime, ...]) -> str:
        """sha256 over all that a window's rows are made from."""
        labels, performance = self.settings.labels, self.settings.performance
        return json_digest(
            {
                "window": [to_utc_text(window.start), to_utc_text(window.end), window.granularity],
                "runs": [[to_utc_text(as_of), self.runs[as_of]] for as_of in as_ofs],
                "labels": [self.labels.id, self.labels_version],
                "match": labels.model_dump(mode="json", exclude={"table", "version", "delay", "window"}),
                "measure": [self.problem, performance.prediction, self.threshold, performance.k, self.segments],
                "classes": list(self.settings.output.classes),
                "validation": performance.validation,
                "is_judged": self.is_judged(window),
                "limits": [performance.fail, performance.alerts, performance.min_rows, performance.metrics],
            }
        )

    def is_judged(self, window: EvaluationWindow) -> bool:
        """Whether so much time has passed since its end that its truths are expected to be known."""
        return window.end + self.settings.labels.judged_after <= self.now


def _require_label_table(settings: Settings) -> str:
    if settings.labels.table is None:
        raise ConfigError(
            f"the job {settings.job} names no truth",
            "labels.table, the table of the truth, and labels.truth, its column",
            "set both; see docs/performance.md",
        )
    return settings.labels.table


def _match_keys(settings: Settings, labels: Table, schema: StructType, published: StructType) -> Mapping[str, str]:
    try:
        columns = settings.labels.key_columns(settings.output_keys)
    except ValueError as error:
        raise ConfigError(str(error), "the keys of the predictions", "correct labels.keys") from error
    for key, column in columns.items():
        own = find_field_type(published, key, f"{settings.output.table} (a key)")
        theirs = find_field_type(schema, column, f"{labels.name} (labels.keys)")
        if not (can_hold_type(own, theirs) or can_hold_type(theirs, own)):
            raise ConfigError(
                f"the key {column} of {labels.name} is of type {theirs.simpleString()}",
                f"the type of {key} in the prediction table, {own.simpleString()}",
                "cast the column in the table of the truth: keys are compared as they are",
            )
    return columns


def _check_times(settings: Settings, labels: Table, schema: StructType) -> None:
    for setting, column in (("labels.time", settings.labels.time), ("labels.known_at", settings.labels.known_at)):
        if column is None:
            continue
        kind = find_field_type(schema, column, f"{labels.name} ({setting})")
        if not isinstance(kind, _TIMES):
            raise ConfigError(
                f"{setting} names {column}, a column of type {kind.simpleString()}",
                "a timestamp or a date, which are taken as UTC where they have no zone",
                "cast the column in the table of the truth",
            )


def find_field_type(schema: StructType, path: str, where: str) -> DataType:
    """The type of a column, or of a field of it by its dotted path; a column's own name may have dots.

    Raises:  ConfigError.
    """
    if path in schema.names:
        return schema[path].dataType
    kind: Any = schema
    for part in path.split("."):
        if not isinstance(kind, StructType) or part not in kind.names:
            near = difflib.get_close_matches(part, kind.names if isinstance(kind, StructType) else [], n=1)
            raise ConfigError(
                f"{where} has no column {path}",
                f"one of {', '.join(schema.names[:30])}",
                f"did you mean {near[0]}?" if near else "correct the setting",
            )
        kind = kind[part].dataType
    found: DataType = kind
    return found


def quote_field(schema: StructType, path: str) -> str:
    """The column, or the field of it, as SQL names it."""
    return quote_identifier(path) if path in schema.names else ".".join(map(quote_identifier, path.split(".")))


def choose_problem(settings: Settings, predicted: DataType, truth: DataType) -> str:
    """What is predicted: as the config says, else by the types of prediction and truth.

    Raises:  ConfigError where no metric is for such a pair of types.
    """
    named = settings.performance.problem
    found = _guess_problem(settings, predicted, truth) if named == "auto" else named
    if found is None or not _fits_problem(found, predicted, truth):
        raise ConfigError(
            f"a prediction of type {predicted.simpleString()} and a truth of type {truth.simpleString()}"
            + ("" if found is None else f", as performance.problem {found}"),
            "a probability or a number beside a number, boolean or labels.positive; a class, or probabilities of"
            " classes, beside a class; a list of items beside a list of relevant items",
            "set performance.prediction to the column that is meant, or performance.problem",
        )
    return found


def _guess_problem(settings: Settings, predicted: DataType, truth: DataType) -> str | None:
    is_binary = settings.labels.positive is not None or settings.output.threshold is not None
    if isinstance(predicted, ArrayType):
        is_probability = isinstance(predicted.elementType, NumericType) and not isinstance(truth, ArrayType)
        return "classes" if is_probability else "ranking"
    if isinstance(predicted, NumericType):
        if is_binary or isinstance(truth, BooleanType) or settings.performance.threshold is not None:
            return "binary"
        return "numbers" if isinstance(truth, NumericType) else "classes"
    return "classes" if isinstance(predicted, StringType | BooleanType) else None


def _fits_problem(problem: str, predicted: DataType, truth: DataType) -> bool:
    if problem == "binary":
        return isinstance(predicted, NumericType)
    if problem == "numbers":
        return isinstance(predicted, NumericType) and isinstance(truth, NumericType)
    if problem == "ranking":
        return isinstance(predicted, ArrayType)
    is_plain = not isinstance(truth, ArrayType | StructType)
    return is_plain and not isinstance(predicted, StructType)
