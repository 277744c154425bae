"""Mistakes that people make in settings: each message says what was found, what is expected, and what to do."""

import re
from pathlib import Path

import pytest

from sparkscore.errors import ConfigError
from sparkscore.settings import Settings
from sparkscore.settings.layers import iterate_setting_fields

GROUPS = {
    "job": "job: j",
    "source": "source: {table: t, keys: [id]}",
    "model": "model: {uri: models:/m@c}",
    "output": "output: {table: p}",
}
PYDANTIC_WORDS = re.compile(
    r"Input should|valid (tuple|dictionary|integer|string)|after validation|Value error|NoneType"
)


def load_text(folder: Path, text: str | bytes, **variables: str) -> Settings:
    file = folder / "job.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Settings.load(file, environ=variables)


def refuse(folder: Path, text: str | bytes, **variables: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_text(folder, text, **variables)
    assert not PYDANTIC_WORDS.search(str(caught.value))
    return caught.value


def job_with(text: str) -> str:
    """A job, complete but for the group that the text gives."""
    name = text.partition(":")[0]
    return "\n".join([*(line for group, line in GROUPS.items() if group != name), text])


def without_path(found: str) -> str:
    return re.sub(r"\S*/job\.yaml", "job.yaml", found)


ID = "source: {table: t, keys: %s}"
MISTAKES = [
    (ID % "id", "job.yaml: source.keys is 'id'", "a list with at least one entry, such as [a, b]", "write [id]"),
    (ID % "'a, b'", "job.yaml: source.keys is 'a, b'", "a list", "write [a, b]"),
    (ID % "{id}", "job.yaml: source.keys is {id: null}", "a list", "write [id]"),
    (ID % "[no]", "job.yaml: source.keys.0 is no, which YAML reads as false (line 4)", "text", 'write "no" in quotes'),
    (ID % "[on]", "job.yaml: source.keys.0 is on, which YAML reads as true (line 4)", "text", 'write "on" in quotes'),
    (ID % "[1]", "job.yaml: source.keys.0 is the number 1 (line 4)", "text", 'write "1" in quotes'),
    (ID % "[~]", "job.yaml: source.keys.0 is ~, which YAML reads as null (line 4)", "text", 'write "~" in quotes'),
    (
        ID % "[2013-01-01]",
        "job.yaml: source.keys.0 is 2013-01-01, which YAML reads as the date 2013-01-01 (line 4)",
        "text",
        'write "2013-01-01" in quotes',
    ),
    (ID % "['']", "job.yaml: source.keys: an empty text in the list", "a list", "correct source.keys"),
    (ID % "[]", "job.yaml: source.keys is []", "a list with at least one entry", "correct source.keys"),
    (
        "scoring:",
        "job.yaml: scoring has nothing after its colon",
        "settings of its own under it: transport, engine, batch_rows",
        "indent its settings under it, or remove the line",
    ),
    ("job:", "job.yaml: job has nothing after its colon", "up to 128 letters, digits", "give it a value, or remove"),
    ("job: My Job", "job.yaml: job is 'My Job'", "up to 128 letters, digits, dots, dashes and underscores", "correct"),
    ("gate: a.json", "job.yaml: gate is 'a.json'", "settings of its own under it: input, output", "correct gate"),
    ("drift: no", "job.yaml: drift is no, which YAML reads as false (line 5)", "settings of its own", "correct drift"),
    ("scoring: [a]", "job.yaml: scoring is [a]", "settings of its own", "correct scoring"),
    (
        "scoring: {threshold: 0.5}",
        "job.yaml: unknown setting scoring.threshold (did you mean output.threshold or performance.threshold?)",
        "one of transport, engine, batch_rows",
        "rename it, move it, or remove it",
    ),
    (
        "threshold: 1",
        "job.yaml: unknown setting threshold (did you mean output.threshold or performance.threshold?)",
        "one of job",
        "rename",
    ),
    (
        "treshold: 1",
        "job.yaml: unknown setting treshold (did you mean output.threshold or performance.threshold?)",
        "one of job",
        "rename",
    ),
    (
        "table: t",
        "job.yaml: unknown setting table (did you mean source.table, output.table or labels.table?)",
        "one of job, home, source",
        "rename",
    ),
    (
        "scoring.transport: arrow",
        "job.yaml: unknown setting scoring.transport",
        "transport under scoring",
        "write scoring: {transport: …}",
    ),
    (
        "Scoring: {transport: arrow}",
        "job.yaml: unknown setting Scoring (did you mean scoring?)",
        "one of job",
        "rename",
    ),
    (
        "scoring: {batch-rows: 3}",
        "job.yaml: unknown setting scoring.batch-rows (did you mean scoring.batch_rows?)",
        "one of transport",
        "rename",
    ),
    (
        "source: {table: t, keys: [a], where: [{column: a, operator: '>', value: 1}]}",
        "job.yaml: unknown setting source.where.0.operator (did you mean source.where.0.op?)",
        "one of column, op, value",
        "rename",
    ),
    (
        "source: {table: t, keys: [a], where: [{column: a, op: ==, value: 1}]}",
        "job.yaml: source.where.0.op is '==' (did you mean =?)",
        "=, !=, <, <=, >, >=, in, not in, is null or is not null",
        "correct source.where.0.op",
    ),
    (
        "source: {table: t, keys: [a], where: ssn = 123}",
        "job.yaml: source.where is a text",
        "a list, of mappings with column, op, value",
        'correct source.where: filter: [{column: month, op: ">=", value: 10}]',
    ),
    (
        "model: {uri: models:/m@c, runtime: SKLEARN}",
        "job.yaml: model.runtime is 'SKLEARN' (did you mean sklearn?)",
        "auto, pyfunc, sklearn, onnx or torch",
        "correct model.runtime",
    ),
    (
        "model: {uri: models:/m@c, params: {a: [[1]]}}",
        "job.yaml: model.params.a: expected a list of text, numbers, true or false",
        "",
        "correct model.params.a",
    ),
    ("model: {uri: ''}", "job.yaml: model.uri: an empty text", "text", "correct model.uri: models:/<name>@<alias>"),
    (
        "profile: {rows: All}",
        "job.yaml: profile.rows is 'All' (did you mean all?)",
        "a whole number of at least 1, or all or none",
        "correct profile.rows",
    ),
    (
        "scoring: {deadline: 30m}",
        "job.yaml: scoring.deadline is '30m'",
        "a number above 0, or null",
        "correct scoring.deadline: minutes that a run may take",
    ),
    (
        "scoring: {max_reject_ratio: 5}",
        "job.yaml: scoring.max_reject_ratio is the number 5 (line 5)",
        "a number from 0 to 1",
        "correct scoring.max_reject_ratio",
    ),
    (
        "scoring: {max_rejects: -1}",
        "job.yaml: scoring.max_rejects is the number -1 (line 5)",
        "a whole number of at least 0, or null",
        "correct scoring.max_rejects",
    ),
    (
        "output: {table: p, retention_days: 99999999999}",
        "job.yaml: output.retention_days is the number 99999999999 (line 4)",
        "a whole number from 1 to 365000, or null",
        "correct output.retention_days",
    ),
    (
        "scoring: {batch_timeout: .inf}",
        "job.yaml: scoring.batch_timeout is .inf, which YAML reads as the number inf (line 5)",
        "a number above 0 and up to 2592000, or null",
        "correct scoring.batch_timeout: seconds",
    ),
    ("monitor: {report: nope}", "job.yaml: monitor.report is 'nope'", "true or false", "correct monitor.report"),
    ("gate: {input: ''}", "job.yaml: gate.input: an empty text; for none, leave it out", "text, or null", "correct"),
    (
        "drift: {baseline: modle}",
        "job.yaml: drift.baseline: 'modle' is neither model, nor a run_id, nor FROM/TO",
        "text, or null",
        "correct drift.baseline: model (the training data that was logged with it), a run_id, or FROM/TO",
    ),
    (
        "drift: {baseline: 2013-13-01/2013-12-01}",
        "job.yaml: drift.baseline: '2013-13-01/2013-12-01' is neither model, nor a run_id, nor FROM/TO",
        "text, or null",
        "correct drift.baseline",
    ),
    (
        "drift: {baseline: 2013-12-01/2013-10-01}",
        "job.yaml: drift.baseline: '2013-12-01/2013-10-01' ends before it begins",
        "text, or null",
        "correct drift.baseline",
    ),
    (
        "source: {table: t, keys: [a], passthrough: [a]}",
        "job.yaml: source: keys are always in the prediction table; remove from passthrough: a",
        "settings that fit together",
        "change source",
    ),
    ("home: $HOME/x", "home holds a variable of a shell: $HOME/x", "a path", "give it as --home"),
]


@pytest.mark.parametrize(("text", "found", "expected", "do"), MISTAKES, ids=[mistake[0] for mistake in MISTAKES])
def test_a_mistake_in_a_setting_is_told_in_the_words_of_the_config(
    tmp_path: Path, text: str, found: str, expected: str, do: str
) -> None:
    error = refuse(tmp_path, job_with(text))
    assert without_path(error.found) == found
    assert error.expected.startswith(expected)
    assert do in error.do


TEXTS = [
    (b"", "job.yaml is empty", "see conf/quickstart.yaml"),
    (b"# nothing\n", "job.yaml is empty", "see conf/quickstart.yaml"),
    (b"- a\n", "job.yaml holds a list", "see conf/quickstart.yaml"),
    (b"job=j\n", "job.yaml holds text without a setting", "see conf/quickstart.yaml"),
    (b"job: j\n---\njob: k\n", "job.yaml: line 2, column 1: a second document (after ---)", "keep one job in a file"),
    (b"job: j\nsource:\n\ttable: t\n", "job.yaml: line 3, column 1: a tab", "replace it by spaces"),
    (b"job: 'j\nhome: h\n", "job.yaml: line 1, column 6: a quote that is not closed", "close it"),
    (b"job: j\nsource: {keys: [a\n", "job.yaml: line 2, column 16: a bracket that is not closed", "close it"),
    (b"job: j\n home: x\n", "job.yaml: line 2, column 6: a colon where no setting can begin", "indent the settings"),
    (b"job: j\nhome\n", "job.yaml: line 3, column 1: a line without a colon before it", "write it as name: value"),
    (b"a: {op: >=}\n", "job.yaml: line 1, column 9: a value that begins with a special character", "op: '>='"),
    (
        b"home: !env HOME\n",
        "job.yaml: line 1, column 7: a tag (!…), which config files do not take",
        "the value itself",
    ),
    (b"job: caf\xe9\n", "job.yaml is not UTF-8 text: line 1 holds the byte 0xe9", "save it as UTF-8"),
    (b"job: j\x00\n", "job.yaml: character 7 is one that YAML does not allow (code 0x0)", "remove it"),
]


@pytest.mark.parametrize(("text", "found", "do"), TEXTS, ids=[found for _, found, _ in TEXTS])
def test_a_file_that_cannot_be_read_as_settings_says_where_and_why(
    tmp_path: Path, text: bytes, found: str, do: str
) -> None:
    error = refuse(tmp_path, text)
    assert without_path(error.found) == found
    assert do in error.do


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "folder.yaml", "loop.yaml", "s3://bucket/job.yaml"])
def test_a_config_that_is_no_readable_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    with pytest.raises(ConfigError) as caught:
        Settings.load(name if ":" in name else tmp_path / name, environ={})
    assert caught.value.expected == "a YAML file"


@pytest.mark.parametrize(
    "change", [lambda text: text.replace("\n", "\r\n").encode(), lambda text: text.encode("utf-8-sig")]
)
def test_line_ends_of_windows_and_a_byte_order_mark_change_nothing(tmp_path: Path, change: object) -> None:
    text = job_with("home: h")
    assert load_text(tmp_path, change(text)) == load_text(tmp_path, text)  # type: ignore[operator]


def find_refusal(base: Path, value: str, name: str) -> ConfigError | None:
    *groups, leaf = name.split(".")
    opened = "".join(f"{group}: {{" for group in groups)
    above = base.with_name("above.yaml")
    above.write_text(f"{opened}{leaf}: {value}{'}' * len(groups)}\n")
    try:
        Settings.load(base, above, environ={})
    except ConfigError as error:
        return error
    return None


@pytest.mark.parametrize("value", ["''", "no", "-1", "[[a]]", "[~]", "{a: {b: 1}}", "a b", ".nan", "2013-01-01"])
def test_a_wrong_value_of_any_setting_is_refused_in_plain_words(tmp_path: Path, value: str) -> None:
    base = tmp_path / "job.yaml"
    base.write_text(job_with("home: h"))
    found = [find_refusal(base, value, name) for name, _ in iterate_setting_fields(Settings)]
    refused = [error for error in found if error is not None]
    assert len(refused) > len(found) / 2
    assert all(error.expected and error.do and not PYDANTIC_WORDS.search(str(error)) for error in refused)


def test_an_empty_variable_or_flag_is_refused_by_its_name(tmp_path: Path) -> None:
    for name, _ in iterate_setting_fields(Settings):
        variable = f"SPARKSCORE_{name.replace('.', '__').upper()}"
        error = refuse(tmp_path, job_with("home: h"), **{variable: " "})
        assert error.found == f"{variable} is empty"
        with pytest.raises(ConfigError, match=f"--{name} is empty"):
            Settings.load(tmp_path / "job.yaml", flags={name: ""}, environ={})


def test_null_as_text_is_no_value_where_there_may_be_none(tmp_path: Path) -> None:
    text = job_with("output: {table: p, threshold: 0.5}")
    settings = load_text(tmp_path, text, SPARKSCORE_OUTPUT__THRESHOLD="null", SPARKSCORE_GATE__INPUT="null")
    assert (settings.output.threshold, settings.gate.input) == (None, None)
    assert load_text(tmp_path, text, SPARKSCORE_OUTPUT__TABLE="null").output.table == "null"


def test_a_mistake_names_the_file_the_variable_or_the_flag_that_makes_it(tmp_path: Path) -> None:
    assert refuse(tmp_path, job_with("home: h"), SPARKSCORE_SCORING__DEADLINE="30m").found == (
        "SPARKSCORE_SCORING__DEADLINE: scoring.deadline is '30m'"
    )
    where = '[{column: a, op: "==", value: 1}]'
    assert refuse(tmp_path, job_with("home: h"), SPARKSCORE_SOURCE__WHERE=where).found.startswith(
        "SPARKSCORE_SOURCE__WHERE: source.where.0.op is '=='"
    )
    (tmp_path / "prod.yaml").write_text("scoring: {deadline: 1h}")
    flags = {"source.keys": "id", "model.trust.profile": "Strict"}
    with pytest.raises(ConfigError) as caught:
        Settings.load(tmp_path / "job.yaml", tmp_path / "prod.yaml", flags=flags, environ={})
    assert caught.value.found.startswith("--source.keys: source.keys is 'id'")
    assert "--model.trust.profile: model.trust.profile is 'Strict' (did you mean strict?)" in caught.value.found
    assert f"{tmp_path}/prod.yaml: scoring.deadline is '1h'" in caught.value.found


def test_a_text_that_cannot_be_read_is_not_shown(tmp_path: Path) -> None:
    error = refuse(tmp_path, "monitor:\n  webhook: 'https://hooks/T0KEN\n")
    assert "T0KEN" not in str(error)
