"""The quickstart's job as settings: its flights and model from the benchmark's home, its own tables in another one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.ways.serve import Turn


def job_flags(turn: Turn, home: str) -> dict[str, str]:
    """The settings, beside those of conf/quickstart.yaml, by their flags."""
    options = turn["options"]
    return {"home": home, "source.table": options["source"], "model.tracking_uri": options["tracking_uri"]}


def more_flags(turn: Turn, home: str) -> dict[str, str]:
    """The settings of what a contender has more: rules of the input gate, segments."""
    options, flags = turn["options"], dict[str, str]()
    if "segments" in options:
        flags["profile.segments"] = json.dumps(options["segments"])
    if "rules" in options:
        flags["gate.input"] = str(_write_suite(Path(options["config"]), Path(home), options["rules"]))
    return flags


def _write_suite(config: Path, home: Path, rules: int) -> Path:
    """The quickstart's suite with more rules, no two of which share what they count."""
    suite: dict[str, Any] = json.loads((config.parent / "expectations" / "flights.json").read_text())
    suite["expectations"] += [_build_rule(number) for number in range(rules)]
    file = home / f"flights_{rules}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(suite))
    return file


def _build_rule(number: int) -> Mapping[str, Any]:
    column = ("distance", "sched_dep_time", "temp", "wind_speed")[number % 4]
    bounds = {"min_value": -1_000 - number, "max_value": 100_000 + number}
    kwargs = {"column": column, **bounds}
    return {"type": "expect_column_values_to_be_between", "kwargs": kwargs, "meta": {}}
