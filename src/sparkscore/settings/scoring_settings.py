"""Settings of how rows reach the model, and of the gates."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sparkscore.records import BatchLimits
from sparkscore.settings.accelerator_settings import find_resource_problem
from sparkscore.settings.engine_settings import EngineName
from sparkscore.settings.frozen_settings import RELATIVE_PATH_NOTE, FrozenSettings

MAX_TIMEOUT_S = 2_592_000
"""Thirty days: watchdogs of Python take no endless time."""

MAX_SPARK_BATCH_BYTES = 2_147_483_646
"""Spark takes no more for a batch of its own."""


class ScoringSettings(FrozenSettings):
    """How rows reach the model, and which become rejects. What changes no value beyond rounding is not part of a run's
    identity."""

    transport: Literal["auto", "pandas_udf", "arrow", "scan"] = Field(
        default="auto", description="how rows reach the model"
    )
    engine: EngineName = Field(
        default="spark",
        description="who runs the tasks that score: spark, or Ray Data or Dask beside it (section engine), which read"
        " the source's files themselves; the rest of a run is Spark's",
    )
    batch_rows: Annotated[int, Field(ge=1, le=10_000_000)] | Literal["auto"] = Field(
        default="auto",
        description="rows that the model gets at once, at most; auto: as many as are fastest, found by trying, and"
        " remembered in the run events",
    )
    batch_bytes: int | None = Field(
        default=None,
        ge=1,
        le=MAX_SPARK_BATCH_BYTES,
        description="bytes of the rows that the model gets at once, at most; a longer row is a batch by itself;"
        " default: 64 MiB, less where workers have less than 2 GiB; none where scoring.batch_rows is a number",
    )
    resources: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="what each task that scores gets of its executor: {gpu: 1, cpus: 2}; tasks may share a gpu: 0.5 or"
        " less; on standalone, YARN and Kubernetes; default: as the session has it",
    )
    chunk_minutes: float = Field(
        default=5, gt=0, description="minutes of scoring after which the finished work is kept for the next attempt"
    )
    deadline: float | None = Field(
        default=None, gt=0, description="minutes that a run may take; then it stops and keeps its chunks (exit 75)"
    )
    budgets: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="what an attempt may use of anything that is counted, the model's own counts too: {tokens: 1000000,"
        " rows: 50000, seconds: 3600}; then it stops and keeps its chunks (exit 75); the next attempt has all of it",
    )
    batch_timeout: float | None = Field(
        default=None,
        gt=0,
        le=MAX_TIMEOUT_S,
        description="seconds that the model may take for one batch; then the rows of the batch are rejected (residency"
        " executor), or the run stops (residency worker)",
    )
    reject_null_predictions: bool = Field(
        default=False,
        description="reject rows whose prediction, or a part of it that must be there, is NULL or NaN; else such a row"
        " stops the run (exit 3)",
    )
    repeat_rows: int = Field(
        default=8,
        ge=0,
        le=1_000,
        description="rows of a run's first batch that are predicted twice more: a model that is not deterministic is a"
        " warning; 0: none",
    )
    max_rejects: int | None = Field(
        default=None, ge=0, description="more rejected rows than this stop the run (exit 3)"
    )
    max_reject_ratio: float = Field(
        default=0.1, ge=0, le=1, description="a greater share of rejected rows than this stops the run (exit 3)"
    )

    @property
    def batch_limits(self) -> BatchLimits:
        """How large batches may be."""
        return BatchLimits(None if self.batch_rows == "auto" else self.batch_rows, self.batch_bytes)

    @model_validator(mode="after")
    def _refuse_impossible_resources(self) -> Self:
        problem = find_resource_problem(self.resources)
        if problem is not None:
            raise ValueError(problem)
        if self.resources and self.transport == "pandas_udf":
            raise ValueError("resources with the transport pandas_udf: Spark gives its tasks no profile; use arrow")
        if self.engine != "spark" and self.transport not in ("auto", "scan"):
            raise ValueError(
                f"engine {self.engine} with the transport {self.transport}, which Spark's tasks alone have; use auto or"
                " scan, or engine spark"
            )
        if self.engine != "spark" and self.resources:
            raise ValueError(
                f"resources are of Spark's tasks, and engine is {self.engine}; use engine.worker_gpus and"
                " engine.worker_cpus with ray, or engine spark"
            )
        if self.budgets and self.transport == "pandas_udf":
            raise ValueError("budgets with the transport pandas_udf: it keeps no chunks; use auto or arrow")
        return self


class GateSettings(FrozenSettings):
    """Great Expectations suites (JSON) that judge the data."""

    input: str | None = Field(
        default=None,
        description=f"suite that judges the source before the scoring; {RELATIVE_PATH_NOTE}",
        json_schema_extra={"path": True},
    )
    output: str | None = Field(
        default=None,
        description=f"suite that judges the staged predictions before the publish; {RELATIVE_PATH_NOTE}",
        json_schema_extra={"path": True},
    )
    before: Literal["always", "when_cheaper", "never"] = Field(
        default="when_cheaper",
        description="whether the suite of gate.input judges before the model runs; else the tasks that score measure"
        " its rules, and nothing is published before it has judged. when_cheaper: where scoring is known to be quick,"
        " the rows are read once",
    )
    mean_shift: float | None = Field(
        default=None,
        gt=0,
        description="greatest distance between the mean of the predictions and that of the last published run, in"
        " standard deviations of the last run",
    )
    label_shift: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="greatest distance between the shares of the labels and those of the last published run (total"
        " variation distance), 0 to 1",
    )
    shift_severity: Literal["critical", "warning", "info"] = Field(
        default="critical", description="severity of a shift that is too large: critical stops the run"
    )
