"""Compares a challenger with the champion beside which it has scored, and lets it take the champion's place."""

import time
from dataclasses import dataclass, field, replace

from pyspark.sql import SparkSession

from sparkscore.errors import MONITORING_BREACH, ConfigError
from sparkscore.model.registry.alias_promotion import AliasMove, check_alias, move_compared_alias, plan_alias_move
from sparkscore.monitor.comparison.model_gains import check_gain_metric
from sparkscore.monitor.comparison.prediction_cells import read_cells
from sparkscore.monitor.comparison.promotion_rules import describe_refusal, judge_promotion
from sparkscore.monitor.drift_detection import measure_drifts
from sparkscore.monitor.report.comparison import comparison_page
from sparkscore.pipelines.comparison.compared_runs import (
    ComparedPeriod,
    ComparedRuns,
    find_compared_runs,
    list_as_of_texts,
)
from sparkscore.pipelines.comparison.paired_rows import describe_cells, pair_rows, sum_cells
from sparkscore.pipelines.comparison.promotion_tags import describe_promotion
from sparkscore.pipelines.comparison.truth_sample import TruthSample, load_truth_sample, measure_sample_gains
from sparkscore.pipelines.shared.attempt_inputs import refuse_default_home
from sparkscore.pipelines.shared.reported_failures import attach_report_to_failures
from sparkscore.pipelines.shared.run_pages import report_folder
from sparkscore.pipelines.shared.timed_work import ReportedWork
from sparkscore.records import ComparedPredictions, ComparisonReport, Promotion
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.hadoop_folders import write_text_file
from sparkscore.store.table import Table
from sparkscore.store.table_growth import check_table_owner


def compare(  # noqa: PLR0913  what is compared, and what is done about it, each a plain value
    spark: SparkSession,
    settings: Settings,
    *,
    as_of: str | None = None,
    first: str | None = None,
    last: str | None = None,
    challenger: str | None = None,
    promote: bool = False,
    dry_run: bool = False,
) -> ComparisonReport:
    """Compare a challenger with its champion over the rows that both have predicted; write the page.

    `as_of`, or all from `first` to `last`; without any the newest that has a challenger. `challenger`: its version,
    `name/version` or URI, where there are several.

    `promote` moves the alias of `model.uri` to the challenger where every rule of `promotion` holds, else the report
    has exit code 5 and says why not; with `dry_run` the alias stays.

    Jobs:    one that joins the two tables and sums; one more where the config names labels.
    Raises:  ConfigError, ForeignTable, PinsConflict where the alias was moved meanwhile, RegistryUnreachable.
    """
    run = _ComparisonRun.open(spark, settings)
    with attach_report_to_failures("comparing two models", run.fail):
        if promote:
            _check_promotion_settings(settings)
        runs = run.find_runs(ComparedPeriod.of(as_of, first, last), challenger)
        move = _plan_move(settings, runs) if promote else None
        if move is not None:
            check_alias(move, settings.tracking_uri)
        found = run.compare_rows(runs)
        if move is not None:
            run.promote(move, runs, dry_run=dry_run)
        run.write_page(found)
        return run.finish()


def _check_promotion_settings(settings: Settings) -> None:
    metric = settings.promotion.metric
    if metric is None:
        raise ConfigError(
            "--promote without promotion.metric",
            "the rule by which a challenger is promoted",
            "set promotion.metric, and promotion.min_gain, min_rows, max_flips, max_cost_ratio as you need them",
        )
    check_gain_metric(metric)


def _plan_move(settings: Settings, runs: ComparedRuns) -> AliasMove:
    champion, challenger = runs.champion, runs.challenger
    return plan_alias_move(
        settings.model.uri,
        champion=(champion.name, champion.version),
        challenger=(challenger.name, challenger.version),
    )


@dataclass
class _ComparisonRun(ReportedWork[ComparisonReport]):
    """One comparison. `report` collects what is found; an error carries it to the entry point."""

    spark: SparkSession
    settings: Settings
    target: Table
    report: ComparisonReport
    truths: TruthSample | None = None
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def open(cls, spark: SparkSession, settings: Settings) -> "_ComparisonRun":
        refuse_default_home(spark, settings.home)
        own = create_run_session(spark)
        target = Table.from_name(own, settings.output.table, home=settings.home_uri)
        return cls(own, settings, target, ComparisonReport(settings.job, "failed"))

    def find_runs(self, period: ComparedPeriod, challenger: str | None) -> ComparedRuns:
        job = self.settings.job
        if self.target.exists():
            check_table_owner(self.target, job=job)
        runs = find_compared_runs(self.target.sibling("_runs"), job=job, period=period, wanted=challenger)
        costs, ratio = runs.measure_costs()
        self.report = replace(
            self.report,
            as_ofs=list_as_of_texts(runs),
            champion=runs.champion,
            challenger=runs.challenger,
            champion_rows=sum(run.publication.rows_scored or 0 for run in runs.runs),
            challenger_rows=sum(run.challenger["rows"] or 0 for run in runs.runs),
            costs=costs,
            cost_ratio=None if ratio is None else round(ratio, 3),
            warnings=runs.warnings,
        )
        return runs

    def compare_rows(self, runs: ComparedRuns) -> ComparedPredictions:
        settings, segments = self.settings, self.settings.performance_segments
        pairs = pair_rows(self.target, runs, settings.output_keys, segments, settings.performance.prediction)
        layout = describe_cells(pairs)
        with self.phase("compare"):
            found = read_cells(sum_cells(pairs, layout, segments), layout)
        champion = runs.champion
        drifts = measure_drifts(
            found.challenger,
            found.champion,
            drift_type="BASELINE",
            against=f"the champion, version {champion.version} of {champion.name}",
            limits=settings.drift,
        )
        self.report = replace(self.report, agreement=found.agreements[0], drifts=drifts)
        with self.phase("quality"):
            self.truths = load_truth_sample(self.spark, settings, runs, pairs, segments)
        self._measure_quality(found)
        return found

    def _measure_quality(self, found: ComparedPredictions) -> None:
        if self.truths is None:
            self.report = replace(self.report, segments=found.agreements[1:])
            return
        overall, by_slice = measure_sample_gains(self.truths, self.settings, found.agreements[1:])
        metric = self.settings.promotion.metric
        decisive = next((one for one in overall if one.metric == metric), None)
        whole = found.agreements[0]
        self.report = replace(
            self.report,
            agreement=replace(whole, gain=decisive),
            segments=tuple(
                replace(one, gain=by_slice.get((one.slice_key, one.slice_value))) for one in found.agreements[1:]
            ),
            quality=overall,
            truth_share=round(self.truths.known_rows / whole.rows, 6) if whole.rows else None,
        )

    def promote(self, move: AliasMove, runs: ComparedRuns, *, dry_run: bool) -> None:
        """Move the alias where every rule holds."""
        gain = None if self.report.agreement is None else self.report.agreement.gain
        rules = judge_promotion(self.report, gain, self.settings.promotion)
        held = all(one.held for one in rules)
        if held and not dry_run:
            move_compared_alias(move, describe_promotion(self.report, rules, move), self.settings.tracking_uri)
        promotion = Promotion(held and not dry_run, move.text, rules)
        status = "not_promoted" if not held else "dry_run" if dry_run else "promoted"
        self.report = replace(
            self.report,
            status=status,  # type: ignore[arg-type]  # of these words
            exit_code=0 if held else MONITORING_BREACH,
            promotion=promotion,
        )
        if not held:
            self._warn(f"version {move.challenger} is not promoted: {describe_refusal(rules)}")

    def write_page(self, found: ComparedPredictions) -> None:
        """Write the page of the comparison. As `write_text_file`."""
        champion, challenger, as_ofs = self.report.champion, self.report.challenger, self.report.as_ofs
        assert champion is not None  # noqa: S101  the runs name both
        assert challenger is not None  # noqa: S101
        days = "-".join(dict.fromkeys(one[:10] for one in (as_ofs[0], as_ofs[-1])))
        name = f"compare-{days}-{champion.version}-{challenger.version}.html"
        where = f"{report_folder(self.settings)}/{name}"
        status = "compared" if self.report.status == "failed" else self.report.status
        self.report = replace(self.report, report=where, status=status)
        write_text_file(self.spark, where, comparison_page(self.report, found))

    def finish(self) -> ComparisonReport:
        self.report = replace(self.report, seconds=self.elapsed_seconds)
        return self.report

    def _warn(self, text: str) -> None:
        self.report = replace(self.report, warnings=(*self.report.warnings, text))
