"""What profiles cost in memory, measured in processes of their own: of many parts, and of a segment of many values."""

import json
import subprocess
import sys

MEASURE = """
import json, resource
import numpy as np
import pandas
import pyarrow as pa
from sparkscore.monitor.column_profiles import build_profiles, find_omitted_slices, read_summaries
from sparkscore.monitor.profile_state import ProfileMerger, ProfileRequest

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def random_rows(rows, segments, columns=20):
    generator = np.random.default_rng(rows)
    found = {f"c{at}": generator.normal(size=rows) for at in range(columns)}
    return pa.record_batch(found | {name: pa.array(values(generator, rows)) for name, values in segments.items()})

"""
MANY_PARTS = """
rows = random_rows(16_000, {name: lambda one, n: one.integers(0, 200, n).astype(str) for name in ("a", "b")})
request = ProfileRequest(tuple(f"c{at}" for at in range(20)), ("a", "b"))
state = request.start()
state.add(rows)
part = state.to_bytes()
before, merger = peak_mb(), ProfileMerger()
for _ in range(64):
    merger.add(part)
profiles = build_profiles(read_summaries(merger.to_bytes()), log_type="input", types={})
print(json.dumps([peak_mb() - before, len(part) / 2**20, len(profiles), max(one.count for one in profiles)]))
"""
MANY_VALUES = """
request = ProfileRequest(tuple(f"c{at}" for at in range(5)), ("key",))
state, before = request.start(), None
for at in range(20):
    keys = lambda _, n: pa.array(np.arange(at * n, at * n + n)).cast(pa.string())
    rows = random_rows(50_000, {"key": keys}, columns=5)
    before = before or peak_mb()
    state.add(rows)
found = state.to_bytes()
profiles = build_profiles(read_summaries(found), log_type="input", types={})
(omitted,) = find_omitted_slices(profiles)
print(json.dumps([peak_mb() - before, len(found) / 2**20, len(profiles), omitted.rows]))
"""


def measured(code: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", MEASURE + code], capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def test_the_driver_merges_64_parts_of_20_columns_and_2_segments_of_200_values_in_300_mb() -> None:
    megabytes, part, profiles, rows = measured(MANY_PARTS)
    assert part > 8
    assert (profiles, rows) == (20 * (1 + 2 * 50), 64 * 16_000)
    assert megabytes < 300


def test_a_segment_of_a_million_values_fills_neither_a_task_nor_its_state() -> None:
    megabytes, state, profiles, omitted = measured(MANY_VALUES)
    assert (profiles, omitted) == (5 * (1 + 50), 1_000_000 - 50)
    assert state < 2
    assert megabytes < 300
