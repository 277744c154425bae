"""A champion and a challenger side by side: what differs, what it costs, and whether the challenger may take over."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from sparkscore.errors import ErrorSummary
from sparkscore.records.model_records import ReportedModel
from sparkscore.records.monitor_records import ColumnProfile, Drift
from sparkscore.records.report_records import RESULT_SCHEMA, to_result_json

ComparisonStatus = Literal["compared", "promoted", "not_promoted", "dry_run", "failed"]
"""How it ended; `dry_run`: all rules hold, and the alias was left where it is."""


@dataclass(frozen=True, slots=True)
class ModelGain:
    """A metric of both models over the same rows with a known truth, and how sure their difference is."""

    metric: str
    """Its name: `roc_auc`."""
    champion: float | None
    """Its value with the champion."""
    challenger: float | None
    """Its value with the challenger."""
    gain: float | None
    """By how much the challenger is better; negative: worse."""
    low: float | None
    """Lower end of the interval of the gain."""
    high: float | None
    """Its upper end."""
    rows: int
    """Rows with a known truth."""
    note: str = ""
    """Why there is no value, where there is none."""


@dataclass(frozen=True, slots=True)
class ModelAgreement:
    """How much two models agree in one slice of the rows that both have predicted."""

    rows: int
    """Rows that both have predicted."""
    slice_key: str | None = None
    """The column that the slice is cut by; None: all rows."""
    slice_value: str | None = None
    """Its value in these rows."""
    equal_share: float | None = None
    """Of the rows with the same label; without labels, with the same prediction."""
    correlation: float | None = None
    """Of the predictions, where they are numbers."""
    mean_absolute_difference: float | None = None
    """Between the predictions of a row, where they are numbers."""
    max_absolute_difference: float | None = None
    """The greatest one."""
    champion_mean: float | None = None
    """Mean of its predictions."""
    challenger_mean: float | None = None
    """Mean of its predictions."""
    flips_up: int | None = None
    """Rows whose label is 0 with the champion and 1 with the challenger."""
    flips_down: int | None = None
    """The other way round."""
    both_positive: int | None = None
    """Rows whose label is 1 with both."""
    both_negative: int | None = None
    """Rows whose label is 0 with both."""
    gain: ModelGain | None = None
    """Of the metric that decides."""

    @property
    def flip_share(self) -> float | None:
        """Of the rows with another label; None without labels."""
        if self.flips_up is None or self.flips_down is None or not self.rows:
            return None
        return (self.flips_up + self.flips_down) / self.rows


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What a model took, over the runs that are compared."""

    seconds: float | None
    """Of all tasks together, without reading and loading; None where none of the runs measured it."""
    rows_per_second: float | None
    """Rows per second of `seconds`."""
    loads: int | None
    """How often it was loaded, in all workers."""
    model_bytes: int | None
    """Size of its files."""


@dataclass(frozen=True, slots=True)
class PromotionRule:
    """A rule of `promotion`, and whether it holds."""

    rule: str
    """Its name in the config: `min_gain`."""
    held: bool
    """It holds."""
    found: str
    """What was found, in words."""
    limit: str
    """What the rule asks for, in words."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """Whether a challenger takes the champion's place."""

    promoted: bool
    """The alias was moved."""
    alias: str
    """`name@alias`."""
    rules: tuple[PromotionRule, ...]
    """Each rule; the alias moves where all hold."""


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """The result of `compare`: the JSON line on stdout."""

    job: str
    """Name of the job."""
    status: ComparisonStatus
    """How it ended."""
    exit_code: int = 0
    """Of the process."""
    as_ofs: tuple[str, ...] = ()
    """The logical times of the runs that are compared, ascending."""
    champion: ReportedModel | None = None
    """Whose predictions are published."""
    challenger: ReportedModel | None = None
    """Whose are held against them."""
    champion_rows: int | None = None
    """Rows that the champion has predicted."""
    challenger_rows: int | None = None
    """Rows that the challenger has predicted."""
    agreement: ModelAgreement | None = None
    """Over all rows that both have predicted."""
    segments: tuple[ModelAgreement, ...] = ()
    """The same by segment."""
    drifts: tuple[Drift, ...] = ()
    """How far the challenger's predictions are from the champion's, over all rows and by segment."""
    costs: Mapping[str, ModelCost] = field(default_factory=dict)
    """`champion` and `challenger`."""
    cost_ratio: float | None = None
    """Seconds of the challenger for each second of the champion, in the same passes."""
    quality: tuple[ModelGain, ...] = ()
    """Metrics over the rows with a known truth; empty where the config names no labels."""
    truth_share: float | None = None
    """Of the rows that both have predicted, how many have a known truth."""
    promotion: Promotion | None = None
    """With --promote."""
    report: str | None = None
    """Where the HTML page is."""
    warnings: tuple[str, ...] = ()
    """Warnings: what did not stop the comparison."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds per part, `total` among them."""
    error: ErrorSummary | None = None
    """Why it failed."""
    schema: int = RESULT_SCHEMA
    """Version of the result line's shape: keys are added, never renamed."""

    def to_json(self) -> str:
        """One line of JSON."""
        return to_result_json(asdict(self), self.error)


@dataclass(frozen=True, slots=True)
class ComparedPredictions:
    """What Spark has summarised of the rows that both models have predicted."""

    agreements: tuple[ModelAgreement, ...]
    """The first one of all rows; then those of segments."""
    champion: tuple[ColumnProfile, ...]
    """The predictions of each slice."""
    challenger: tuple[ColumnProfile, ...]
