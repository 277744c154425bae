"""Runs the benchmark and writes its JSON, page and picture. `ci/bench.sh` sets up and calls it."""

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import goals, machine, plan, report
from bench.comparisons import REPEATS, Case, EngineSpec
from bench.engines import Engines, Kind
from bench.plan import ENGINES
from bench.rounds import Bench

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "bench-logs"
SCHEMA = 1
_ABSENT = "absent: "
"""How the reason begins of a contender that cannot run here."""


def main(arguments: Sequence[str]) -> int:
    """0; 1 where a contender failed or was wrong; 2 for wrong arguments."""
    options = _options(arguments)
    cases = _cases(options)
    earlier = json.loads(_file(options).read_text()) if options.keep and _file(options).exists() else {}
    begun = _begun(options)
    work = ROOT / "build" / f"bench-work-{os.getpid()}"
    for folder in (work, options.out, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with Engines(_kinds(options)) as engines:
            bench = Bench(engines, options.data, work, LOGS, options.short)
            for told in bench.run(cases, seed=options.seed, absent=_absent(options, cases)):
                run = _run(begun, told, engines)
                result = _result(earlier, run, told)
                _file(options).write_text(json.dumps(result, indent=1) + "\n")  # a run of hours keeps what it has
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report.write(result, options.out)
    return _ended(run, told, options)


def _begun(options: argparse.Namespace) -> dict[str, Any]:
    """What is known of a run before its first turn."""
    found, load = machine.facts(ROOT), machine.load()
    warned = machine.warnings(found)
    for text in warned:
        machine.say(f"warning: {text}")
    machine.say(f"seed {options.seed}, load average {load}, {found['cores']} cores")
    about = {"began": _now(), "seed": options.seed, "short": options.short, "machine": found}
    return {**about, "load": {"before": load}, "warnings": warned}


def _run(begun: Mapping[str, Any], told: dict[str, Any], engines: Engines) -> dict[str, Any]:
    return {
        **begun,
        "ended": _now(),
        "load": {**begun["load"], "after": machine.load()},
        "warnings": [*begun["warnings"], *_busy_turns(told)],
        "versions": {name: hello["versions"] for name, hello in engines.hellos.items()},
        "cases": sorted(told),
    }


def _result(earlier: Mapping[str, Any], run: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """This run's cases, and those of earlier runs that it has not measured: a ratio never crosses a case."""
    cases = {**earlier.get("cases", {}), **told}
    runs = [{**one, "cases": sorted(set(one["cases"]) - set(told))} for one in earlier.get("runs", ())]
    kept = [one for one in runs if one["cases"]]
    return {"schema": SCHEMA, "runs": [*kept, run], "cases": cases, "goals": goals.judged(cases)}


def _file(options: argparse.Namespace) -> Path:
    file: Path = options.out / "results.json"
    return file


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("ci/bench.sh", description=__doc__)
    parser.add_argument("--rows", type=lambda text: int(text.replace("_", "")), default=plan.ROWS)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--only", default=",".join(plan.SECTIONS), help="sections, or cases such as throughput/mlp")
    parser.add_argument("--contenders", default="", help="only those whose names hold one of these, by commas")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks", help="folder of the results")
    parser.add_argument("--keep", action="store_true", help="keep the cases that are in --out and not measured now")
    parser.add_argument("--data", type=Path, default=ROOT / "build" / "bench-data", help="keeps datasets and models")
    parser.add_argument("--peers", type=Path, default=None, help="the Python of the peers' environment")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument(
        "--short", action="store_true", help="proves in a minute that it runs; its numbers mean nothing"
    )
    options = parser.parse_args(arguments)
    options.out, options.data = options.out.resolve(), options.data.resolve()
    return options


def _cases(options: argparse.Namespace) -> list[Case]:
    """The cases that were asked for, with the contenders that were asked for."""
    if options.short:
        return plan.short_cases()
    wanted, names = set(options.only.split(",")), [name for name in options.contenders.split(",") if name]
    every = plan.cases(plan.SECTIONS, rows=options.rows, repeats=options.repeats)
    cases = [case for case in every if case.section in wanted or case.id in wanted]
    if names:
        kept = [tuple(one for one in case.contenders if any(name in one.name for name in names)) for case in cases]
        cases = [replace(case, contenders=few) for case, few in zip(cases, kept, strict=True) if few]
    known = [*plan.SECTIONS, *(case.id for case in every)]
    if not cases or not wanted <= set(known):
        machine.say(f"ci/bench.sh: --only {options.only}: no such thing to run; there are: {', '.join(known)}")
        raise SystemExit(2)
    return cases


def _kinds(options: argparse.Namespace) -> Mapping[str, Kind]:
    return {
        name: Kind(spec.module, _python(options, spec), _environment(spec), LOGS / f"{name}.log")
        for name, spec in ENGINES.items()
    }


def _python(options: argparse.Namespace, spec: EngineSpec) -> str:
    return str(options.peers) if spec.peers else sys.executable


def _environment(spec: EngineSpec) -> Mapping[str, str]:
    return {"PYTHONUNBUFFERED": "1", "CUDA_VISIBLE_DEVICES": "", **spec.environment}


def _absent(options: argparse.Namespace, cases: Sequence[Case]) -> dict[str, str]:
    """The engines that cannot start here, and why."""
    absent = {}
    for name in {one.engine for case in cases for one in case.contenders}:
        spec = ENGINES[name]
        if spec.peers and options.peers is None:
            absent[name] = f"{_ABSENT}no environment of the peers"
        else:
            probe = f"import importlib.util as u; print(*[n for n in {spec.needs} if not u.find_spec(n)])"
            done = subprocess.run([_python(options, spec), "-c", probe], capture_output=True, text=True, check=True)
            if done.stdout.strip():
                absent[name] = f"{_ABSENT}not installed: {done.stdout.strip()}"
    return absent


def _busy_turns(cases: Mapping[str, Any]) -> list[str]:
    shares = [turn["foreign_cores"] for turn in _turns(cases)]
    busy = sum(share > 0.1 for share in shares)
    return [f"in {busy} of {len(shares)} turns others used more than a tenth of a core"] if busy else []


def _turns(cases: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [turn for case in cases.values() for one in case["contenders"].values() for turn in one["turns"]]


def _ended(run: Mapping[str, Any], told: Mapping[str, Any], options: argparse.Namespace) -> int:
    """Tells people how it went; the exit code."""
    judged = goals.judged(told)
    if judged:
        machine.say(f"\n{goals.table(judged)}")
    for text in run["warnings"]:
        machine.say(f"warning: {text}")
    machine.say(f"load average {run['load']['before']} before, {run['load']['after']} after; {_file(options)}")
    errors = {
        f"{case}: {name}": one["error"]
        for case, about in told.items()
        for name, one in about["contenders"].items()
        if one["error"] is not None
    }
    for name, error in errors.items():
        machine.say(f"not measured: {name}: {error}")
    return int(any(not error.startswith(_ABSENT) for error in errors.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
