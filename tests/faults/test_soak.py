"""The soak works: its short form, and that it says so when something is wrong."""

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.faults import soak
from tests.faults.children import ROOT
from tests.faults.soak_round import Arena, Outcome, Plan, plans


def test_a_short_soak_kills_checks_and_tells(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    command = ["ci/soak.sh", "--short", "--seed", "63", "--out", str(out)]
    environ = {**os.environ, "SPARKSCORE_PYTHON": sys.executable}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=2400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    told = json.loads(out.read_text())
    assert (told["seed"], told["wrong"], told["summary"]["runs"]) == (63, "", soak.SHORT_RUNS)
    assert told["summary"]["kills"] == 2
    assert told["summary"]["seconds to recover, median"] > 0
    assert told["summary"]["two writers"] == 2
    assert "every check passed" in done.stdout
    assert "seed 63" in done.stdout


def test_a_seed_says_what_is_done_to_each_run() -> None:
    assert list(islice(plans(7), 20)) == list(islice(plans(7), 20))
    assert list(islice(plans(7), 20)) != list(islice(plans(8), 20))


def test_what_the_checker_finds_ends_it_with_the_seed_and_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def played(_: Arena, plan: Plan) -> Outcome:
        assert plan.number < 1, "7 keys twice"
        return Outcome(plan, True, 1, 100, 0, 2.5, ["killed", "published"])

    monkeypatch.setattr(Arena, "made", classmethod(lambda cls, folder, crew: cls(folder, None, None, crew)))
    monkeypatch.setattr(Arena, "played", played)
    assert soak.main(["--runs", "5", "--seed", "3", "--out", str(tmp_path / "soak.json")]) == 1
    shown = capsys.readouterr().out
    assert "run 1" in shown
    assert "7 keys twice" in shown
    assert "--seed 3" in shown
    assert json.loads((tmp_path / "soak.json").read_text())["summary"]["runs"] == 1
