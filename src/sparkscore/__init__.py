"""Spark-native batch scoring: MLflow models over Delta tables, published exactly once.

Everything that a user needs is here. Lazy, so that executors, which import modules of this package, never load what
only the driver needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkscore.errors import (
        AccessDenied,
        BatchTimeout,
        ConfigError,
        DeadlinePassed,
        DigestMismatch,
        DuplicateKeys,
        ExportFailed,
        ForeignTable,
        GateFailed,
        InputOutOfRange,
        ModelError,
        ModelNotFound,
        NameRefused,
        PinsConflict,
        PredictError,
        PublishConflict,
        RegistryUnreachable,
        RowsNotPredicted,
        ScanUnsupported,
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
    from sparkscore.pipelines.check_sla import check_sla
    from sparkscore.pipelines.maintain import maintain
    from sparkscore.pipelines.migrate import migrate
    from sparkscore.pipelines.rejects import retry_rejects
    from sparkscore.pipelines.rollback import rollback
    from sparkscore.pipelines.score import score
    from sparkscore.publish.registered_tables import register_tables
    from sparkscore.records import RunReport
    from sparkscore.scoring.score_udf import score_udf
    from sparkscore.settings import Settings

__version__ = "0.1.0"
"""Version of the package, as in its metadata."""
__all__ = [
    "AccessDenied",
    "BatchTimeout",
    "ConfigError",
    "DeadlinePassed",
    "DigestMismatch",
    "DuplicateKeys",
    "ExportFailed",
    "ForeignTable",
    "GateFailed",
    "InputOutOfRange",
    "ModelError",
    "ModelNotFound",
    "NameRefused",
    "PinsConflict",
    "PredictError",
    "PublishConflict",
    "RegistryUnreachable",
    "RowsNotPredicted",
    "RunReport",
    "ScanUnsupported",
    "SessionLost",
    "Settings",
    "SignatureError",
    "SparkscoreError",
    "TableChanged",
    "TableNotFound",
    "TemporaryError",
    "TooManyRejects",
    "TrustRefused",
    "UnsupportedSession",
    "VersionGone",
    "__version__",
    "check_sla",
    "maintain",
    "migrate",
    "register_tables",
    "retry_rejects",
    "rollback",
    "score",
    "score_udf",
]

_HOMES = {
    "RunReport": "sparkscore.records",
    "Settings": "sparkscore.settings",
    "AccessDenied": "sparkscore.errors",
    "BatchTimeout": "sparkscore.errors",
    "ConfigError": "sparkscore.errors",
    "DeadlinePassed": "sparkscore.errors",
    "DigestMismatch": "sparkscore.errors",
    "DuplicateKeys": "sparkscore.errors",
    "ExportFailed": "sparkscore.errors",
    "ForeignTable": "sparkscore.errors",
    "GateFailed": "sparkscore.errors",
    "InputOutOfRange": "sparkscore.errors",
    "ModelError": "sparkscore.errors",
    "ModelNotFound": "sparkscore.errors",
    "NameRefused": "sparkscore.errors",
    "PinsConflict": "sparkscore.errors",
    "PredictError": "sparkscore.errors",
    "PublishConflict": "sparkscore.errors",
    "RegistryUnreachable": "sparkscore.errors",
    "RowsNotPredicted": "sparkscore.errors",
    "ScanUnsupported": "sparkscore.errors",
    "SessionLost": "sparkscore.errors",
    "SignatureError": "sparkscore.errors",
    "SparkscoreError": "sparkscore.errors",
    "TableChanged": "sparkscore.errors",
    "TableNotFound": "sparkscore.errors",
    "TemporaryError": "sparkscore.errors",
    "TooManyRejects": "sparkscore.errors",
    "TrustRefused": "sparkscore.errors",
    "UnsupportedSession": "sparkscore.errors",
    "VersionGone": "sparkscore.errors",
    "check_sla": "sparkscore.pipelines.check_sla",
    "maintain": "sparkscore.pipelines.maintain",
    "migrate": "sparkscore.pipelines.migrate",
    "register_tables": "sparkscore.publish.registered_tables",
    "retry_rejects": "sparkscore.pipelines.rejects",
    "rollback": "sparkscore.pipelines.rollback",
    "score": "sparkscore.pipelines.score",
    "score_udf": "sparkscore.scoring.score_udf",
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
