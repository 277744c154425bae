"""`score_udf`: a model as a column function, a drop-in for `mlflow.pyfunc.spark_udf`. Runs on the driver."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from typing import Any

import pyarrow as pa
import structlog
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from sparkscore.errors import ConfigError, SignatureError
from sparkscore.model.distribution.model_shipping import ship_model
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.registry.model_resolution import resolve_model
from sparkscore.model.signature.input_policies import allow_input_casts
from sparkscore.model.signature.model_inputs import NULLABLE_INTEGERS_CONF, input_names
from sparkscore.records import ModelInput
from sparkscore.scoring.pandas_udf_transport import make_prediction_udf
from sparkscore.settings.trust_settings import parse_trust_policy
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.package_shipping import ship_package
from sparkscore.spark.settable_conf import read_setting

log = structlog.get_logger("sparkscore")

_MAX_NAMES_SHOWN = 10


class ScoreUdf:
    """A model that is called with columns, in the order of `input_columns`, or with one struct that has them as fields.

    A string is always a column's name; for a field of a struct pass `F.col("s.f")`. Called with nothing, it
    takes the columns that are named like its inputs. `spark.udf.register` takes it too.

    Raises:  SignatureError when called with another number of columns. One column that is no struct, where the model
             takes several, is an AnalysisException of Spark's, raised when the query is built.
    """

    def __init__(self, model: ShippedModel) -> None:
        self._model = model
        self._udf = make_prediction_udf(model)
        self.func = self._udf.func
        self.evalType: int = self._udf.evalType
        self.deterministic: bool = self._udf.deterministic

    @property
    def input_columns(self) -> tuple[str, ...]:
        """Names of the model's inputs; their positions where its signature has no names."""
        return input_names(self._model.inputs)

    @property
    def returnType(self) -> DataType:  # noqa: N802 - Spark's name
        """Spark's type of one prediction."""
        kind: DataType = self._udf.returnType
        return kind

    def asNondeterministic(self) -> "ScoreUdf":  # noqa: N802 - Spark's name
        """The same function, which Spark's optimiser no longer moves or merges."""
        self._udf = self._udf.asNondeterministic()
        self.deterministic = False
        return self

    def __call__(self, *columns: str | Column) -> Column:
        """The predictions as a column."""
        arguments = columns if columns or any(one.name is None for one in self._model.inputs) else self.input_columns
        if len(arguments) != len(self._model.inputs) and len(arguments) != 1:
            raise SignatureError(
                f"score_udf was called with {len(arguments)} columns",
                f"{len(self._model.inputs)}: {', '.join(self.input_columns)}; or one struct of them",
                "pass one column per model input",
            )
        given = [F.col(quote_identifier(one)) if isinstance(one, str) else one for one in arguments]
        if len(given) < len(self._model.inputs):
            given = [self._require_struct(given[0])]
        column: Column = self._udf(*given)
        return column

    def _require_struct(self, column: Column) -> Column:
        """The column, with a condition that its optimiser removes, and for which Spark refuses the query on the driver
        if the column is no struct. Spark's message quotes the name that it has in there."""
        inputs, names = self._model.inputs, ", ".join(self.input_columns[:_MAX_NAMES_SHOWN])
        named = column.alias(f"score_udf takes {len(inputs)} columns ({names}), or one struct of them")
        field = next((one.name for one in inputs if one.name is not None and one.required), None)
        if field is not None:
            return F.when(F.lit(True) | named.getField(field).isNull(), column)
        if any(one.name is not None or pa.types.is_nested(one.type) for one in inputs):
            return column
        return F.when(F.lit(True) | F.to_csv(named).isNull(), column)


def score_udf(
    spark: SparkSession,
    uri: str,
    *,
    tracking_uri: str | None = None,
    runtime: str = "auto",
    params: Mapping[str, Any] | None = None,
    casts: Mapping[str, str] | None = None,
    trust: Mapping[str, Any] | None = None,
) -> ScoreUdf:
    """The model as a column function: an iterator pandas_udf whose model stays loaded in the workers between tasks.

    `casts`: as the settings `model.casts`. `trust`: which models may be loaded, as in the settings `model.trust`:
    `{"profile": "strict", …}`.

    Needs:   `models:/<name>@<alias>` (resolved now, once) or `models:/<name>/<version>`.
    Jobs:    none.
    Runs on: driver; what it returns runs on executors. NaN becomes NULL on the way back, and a struct
             that is NULL one of NULLs: Spark's pandas_udf does that.
    Raises:  ConfigError if the model takes integers and the session would pass
             those with NULLs as doubles; what `resolve_model` raises.
    """
    model_params = params or {}
    model = resolve_model(
        uri,
        tracking_uri=tracking_uri,
        runtime=runtime,
        params=model_params,
        copies=_temporary_copies_folder(),
        trust=parse_trust_policy(trust or {}),
    )
    for warning in model.warnings:
        log.warning(warning)
    model = allow_input_casts(model, casts or {})
    check_nullable_integers(spark, model.inputs, f'spark.conf.set("{NULLABLE_INTEGERS_CONF}", "true")')
    ship_package(spark)
    return ScoreUdf(ship_model(spark, model, params=model_params))


def check_nullable_integers(spark: SparkSession, inputs: tuple[ModelInput, ...], cure: str) -> None:
    """Refuse a model that takes integers where pandas columns of a batch with a NULL are doubles.

    Raises:  ConfigError, with the cure.
    """
    integers = [name for name, one in zip(input_names(inputs), inputs, strict=True) if pa.types.is_integer(one.type)]
    if integers and (read_setting(spark, NULLABLE_INTEGERS_CONF) or "").lower() != "true":
        raise ConfigError(
            f"the model takes integers ({', '.join(integers)}), and a batch with one NULL would turn them into doubles",
            f"{NULLABLE_INTEGERS_CONF}=true",
            cure,
        )


@cache
def _temporary_copies_folder() -> str:
    """A private folder for copies of models, as long as this process lives."""
    folder = tempfile.mkdtemp(prefix="sparkscore-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
