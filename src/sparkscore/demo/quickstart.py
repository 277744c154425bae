"""The first run in one command: real flights, a model trained on nine months, the main job on the other three."""

from pathlib import Path

import pandas as pd
import structlog
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.demo import flights
from sparkscore.demo.recipe import training_flights, with_outcome
from sparkscore.demo.train import TrainedModel, judged_flights, train_champion
from sparkscore.errors import ConfigError
from sparkscore.monitor.formatting import describe_run, rows_table
from sparkscore.monitor.performance_formatting import slice_table
from sparkscore.monitor.progress_reporter import console_progress
from sparkscore.monitor.screen import Screen
from sparkscore.performance_schemas import PERFORMANCE_SUFFIX
from sparkscore.pipelines.evaluate import evaluate
from sparkscore.pipelines.score import score
from sparkscore.records import RunReport
from sparkscore.settings import Settings
from sparkscore.spark.session import get_job_session
from sparkscore.store.performance_table import load_performance
from sparkscore.store.table import Table

AS_OF = "2013-12-31"
EXAMPLE_FLIGHTS = 10

log = structlog.get_logger("sparkscore")


def config_file() -> Path:
    """`conf/quickstart.yaml` of the repository, or the copy inside an installed package.

    Raises:  ConfigError if neither exists.
    """
    here = Path(__file__).resolve()
    for folder in (here.parent / "conf", here.parents[3] / "conf"):
        if (folder / "quickstart.yaml").is_file():
            return folder / "quickstart.yaml"
    raise ConfigError(
        "no conf/quickstart.yaml next to the package",
        "the repository, or an installed wheel",
        "name a config with --config",
    )


def run_quickstart(settings: Settings, screen: Screen) -> RunReport:
    """Run the main job on October to December 2013, and hold its predictions against what happened; creates everything
    that it needs first, once.

    Jobs:    loads the tables, then those of `score` and of `evaluate`.
    Raises:  whatever these raise; LeakSuspected.
    """
    home, tracking_uri = settings.home_uri, settings.tracking_uri
    if not Path(home).is_absolute() or tracking_uri is None:
        raise ConfigError(
            f"the quickstart with home {home} and the registry {tracking_uri or 'of MLFLOW_TRACKING_URI'}",
            "a local home and its own registry",
            "unset MLFLOW_TRACKING_URI, and SPARKSCORE_HOME where it is remote",
        )
    log.info("loading the flights of 2013")
    frames = flights.load_tables()
    spark = get_job_session("sparkscore quickstart")
    rows = flights.write_tables(spark, home, frames=frames)
    log.info("tables are there", **{name: f"{count:,} rows" for name, count in rows.items()})
    log.info("training on January to September")
    trained_on = flights.write_training(spark, home, training_flights(with_outcome(frames.flights)))
    artifacts = f"{home}/mlartifacts"
    trained = train_champion(frames.flights, tracking_uri=tracking_uri, artifact_root=artifacts, trained_on=trained_on)
    log.info("model registered", name=trained.name, version=trained.version, reused=trained.reused)
    report = score(spark, settings, as_of=AS_OF, progress=console_progress(screen))
    target = Table.from_name(spark, settings.output.table, home=home)
    likeliest = target.load_rows().where(f"as_of = TIMESTAMP'{AS_OF}T00:00:00Z'")
    likeliest = likeliest.orderBy(F.col("prediction").desc(), "flight_id").limit(EXAMPLE_FLIGHTS)
    columns = [*settings.source.keys, *settings.source.passthrough, "prediction", "label"]
    examples = likeliest.select(*columns).collect()
    screen.print(f"\nThe {EXAMPLE_FLIGHTS} flights that are most likely late:\n")
    screen.print(rows_table(columns, examples))
    _evaluate_flights(spark, settings, frames.flights, screen)
    screen.print(_describe_quickstart(report, trained, target, home), soft_wrap=True)
    return report


def _evaluate_flights(spark: SparkSession, settings: Settings, known: pd.DataFrame, screen: Screen) -> None:
    """Weeks later it is known how late the flights were: hold the predictions against it."""
    if settings.labels.table is None:  # another config
        return
    flights.write_arrivals(spark, settings.home_uri, judged_flights(known))
    evaluate(spark, settings, as_of=AS_OF)
    target = Table.from_name(spark, settings.output.table, home=settings.home_uri)
    rows = load_performance(target.sibling(PERFORMANCE_SUFFIX), job=settings.job)
    screen.print("\nWhat the predictions were worth, now that the flights have arrived:\n")
    screen.print(slice_table([row for row in rows if row.slice_key in (None, "origin")]))


def _describe_quickstart(report: RunReport, trained: TrainedModel, target: Table, home: str) -> str:
    """Text about what happened, where the results are, and what to try next."""
    return f"""
{describe_run(report)}

The model learned from {trained.rows_train:,} flights of January to September. On {trained.rows_test:,} of October to
December its ROC AUC is {trained.auc:.3f}; {trained.base_rate:.1%} of those arrived 15 minutes late or more.

  predictions   {target.path}
  run events    {target.sibling("_runs").path}
  profiles      {target.sibling("_profile").path}
  drift         {target.sibling("_drift").path}
  performance   {target.sibling(PERFORMANCE_SUFFIX).path}
  the report    {report.report}
  flights       {home}/tables/flights
  models        {home}/mlflow.db

Try next:
  already published, does nothing:
    ./spark-submit.sh jobs/score.py --config conf/quickstart.yaml --as-of {AS_OF}
  the plan of a new run:
    ./spark-submit.sh jobs/score.py --config conf/quickstart.yaml --as-of 2014-01-01 --dry-run
  what came true, also by carrier and origin:
    ./spark-submit.sh jobs/evaluate.py --config conf/quickstart.yaml
  runs and attempts:
    ./spark-submit.sh jobs/runs.py --config conf/quickstart.yaml"""
