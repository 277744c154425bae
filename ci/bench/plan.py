"""What is compared, as data: engines, contenders, cases, goals. Nothing here runs anything."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench.comparisons import Case, Contender, EngineSpec, Goal, Part
from bench.connect_runs import CONNECT_GOALS, connect_cases
from bench.data import Shape
from bench.increment_runs import INCREMENT_GOALS, increment_cases
from bench.reach import REACH_GOALS, reach_cases
from bench.small_runs import SMALL_GOALS, small_cases

SECTIONS = ("throughput", "growth", "job", "flights", "gates", "small", "increments", "reach")
ROWS = 16_000_000
SHORT_ROWS = 20_000
TINY_ROWS = 20_000
"""The untimed pass before each timed one, over as many rows: processes are up, models loaded, files cached."""
WARM_ROWS = 1_000_000
"""The pass over a new process, so that the JVM has compiled what it will run."""


SPARK = ("pyspark", "delta", "mlflow", "sklearn")
ENGINES: Mapping[str, EngineSpec] = {
    "bare": EngineSpec("bench.ways.bare", needs=("pyarrow", "mlflow", "sklearn")),
    "ours": EngineSpec("bench.ways.ours", needs=SPARK),
    # a JVM does not give memory back: where it is looked at, nothing else may have run
    "ours-growth": EngineSpec("bench.ways.ours", needs=SPARK),
    "spark": EngineSpec("bench.ways.spark", needs=SPARK),
    "shell": EngineSpec("bench.ways.shell", needs=SPARK),
    "ours-connect": EngineSpec("bench.ways.ours_connect", needs=(*SPARK, "grpc")),
    "small": EngineSpec("bench.ways.small", needs=SPARK),
    "increments": EngineSpec("bench.ways.increments", needs=SPARK),
    **{
        f"gates-{way}": EngineSpec("bench.ways.gates", needs=("pyspark", "delta", "great_expectations"))
        for way in ("ours", "bare", "gx")
    },
    "database": EngineSpec("bench.ways.database", needs=("pyspark", "delta", "adbc_driver_postgresql")),
    "ray": EngineSpec("bench.ways.ray_data", peers=True, needs=("ray", "mlflow", "onnxruntime")),
    "daft": EngineSpec("bench.ways.daft_frame", peers=True, needs=("daft", "mlflow", "onnxruntime")),
    **{
        f"ours-{tasks}": EngineSpec("bench.ways.ours", needs=SPARK, environment={"BENCH_PARALLELISM": str(tasks)})
        for tasks in (8, 64, 200)
    },
}


def bare(flavour: str, *, short: bool = False) -> Iterator[Contender]:
    """The limit, with and without writing."""
    yield Contender(f"bare {flavour}", "bare", "bare", flavour, {"write": True}, short)
    yield Contender(f"bare {flavour}, nothing written", "bare", "bare", flavour, {"write": False})


def ours(flavour: str, transport: str, residency: str = "worker", **more: Any) -> Contender:
    """Ours up to the stage."""
    name = f"ours {transport} {flavour}" + ("" if residency == "worker" else f", {residency}")
    options = {"transport": transport, "residency": residency, "runtime": flavour}
    return Contender(name, more.pop("engine", "ours"), "stage", flavour, options, **more)


OURS_ONNX = (
    ours("onnx", "scan"),
    ours("onnx", "scan", "executor"),
    ours("onnx", "arrow"),
    ours("onnx", "arrow", "executor"),
    ours("onnx", "pandas_udf"),
)
CHUNKS = Contender(
    "ours scan onnx, chunks of 0.2 s",
    "ours",
    "stage",
    "onnx",
    {"transport": "scan", "residency": "worker", "runtime": "onnx", "chunk_minutes": 0.2 / 60},
)
ROW_RULES = Contender(
    "ours scan onnx, 8 row rules",
    "ours",
    "stage",
    "onnx",
    {"transport": "scan", "residency": "worker", "runtime": "onnx", "row_rules": 8},
)
OURS_SKLEARN = (ours("sklearn", "scan", short=True), ours("sklearn", "pandas_udf", short=True))
SPARK_UDF = Contender("spark_udf sklearn", "spark", "spark_udf", "sklearn", {"write": "parquet"}, short=True)
SPARK_UDF_ONNX = Contender("spark_udf onnx", "spark", "spark_udf", "onnx", {"write": "parquet"})
PEERS = (
    SPARK_UDF,
    SPARK_UDF_ONNX,
    Contender("predict_batch_udf onnx", "spark", "predict_batch_udf", "onnx", {"write": "parquet"}),
    Contender("ray sklearn", "ray", "parquet", "sklearn"),
    Contender("ray onnx", "ray", "parquet", "onnx"),
    Contender("daft sklearn", "daft", "parquet", "sklearn"),
    Contender("daft onnx", "daft", "parquet", "onnx"),
)
JOB = Contender("ours", "ours", "job", "onnx", {"transport": "scan", "residency": "worker", "runtime": "onnx"})
WATCHED = Contender(
    "ours, watched",
    "ours",
    "job",
    "onnx",
    {"transport": "scan", "residency": "worker", "runtime": "onnx", "watched": True},
)
"""With profiles, drift, report and MLflow run as they come."""
TODAY = (
    Contender("spark_udf sklearn, overwrite", "spark", "spark_udf", "sklearn", {"write": "delta"}),
    Contender("spark_udf onnx, overwrite", "spark", "spark_udf", "onnx", {"write": "delta"}),
    Contender("ray onnx, deltalake", "ray", "delta", "onnx"),
)
FLIGHTS = (
    Contender("ours", "ours", "flights", "sklearn"),
    Contender("spark_udf sklearn, overwrite", "spark", "flights", "sklearn"),
)


def cases(sections: tuple[str, ...], *, rows: int, repeats: int) -> list[Case]:
    """The comparisons of these sections."""
    makers: Mapping[str, Callable[[int, int], list[Case]]] = {
        "throughput": _throughput,
        "growth": _growth,
        "job": _job,
        "flights": lambda _, times: [Case("flights", "quickstart", FLIGHTS, repeats=times)],
        "small": lambda _, times: small_cases(times),
        "increments": lambda _, times: increment_cases(times),
        "gates": _gates,
        "reach": lambda count, times: [*reach_cases(count, times), *connect_cases(count, times)],
    }
    return [case for section in sections for case in makers[section](rows, repeats)]


def short_cases() -> list[Case]:
    """One tiny comparison of every kind of thing that needs no package beyond the repository's own."""
    contenders = (*bare("sklearn", short=True), *OURS_SKLEARN, SPARK_UDF)
    few = tuple(one for one in contenders if one.short)
    job = Contender(
        "ours", "ours", "job", "sklearn", {"transport": "scan", "residency": "worker", "runtime": "sklearn"}
    )
    shape = Shape(SHORT_ROWS)
    return [
        Case("throughput", "linear", few, shape=shape, repeats=1),
        Case("job", "linear", (job,), shape=shape, repeats=1),
    ]


def _throughput(rows: int, repeats: int) -> list[Case]:
    both = (*bare("onnx"), *OURS_ONNX, *OURS_SKLEARN, *PEERS)
    trees = (*bare("sklearn"), *OURS_SKLEARN, SPARK_UDF, *(one for one in PEERS if one.name == "ray sklearn"))
    torch = (
        *bare("torch"),
        ours("torch", "scan"),
        ours("torch", "pandas_udf"),
        Contender("spark_udf torch", "spark", "spark_udf", "torch", {"write": "parquet"}),
    )
    fewer, less = max(1, repeats // 2), max(1, rows // 4)
    return [
        Case("throughput", "linear", both, "linear", Shape(rows), repeats),
        Case("throughput", "mlp", (*both, CHUNKS, ROW_RULES), "mlp", Shape(rows), repeats),
        Case("throughput", "trees", trees, "trees", Shape(less), fewer),
        Case("throughput", "torch mlp", torch, "mlp", Shape(less), fewer),
    ]


def _growth(rows: int, repeats: int) -> list[Case]:
    """One thing grows at a time: rows, tasks, columns, files."""
    fewer = max(1, (repeats + 1) // 2)
    pair = (next(bare("onnx")), ours("onnx", "scan", engine="ours-growth"))

    def case(name: str, shape: Shape, contenders: tuple[Contender, ...] = pair) -> Case:
        return Case("growth", name, contenders, "linear", shape, fewer)

    # 6 of 16 M rows are 1 GB: 8 tasks are within the largest split, 200 above the smallest
    tasks = Shape(rows * 3 // 8, files=4, groups=480)
    return [
        *(case(f"rows {share}", Shape(share)) for share in (rows // 16, rows // 4, rows)),
        *(case(f"tasks {n}", tasks, (ours("onnx", "scan", engine=f"ours-{n}"),)) for n in (8, 64, 200)),
        *(case(f"columns {n}", Shape(rows // 4, columns=n)) for n in (5, 20, 100)),
        *(case(f"files {n}", Shape(rows // 16, files=min(n, rows // 16))) for n in (10, 1_000, 100_000)),
    ]


def _job(rows: int, repeats: int) -> list[Case]:
    return [
        Case("job", "linear", (JOB, WATCHED, *TODAY), "linear", Shape(rows), repeats),
        Case("job", "mlp", (JOB, WATCHED, *TODAY), "mlp", Shape(rows), max(1, repeats // 2)),
    ]


GATE_RULES = (16, 64, 256)
GATE_SIZES = {"": 16, ", ten times the rows": 1.6}
"""Cases, and how many times fewer rows they have than asked for: 1 M and 10 M of 16 M."""


def _gates(rows: int, repeats: int) -> list[Case]:
    """A suite of scalar rules against the aggregation by hand; its own engine only where it ends in minutes."""
    return [
        Case(
            "gates",
            f"{count} rules{name}",
            _judges(count, engine=not name and count < 256),
            shape=Shape(size),
            repeats=repeats,
        )
        for count in GATE_RULES
        for name, size in ((name, max(1, int(rows / less))) for name, less in GATE_SIZES.items())
    ]


def _judges(count: int, *, engine: bool) -> tuple[Contender, ...]:
    names = {"ours": "ours", "bare": "bare aggregation", **({"gx": "Great Expectations' engine"} if engine else {})}
    return tuple(Contender(name, f"gates-{way}", way, "sklearn", {"rules": count}) for way, name in names.items())


SCAN = (Part("ours scan onnx"),)


def _faster(case: str, than: str, target: float, *, name: str, less_start: bool = False) -> Goal:
    return Goal(f"{case}: score and stage, {name}", f"throughput/{case}", (Part(than, None, less_start),), SCAN, target)


GOALS: tuple[Goal, ...] = (
    _faster("linear", "bare onnx", 0.85, name="of the bare limit"),
    _faster("mlp", "bare onnx", 0.90, name="of the bare limit"),
    _faster("linear", "spark_udf sklearn", 10, name="times spark_udf as it comes"),
    _faster("mlp", "spark_udf sklearn", 6, name="times spark_udf as it comes"),
    _faster("linear", "spark_udf onnx", 6, name="times spark_udf on the same runtime"),
    _faster("mlp", "spark_udf onnx", 4, name="times spark_udf on the same runtime"),
    _faster("linear", "ray onnx", 4, name="times Ray Data on the same runtime", less_start=True),
    _faster("mlp", "ray onnx", 3, name="times Ray Data on the same runtime", less_start=True),
    _faster("linear", "daft onnx", 3, name="times Daft on the same runtime", less_start=True),
    _faster("mlp", "daft onnx", 2, name="times Daft on the same runtime", less_start=True),
    *(
        Goal(
            f"{case}: pandas_udf transport, times spark_udf ({flavour})",
            f"throughput/{case}",
            (Part(f"spark_udf {flavour}"),),
            (Part(f"ours pandas_udf {flavour}"),),
            1.2,
        )
        for case in ("linear", "mlp")
        for flavour in ("sklearn", "onnx")
    ),
    *(
        Goal(
            f"{case}: model in the executor, of in the worker ({transport})",
            f"throughput/{case}",
            (Part(f"ours {transport} onnx"),),
            (Part(f"ours {transport} onnx, executor"),),
            0.95,
        )
        for case in ("linear", "mlp")
        for transport in ("scan", "arrow")
    ),
    Goal(
        "mlp: a commit every 0.2 s, of one commit",
        "throughput/mlp",
        (Part(CHUNKS.name),),
        SCAN,
        1.05,
        "at most",
    ),
    Goal(
        "mlp: rows judged by 8 rules while they are scored, of not judged",
        "throughput/mlp",
        (Part(ROW_RULES.name),),
        SCAN,
        1.05,
        "at most",
    ),
    *(
        goal
        for case in ("linear", "mlp")
        for goal in (
            Goal(
                f"{case}: score, stage and MERGE, of a MERGE straight from the model",
                f"job/{case}",
                (Part("ours", "score_and_stage"), Part("ours", "publish")),
                (Part("ours", "plain_merge_from_model"),),
                1.15,
                "at most",
            ),
            Goal(
                f"{case}: publish by MERGE, of a plain append",
                f"job/{case}",
                (Part("ours", "publish"),),
                (Part("ours", "plain_append"),),
                1.4,
                "at most",
            ),
            Goal(
                f"{case}: the job watched, of not watched",
                f"job/{case}",
                (Part(WATCHED.name),),
                (Part("ours"),),
                1.15,
                "at most",
            ),
            Goal(
                f"{case}: profiles, of the job watched",
                f"job/{case}",
                (Part(WATCHED.name, "profile"),),
                (Part(WATCHED.name),),
                0.1,
                "at most",
            ),
            Goal(
                f"{case}: whole job, of score + stage + append + an aggregation of the stage",
                f"job/{case}",
                (Part("ours"),),
                tuple(
                    Part("ours", part)
                    for part in (
                        "score_and_stage",
                        "plain_append",
                        "plain_aggregation_stage",
                    )
                ),
                1.3,
                "at most",
            ),
        )
    ),
    *(
        Goal(
            f"gates: {count} rules{name}, of the bare aggregation",
            f"gates/{count} rules{name}",
            (Part("ours"),),
            (Part("bare aggregation"),),
            1.5,
            "at most",
        )
        for count in GATE_RULES
        for name in GATE_SIZES
    ),
    *SMALL_GOALS,
    *INCREMENT_GOALS,
    *REACH_GOALS,
    *CONNECT_GOALS,
)
