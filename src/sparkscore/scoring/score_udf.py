"""`score_udf`: a model as a column function, in the place of `mlflow.pyfunc.spark_udf`. Runs on the driver."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pyarrow as pa
import structlog
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from sparkscore.errors import ConfigError, SignatureError, SparkscoreError
from sparkscore.model.distribution.executor_packages import compare_own_packages
from sparkscore.model.distribution.model_shipping import describe_shipped_model, ship_model
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.registry.model_resolution import resolve_model
from sparkscore.model.signature.input_policies import allow_input_casts
from sparkscore.model.signature.known_params import keep_known_params
from sparkscore.model.signature.mlflow_signature import read_mlflow_signature
from sparkscore.model.signature.model_inputs import input_names
from sparkscore.model.trust.mlmodel_file import needs_executor_residency, read_mlmodel
from sparkscore.records import PinnedModel, RequestedResult
from sparkscore.scoring.prediction_udf import TIME_ZONE_CONF, make_prediction_udf
from sparkscore.scoring.task_errors import recover_task_error
from sparkscore.scoring.udf_options import (
    ModelConfig,
    check_environment,
    freeze_variables,
    parse_result_type,
    read_model_config,
)
from sparkscore.settings.trust_settings import parse_trust_policy
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.package_shipping import ship_package
from sparkscore.spark.settable_conf import read_setting

log = structlog.get_logger("sparkscore")

_MAX_NAMES_SHOWN = 10


class ScoreUdf:
    """A model that is called with columns, in the order of `input_columns`, or with one struct that has them as fields.

    A string is always a column's name; for a field of a struct pass `F.col("s.f")`. Called with nothing, it
    takes the columns that are named like its inputs. Of more columns than the model has inputs the further ones are
    ignored, with a warning; optional inputs at the end may be left out. A model whose signature declares no inputs
    takes any columns. `spark.udf.register` takes it too.

    Raises:  SignatureError when called with too few columns. One column that is no struct, where the model
             takes several, is an AnalysisException of Spark's, raised when the query is built.
    """

    def __init__(self, model: ShippedModel, time_zone: str = "UTC") -> None:
        self._model = model
        self._udf = make_prediction_udf(model, time_zone)
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

    def recover_error(self, error: Exception) -> SparkscoreError | None:
        """What a query that failed has failed of, where that was this function: Spark raises the text of it alone."""
        return recover_task_error(error, self._model.secret)

    def __call__(self, *columns: str | Column) -> Column:
        """The predictions as a column."""
        inputs = self._model.inputs
        has_names = bool(inputs) and all(one.name is not None for one in inputs)
        arguments: Sequence[str | Column] = columns or (self.input_columns if has_names else ())
        if inputs and len(arguments) > len(inputs):
            arguments = self._drop_further_columns(arguments)
        is_struct = len(arguments) == 1 < len(inputs) and any(one.required for one in inputs[1:])
        if not arguments or (not is_struct and any(one.required for one in inputs[len(arguments) :])):
            raise self._wrong_number_error(len(arguments))
        given = [F.col(quote_identifier(one)) if isinstance(one, str) else one for one in arguments]
        column: Column = self._udf(*([self._require_struct(given[0])] if is_struct else given))
        return column

    def _drop_further_columns(self, columns: Sequence[str | Column]) -> Sequence[str | Column]:
        """As MLflow does, which says nothing of it."""
        warning = (
            f"score_udf was called with {len(columns)} columns, and the model takes {len(self._model.inputs)}"
            f" ({', '.join(self.input_columns[:_MAX_NAMES_SHOWN])}): the further ones are ignored"
        )
        log.warning(warning)
        return columns[: len(self._model.inputs)]

    def _wrong_number_error(self, found: int) -> SignatureError:
        inputs = self._model.inputs
        return SignatureError(
            f"score_udf was called with {found} columns",
            f"{len(inputs)}: {', '.join(self.input_columns)}; or one struct of them"
            if inputs
            else "at least one: the model's signature declares no inputs",
            "pass one column per model input",
        )

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
        text = F.to_json if self._model.tensor else F.to_csv  # that of a list, too, which may hold a tensor's row
        return F.when(F.lit(True) | text(named).isNull(), column)


def score_udf(  # noqa: PLR0913, PLR0917 -- what MLflow's function takes, in its order
    spark: SparkSession,
    uri: str,
    result_type: DataType | str | None = None,
    env_manager: str | None = None,
    params: Mapping[str, Any] | None = None,
    extra_env: Mapping[str, str] | None = None,
    prebuilt_env_uri: str | None = None,
    model_config: ModelConfig = None,
    *,
    tracking_uri: str | None = None,
    runtime: str = "auto",
    casts: Mapping[str, str] | None = None,
    trust: Mapping[str, Any] | None = None,
) -> ScoreUdf:
    """The model as a column function: an iterator arrow_udf whose model stays loaded in the workers between tasks.

    The positional arguments are those of `mlflow.pyfunc.spark_udf`, in its order. `result_type`: a type of Spark or its
    text, in place of the signature's outputs; without both it is double. `params`: those that the model does not know
    are ignored with a warning. `model_config`: as there, and it reaches clusters. `extra_env`: variables for the model.
    `env_manager`: `local`; workers have the environment that the session was started with (`sparkscore pack-env`), of
    which `prebuilt_env_uri` may name the archive. `casts`: as the settings `model.casts`. `trust`: which models may be
    loaded, as in the settings `model.trust`: `{"profile": "strict", …}`.

    Needs:   `models:/<name>@<alias>` (resolved now, once), `models:/<name>/<version>`, `models:/m-<id>` or
             `runs:/<run id>/<path>`.
    Jobs:    none.
    Runs on: driver; what it returns runs on executors. NaN becomes NULL on the way back, as with a pandas_udf; times
             are those of a clock in the session's zone.
    Raises:  ConfigError for an environment that the workers do not have, a type that is none, a Spark older than 4.1;
             what `resolve_model` raises.
    """
    check_environment(spark, env_manager, prebuilt_env_uri)
    request, variables, config = (
        RequestedResult(parse_result_type(result_type)),
        freeze_variables(extra_env),
        read_model_config(model_config),
    )
    model = resolve_model(
        uri,
        tracking_uri=tracking_uri,
        runtime=runtime,
        params=params or {},
        config=config,
        copies=_temporary_copies_folder(),
        trust=parse_trust_policy(trust or {}),
        request=request,
    )
    _warn_of_model(model, request)
    _refuse_engine(model)
    model = allow_input_casts(model, casts or {})
    ship_package(spark)
    described = describe_shipped_model(model, params=_known_params(model, params or {}))
    shipped = ship_model(spark, model, replace(described, environment=variables))
    return ScoreUdf(shipped, read_setting(spark, TIME_ZONE_CONF) or "UTC")


def _refuse_engine(model: PinnedModel) -> None:
    if needs_executor_residency(read_mlmodel(model.path, model.trust)):
        raise ConfigError(
            f"the model {model.name} is an engine of which there is one per executor",
            "a model that each Python worker can load",
            "score it by a job, with model.residency: executor",
        )


def _warn_of_model(model: PinnedModel, request: RequestedResult) -> None:
    for warning in (*model.warnings, *compare_own_packages(model)):
        log.warning(warning)
    if model.parts.is_requested and request.type is None:
        log.warning("the model's signature has no outputs, and no result_type is given: predictions are double")


def _known_params(model: PinnedModel, params: Mapping[str, Any]) -> Mapping[str, Any]:
    signature = read_mlflow_signature(read_mlmodel(model.path, model.trust), RequestedResult())
    return keep_known_params(signature, params)[0]


@cache
def _temporary_copies_folder() -> str:
    """A private folder for copies of models, as long as this process lives."""
    folder = tempfile.mkdtemp(prefix="sparkscore-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
