"""All faults of a config at once: of which file, in which line, and what to do."""

from pathlib import Path

import pytest

from sparkscore.errors import ConfigError
from sparkscore.settings import Settings
from sparkscore.settings.config_faults import ConfigFault, find_config_faults

JOB = "job: j\nsource: {table: t, keys: [id]}\nmodel: {uri: models:/m@c}\noutput: {table: p}\n"


def faults_of(folder: Path, *overlays: str, flags: dict[str, str] | None = None, **environ: str) -> list[ConfigFault]:
    files = [folder / f"{index}.yaml" for index in range(len(overlays) + 1)]
    for file, text in zip(files, [JOB, *overlays], strict=True):
        file.write_text(text)
    return find_config_faults(files, flags or {}, environ)


def test_settings_that_load_have_no_fault(tmp_path: Path) -> None:
    assert faults_of(tmp_path, "drift: {psi: 0.3}", flags={"output.threshold": "0.5"}) == []


def test_an_overlay_with_an_unknown_key_is_named_with_the_line_and_the_nearest_key(tmp_path: Path) -> None:
    (one,) = faults_of(tmp_path, "scoring:\n  transprot: scan\n")
    assert one.location == f"{tmp_path}/1.yaml:2"
    assert one.setting == "scoring.transprot"
    assert one.found == "unknown setting scoring.transprot (did you mean scoring.transport?)"


def test_a_group_of_the_job_that_is_misspelled_is_named_before_a_setting_elsewhere(tmp_path: Path) -> None:
    (one,) = faults_of(tmp_path, "outputs: {threshold: 1}\n")
    assert "did you mean output or" in one.found


def test_an_overlay_ends_a_run_with_the_same_words(tmp_path: Path) -> None:
    (one,) = faults_of(tmp_path, "scoring:\n  transprot: scan\n")
    with pytest.raises(ConfigError) as caught:
        Settings.load(tmp_path / "0.yaml", tmp_path / "1.yaml", environ={})
    assert one.found in str(caught.value)
    assert "1.yaml" in str(caught.value)
    assert caught.value.exit_code == 2


def test_faults_of_files_variables_and_flags_are_found_together(tmp_path: Path) -> None:
    found = faults_of(
        tmp_path,
        "drift: {psi: 010}\nmodel: {runtime: tensorflow}\n",
        "a: [",
        flags={"scoring.batch_rows": "many"},
        SPARKSCORE_OUTPUT__TABEL="x",
    )
    assert {(Path(one.origin).name, one.line, one.setting) for one in found} == {
        ("1.yaml", 1, "drift.psi"),
        ("1.yaml", 2, "model.runtime"),
        ("2.yaml", None, ""),
        ("--scoring.batch_rows", None, "scoring.batch_rows"),
        ("SPARKSCORE_OUTPUT__TABEL", None, ""),
    }
    assert all(one.expected and one.do for one in found)


def test_templates_that_a_scheduler_left_are_found_in_each_setting(tmp_path: Path) -> None:
    found = faults_of(tmp_path, "output:\n  table: '{{ table }}'\nsource:\n  table: '{{ t }}'\n")
    assert [(one.setting, one.line) for one in found] == [("source.table", 4), ("output.table", 2)]


def test_what_does_not_fit_together_is_found_all_at_once(tmp_path: Path) -> None:
    found = faults_of(tmp_path, "profile: {segments: [a]}\noutput: {rename: {b: c}}\n")
    assert len(found) == 2
    assert "profile.segments" in found[0].found
    assert "output.rename" in found[1].found


def test_a_file_that_cannot_be_read_makes_nothing_else_missing(tmp_path: Path) -> None:
    (one,) = find_config_faults([tmp_path / "absent.yaml"], {}, {})
    assert one.found.startswith("no config file at")


def test_a_secret_in_a_wrong_setting_is_not_shown(tmp_path: Path) -> None:
    found = faults_of(tmp_path, "monitor: {webhook: 'http://hooks.example.com/services/T0/abcdefghij'}\n")
    assert found
    assert "abcdefghij" not in repr(found)
