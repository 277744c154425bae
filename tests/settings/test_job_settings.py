"""Settings: frozen, merged deeply, nothing unknown accepted at any level."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from sparkscore.errors import ConfigError
from sparkscore.redaction.secret_patterns import redact_secrets
from sparkscore.settings import Settings
from sparkscore.settings.setting_variables import select_setting_variables

MINIMAL: Mapping[str, Any] = {
    "job": "flight-delay",
    "source": {"table": "flights", "keys": ["flight_id"]},
    "model": {"uri": "models:/flight-delay@champion"},
    "output": {"table": "predictions"},
}


def write_yaml(path: Path, content: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(content)))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_yaml(tmp_path / "job.yaml", MINIMAL)


def load_settings(
    *files: Path, flags: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None
) -> Settings:
    return Settings.load(*files, flags=flags, environ=env or {})


def settings_content(**groups: Any) -> dict[str, Any]:
    return {
        name: {**MINIMAL.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in {**MINIMAL, **groups}.items()
    }


def test_defaults_fill_what_the_file_leaves_out(config: Path) -> None:
    settings = load_settings(config)
    assert (settings.source.version, settings.model.runtime, settings.scoring.transport) == ("latest", "auto", "auto")


def test_settings_are_frozen(config: Path) -> None:
    with pytest.raises(ValidationError):
        load_settings(config).source.table = "other"  # type: ignore[misc]


def test_layers_merge_deeply_and_the_later_one_wins(config: Path, tmp_path: Path) -> None:
    above = write_yaml(tmp_path / "prod.yaml", {"source": {"table": "lake.flights"}})
    settings = load_settings(
        config, above, env={"SPARKSCORE_OUTPUT__THRESHOLD": "0.25", "SPARKSCORE_JOB": "env"}, flags={"job": "flag"}
    )
    assert settings.source.table == "lake.flights"
    assert settings.source.keys == ("flight_id",)
    assert settings.output.threshold == 0.25
    assert settings.job == "flag"


def test_lists_and_mappings_in_flags_are_yaml(config: Path) -> None:
    settings = load_settings(
        config,
        flags={"source.keys": "[a, b]", "model.inputs": "{x: y}", "source.where": '[{column: m, op: ">=", value: 10}]'},
    )
    assert settings.source.keys == ("a", "b")
    assert settings.model.inputs == {"x": "y"}
    assert settings.source.where[0].to_condition().value == 10


def test_a_list_that_is_not_yaml_is_named(config: Path) -> None:
    with pytest.raises(ConfigError, match="source"):
        load_settings(config, flags={"source.keys": "[a"})


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    file = write_yaml(
        tmp_path / "conf" / "job.yaml",
        settings_content(gate={"input": "expectations/a.json"}, source={"table": "./tables/x"}, home="../data"),
    )
    settings = load_settings(file)
    assert settings.gate.input == str(tmp_path / "conf" / "expectations" / "a.json")
    assert settings.source.table == str(tmp_path / "conf" / "tables" / "x")
    assert settings.home_uri == str(tmp_path / "data")


def test_uris_and_names_are_not_paths(tmp_path: Path) -> None:
    file = write_yaml(tmp_path / "job.yaml", settings_content(home="s3a://bucket/x", source={"table": "lake.flights"}))
    settings = load_settings(file)
    assert (settings.home_uri, settings.source.table, settings.stage_uri) == (
        "s3a://bucket/x",
        "lake.flights",
        "s3a://bucket/x/stage",
    )


def test_the_environment_names_the_home(config: Path, tmp_path: Path) -> None:
    assert load_settings(config, env={"SPARKSCORE_HOME": str(tmp_path)}).home_uri == str(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"jbo": "x"}, "unknown setting jbo .did you mean job.."),
        ({"source": {"tabel": "x"}}, "unknown setting source.tabel .did you mean source.table.."),
        ({"scoring": {"batch_row": 3}}, "did you mean scoring.batch_rows"),
        ({"scoring": {"transport": "udf"}}, "scoring.transport is 'udf'\n.*expected: auto, pandas_udf, arrow or scan"),
        ({"model": {"residency": "node"}}, "model.residency"),
        ({"output": {"threshold": 2}}, "output.threshold"),
        ({"job": "a b; DROP"}, "job"),
        ({"source": {"version": "newest"}}, "source.version"),
        ({"source": {"version": -1}}, "source.version"),
        ({"source": {"keys": []}}, "source.keys"),
        ({"source": {"keys": ["a", "a"]}}, "named twice: a"),
        ({"source": {"passthrough": ["flight_id"]}}, "always in the prediction table"),
        ({"source": {"where": [{"column": "a", "op": "like", "value": "x"}]}}, "op"),
        ({"source": {"where": [{"column": "a", "op": "is null", "value": 1}]}}, "takes no value"),
        ({"source": {"where": [{"column": "a", "op": "in", "value": 1}]}}, "takes a list"),
        ({"source": {"where": [{"column": "a", "op": ">"}]}}, "takes one value"),
        ({"source": {"where": [{"column": "a", "sql": "1=1"}]}}, "unknown setting"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_the_nearest_right_name(
    tmp_path: Path, content: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load_settings(write_yaml(tmp_path / "job.yaml", settings_content(**content)))
    assert caught.value.exit_code == 2


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(write_yaml(tmp_path / "job.yaml", {"jobb": 1, "source": {"tabel": 1}}))
    assert all(
        name in caught.value.found for name in ("job is missing", "source.keys is missing", "jobb", "source.tabel")
    )


def write_text(path: Path, text: str) -> Path:
    path.write_text(yaml.safe_dump(dict(MINIMAL)) + text)
    return path


def test_a_key_that_stands_twice_in_a_file_is_refused_with_both_lines(tmp_path: Path) -> None:
    file = write_text(tmp_path / "job.yaml", "gate: {input: a.json}\nhome: /h\ngate: {output: b.json}\n")
    lines = file.read_text().splitlines()
    first, second = (number for number, line in enumerate(lines, 1) if line.startswith("gate"))
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert caught.value.found == f"{file}: gate stands twice: in lines {first} and {second}"
    assert caught.value.exit_code == 2


def test_a_second_where_in_a_file_is_refused_with_its_dotted_path(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("job: x\nsource:\n  where: [{column: a, value: 1}]\n  table: t\n  where: []\n")
    with pytest.raises(ConfigError, match=r"source\.where stands twice: in lines 3 and 5"):
        load_settings(file)


def test_a_key_in_two_files_is_the_later_ones(config: Path, tmp_path: Path) -> None:
    assert load_settings(config, write_yaml(tmp_path / "prod.yaml", {"job": "prod"})).job == "prod"


def test_a_key_that_overrides_a_merged_one_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("job: x\nmodel: {uri: u}\nsource: {table: t, keys: [a]}\noutput: {<<: {table: t}, table: own}\n")
    assert load_settings(file).output.table == "own"


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("source.where", "[{column: a, value: 1, value: 2}]", "source.where.0.value"),
        ("source.where", '[{"column": "a", "column": "b"}]', "source.where.0.column"),
        ("model.params", "{p: 1, p: 2}", "model.params.p"),
    ],
)
def test_a_key_that_stands_twice_in_a_flag_or_a_variable_is_refused(
    config: Path, name: str, value: str, path: str
) -> None:
    variable = f"SPARKSCORE_{name.replace('.', '__').upper()}"
    with pytest.raises(ConfigError) as caught:
        load_settings(config, flags={name: value})
    assert caught.value.found == f"--{name}: {path} stands twice in line 1"
    with pytest.raises(ConfigError) as caught:
        load_settings(config, env={variable: value})
    assert caught.value.found == f"{variable}: {path} stands twice in line 1"


def test_variables_that_differ_in_case_only_are_refused_without_their_values(config: Path) -> None:
    with pytest.raises(ConfigError, match="SPARKSCORE_MONITOR__WEBHOOK and sparkscore_monitor__webhook") as caught:
        load_settings(
            config, env={"SPARKSCORE_MONITOR__WEBHOOK": "http://a", "sparkscore_monitor__webhook": "http://b"}
        )
    assert "http" not in str(caught.value)
    with pytest.raises(ConfigError, match="the flags JOB and job set the same setting"):
        load_settings(config, flags={"job": "a", "JOB": "b"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("job: 007", 'job is 007, which YAML reads as the number 7 (?s:.*)write "007" in quotes'),
        ("profile: {segments: [no]}", r"profile\.segments\.0 is no, which YAML reads as false (?s:.*)write \"no\""),
        (
            "drift: {baseline: 2013-10-01}",
            'YAML reads as the date 2013-10-01 (?s:.*)write "2013-10-01" in quotes',
        ),
        ("drift: {min_rows: 010}", r"job\.yaml, line \d+: drift\.min_rows: YAML reads 010 as 8\n.*\n.*write 10 or 8"),
        ("scoring: {deadline: 1:30}", "scoring.deadline: YAML reads 1:30 as 90"),
        ("scoring: {deadline: 1:30.5}", "scoring.deadline: YAML reads 1:30.5 as 90.5"),
        (
            "scoring: {deadline: on}",
            "scoring.deadline: .*not true or false, found on, which YAML reads as true",
        ),
        (
            "profile: {rows: yes}",
            "profile.rows: .*not true or false, found yes, which YAML reads as true",
        ),
        ("gate: {on: a.json}", "line [0-9]+: YAML reads the key gate.on as true"),
        ("drift: {min_rows: 2013-02-30}", "looks like a YAML timestamp and is none: day is out of range"),
        ("home: {{ ds }}", "a list or a mapping as a key of home"),
    ],
)
def test_a_value_that_yaml_changes_is_refused_for_any_setting(tmp_path: Path, text: str, said: str) -> None:
    minimal = {name: value for name, value in MINIMAL.items() if not text.startswith(name)}
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(minimal) + text)
    with pytest.raises(ConfigError, match=said):
        load_settings(file)


def test_a_truth_is_no_version(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(dict(MINIMAL)).replace("table: flights", "table: flights\n  version: off"))
    with pytest.raises(ConfigError, match=r"source\.version: .*not true or false, found off"):
        load_settings(file)


def test_numbers_and_truths_in_one_reading_are_taken(tmp_path: Path) -> None:
    drift, scoring = "drift: {psi: ~, fail: on, min_rows: 007}\n", "scoring: {max_reject_ratio: .5, deadline: 1e3}\n"
    settings = load_settings(write_text(tmp_path / "job.yaml", f"profile: {{rows: 1_000}}\n{drift}{scoring}"))
    assert (settings.profile.rows, settings.drift.psi, settings.drift.fail, settings.drift.min_rows) == (
        1000,
        None,
        True,
        7,
    )
    assert (settings.scoring.max_reject_ratio, settings.scoring.deadline) == (0.5, 1000.0)


@pytest.mark.parametrize("text", ["~", "[AA, ~]"])
def test_a_null_in_a_filter_says_what_yaml_takes_for_it(config: Path, text: str) -> None:
    op = '"in"' if text.startswith("[") else '"="'
    with pytest.raises(ConfigError, match="to YAML, ~, null and nothing are NULL; in quotes they are text"):
        load_settings(config, flags={"source.where": f"[{{column: a, op: {op}, value: {text}}}]"})


def test_a_plain_equals_sign_is_the_operator(config: Path) -> None:
    assert load_settings(config, flags={"source.where": "[{column: a, op: =, value: 1}]"}).source.where[0].op == "="


def test_a_filter_keeps_how_it_was_written_and_has_the_digest_of_its_values(config: Path) -> None:
    where = [{"column": "a", "op": "in", "value": [668, False, "x"]}, {"column": "b", "op": "is null"}]
    text = "[{column: a, op: in, value: [01234, no, x]}, {column: b, op: is null, value: ~}]"
    written, built = (
        load_settings(config, flags={"source.where": text}),
        Settings(**settings_content(source={"where": where})),
    )
    assert [one.to_condition().yaml_texts for one in written.source.where] == [("01234", "no", None), ()]
    assert [one.to_condition().yaml_texts for one in built.source.where] == [(None, None, None), ()]
    assert written.source.where == built.source.where
    assert written.scoring_digest() == built.scoring_digest()


def test_the_digest_of_a_filter_is_the_one_that_is_in_old_tables(config: Path) -> None:
    where = '[{column: month, op: ">=", value: 10}, {column: day, value: 2013-10-01}]'
    found = load_settings(config, flags={"source.where": where}).scoring_digest()
    assert found == "484c08ec10373b5dca5acd57a94e29b0a65a06d4caba26e8966993e2b81a8450"


@pytest.mark.parametrize("text", ["monitor: {webhook: [http://hooks/secret]}", "monitor: http://hooks/secret"])
def test_a_webhook_that_cannot_be_read_is_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="not shown") as caught:
        load_settings(write_text(tmp_path / "job.yaml", text))
    assert "hooks" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SPARKSCORE_HOEM", "SPARKSCORE_HOME"),
        ("SPARKSCORE_SOURCE__TABEL", "SPARKSCORE_SOURCE__TABLE"),
        ("SPARKSCORE_SOURCE", "names a group"),
        ("SPARKSCORE_QQQQQQQQQQQQQQQQQQQQQQQQ", "one of SPARKSCORE_"),
    ],
)
def test_a_mistyped_variable_is_an_error_that_names_it(config: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(config, env={name: "x"})
    assert name in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("SPARKSCORE_HOST_TIMEOUT_S", "2.5"), ("SPARKSCORE_PYTHON", "/usr/bin/x")])
def test_a_variable_that_others_read_is_no_mistyped_setting(config: Path, name: str, value: str) -> None:
    assert load_settings(config, env={name: value}) == load_settings(config)
    with pytest.raises(ConfigError, match=name):
        load_settings(config, env={name.lower(): value})


@pytest.mark.parametrize("value", ["", "ten", "0", "-1", "nan", "inf"])
def test_a_time_out_of_executors_that_is_none_is_refused_where_the_job_starts(config: Path, value: str) -> None:
    with pytest.raises(ConfigError, match="SPARKSCORE_HOST_TIMEOUT_S"):
        load_settings(config, env={"SPARKSCORE_HOST_TIMEOUT_S": value})


def test_every_variable_that_the_documentation_names_is_known(config: Path) -> None:
    root = Path(__file__).parents[2]
    pages = [root / "README.md", root / "spark-submit.sh", *root.glob("docs/**/*.md"), *root.glob("conf/**/*.yaml")]
    named = {name for page in pages for name in re.findall(r"SPARKSCORE_[A-Z][A-Z_]+[A-Z]", page.read_text())}
    assert {"SPARKSCORE_HOST_TIMEOUT_S", "SPARKSCORE_PYTHON", "SPARKSCORE_OUTPUT__THRESHOLD"} < named
    select_setting_variables(Settings, dict.fromkeys(named, "1"))


def test_a_missing_file_is_an_error_that_names_its_neighbour(config: Path) -> None:
    with pytest.raises(ConfigError, match=r"job\.yaml"):
        load_settings(config.with_name("jbo.yaml"))


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no config file"):
        load_settings(tmp_path / "nowhere" / "job.yaml")


@pytest.mark.parametrize("text", ["a: [", "just text", "- a\n- b", ""])
def test_a_file_that_is_not_a_mapping_is_an_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="YAML"):
        load_settings(file)


@pytest.mark.parametrize("content", [{"job": "x-{{ ds }}"}, {"source": {"keys": ["{{ key }}"]}}])
def test_an_unresolved_template_is_refused_anywhere(tmp_path: Path, content: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigError, match="template"):
        load_settings(write_yaml(tmp_path / "job.yaml", settings_content(**content)))


def test_the_scoring_digest_follows_what_can_change_a_value_and_nothing_else(config: Path) -> None:
    base = load_settings(config).scoring_digest()
    changes = {
        "source.where": "[{column: a, value: 1}]",
        "model.runtime": "pyfunc",
        "source.passthrough": "[a]",
        "model.params": "{p: 1}",
        "model.config": "{c: 1}",
        "model.casts": "{x: double}",
        "model.missing": "{x: reject}",
    }
    same = {
        "scoring.batch_rows": "10",
        "output.stage": "/x",
        "output.threshold": "0.1",
        "gate.input": "x.json",
        "home": "/y",
        "source.version": "3",
    }
    assert all(load_settings(config, flags={name: value}).scoring_digest() != base for name, value in changes.items())
    assert all(load_settings(config, flags={name: value}).scoring_digest() == base for name, value in same.items())


def digest_with_flags(config: Path, **flags: str) -> str:
    return load_settings(
        config, flags={name.replace("__", "."): value for name, value in flags.items()}
    ).scoring_digest()


def test_a_time_out_counts_where_it_rejects_rows_and_not_where_it_ends_the_run(config: Path) -> None:
    digest_with = partial(digest_with_flags, config)
    in_worker = digest_with(scoring__batch_timeout="5")
    in_executor = digest_with(scoring__batch_timeout="5", model__residency="executor")
    assert in_worker == digest_with() == digest_with(model__residency="executor")
    assert in_executor not in (digest_with(), digest_with(scoring__batch_timeout="6", model__residency="executor"))


def test_nulls_count_where_they_reject_rows_and_not_where_a_gate_judges_them(config: Path) -> None:
    digest_with = partial(digest_with_flags, config)
    rejecting = digest_with(scoring__reject_null_predictions="true")
    opened = digest_with(scoring__reject_null_predictions="true", output__allow_null="[a, b]")
    assert digest_with() == digest_with(output__allow_null="[a]")
    assert len({digest_with(), rejecting, opened}) == 3
    assert opened == digest_with(scoring__reject_null_predictions="true", output__allow_null="[b, a]")


def test_params_may_be_lists(tmp_path: Path) -> None:
    file = write_yaml(
        tmp_path / "job.yaml", settings_content(model={"params": {"stop": ["a", "b"], "ks": [1, 2], "k": 1, "t": 0.5}})
    )
    params = load_settings(file).model.params
    assert params == {"stop": ("a", "b"), "ks": (1, 2), "k": 1, "t": 0.5}
    assert [type(one) for one in params["ks"]] == [int, int]
    assert load_settings(file, flags={"model.params": "{stop: [c, 1.5, true]}"}).model.params["stop"] == (
        "c",
        1.5,
        True,
    )


def test_the_registry_is_sqlite_under_a_local_home_unless_one_is_named(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert load_settings(config, flags={"home": "/h"}).tracking_uri == "sqlite:////h/mlflow.db"
    assert load_settings(config, flags={"model.tracking_uri": "http://here"}).tracking_uri == "http://here"
    with pytest.raises(ConfigError, match="no MLflow server"):
        _ = load_settings(config, flags={"home": "s3a://b/h"}).tracking_uri
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    assert load_settings(config).tracking_uri is None


def test_an_unreadable_value_is_shown_without_its_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(
            write_yaml(tmp_path / "job.yaml", settings_content(model={"tracking_uri": ["http://me:hunter2@x"]}))
        )
    assert "hunter2" not in str(caught.value)


def test_a_retention_keeps_its_days_and_the_present_one_by_utc() -> None:
    late = datetime(2014, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=-1)))
    assert Settings(**settings_content(output={"retention_days": 30})).output.first_kept_date(late) == date(2014, 1, 2)
    assert Settings(**MINIMAL).output.first_kept_date(late) is None


def test_a_whole_group_as_a_flag_of_python_is_read_strictly_too(config: Path) -> None:
    assert load_settings(config, flags={"gate": "{input: /a.json}"}).gate.input == "/a.json"
    with pytest.raises(ConfigError, match=r"--gate: gate\.input stands twice in line 1"):
        load_settings(config, flags={"gate": "{input: /a.json, input: /b.json}"})


@pytest.mark.parametrize("url", ["http://hooks.example/a-secret-path", "http://10.1.2.3/a-secret-path"])
def test_a_webhook_over_plain_http_is_refused_with_what_to_do(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="in the clear") as caught:
        load_settings(write_yaml(tmp_path / "job.yaml", settings_content(monitor={"webhook": url})))
    assert "use https" in str(caught.value)
    assert "a-secret-path" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://hooks.example/x", "http://localhost:8080/x", "http://127.0.0.1/x", "http://[::1]/x"]
)
def test_a_webhook_over_https_or_on_this_machine_is_taken(url: str) -> None:
    webhook = Settings(**settings_content(monitor={"webhook": url})).monitor.webhook
    assert webhook is not None
    assert webhook.get_secret_value() == url


@pytest.mark.parametrize(
    "url", ["hooks.example/a-secret-path", "ftp://x/a-secret-path", "https:///a-secret-path", "http://[a-secret-path"]
)
def test_a_webhook_that_is_no_address_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="not shown") as caught:
        load_settings(write_yaml(tmp_path / "job.yaml", settings_content(monitor={"webhook": url})))
    assert "a-secret-path" not in str(caught.value)


def test_an_error_of_pydantic_itself_does_not_show_what_was_given() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**settings_content(monitor={"webhook": "ftp://x/a-secret-path"}))
    assert "a-secret-path" not in str(caught.value)


def test_a_column_that_is_called_like_a_secret_is_none(tmp_path: Path) -> None:
    load_settings(write_yaml(tmp_path / "job.yaml", settings_content(model={"inputs": {"token": "token_of_text"}})))
    assert redact_secrets("the column token_of_text") == "the column token_of_text"


def test_a_table_that_is_called_like_a_webhook_is_none(tmp_path: Path) -> None:
    table = "s3a://bucket/webhook/webhook-events-2013"
    load_settings(write_yaml(tmp_path / "job.yaml", settings_content(source={"table": table})))
    assert redact_secrets(f"the table {table}") == f"the table {table}"


class TestExports:
    BASE = "job: a\nsource: {table: t, keys: [id]}\nmodel: {uri: 'models:/m/1'}\noutput: {table: p, exports: %s}\n"

    def load(self, tmp_path: Path, exports: str) -> Settings:
        file = tmp_path / "job.yaml"
        file.write_text(self.BASE % exports)
        return Settings.load(file, environ={})

    def test_a_relative_folder_is_relative_to_the_file(self, tmp_path: Path) -> None:
        (one,) = self.load(tmp_path, "[{name: bi, format: parquet, path: out/bi}]").output.exports
        assert one.path == str(tmp_path / "out" / "bi")

    def test_they_change_no_scoring_digest(self, tmp_path: Path) -> None:
        with_exports = self.load(tmp_path, "[{name: bi, format: parquet, path: out/bi}]")
        assert with_exports.scoring_digest() == self.load(tmp_path, "[]").scoring_digest()

    @pytest.mark.parametrize(
        ("exports", "found"),
        [
            (
                "[{name: a, format: csv, path: x}, {name: A, format: csv, path: y}]",
                "two exports have the same name: a, A",
            ),
            ("[{name: a, format: csv, path: x}, {name: b, format: parquet, path: ./x/}]", "the same target: a, b"),
            (
                "[{name: a, format: postgresql, table: t, uri_variable: DB},"
                " {name: b, format: postgresql, table: t, uri_variable: DB}]",
                "the same target: a, b",
            ),
            ("[{name: a, format: csv, path: x, table: t}]", "csv does not use table"),
            ("[{name: a, format: csv}]", "csv needs path"),
            ("[{name: a, format: adbc, table: t, uri: 'x'}]", "adbc needs driver"),
            ("[{name: a, format: postgresql, table: t}]", "needs one of uri and uri_variable"),
            ("[{name: a, format: postgresql, table: a.b.c.d, uri_variable: DB}]", "is no name, schema.name"),
            ("[{name: a, format: xlsx, path: x}]", "xlsx"),
            ("[{name: a, format: csv, path: 'out/${HOME}'}]", "a variable of a shell"),
        ],
    )
    def test_what_cannot_be_is_refused(self, tmp_path: Path, exports: str, found: str) -> None:
        with pytest.raises(ConfigError, match=re.escape(found)):
            self.load(tmp_path, exports)

    @pytest.mark.parametrize(
        "export",
        [
            "{uri: 'postgresql://me:hunter2secret@db/x'}",
            "{uri_variable: 'postgresql://me:hunter2secret@db/x'}",
            "{uri: 'postgresql://db/x?password=hunter2secret'}",
            "{uri_variable: DB, options: {adbc.snowflake.sql.auth_token: hunter2secret}}",
            "{uri_variable: DB, option_variables: {token: 'hunter2secret!'}}",
        ],
    )
    def test_secrets_in_the_config_are_refused_and_not_shown(self, tmp_path: Path, export: str) -> None:
        with pytest.raises(ConfigError) as refused:
            self.load(tmp_path, f"[{{name: a, format: postgresql, table: t, {export[1:-1]}}}]")
        assert "hunter2secret" not in f"{refused.value} {refused.value!r}"
        assert "variable" in str(refused.value)
