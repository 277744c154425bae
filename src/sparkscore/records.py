"""The frozen records that cross packages. Plain data: no I/O, no Spark, no MLflow, no pandas."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import pyarrow as pa
from pyarrow import fs

RESULT_SCHEMA = 1
"""Version of the result line's shape."""

FilterOperator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in", "is null", "is not null"]
RunStatus = Literal[
    "published",
    "already_published",
    "superseded",
    "nothing_to_score",
    "dry_run",
    "failed",
    "aborted",
    "unfinished",
]
"""How an attempt ended. `aborted` and `unfinished` (no event says that it ended) are told by pages of earlier attempts,
never by a result line: an attempt cannot say them of itself."""


def json_digest(value: object) -> str:
    """The sha256 of a JSON value, 64 hexadecimal digits: keys sorted, no spaces, so equal values have equal digests."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def to_utc_text(moment: datetime) -> str:
    """The moment in ISO 8601 with a trailing Z, microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class ProgressReporter(Protocol):
    """Shows the progress of a long part of a run to whoever started it."""

    def __call__(self, part: str, *, total: int, done: Callable[[], int]) -> AbstractContextManager[None]:
        """A block in which `done()` of `total` rows are shown."""


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table by its catalog name or by its path, checked against the grammar. `store.table_ref` makes it."""

    name: str
    """As people write it: `flights`, `lake.flights`, `s3a://bucket/flights`."""
    path: str | None
    """Where it lies, for a table without a catalog name; None for a catalog's table."""


@dataclass(frozen=True, slots=True)
class TableLocation:
    """A table's folder that is reached without Spark. `store.place_of` makes it; pickled into tasks."""

    uri: str
    """As deltalake names it."""
    root: str
    """As pyarrow names it in its file system."""
    filesystem: fs.FileSystem | None = None
    """None: the machine's own files."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What deltalake needs to reach it: secrets, so never shown."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One typed comparison of a source column; conditions of a filter are joined by AND."""

    column: str
    op: FilterOperator
    value: Any = None
    sensitive: bool = False
    """Its value is shown nowhere."""
    written: tuple[str | None, ...] = field(default=(), compare=False)
    """For each value, how it was written where YAML has not read it as text; empty: it does not come from YAML."""

    @property
    def words(self) -> str:
        """For people: `month >= 10`."""
        value = "***" if self.sensitive and self.value is not None else self.value
        return f"{self.column} {self.op} {'' if value is None else value}".strip()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A source table at one pinned version: what a run reads. `ingest.frame` turns it into rows."""

    table: TableRef
    table_id: str
    version: int
    schema: pa.Schema
    """All columns of the table at that version."""
    columns: tuple[str, ...]
    """The columns that the run reads: keys, model inputs, pass-through."""
    keys: tuple[str, ...]
    where: tuple[Condition, ...] = ()


SplitPosition = tuple[int, int]
"""A place in a split: which of its ranges, and how many of that range's rows lie before it, filtered ones too. A range
that is read to its end is left behind: then it is the next one's row 0."""


@dataclass(frozen=True, slots=True)
class SplitPart:
    """The rows of a split from one position to another; a whole split where nothing else is said."""

    split: int
    first: SplitPosition = (0, 0)
    last: SplitPosition | None = None
    """None: the split's end."""
    share: float = 1.0
    """How much of its split's work it is, about."""


@dataclass(frozen=True, slots=True)
class ScoredPart:
    """What a task tells of a part: how far it came, and the files that it wrote."""

    split: int
    first: SplitPosition
    last: SplitPosition
    ranges: int
    """How many ranges the split has: `(ranges, 0)` is its end."""
    files: tuple[Mapping[str, Any], ...] = ()
    """As `stage.file_writer` tells of them."""
    share: float = 1.0
    """As in `SplitPart`, of what was scored."""
    seconds: float = 0.0
    """How long that took, without the model's load."""
    layout: tuple[int, int] | None = None
    """Where it ends inside a range: the range's rows, and those of a batch."""

    @property
    def whole(self) -> bool:
        """It is all of its split."""
        return self.first == (0, 0) and self.last == (self.ranges, 0)


class PartRows(Protocol):
    """The rows of a part of a split, batch by batch, and how far the reading has come."""

    ranges: int
    position: SplitPosition
    """After the last row that was read."""
    layout: tuple[int, int]
    """Rows of the range that is being read, and of its batches."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The rows that meet the filter. Once."""

    @property
    def share_read(self) -> float:
        """How much of the part was read, 0 to 1, by the bytes of its ranges."""


class SplitReader(Protocol):
    """Reads the splits of a scan on executors. `ingest.split_reader` has it; pickled into every task."""

    def __call__(self, split: bytes) -> Iterator[pa.RecordBatch]:
        """The split's rows that meet the filter, as `ingest.frame` would give them."""

    def part(self, split: bytes, first: SplitPosition, last: SplitPosition | None) -> PartRows:
        """The same of a part of it. Parts that meet give each row once."""

    def lengths(self, split: bytes) -> tuple[int, ...]:
        """The bytes of each of its ranges."""

    def named(self, split: bytes) -> str:
        """The split in words: its files and ranges."""

    def sampled(self, share: float) -> "SplitReader":
        """Reads a share of each row group, from its beginning: the same rows each time."""


@dataclass(frozen=True, slots=True)
class FileScan:
    """The data files of a snapshot, cut into balanced splits. `ingest.file_listing` makes it."""

    splits: tuple[bytes, ...]
    """Each names ranges of files; only `read` understands them."""
    read: SplitReader
    files: int
    bytes: int
    """Size of the files on disk."""
    target: int
    """Bytes that a split holds, about: the same listing with the same target gives the same splits."""
    plan: str
    """sha256 over what each split names: equal plans number the same splits alike."""
    pruned: int = 0
    """Files that the filter leaves out, by their partition values and statistics."""


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One input of a model's signature. `name` is None where the signature has only positions."""

    name: str | None
    type: pa.DataType
    required: bool
    shape: tuple[int, ...] | None = None
    """What each row brings to a tensor of the signature: `()` one value, `(2, 3)` a list of 2 lists of 3. None: this
    is a column, or one of the k columns of a tensor (-1, k)."""


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """A model resolved once: an alias becomes a version, its files a digest and a private local copy."""

    name: str
    version: str
    model_id: str
    digest: str
    """sha256 over the relative paths and contents of the model's files."""
    path: str
    """The private copy on the driver."""
    runtime: Literal["pyfunc", "sklearn", "onnx", "torch"]
    inputs: tuple[ModelInput, ...]
    tensor: bool
    """The signature is of tensors: the inputs go to the model as arrays, not as columns of a frame."""
    output: pa.DataType
    """Type of one prediction: a scalar, a list or a struct."""


@dataclass(frozen=True, slots=True)
class RowRule:
    """One rule that a row must meet to be scored: what an expectation asks of a row, or that a key is there."""

    code: str
    """The reason that a reject carries: `null_key`, or the name of the expectation."""
    message: str
    kind: str
    """`null_key`, or an expectation's type."""
    kwargs: Mapping[str, Any]
    """Of the expectation; for `null_key` its column."""


@dataclass(frozen=True, slots=True)
class RowRules:
    """Rules as data; `gate.row_rules` evaluates them in Spark and with pyarrow. The first broken one is the reason."""

    rules: tuple[RowRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Pins:
    """What a run may not change its mind about. Equal pins give equal predictions."""

    source_id: str
    source_version: int
    model_name: str
    model_version: str
    model_digest: str
    scoring_digest: str

    def stage_id(self, as_of: datetime) -> str:
        """Identity of the stage: runs with equal pins and as_of share it."""
        return json_digest([asdict(self), to_utc_text(as_of)])

    def differences(self, other: "Pins") -> list[str]:
        """One line per pin that differs: `model_version: 3 here, 4 there`."""
        mine, theirs = asdict(self), asdict(other)
        return [
            f"{name}: {mine[name]} published, {theirs[name]} asked for" for name in mine if mine[name] != theirs[name]
        ]


@dataclass(frozen=True, slots=True)
class Postprocessing:
    """How a run makes the columns that it publishes from what the model returned. No part of its pins."""

    threshold: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """What is set. Empty where predictions are published as the model returned them."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Postprocessing":
        """The inverse of `to_dict`; names that a newer version may have written are left out."""
        return cls(**{one.name: values[one.name] for one in fields(cls) if one.name in values})

    def differences(self, other: "Postprocessing") -> list[str]:
        """One line per value that differs: `threshold 0.5 published, 0.4 asked for`."""
        mine, theirs = asdict(self), asdict(other)
        return [
            f"{name} {mine[name]} published, {theirs[name]} asked for" for name in mine if mine[name] != theirs[name]
        ]


NO_POSTPROCESSING = Postprocessing()
"""Predictions are published as the model returned them."""


@dataclass(frozen=True, slots=True)
class Run:
    """One publication of a job for one as_of, and the attempt that works on it."""

    job: str
    as_of: datetime
    revision: int
    attempt: int
    pins: Pins
    source_table: str
    model_id: str
    postprocessing: Postprocessing = NO_POSTPROCESSING
    """Empty, too, for runs that an older version began: their scoring digest holds the threshold."""

    @property
    def run_id(self) -> str:
        """sha256 of job, as_of, revision, pins, and of the post-processing where there is any."""
        named = [self.job, to_utc_text(self.as_of), self.revision, asdict(self.pins)]
        applied = self.postprocessing.to_dict()
        return json_digest([*named, applied] if applied else named)

    @property
    def stage_id(self) -> str:
        """sha256 of pins and as_of."""
        return self.pins.stage_id(self.as_of)

    @property
    def guard(self) -> str:
        """Delta's application id of the commits of this as_of; the revision is its version."""
        return f"sparkscore/{self.job}/{to_utc_text(self.as_of)}"


@dataclass(frozen=True, slots=True)
class Stage:
    """Predictions that are written and not visible yet. Lives at `path`, at `version`."""

    stage_id: str
    path: str
    version: int
    rows: int
    """All rows: scored and rejected."""
    rejected: int
    chunks_reused: int = 0
    keys_ascend: bool = False
    """The tasks that wrote it saw that no key is there twice; where False it has to be counted."""

    @property
    def scored(self) -> int:
        """Rows with a prediction."""
        return self.rows - self.rejected


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What one expectation found. `observed` and `expected` are words for people, without values of rows."""

    rule: str
    passed: bool
    observed: str
    expected: str
    severity: Literal["critical", "warning", "info"] = "critical"
    slow: bool = False
    """Computed by Great Expectations' own engine: several Spark jobs for this rule alone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate's judgement over one frame."""

    gate: Literal["input", "output"]
    suite: str
    rules: tuple[RuleVerdict, ...]
    seconds: float = 0.0

    @property
    def failed(self) -> tuple[RuleVerdict, ...]:
        """The broken rules that stop a run."""
        return tuple(rule for rule in self.rules if not rule.passed and rule.severity == "critical")

    @property
    def warned(self) -> tuple[RuleVerdict, ...]:
        """The broken rules that only warn."""
        return tuple(rule for rule in self.rules if not rule.passed and rule.severity == "warning")


@dataclass(frozen=True, slots=True)
class Publication:
    """The one commit that made a run visible."""

    table: str
    table_version: int | None
    """None when the table's history no longer holds the commit."""
    run_id: str
    revision: int
    rows: int
    committed: bool = field(default=True, compare=False)
    """False: another attempt of the run had made the commit already."""


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What readers of an as_of see change when other rows take the place of those of now: counts of keys."""

    rows_now: int
    rows_then: int
    """Rows afterwards."""
    vanish: int
    appear: int
    change: int
    """Keys that stay, with another prediction or another pass-through value."""


@dataclass(frozen=True, slots=True)
class RejectCount:
    """How many rows a run rejected for one reason."""

    as_of: datetime
    run_id: str
    code: str
    error: str | None
    """Class of the model's error; None for a broken rule."""
    rows: int


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One line of a job's history. Grain: one row per (run_id, attempt, event)."""

    job: str
    as_of: datetime
    revision: int
    attempt: int
    event: Literal["started", "staged", "published", "failed", "aborted", "monitored"]
    at: datetime
    run_id: str | None = None
    pins: Pins | None = None
    source_table: str | None = None
    model_id: str | None = None
    rows_read: int | None = None
    rows_scored: int | None = None
    rows_rejected: int | None = None
    table_version: int | None = None
    exit_code: int | None = None
    error: str | None = None
    message: str | None = None
    details: str | None = None

    @property
    def verb(self) -> str:
        """The verb whose attempt this is."""
        return str(self.told.get("verb", "score"))

    @property
    def postprocessing(self) -> Postprocessing:
        """Of the run: empty where an older version has written the event."""
        return Postprocessing.from_dict(self.told.get("postprocessing") or {})

    @property
    def of_run(self) -> str | None:
        """The run that the attempt started from: whose rows a rollback publishes again, whose rejects are retried."""
        return self.told.get("of_run")

    @property
    def told(self) -> Mapping[str, Any]:
        """What the event tells beside its columns: seconds per part, verdicts, transport, executors, drift, SLA."""
        told: Mapping[str, Any] = json.loads(self.details) if self.details else {}
        return told


@dataclass(frozen=True, slots=True)
class RunReport:
    """The result of one attempt: the JSON line on stdout."""

    job: str
    as_of: str | None
    status: RunStatus
    exit_code: int = 0
    run_id: str | None = None
    revision: int | None = None
    attempt: int | None = None
    rows_read: int | None = None
    rows_scored: int | None = None
    rows_rejected: int | None = None
    model: Mapping[str, str] | None = None
    """name, version, model_id, digest."""
    source: Mapping[str, Any] | None = None
    """table, version."""
    table: str | None = None
    table_version: int | None = None
    transport: str | None = None
    transport_reason: str | None = None
    """Why this transport: what the scan covers, or what kept it from being sure."""
    model_loads: int | None = None
    chunks_reused: int | None = None
    newer: Mapping[str, Any] | None = None
    """What a run with new pins would take: `source_version`, `model_version`; None when nothing is newer."""
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds per part, `total` among them."""
    rows_per_second: float | None = None
    """Rows scored per second of the score-and-stage part."""
    executors: Mapping[str, float] = field(default_factory=dict)
    """What the workers did: see `scoring.counters`."""
    drifted: int | None = None
    """Columns that are too far from what they are compared with; None where nothing was compared."""
    sla_broken: tuple[str, ...] = ()
    """The rules of `sla` that the run broke, in words."""
    report: str | None = None
    """Where the run's page is."""
    error: Mapping[str, Any] | None = None
    """class, message, retryable."""
    schema: int = RESULT_SCHEMA

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), default=str)


QUANTILE_LEVELS: tuple[float, ...] = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Of the quantiles that a profile tells."""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What a column holds in one slice of a run. Profiles of several runs merge: `monitor.column_profiles.merged`."""

    column: str
    log_type: Literal["input", "prediction"]
    data_type: str
    """As Spark writes it: `double`."""
    count: int
    """Rows looked at, with a value or not."""
    nulls: int
    nans: int
    slice_key: str | None = None
    """The column that the slice is cut by; None: all rows."""
    slice_value: str | None = None
    min: float | None = None
    """Numbers as they are, booleans as 0 and 1, moments as seconds and dates as days since 1970; None for text."""
    max: float | None = None
    mean: float | None = None
    deviation: float | None = None
    """Standard deviation, of the population."""
    points: tuple[float, ...] = ()
    """Ascending values that stand for all: between neighbours lie as many rows as `weights` tell."""
    weights: tuple[float, ...] = ()
    """How many rows each point stands for; their sum is the number of values."""
    distinct: float | None = None
    """How many different values there are: exact while few, else estimated from `hashes`."""
    hashes: tuple[int, ...] = ()
    """The smallest hashes of the values, ascending."""
    top: tuple[tuple[str, int], ...] = ()
    """The most frequent values and how many rows have them; of text and of whole numbers with few values."""
    share: float = 1.0
    """Of the rows of the run, how many were looked at."""

    @property
    def values(self) -> int:
        """Rows with a value: neither NULL nor NaN."""
        return self.count - self.nulls - self.nans

    def quantile(self, level: float) -> float | None:
        """The value that a share of `level` of the values is at most."""
        target, below = level * sum(self.weights), 0.0
        for point, weight in zip(self.points, self.weights, strict=True):
            below += weight
            if below >= target:
                return point
        return self.points[-1] if self.points else None


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a column of one slice is from what it is compared with: distances, never p-values."""

    column: str
    log_type: Literal["input", "prediction"]
    drift_type: Literal["BASELINE", "CONSECUTIVE"]
    """Against the baseline of the config, or against the run before."""
    against: str
    """What it is compared with, in words: `training data of flight-delay version 1`, `run 1f0c9a2b of 2013-12-30`."""
    count: int
    count_cmp: int
    slice_key: str | None = None
    slice_value: str | None = None
    psi: float | None = None
    """Population stability index. None, like the others, where the column's kind has no such distance."""
    jensen_shannon: float | None = None
    kolmogorov_smirnov: float | None = None
    wasserstein: float | None = None
    """In standard deviations of what it is compared with."""
    cramers_v: float | None = None
    """Of the chi-squared statistic: 0 to 1, whatever the number of rows."""
    drifted: bool = False
    """A distance is above its threshold, with rows enough to tell."""
    note: str = ""
    """Why no verdict was given, or which distance is above which threshold."""
    bins: tuple[str, ...] = ()
    """In words: `0.1 to 0.25`, `AA`, `NULL`, `NaN`, `unseen`."""
    shares: tuple[float, ...] = ()
    """Of rows in each bin, now."""
    shares_cmp: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SlaRule:
    """One promise about a run, and whether it was kept."""

    rule: str
    kept: bool
    observed: str
    expected: str


@dataclass(frozen=True, slots=True)
class RunPage:
    """All that is known of one run, for its report: what `pipelines.report` reads from the job's tables."""

    report: RunReport
    """`seconds`, `executors`, counts, model, source."""
    verdicts: tuple[Verdict, ...]
    profiles: tuple[ColumnProfile, ...]
    last: tuple[ColumnProfile, ...]
    """Of the run before, in as_of; empty for the first one."""
    drifts: tuple[Drift, ...]
    rejects: tuple[RejectCount, ...]
    sla: tuple[SlaRule, ...]
    history: tuple[RunEvent, ...]
    """The last event of each as_of's newest revision, oldest first, this run's too: for what changes over time."""
    cores: int = 1
    """Slots that the run had."""
    price_core_hour: float | None = None
    price_gpu_hour: float | None = None


@dataclass(frozen=True, slots=True)
class SkippedStep:
    """Something that upkeep left as it is, and why."""

    step: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """The result of `maintain`: the JSON line on stdout. After a dry run, what would be done."""

    job: str
    status: Literal["maintained", "nothing_to_do", "dry_run", "failed"]
    exit_code: int = 0
    table: str | None = None
    expired_before: str | None = None
    """Rows of an older as_of_date are removed; None without output.retention_days."""
    as_of_expired: int = 0
    predictions_expired: int = 0
    """Rows, as are the next three."""
    rejects_expired: int = 0
    events_expired: int = 0
    profiles_expired: int = 0
    """Rows of profiles and of drift."""
    stages_removed: int = 0
    stage_bytes_removed: int = 0
    models_removed: int = 0
    model_bytes_removed: int = 0
    files_compacted: int = 0
    """Small files that became parts of bigger ones."""
    files_vacuumed: int = 0
    skipped: tuple[SkippedStep, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds per step, `total` among them."""
    error: Mapping[str, Any] | None = None
    """class, message, retryable."""
    schema: int = RESULT_SCHEMA

    @property
    def idle(self) -> bool:
        """Nothing was there to be done."""
        counts = (self.as_of_expired, self.stages_removed, self.models_removed)
        return not any((*counts, self.files_compacted, self.files_vacuumed))

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), default=str)
