"""A real Prometheus loads the rules, scrapes a run's file and a real Spark, and answers the dashboard's queries."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkscore.monitor.metrics import metrics_text
from sparkscore.monitor.metrics_file import write_metrics
from sparkscore.monitor.performance_metrics import performance_metrics_text, write_performance_metrics
from sparkscore.monitor.stream_metrics import stream_metrics_text, write_stream_metrics
from tests.monitor.realised import ROWS
from tests.monitor.scraping import CONF, PATIENCE, asked, collector, driver_ui, prometheus
from tests.monitor.test_metrics import BAD, GOOD, VERDICT
from tests.monitor.test_stream_metrics import STREAM

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None or shutil.which("prometheus") is None,
    reason="neither promtool nor prometheus is installed: apt-get install prometheus",
)


def promtool(*arguments: str | Path, text: str | None = None) -> None:
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((CONF / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    every = json.loads((CONF / "dashboard.json").read_text())["panels"]
    return [panel for panel in every if panel["type"] != "row"]


def queries() -> list[str]:
    """Of all panels, with the variables as Grafana fills them in for all jobs."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [query.replace("$job", ".+").replace("$__rate_interval", "20s") for query in dict.fromkeys(found)]


class TestFiles:
    def test_names_and_units_of_the_metrics_are_as_prometheus_asks_for(self) -> None:
        at = datetime.now(UTC)
        realised = performance_metrics_text("late", ROWS[1:2], at=at)
        streamed = stream_metrics_text(STREAM, at=at, batch_seconds=0.4, is_running=True)
        ran = [metrics_text(GOOD, at=at, verdicts=[VERDICT], cores=2), metrics_text(BAD, at=at)]
        for text in (*ran, realised, streamed):
            promtool("check", "metrics", text=text)

    def test_rules_and_example_are_taken(self) -> None:
        promtool("check", "rules", CONF / "alerts.yml")
        promtool("check", "config", CONF / "prometheus.yml")

    def test_each_alert_is_told_when_it_should_be(self) -> None:
        promtool("test", "rules", CONF / "alerts_test.yml")

    def test_no_alert_is_without_a_test(self) -> None:
        tests = yaml.safe_load((CONF / "alerts_test.yml").read_text())["tests"]
        told = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
        assert told == {rule["alert"] for rule in rules() if "alert" in rule}

    def test_a_rule_that_says_something_else_fails_its_test(self, tmp_path: Path) -> None:
        text = (CONF / "alerts.yml").read_text()
        (tmp_path / "alerts.yml").write_text(text.replace("run_exit_code == 3", "run_exit_code == 4"))
        shutil.copy(CONF / "alerts_test.yml", tmp_path)
        with pytest.raises(AssertionError, match="SparkscoreGateFailed"):
            promtool("test", "rules", tmp_path / "alerts_test.yml")

    def test_every_panel_has_a_unit_and_says_what_it_shows(self) -> None:
        for panel in panels():
            assert panel["description"].endswith("."), panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}

    def test_the_dashboard_asks_for_nothing_that_is_not_told(self) -> None:
        at = datetime.now(UTC)
        text = metrics_text(GOOD, at=at, verdicts=[VERDICT], cores=2)
        text += stream_metrics_text(STREAM, at=at, batch_seconds=0.4, is_running=True)
        text += performance_metrics_text("late", ROWS[1:2], at=at)
        told = set(re.findall(r"^sparkscore_\w+", text, re.M))
        asked = {name for query in queries() for name in re.findall(r"\bsparkscore_\w+", query)}
        alerting = {name for rule in rules() for name in re.findall(r"\bsparkscore_\w+", rule["expr"])}
        assert asked <= told
        assert alerting <= told


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that scrapes a drifted run and a Spark."""
    folder = tmp_path_factory.mktemp("prometheus")
    write_metrics(replace(GOOD, drifted=2), folder / "files", at=datetime.now(UTC), verdicts=[VERDICT], cores=2)
    write_performance_metrics(GOOD.job, folder / "files", ROWS[1:2], at=datetime.now(UTC))
    write_stream_metrics(STREAM, folder / "files", at=datetime.now(UTC), batch_seconds=0.4, is_running=True)
    with ExitStack() as stack:
        node, driver = stack.enter_context(collector(folder / "files")), stack.enter_context(driver_ui(folder))
        yield stack.enter_context(prometheus(folder, node=node, driver=driver))


def result(server: str, query: str) -> list[dict[str, Any]]:
    """What the query finds, once it finds something."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        found: list[dict[str, Any]] = asked(server, "query", query=query)["result"]
        if found:
            return found
        time.sleep(0.5)
    return []


class TestServer:
    def test_everything_of_the_example_is_scraped(self, server: str) -> None:
        for job in ("node", "spark_driver", "spark_executors"):
            assert result(server, f'up{{job="{job}"}} == 1'), asked(server, "targets")

    @pytest.mark.parametrize("query", queries())
    def test_every_query_of_the_dashboard_finds_something(self, server: str, query: str) -> None:
        assert result(server, query)

    def test_the_jobs_to_choose_from_are_those_that_ran(self, server: str) -> None:
        assert result(server, "sparkscore_last_run_timestamp_seconds")
        assert asked(server, "label/scoring_job/values") == ["flight-delay"]

    def test_all_rules_are_healthy_and_only_what_is_wrong_is_told(self, server: str) -> None:
        assert result(server, 'ALERTS{alertname="SparkscoreDrift", alertstate="firing"}')
        told = {one["metric"]["alertname"] for one in result(server, 'ALERTS{alertstate="firing"}')}
        assert told == {"SparkscoreDrift", "SparkscoreGateWarning"}
        groups = asked(server, "rules")["groups"]
        assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}

    def test_no_series_of_spark_carries_the_id_of_an_application(self, server: str) -> None:
        assert result(server, "metrics_executor_maxTasks")
        assert asked(server, "query", query='count({application_id!=""})')["result"] == []
        assert asked(server, "query", query='count({__name__=~"metrics_(local|app).*"})')["result"] == []
