"""What a run costs beside scoring: the quickstart's job from the shell, in a warm session, and after many runs."""

from collections.abc import Iterator

from bench.comparisons import Case, Contender, Goal, Part

MORE_RULES, OLDER_RUNS = 32, (1, 100, 1_000, 10_000)

NAIVE_SHELL = Contender("spark_udf and an overwrite", "shell", "naive", "sklearn")
OURS_SHELL = Contender("ours", "shell", "score", "sklearn")
EMPTY = Contender("an empty spark-submit", "shell", "empty", "sklearn")
ASKED = tuple(
    Contender(f"ours: {name}", "shell", "ask", "sklearn", {"question": name})
    for name in ("already_published", "runs", "check_sla", "dry_run")
)
PLANNED = Contender("ours: dry_run of a new as_of", "shell", "ask", "sklearn", {"question": "dry_run_new"})
"""Reads logs and the model; the others look at what is published."""
NAIVE_WARM = Contender("spark_udf and an overwrite", "small", "naive", "sklearn")
OURS_WARM = Contender("ours", "small", "score", "sklearn")
RULES_WARM = Contender(f"ours, {MORE_RULES} more rules", "small", "score", "sklearn", {"rules": MORE_RULES})
SEGMENTS = {"segments": ["carrier", "origin", "dest"]}
SEGMENT_WARM = Contender("ours, one more segment", "small", "score", "sklearn", SEGMENTS)
OLDER_WARM = tuple(
    Contender(f"ours, {runs:,} older runs", "small", "score", "sklearn", {"older": runs}) for runs in OLDER_RUNS
)


def small_cases(repeats: int) -> list[Case]:
    """From the shell, in a warm session, and after many runs of the job."""
    return [
        Case("small", "from the shell", (NAIVE_SHELL, OURS_SHELL, EMPTY, *ASKED, PLANNED), repeats=repeats),
        Case("small", "in a warm session", (NAIVE_WARM, OURS_WARM, RULES_WARM, SEGMENT_WARM), repeats=repeats),
        Case("small", "after many runs", (OURS_WARM, *OLDER_WARM), repeats=repeats),
    ]


def _goals() -> Iterator[Goal]:
    shell, warm, many = ("small/" + name for name in ("from the shell", "in a warm session", "after many runs"))
    ours, naive = (Part(OURS_WARM.name),), (Part(NAIVE_WARM.name),)
    yield Goal("from the shell: the job, of spark_udf and an overwrite", shell, ours, naive, 0.9, "at most")
    for one in ASKED:
        top = (Part(one.name),)
        yield Goal(f"from the shell: {one.name.removeprefix('ours: ')}, seconds", shell, top, (), 2, "at most")
    for one in (*ASKED, PLANNED):
        name = f"from the shell: {one.name.removeprefix('ours: ')}, of an empty spark-submit"
        yield Goal(name, shell, (Part(one.name),), (Part(EMPTY.name),), 1.3, "at most")
    yield Goal("in a warm session: the job, of spark_udf and an overwrite", warm, ours, naive, 1.5, "at most")
    for what, part, most in (
        ("calls to the JVM", "calls", 150),
        ("Spark jobs", "jobs", 6),
        ("Delta commits", "commits", 4),
    ):
        yield Goal(f"in a warm session: {what}", warm, (Part(OURS_WARM.name, part),), (), most, "at most")
    yield Goal(
        "one more gate rule, seconds",
        warm,
        (Part(RULES_WARM.name),),
        (),
        0.005,
        "at most",
        less=ours,
        per=MORE_RULES,
    )
    yield Goal("one more segment, seconds", warm, (Part(SEGMENT_WARM.name),), (), 0.02, "at most", less=ours)
    thousand = next(one for one in OLDER_WARM if one.options["older"] == 1_000)
    yield Goal("1,000 older runs, seconds", many, (Part(thousand.name),), (), 0.05, "at most", less=ours)


SMALL_GOALS = tuple(_goals())
