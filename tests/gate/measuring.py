"""What tasks would do with the rows of a test."""

import pickle
import random
from collections.abc import Sequence
from typing import Any, NoReturn

import pyarrow as pa
from pyspark.sql.types import StructType

from sparkscore.gate.suite_compilation import compile_gate_suite
from sparkscore.gate.suite_measuring import MeasuredRows, SuiteMeasuring, plan_suite_measuring
from sparkscore.gate.suites import Expectation, Suite


def rule_of(kind: str, **kwargs: Any) -> Expectation:
    """An expectation."""
    return Expectation(f"expect_{kind}", kwargs)


def cut_rows(batch: pa.RecordBatch, seed: int) -> list[list[pa.RecordBatch]]:
    """The rows in parts of batches, some of them empty, in any order."""
    dice = random.Random(seed)
    cuts = sorted(dice.choices(range(batch.num_rows + 1), k=dice.randint(0, 4)))
    pieces = [batch.slice(start, end - start) for start, end in zip([0, *cuts], [*cuts, batch.num_rows], strict=True)]
    dice.shuffle(pieces)
    parts: list[list[pa.RecordBatch]] = [[] for _ in range(dice.randint(1, 3))]
    for piece in pieces:
        dice.choice(parts).append(piece)
    return parts


def measured_states(measuring: SuiteMeasuring, parts: Sequence[Sequence[pa.RecordBatch]]) -> list[bytes]:
    """What the tasks keep; the summary travels as Spark sends it."""
    summary = pickle.loads(pickle.dumps(measuring.summary))
    states = []
    for part in parts:
        state = summary.start()
        for batch in part:
            state.add(batch)
        states.append(state.to_bytes())
    return states


def refuse_frame() -> NoReturn:
    """Where everything is measured, no frame is asked for."""
    raise AssertionError("Spark was asked")


def plan_measuring(expectations: Sequence[Expectation], schema: StructType) -> SuiteMeasuring:
    """The suite of those that tasks measure alone."""
    compiled = compile_gate_suite(Suite("s", tuple(expectations)), schema, "input")
    rows = MeasuredRows(schema.names)
    remaining = plan_suite_measuring(compiled, schema, rows, name="input_gate").remaining.expectations
    measured = tuple(one for one in expectations if one not in remaining)
    again = compile_gate_suite(Suite("s", measured), schema, "input")
    return plan_suite_measuring(again, schema, rows, name="input_gate")
