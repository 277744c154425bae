"""Several processes share one run of the tests."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lanes import RECORD, RUNTIMES, load_seconds, order_files, part_of

ROOT = Path(__file__).parents[1]
SHARED = """
import pytest

@pytest.fixture(scope="session")
def kept():
    print("made once")
    yield 2
    print("taken down at the end")
"""
FILE = """
import pytest

@pytest.fixture(scope="module")
def made():
    yield 1
    print("{name} is taken down")

def test_one(made, kept): print("{name} one")
def test_two(made, kept): print("{name} two")
"""


def shared_run(folder: Path, *options: str) -> tuple[int, list[str]]:
    """One process of a run over three files: its exit code, and what the tests said."""
    tests = folder / "tests"
    tests.mkdir(exist_ok=True)
    (tests / "conftest.py").write_text(SHARED)
    for name in "abc":
        (tests / name).mkdir()
        (tests / name / f"test_{name}.py").write_text(FILE.format(name=name))
    words = [sys.executable, "-m", "pytest", "-sq", "-p", "tests.lanes", "-p", "no:cacheprovider", "--rootdir", "."]
    command = [*words, "--queue", "queue", "-c", "/dev/null", *options, "tests"]
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False)
    said = [line.lstrip(".F") for line in done.stdout.splitlines()]
    return done.returncode, [line for line in said if line.startswith(("a ", "b ", "c ", "made", "taken"))]


def take(folder: Path, *files: str) -> None:
    (folder / "queue").mkdir()
    for file in files:
        (folder / "queue" / f"{file.replace('/', '--')}.taken").touch()


def write_file(folder: Path, name: str, text: str) -> None:
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / name).write_text(text)


def test_a_process_runs_the_files_that_no_other_has_taken_and_takes_down_what_each_of_them_made(tmp_path: Path) -> None:
    write_file(tmp_path, "test_broken.py", "raise KeyError('nobody imports this')\n")
    take(tmp_path, "tests/b/test_b.py", "tests/test_broken.py")
    code, said = shared_run(tmp_path)
    a, c = ([f"{name} one", f"{name} two", f"{name} is taken down"] for name in "ac")
    assert (code, said) == (0, ["made once", *a, *c, "taken down at the end"])
    seconds = load_seconds(next((tmp_path / "queue").glob("seconds-*.txt")))
    assert sorted(seconds) == ["tests/a/test_a.py", "tests/c/test_c.py"]


def test_a_process_that_comes_too_late_for_any_ends_well(tmp_path: Path) -> None:
    take(tmp_path, *(f"tests/{name}/test_{name}.py" for name in "abc"))
    assert shared_run(tmp_path) == (0, [])


def test_a_failure_is_the_exit_code_of_the_process_that_has_run_it(tmp_path: Path) -> None:
    take(tmp_path)
    write_file(tmp_path, "test_d.py", "def test_three():\n    assert False\n")
    write_file(tmp_path, "test_broken.py", "raise KeyError('broken')\n")
    code, said = shared_run(tmp_path)
    assert (code, said[-1]) == (1, "taken down at the end")
    assert {f"{name} two" for name in "abc"} <= set(said)


def test_options_select_tests_as_ever(tmp_path: Path) -> None:
    take(tmp_path)
    code, said = shared_run(tmp_path, "-k", "two")
    assert code == 0
    assert [line for line in said if line.endswith(("one", "two"))] == ["a two", "b two", "c two"]


def test_what_takes_longest_is_taken_first() -> None:
    assert order_files(["a", "b", "c", "d"], {"d": 9.0, "b": 2.5}) == ["d", "b", "a", "c"]


@pytest.mark.parametrize("record", [RECORD, RECORD.with_name("seconds-slow.txt")])
def test_a_record_names_parts_that_are_there(record: Path) -> None:
    assert [part for part in load_seconds(record) if not (ROOT / part).exists() or part_of(part) != part] == []


def test_what_shares_dear_fixtures_is_one_part() -> None:
    assert part_of("tests/demo/test_train.py") == part_of("tests/demo/test_recipe.py")
    assert part_of("tests/store/test_table.py") == "tests/store/test_table.py"


def test_all_tests_that_are_skipped_without_a_runtime_run_where_it_is() -> None:
    runtimes = "torch|onnx|onnxruntime|skl2onnx|onnxmltools|transformers|sentence_transformers|tokenizers"
    libraries = "lightgbm|xgboost|catboost|prophet|statsmodels|av|shap"
    graphs = "import tests.model.graphs|tests.model.graphs import"
    skips = re.compile(rf"importorskip\((\"({runtimes}|{libraries})\"|module|_name)|{graphs}")
    files = [file for file in (ROOT / "tests").rglob("test_*.py") if file != Path(__file__)]
    found = [file.relative_to(ROOT).as_posix() for file in files if skips.search(file.read_text(encoding="utf-8"))]
    assert sorted(found) == sorted(RUNTIMES)
