"""The whole job over Spark Connect, against the same in a classic session: a part of the section `reach`."""

from bench.comparisons import Case, Contender, Goal, Part
from bench.data import Shape

_SCAN = {"transport": "scan", "residency": "worker", "runtime": "onnx"}
CLASSIC = Contender("ours", "ours", "job_alone", "onnx", _SCAN)
CONNECT = Contender("ours over Connect", "ours-connect", "job_alone", "onnx", _SCAN)


def connect_cases(rows: int, repeats: int) -> list[Case]:
    """The job in both kinds of session, both of them warm."""
    return [Case("reach", "connect", (CLASSIC, CONNECT), shape=Shape(max(1, rows // 4)), repeats=repeats)]


CONNECT_GOALS = (
    Goal(
        "the job over Connect, of the job in a classic session",
        "reach/connect",
        (Part(CONNECT.name),),
        (Part(CLASSIC.name),),
        1.15,
        "at most",
    ),
)
