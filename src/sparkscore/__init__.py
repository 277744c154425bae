"""Spark-native batch scoring: MLflow models over Delta tables, published exactly once.

Everything that a user needs is here. Lazy, so that executors, which import modules of this package, never load what
only the driver needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkscore.errors import (
        AccessDenied,
        BatchOutOfMemory,
        BatchTimeout,
        BudgetReached,
        ConfigError,
        DeadlinePassed,
        DigestMismatch,
        DuplicateKeys,
        EndpointUnavailable,
        ExportFailed,
        ForeignTable,
        GateFailed,
        InputOutOfRange,
        ModelError,
        ModelNotFound,
        ModelNotLoaded,
        NameRefused,
        PinsConflict,
        PredictError,
        PublishConflict,
        RegistryUnreachable,
        RowsNotPredicted,
        ScanUnsupported,
        ServedModelChanged,
        SessionLost,
        SignatureError,
        SparkscoreError,
        TableChanged,
        TableNotFound,
        TemporaryError,
        TooManyRejects,
        TrustRefused,
        UnsupportedSession,
        VersionGone,
    )
    from sparkscore.pipelines.backfill import backfill
    from sparkscore.pipelines.check_sla import check_sla
    from sparkscore.pipelines.compare import compare
    from sparkscore.pipelines.evaluate import evaluate
    from sparkscore.pipelines.explain import explain_key
    from sparkscore.pipelines.maintain import maintain
    from sparkscore.pipelines.migrate import migrate
    from sparkscore.pipelines.optimize_model import optimize_model
    from sparkscore.pipelines.rejects import retry_rejects
    from sparkscore.pipelines.rollback import rollback
    from sparkscore.pipelines.score import score
    from sparkscore.pipelines.stream import stream
    from sparkscore.pipelines.training_frame import training_frame
    from sparkscore.publish.analyst_queries import build_query
    from sparkscore.publish.registered_tables import register_tables
    from sparkscore.records import (
        BackfillReport,
        ComparisonReport,
        EvaluationReport,
        KeyExplanation,
        RowReject,
        RunReport,
        ScoredRows,
        StreamReport,
    )
    from sparkscore.scoring.score_udf import score_udf
    from sparkscore.settings import Settings
    from sparkscore.workloads.concurrency import gather_bounded
    from sparkscore.workloads.embeddings.embedding_saving import log_embedding_model, save_embedding_model
    from sparkscore.workloads.engines.engine_saving import log_language_model, save_language_model
    from sparkscore.workloads.forecasts.forecast_saving import log_forecaster, save_forecaster
    from sparkscore.workloads.images.image_saving import log_image_model, save_image_model
    from sparkscore.workloads.images.video_frames import explode_video_frames
    from sparkscore.workloads.recommendations.recommender_saving import log_recommender, save_recommender

__version__ = "0.1.0"
"""Version of the package, as in its metadata."""
__all__ = [
    "AccessDenied",
    "BackfillReport",
    "BatchOutOfMemory",
    "BatchTimeout",
    "BudgetReached",
    "ComparisonReport",
    "ConfigError",
    "DeadlinePassed",
    "DigestMismatch",
    "DuplicateKeys",
    "EndpointUnavailable",
    "EvaluationReport",
    "ExportFailed",
    "ForeignTable",
    "GateFailed",
    "InputOutOfRange",
    "KeyExplanation",
    "ModelError",
    "ModelNotFound",
    "ModelNotLoaded",
    "NameRefused",
    "PinsConflict",
    "PredictError",
    "PublishConflict",
    "RegistryUnreachable",
    "RowReject",
    "RowsNotPredicted",
    "RunReport",
    "ScanUnsupported",
    "ScoredRows",
    "ServedModelChanged",
    "SessionLost",
    "Settings",
    "SignatureError",
    "SparkscoreError",
    "StreamReport",
    "TableChanged",
    "TableNotFound",
    "TemporaryError",
    "TooManyRejects",
    "TrustRefused",
    "UnsupportedSession",
    "VersionGone",
    "__version__",
    "backfill",
    "build_query",
    "check_sla",
    "compare",
    "evaluate",
    "explain_key",
    "explode_video_frames",
    "gather_bounded",
    "log_embedding_model",
    "log_forecaster",
    "log_image_model",
    "log_language_model",
    "log_recommender",
    "maintain",
    "migrate",
    "optimize_model",
    "register_tables",
    "retry_rejects",
    "rollback",
    "save_embedding_model",
    "save_forecaster",
    "save_image_model",
    "save_language_model",
    "save_recommender",
    "score",
    "score_udf",
    "stream",
    "training_frame",
]

_HOMES = {
    "EvaluationReport": "sparkscore.records",
    "BackfillReport": "sparkscore.records",
    "ComparisonReport": "sparkscore.records",
    "KeyExplanation": "sparkscore.records",
    "RowReject": "sparkscore.records",
    "RunReport": "sparkscore.records",
    "ScoredRows": "sparkscore.records",
    "Settings": "sparkscore.settings",
    "AccessDenied": "sparkscore.errors",
    "BatchOutOfMemory": "sparkscore.errors",
    "BatchTimeout": "sparkscore.errors",
    "ConfigError": "sparkscore.errors",
    "BudgetReached": "sparkscore.errors",
    "DeadlinePassed": "sparkscore.errors",
    "DigestMismatch": "sparkscore.errors",
    "DuplicateKeys": "sparkscore.errors",
    "EndpointUnavailable": "sparkscore.errors",
    "ExportFailed": "sparkscore.errors",
    "ForeignTable": "sparkscore.errors",
    "GateFailed": "sparkscore.errors",
    "InputOutOfRange": "sparkscore.errors",
    "ModelError": "sparkscore.errors",
    "ModelNotFound": "sparkscore.errors",
    "ModelNotLoaded": "sparkscore.errors",
    "NameRefused": "sparkscore.errors",
    "PinsConflict": "sparkscore.errors",
    "PredictError": "sparkscore.errors",
    "PublishConflict": "sparkscore.errors",
    "RegistryUnreachable": "sparkscore.errors",
    "RowsNotPredicted": "sparkscore.errors",
    "ScanUnsupported": "sparkscore.errors",
    "ServedModelChanged": "sparkscore.errors",
    "SessionLost": "sparkscore.errors",
    "SignatureError": "sparkscore.errors",
    "SparkscoreError": "sparkscore.errors",
    "StreamReport": "sparkscore.records",
    "TableChanged": "sparkscore.errors",
    "TableNotFound": "sparkscore.errors",
    "TemporaryError": "sparkscore.errors",
    "TooManyRejects": "sparkscore.errors",
    "TrustRefused": "sparkscore.errors",
    "UnsupportedSession": "sparkscore.errors",
    "VersionGone": "sparkscore.errors",
    "backfill": "sparkscore.pipelines.backfill",
    "build_query": "sparkscore.publish.analyst_queries",
    "compare": "sparkscore.pipelines.compare",
    "explode_video_frames": "sparkscore.workloads.images.video_frames",
    "log_image_model": "sparkscore.workloads.images.image_saving",
    "save_image_model": "sparkscore.workloads.images.image_saving",
    "check_sla": "sparkscore.pipelines.check_sla",
    "evaluate": "sparkscore.pipelines.evaluate",
    "explain_key": "sparkscore.pipelines.explain",
    "log_embedding_model": "sparkscore.workloads.embeddings.embedding_saving",
    "save_embedding_model": "sparkscore.workloads.embeddings.embedding_saving",
    "log_language_model": "sparkscore.workloads.engines.engine_saving",
    "save_language_model": "sparkscore.workloads.engines.engine_saving",
    "log_forecaster": "sparkscore.workloads.forecasts.forecast_saving",
    "save_forecaster": "sparkscore.workloads.forecasts.forecast_saving",
    "log_recommender": "sparkscore.workloads.recommendations.recommender_saving",
    "save_recommender": "sparkscore.workloads.recommendations.recommender_saving",
    "gather_bounded": "sparkscore.workloads.concurrency",
    "maintain": "sparkscore.pipelines.maintain",
    "migrate": "sparkscore.pipelines.migrate",
    "register_tables": "sparkscore.publish.registered_tables",
    "optimize_model": "sparkscore.pipelines.optimize_model",
    "retry_rejects": "sparkscore.pipelines.rejects",
    "rollback": "sparkscore.pipelines.rollback",
    "score": "sparkscore.pipelines.score",
    "score_udf": "sparkscore.scoring.score_udf",
    "stream": "sparkscore.pipelines.stream",
    "training_frame": "sparkscore.pipelines.training_frame",
}


def __getattr__(name: str) -> Any:
    """The public name, imported at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sparkscore' has no attribute {name!r}; it has {', '.join(__all__)}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        from sparkscore.cli.missing_extras import name_missing_extra

        named = name_missing_extra(error)
        if named is error:
            raise
        raise named from error
