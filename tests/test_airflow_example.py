"""What can be said of the DAGs in conf/orchestration/airflow without Airflow; `ci/integration.sh airflow` runs them."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
_SOURCE = (ROOT / "conf/orchestration/airflow/flight_delay.py").read_text(encoding="utf-8")
_TREE = ast.parse(_SOURCE)


class Decision:
    """A stand-in that is the word for what was decided."""

    @staticmethod
    def retry(reason: str) -> str:
        return "retry"

    @staticmethod
    def fail(reason: str) -> str:
        return "fail"


@pytest.fixture(scope="module")
def policy() -> Any:
    """The retry policy of the example, with stand-ins for Airflow's classes."""
    (found,) = [node for node in _TREE.body if isinstance(node, ast.ClassDef)]
    names: dict[str, Any] = {"RetryPolicy": object, "RetryDecision": Decision, "re": re, "Any": Any}
    exec(compile(ast.Module([found], []), "flight_delay.py", "exec"), names)  # noqa: S102  # a file of ours
    return names[found.name]()


def test_the_dags_import_nothing_of_the_project() -> None:
    imported = [node.module or "" for node in ast.walk(_TREE) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(_TREE) if isinstance(node, ast.Import) for name in node.names]
    assert [name for name in imported if name.split(".")[0] in {"sparkscore", "jobs", "tests"}] == []


def test_the_tasks_submit_jobs_that_are_there() -> None:
    verbs = set(re.findall(r"submit\(\s*\"(\w+)\"", _SOURCE))
    assert verbs == {"gate", "score", "check_sla"}
    assert [verb for verb in sorted(verbs) if not (ROOT / "jobs" / f"{verb}.py").exists()] == []


def test_no_variable_of_the_dags_is_taken_for_a_setting_of_the_job() -> None:
    assert not re.search(r"SPARKSCORE_[A-Z]", _SOURCE)


@pytest.mark.parametrize("code", [75, 137, 143, -9, -15])
def test_what_is_temporary_or_was_killed_is_retried(policy: Any, code: int) -> None:
    assert policy.evaluate(Exception(f"Cannot execute: spark-submit. Error code is: {code}."), 1, 3) == "retry"


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_what_stays_the_same_is_not_retried(policy: Any, code: int) -> None:
    assert policy.evaluate(Exception(f"Cannot execute: spark-submit. Error code is: {code}."), 1, 3) == "fail"


def test_an_error_without_an_exit_code_is_not_retried(policy: Any) -> None:
    assert policy.evaluate(KeyError("ts"), 1, 3) == "fail"
