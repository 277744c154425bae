"""`optimize-model`: a faster version of the job's model, measured on rows of its source."""

from argparse import ArgumentParser, Namespace

from sparkscore.cli.command import Command
from sparkscore.cli.setting_flags import add_as_of_argument, load_job_settings
from sparkscore.monitor.screen import people_screen


def _add_optimize_arguments(parser: ArgumentParser) -> None:
    add_as_of_argument(parser, "read the source as a run for this as_of would; default: now", required=False)


def _execute_optimize(args: Namespace) -> str:
    settings = load_job_settings(args, args.config)
    from sparkscore.errors import SparkscoreError
    from sparkscore.monitor.formatting import optimization_table
    from sparkscore.pipelines.optimize_model import optimize_model
    from sparkscore.records import OptimizationReport
    from sparkscore.spark.session import get_job_session

    screen = people_screen()
    try:
        report = optimize_model(
            get_job_session(f"sparkscore optimize_model {settings.job}"), settings, as_of=args.as_of
        )
    except SparkscoreError as error:
        if isinstance(error.report, OptimizationReport) and error.report.measured:
            screen.print(optimization_table(error.report))
        raise
    screen.print(optimization_table(report))
    return report.to_json()


OPTIMIZE_MODEL = Command(
    summary="make the job's model faster: ONNX, int8, float16; measure speed and agreement; register the best",
    examples="""examples:
  {program} --config conf/quickstart.yaml
  {program} --config conf/quickstart.yaml --optimize.register_best false
  {program} --config job.yaml --optimize.candidates '[onnx, onnx-int8]' --optimize.tolerance.max_difference 0.001
  {program} --config job.yaml --model.uri models:/churn/7 --optimize.promote champion

Converts the model that model.uri names to ONNX in a process of its own, which loads it and so runs its author's code;
measures each candidate beside the model on optimize.sample_rows rows of the source: bytes, load, rows per second, times
of a batch, differences, other labels, ROC AUC. The fastest one within optimize.tolerance becomes a new version of the
registered model, with tags that name its parent; no alias moves without optimize.promote. The report is an artifact of
an MLflow run, and lies under <home>/reports. Ends with 4 and registers nothing where no candidate is within tolerance,
or the model cannot be exported.

Needs the extra optimize, and onnx or gpu: pip install "sparkscore[optimize,onnx]".""",
    add_arguments=_add_optimize_arguments,
    execute=_execute_optimize,
)
