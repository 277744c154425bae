"""Back-fills a job: plan the as_ofs -> refuse what cannot be done -> one run for each that lacks one."""

from datetime import date

from pyspark.sql import SparkSession

from sparkscore.pipelines.backfilling.backfill_work import BackfillWork, RunListener
from sparkscore.pipelines.shared.reported_failures import attach_report_to_failures
from sparkscore.records import AsItWas, BackfillChoices, BackfillReport, list_as_ofs
from sparkscore.settings import Settings


def backfill(  # noqa: PLR0913 -- a caller's wishes, each a plain value
    spark: SparkSession | None,
    settings: Settings,
    *,
    first: str | date,
    last: str | date,
    every: str = "1d",
    source: AsItWas | None = None,
    model: AsItWas = "as_it_was",
    model_version: str | int | None = None,
    parallel: int = 1,
    skip_missing: bool = False,
    fail_fast: bool = False,
    dry_run: bool = False,
    progress: RunListener | None = None,
) -> BackfillReport:
    """Publish the as_ofs from the first to the last one, both included, that are not published yet.

    `source` and `model`: `as_it_was` at each as_of, or `as_it_is` now; `source` is required unless the config says it
    (`source.version`). Each as_of is a run of `score`: published once, resumed by the next call, with its own events.

    Needs:   a session; without one (None) it plans, where the logs of the tables tell enough, and raises SparkNeeded
             where there is something to do. A second call goes on where the first one has ended.
    Jobs:    those of `score` for each as_of, `parallel` as_ofs at once.
    Raises:  ConfigError for the range, for what nobody has chosen, and VersionGone for as_ofs of which no source
             version is left, before anything is scored. After the runs, if some failed, an error of the class of the
             most serious one; its `report` holds all of them.
    """
    version = None if model_version is None else str(model_version)
    choices = BackfillChoices(source, model, version, parallel, skip_missing, fail_fast)
    work = BackfillWork.open(spark, settings)
    with attach_report_to_failures("back-filling the job", work.fail):
        request = work.describe_request(list_as_ofs(first, last, every), every, choices)
        to_do = work.plan_as_ofs(request, is_shown_only=dry_run)
        if dry_run:
            return work.finish("dry_run")
        if to_do:
            work.make_runs(request, to_do, progress)
        return work.finish("backfilled" if to_do else "nothing_to_do")
