"""The frozen records that cross packages, and the protocols that packages expect of each other.

Plain data: no I/O, no Spark, no MLflow, no pandas. Import from `sparkscore.records`: its modules are one
per concern.
"""

from sparkscore.records.as_of_times import parse_as_of, parse_utc_time
from sparkscore.records.canonical_text import json_digest, to_utc_text
from sparkscore.records.commit_notes import (
    NOTE_KEY,
    RunCommit,
    RunCommitNote,
    format_commit_note,
    parse_commit_note,
)
from sparkscore.records.export_records import (
    ExportedRun,
    ExportRows,
    ExportStatus,
    ExportTarget,
    ReportedExport,
    TargetState,
)
from sparkscore.records.gate_records import RowRule, RowRules, RuleVerdict, Verdict
from sparkscore.records.landing_records import CORRUPT_COLUMN, LandedRows, UnversionedSource
from sparkscore.records.maintenance_records import MaintenanceReport, MaintenanceStatus, SkippedStep
from sparkscore.records.migration_records import MigrationReport, MigrationRequest, MigrationStatus, TableMigration
from sparkscore.records.model_records import ModelInput, PinnedModel
from sparkscore.records.monitor_records import (
    QUANTILE_LEVELS,
    ColumnProfile,
    Drift,
    OmittedSlices,
    ProgressReporter,
    SlaRule,
)
from sparkscore.records.prediction_parts import (
    NO_OUTPUT_PARTS,
    OutputParts,
    field_path,
    item_path,
    prediction_part_paths,
)
from sparkscore.records.report_records import (
    RESULT_SCHEMA,
    ReportedModel,
    ReportedSource,
    RunPage,
    RunReport,
    RunStatus,
)
from sparkscore.records.row_summaries import PassSummaries, RowSummary, RowSummaryState, SampledSummary
from sparkscore.records.run_records import (
    FOLLOW_UP_EVENTS,
    NO_POSTPROCESSING,
    EventKind,
    Pins,
    Postprocessing,
    Publication,
    PublicationKey,
    RejectCount,
    RowChanges,
    Run,
    RunEvent,
    RunIndex,
    Stage,
)
from sparkscore.records.scan_records import (
    FileScan,
    PartRows,
    ScoredPart,
    SplitPart,
    SplitPosition,
    SplitReader,
    StagedFile,
)
from sparkscore.records.source_records import Condition, FilterOperator, Snapshot
from sparkscore.records.table_records import TableLocation, TableRef
from sparkscore.records.trust_records import WARNING_POLICY, Reaction, TrustPolicy

__all__ = [
    "CORRUPT_COLUMN",
    "FOLLOW_UP_EVENTS",
    "NOTE_KEY",
    "NO_OUTPUT_PARTS",
    "NO_POSTPROCESSING",
    "QUANTILE_LEVELS",
    "RESULT_SCHEMA",
    "WARNING_POLICY",
    "ColumnProfile",
    "Condition",
    "Drift",
    "EventKind",
    "ExportRows",
    "ExportStatus",
    "ExportTarget",
    "ExportedRun",
    "FileScan",
    "FilterOperator",
    "LandedRows",
    "MaintenanceReport",
    "MaintenanceStatus",
    "MigrationReport",
    "MigrationRequest",
    "MigrationStatus",
    "ModelInput",
    "OmittedSlices",
    "OutputParts",
    "PartRows",
    "PassSummaries",
    "PinnedModel",
    "Pins",
    "Postprocessing",
    "ProgressReporter",
    "Publication",
    "PublicationKey",
    "Reaction",
    "RejectCount",
    "ReportedExport",
    "ReportedModel",
    "ReportedSource",
    "RowChanges",
    "RowRule",
    "RowRules",
    "RowSummary",
    "RowSummaryState",
    "RuleVerdict",
    "Run",
    "RunCommit",
    "RunCommitNote",
    "RunEvent",
    "RunIndex",
    "RunPage",
    "RunReport",
    "RunStatus",
    "SampledSummary",
    "ScoredPart",
    "SkippedStep",
    "SlaRule",
    "Snapshot",
    "SplitPart",
    "SplitPosition",
    "SplitReader",
    "Stage",
    "StagedFile",
    "TableLocation",
    "TableMigration",
    "TableRef",
    "TargetState",
    "TrustPolicy",
    "UnversionedSource",
    "Verdict",
    "field_path",
    "format_commit_note",
    "item_path",
    "json_digest",
    "parse_as_of",
    "parse_commit_note",
    "parse_utc_time",
    "prediction_part_paths",
    "to_utc_text",
]
