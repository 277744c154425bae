"""Where each setting of a config file stands."""

from pathlib import Path

from sparkscore.settings.yaml_lines import find_line, locate_setting_lines


def lines_of(folder: Path, text: str) -> dict[str, int]:
    file = folder / "job.yaml"
    file.write_text(text)
    return {".".join(map(str, path)): line for path, line in locate_setting_lines(file).items()}


def test_each_setting_and_each_entry_of_a_list_has_its_line(tmp_path: Path) -> None:
    found = lines_of(tmp_path, "# a job\njob: j\nsource:\n  keys:\n    - a\n    - b\n")
    assert found == {"job": 2, "source": 3, "source.keys": 4, "source.keys.0": 5, "source.keys.1": 6}


def test_what_a_merge_brings_stands_where_it_was_written_and_own_keys_win(tmp_path: Path) -> None:
    found = lines_of(tmp_path, "base: &b\n  x: 1\n  y: 2\nuse:\n  <<: *b\n  y: 3\n")
    assert (found["use.x"], found["use.y"]) == (2, 6)


def test_a_path_that_no_line_gives_has_that_of_what_is_above_it() -> None:
    assert find_line({("source",): 3}, ("source", "keys", 0)) == 3
    assert find_line({("source",): 3}, ("output", "table")) is None


def test_of_what_is_no_yaml_nothing_is_located(tmp_path: Path) -> None:
    assert lines_of(tmp_path, "a: [") == {}
    assert locate_setting_lines(tmp_path / "absent.yaml") == {}
