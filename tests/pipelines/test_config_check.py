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


def test_names_of_tables_and_models_that_are_none_are_faults_where_they_stand(tmp_path: Path) -> None:
    names = (
        "source: {table: a;b}\nmodel: {uri: churn}\noutput: {table: p;}\n"
        "shadow: {against: a b}\nlabels: {table: c;d, truth: y}\nchallengers: [{uri: models:/x/latest}]\n"
    )
    job, wrong = write(tmp_path, "job.yaml", JOB), write(tmp_path, "wrong.yaml", names)
    verdict = check_config([job, wrong], {})
    assert [(one.setting, one.location) for one in verdict.faults] == [
        ("source.table", f"{wrong}:1"),
        ("output.table", f"{wrong}:3"),
        ("labels.table", f"{wrong}:5"),
        ("shadow.against", f"{wrong}:4"),
        ("model.uri", f"{wrong}:2"),
        ("challengers.0.uri", f"{wrong}:6"),
    ]


def test_sources_that_are_landed_and_models_of_groups_have_names_of_other_kinds(tmp_path: Path) -> None:
    landed = write(tmp_path, "landed.yaml", "source: {table: public.a b, format: jdbc, options: {url: jdbc:x}}\n")
    groups = write(tmp_path, "groups.yaml", "source: {passthrough: [g]}\nmodel: {by: [g], uri: 'models:/{g}/{v}'}\n")
    for overlay in (landed, groups):
        faults = check_config([write(tmp_path, "job.yaml", JOB), overlay], {}).faults
        assert [one for one in faults if one.setting in ("source.table", "model.uri")] == []
