"""What the tasks of a run compute beside the scoring, and when the input gate judges."""

from collections.abc import Iterable
from dataclasses import dataclass

from sparkscore.pipelines.monitoring.run_profiles import (
    input_profile_share,
    input_profile_summary,
    prediction_profile_summary,
)
from sparkscore.pipelines.scoring.gate_order import GateOrder, ScoringCost, choose_gate_order
from sparkscore.pipelines.scoring.source_survey import SourceRows
from sparkscore.pipelines.scoring.transport_choice import TransportChoice
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_challengers import Challenger
from sparkscore.pipelines.shared.run_suites import (
    find_measuring,
    limit_measurings,
    output_gate_summary,
    stage_count_summary,
)
from sparkscore.records import PassSummaries, RowSummary, SampledSummary
from sparkscore.spark.settable_conf import has_setting
from sparkscore.stage.part_committer import ChunkListener

GPU_SETTING = "spark.task.resource.gpu.amount"
"""How many GPUs a task has."""


@dataclass(frozen=True, slots=True)
class PassPlan:
    """The one pass over a run's rows."""

    gate_order: GateOrder | None
    """None: the config has no suite for the input gate."""
    choice: TransportChoice
    """How rows reach the model, as far as it can be told before what an earlier attempt has scored is known."""
    rows: SourceRows
    summaries: PassSummaries
    challengers: tuple[Challenger, ...] = ()
    """Those that get the rows, too."""
    on_chunk: ChunkListener | None = None
    """Told of each chunk that is committed."""

    @property
    def gates_first(self) -> bool:
        """Whether the input gate judges before the model runs."""
        return self.gate_order is not None and self.gate_order.is_first


def plan_pass(attempt: Attempt, plan: Plan, choice: TransportChoice, rows: SourceRows) -> PassPlan:
    """What is computed while the run scores.

    Jobs:    none; the run events are read where they decide when the input gate judges.
    """
    order = plan_gate_order(attempt, plan, choice, rows.most)
    if choice.scan is None:
        return PassPlan(order, choice, rows, PassSummaries())
    limit_measurings(attempt, rows.most)
    source = [*_input_gate_summaries(attempt, plan, order), *_input_profile_summaries(attempt, plan, rows)]
    summaries = PassSummaries(tuple(source), tuple(_staged_summaries(attempt, plan)))
    return PassPlan(order, choice, rows, summaries)


def plan_gate_order(attempt: Attempt, plan: Plan, choice: TransportChoice, rows: int | None) -> GateOrder | None:
    """When the input gate judges; None where it has nothing to judge. `rows`: at most so many are read."""
    measuring = find_measuring(attempt, plan, "input")
    if measuring is None or not measuring.compiled.suite.expectations:
        return None
    cost = None
    if choice.scan is not None and attempt.stage_store(plan.run).location is not None:
        cost = ScoringCost(
            plan.model,
            choice.scan.bytes,
            rows,
            attempt.cores,
            has_gpu="gpu" in attempt.settings.scoring.resources or has_setting(attempt.spark, GPU_SETTING),
            has_batch_timeout=attempt.settings.scoring.batch_timeout is not None,
            load_events=lambda: attempt.newest_events,
        )
    return choose_gate_order(attempt.settings.gate.before, cost, measured=measuring.summary is not None)


def choose_profile_share(attempt: Attempt, plan: Plan, rows: SourceRows) -> float | None:
    """The share of the rows that is profiled while they are read; None where another job has to sample them.

    With a filter the scan cannot tell which of a row group's rows are in a sample.
    """
    is_all = attempt.settings.profile.rows == "all"
    share = 1.0 if is_all else None if rows.most is None else input_profile_share(attempt, rows.most)
    return share if share is None or share >= 1 or not plan.snapshot.where else None


def _input_gate_summaries(attempt: Attempt, plan: Plan, order: GateOrder | None) -> Iterable[SampledSummary]:
    measuring = find_measuring(attempt, plan, "input")
    if order is not None and not order.is_first and measuring is not None and measuring.summary is not None:
        yield SampledSummary(measuring.summary)


def _input_profile_summaries(attempt: Attempt, plan: Plan, rows: SourceRows) -> Iterable[SampledSummary]:
    if attempt.settings.profile.rows == "none":
        return
    share, summary = choose_profile_share(attempt, plan, rows), input_profile_summary(attempt, plan)
    if share is not None and summary.request.columns:
        yield SampledSummary(summary, share)


def _staged_summaries(attempt: Attempt, plan: Plan) -> Iterable[RowSummary]:
    yield stage_count_summary(attempt, plan)
    gate = output_gate_summary(attempt, plan)
    if gate is not None:
        yield gate
    if attempt.settings.profile.rows != "none":
        yield prediction_profile_summary(attempt, plan)
