"""Checks of a config that go beyond its keys: suites, and overlays."""

from pathlib import Path

from sparkscore.pipelines.config_check import check_config

JOB = "job: j\nsource: {table: t, keys: [id]}\nmodel: {uri: models:/m@c}\noutput: {table: p}\n"


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_config_without_a_fault_is_loaded(tmp_path: Path) -> None:
    verdict = check_config([write(tmp_path, "job.yaml", JOB)], {})
    assert verdict.faults == ()
    assert verdict.settings is not None


def test_suites_are_read_and_all_their_faults_told(tmp_path: Path) -> None:
    suite = '{"name": "s", "expectations": [{"type": "expect_nothing", "kwargs": {}}]}'
    write(tmp_path, "wrong.json", suite)
    gates = write(tmp_path, "gates.yaml", "gate:\n  input: absent.json\n  output: wrong.json\n")
    verdict = check_config([write(tmp_path, "job.yaml", JOB), gates], {})
    assert [(one.setting, one.location) for one in verdict.faults] == [
        ("gate.input", f"{gates}:2"),
        ("gate.output", f"{gates}:3"),
    ]
    assert "expect_nothing" in verdict.faults[1].found


def test_an_overlay_that_makes_another_run_is_warned_of(tmp_path: Path) -> None:
    overlay = write(tmp_path, "env.yaml", "job: other\n")
    verdict = check_config([write(tmp_path, "job.yaml", JOB), overlay], {})
    assert verdict.faults == ()
    assert verdict.warnings[0].startswith(f"{overlay} sets job")
