"""How good predictions were: the metrics, their values with confidence, and the windows that they are of."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal

from sparkscore.errors import ErrorSummary
from sparkscore.records.report_records import RESULT_SCHEMA, to_result_json


@dataclass(frozen=True, slots=True)
class QualityMetric:
    """A metric of predictions with a known truth."""

    name: str
    """As settings name it: `roc_auc`."""
    column: str
    """Of the performance table: `roc_auc_score`."""
    is_better_high: bool
    """Whether a greater value is a better one."""
    text: str
    """What it is, for people."""


_HIGH, _LOW = True, False
QUALITY_METRICS: tuple[QualityMetric, ...] = (
    QualityMetric("roc_auc", "roc_auc_score", _HIGH, "ROC AUC"),
    QualityMetric("pr_auc", "average_precision_score", _HIGH, "PR AUC"),
    QualityMetric("log_loss", "log_loss", _LOW, "log loss"),
    QualityMetric("brier", "brier_score", _LOW, "Brier score"),
    QualityMetric("ece", "expected_calibration_error", _LOW, "calibration error"),
    QualityMetric("accuracy", "accuracy_score", _HIGH, "accuracy"),
    QualityMetric("precision", "precision", _HIGH, "precision"),
    QualityMetric("recall", "recall", _HIGH, "recall"),
    QualityMetric("f1", "f1_score", _HIGH, "F1"),
    QualityMetric("f1_weighted", "f1_score_weighted", _HIGH, "F1, weighted"),
    QualityMetric("mae", "mean_absolute_error", _LOW, "MAE"),
    QualityMetric("rmse", "root_mean_squared_error", _LOW, "RMSE"),
    QualityMetric("mape", "mean_absolute_percentage_error", _LOW, "MAPE"),
    QualityMetric("r2", "r2_score", _HIGH, "R²"),
    QualityMetric("ndcg", "ndcg_at_k", _HIGH, "NDCG@k"),
    QualityMetric("precision_at_k", "precision_at_k", _HIGH, "precision@k"),
    QualityMetric("recall_at_k", "recall_at_k", _HIGH, "recall@k"),
    QualityMetric("map_at_k", "mean_average_precision_at_k", _HIGH, "MAP@k"),
    QualityMetric("hit_rate", "hit_rate_at_k", _HIGH, "hit rate@k"),
)
"""Every metric that is computed, in the order in which they are shown."""
METRICS_BY_NAME: Mapping[str, QualityMetric] = {metric.name: metric for metric in QUALITY_METRICS}


@dataclass(frozen=True, slots=True)
class Measure:
    """A value with its confidence interval."""

    value: float | None
    """None where it is not defined, as a ROC AUC without both classes."""
    low: float | None = None
    """None where no interval is known."""
    high: float | None = None


UNDEFINED = Measure(None)
"""Of a metric that these rows do not define."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Predictions of one range of probabilities, beside what came true."""

    lower: float
    upper: float
    count: int
    mean_prediction: float
    """Of the rows of the bin."""
    positive_share: float
    """Of the rows of the bin, how many are positive."""


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """One class of several, against all others."""

    name: str
    count: int
    """Rows whose truth it is."""
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How good some predictions were."""

    count: int
    """Rows with a truth and a prediction."""
    measures: Mapping[str, Measure]
    """By the metric's name; metrics of another kind of model are not among them."""
    notes: tuple[str, ...] = ()
    """Why a metric has no value."""
    calibration: tuple[CalibrationBin, ...] = ()
    """Of probabilities, by bin; bins without rows are left out."""
    classes: tuple[ClassQuality, ...] = ()
    """Of several classes, each."""

    def value(self, metric: str) -> float | None:
        """The value of a metric; None where it has none."""
        return self.measures.get(metric, UNDEFINED).value


@dataclass(frozen=True, slots=True)
class DecayFinding:
    """A metric beside what it was, for one window of a model version."""

    metric: str
    """Its name: `roc_auc`."""
    against: str
    """`validation`, or `best_window`: the best of the model version's windows before."""
    reference: float
    """The value there."""
    value: float
    """The value in this window."""
    loss: float
    """By which share of the reference the value is worse; below 0: it is better."""


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """What became of the rows of the table of truths, of those for the evaluated as_ofs and of all others."""

    rows: int = 0
    """All of them."""
    nulls: int = 0
    """Rows without a truth: NULL, NaN, an empty list."""
    invalid: int = 0
    """Rows whose truth is none of the values that there are: neither 0 nor 1."""
    of_future: int = 0
    """Rows whose time, or the time at which they became known, is later than the evaluation."""
    outdated: int = 0
    """Rows that another one of the same prediction supersedes: a newer one, or an equal one."""
    conflicting: int = 0
    """Predictions whose newest truths differ and are equally new: none of them is taken."""
    unmatched: int = 0
    """Truths for which nothing was published that is evaluated."""


@dataclass(frozen=True, slots=True)
class PerformanceRow:
    """How good the predictions of one slice were, in one window of one model version."""

    start: datetime
    """First as_of that the window may hold."""
    end: datetime
    """End of the window, which is not in it; of a window of one as_of that itself."""
    granularity: str
    """`run`, or the length of the window: `7d`."""
    model_name: str
    model_version: str
    problem: str
    """What is predicted: binary, classes, numbers or ranking."""
    rows: int
    """Rows that were published."""
    quality: Quality
    null_predictions: int = 0
    """Rows with a truth whose prediction is NULL, NaN or infinite: in no metric."""
    slice_key: str | None = None
    slice_value: str | None = None
    threshold: float | None = None
    k: int | None = None
    decays: tuple[DecayFinding, ...] = ()
    breaches: tuple[str, ...] = ()
    """Limits of `performance.fail` that it breaks, in words."""
    alerts: tuple[str, ...] = ()
    """Limits of `performance.alerts` that it breaks, in words."""
    note: str = ""
    """Why a metric has no value, or why nothing was judged."""
    runs: tuple[str, ...] = ()
    """run_ids of the publications that the rows are of."""
    window_id: str = ""
    """sha256 over all that the window's rows are made from; equal: nothing is to do."""
    revision: int = 1
    """How often the window was evaluated, as more truths came."""
    labels_table: str = ""
    labels_version: int | None = None
    labels: LabelCounts = LabelCounts()
    evaluated_at: datetime | None = None

    @property
    def labelled(self) -> int:
        """Rows with a truth, with a prediction or without."""
        return self.quality.count + self.null_predictions

    @property
    def labelled_share(self) -> float | None:
        """Of the rows, how many have a truth yet."""
        return self.labelled / self.rows if self.rows else None

    @property
    def is_whole(self) -> bool:
        """It is of all rows of the window, and of no slice."""
        return self.slice_key is None


EvaluationStatus = Literal["evaluated", "nothing_new", "nothing_published", "failed"]
"""How an evaluation ended; `nothing_new`: the same truths and windows as the last time."""


@dataclass(frozen=True, slots=True)
class EvaluatedWindow:
    """One window of a model version in a result line: its rows in all, and the metrics."""

    start: str
    """First as_of that it may hold, in UTC."""
    end: str
    """Its end, which is not in it; of one as_of that itself."""
    granularity: str
    """`run`, or the length of the window: `7d`."""
    model_name: str
    """In the registry."""
    model_version: str
    """In the registry."""
    rows: int
    """Rows that were published."""
    labelled_rows: int
    """Rows whose truth is known."""
    metrics: Mapping[str, float]
    """By the metric's name; those without a value are left out."""
    decay: tuple[DecayFinding, ...]
    """Metrics beside those in validation and in the best window."""
    breaches: tuple[str, ...]
    """Limits of `performance.fail` that it breaks, in words."""
    alerts: tuple[str, ...]
    """Limits of `performance.alerts` that it breaks, in words."""
    note: str
    """Why a metric has no value, or why nothing was judged."""
    revision: int
    """How often the window was evaluated, as truths came or changed."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The result of `evaluate`: the JSON line on stdout."""

    job: str
    """Name of the job."""
    status: EvaluationStatus
    """How it ended."""
    exit_code: int = 0
    """Of the process; 5 where a limit of `performance.fail` is broken."""
    table: str | None = None
    """The performance table."""
    table_version: int | None = None
    """Its version with these rows."""
    labels_table: str | None = None
    """The table of truths."""
    labels_version: int | None = None
    """Its version."""
    labels: LabelCounts | None = None
    """What became of its rows; None where nothing was new."""
    windows: tuple[EvaluatedWindow, ...] = ()
    """The newest of them, all rows of each; segments are in the table."""
    windows_evaluated: int = 0
    """Windows, of each model version, whose rows are new or replaced."""
    windows_unchanged: int = 0
    """Windows for which nothing was new."""
    rows_written: int = 0
    """Rows of the performance table."""
    failed: tuple[str, ...] = ()
    """The broken limits of `performance.fail`, in words."""
    warnings: tuple[str, ...] = ()
    """Warnings: what did not stop the evaluation."""
    report: str | None = None
    """Where the page of the job is."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds per part, `total` among them."""
    error: ErrorSummary | None = None
    """Why it failed."""
    schema: int = RESULT_SCHEMA
    """Version of the result line's shape: keys are added, never renamed."""

    def to_json(self) -> str:
        """One line of JSON."""
        return to_result_json(asdict(self), self.error)
