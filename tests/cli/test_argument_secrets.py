"""Wrong command lines do not repeat the secrets in them."""

import json
from pathlib import Path

import pytest

from sparkscore.cli import main
from tests.world import AS_OF

SECRET = "Canary7Canary7Canary7"
HOOK = f"https://alerts.example/services/T01/B02/{SECRET}"


@pytest.mark.parametrize(
    "words",
    [
        ("--monitor.webhok", HOOK),
        (f"--monitor.webhook:{HOOK}",),
        (f"--monitor.webhook{HOOK}",),
        (f"--{HOOK}",),
        ("--monitor.webhook", f"{HOOK}/{{{{ ds }}}}"),
        (f"--monitor.webhook={HOOK}/{{{{ ds }}}}",),
        ("--monitor.webhook", f"[{HOOK}]"),
        ("--monitor.webhook", HOOK.replace("https://", "")),
        ("--monitor.webhook", HOOK.replace("https:", "http:")),
        ("--monitor.webhook", HOOK, "--monitor.webhook", HOOK),
        (HOOK,),
        ("--sample", HOOK),
        ("--sample", f"https://me:{SECRET}@host"),
        ("--model.tracking_uri", f"https://me:{SECRET}@host", "--model.tracking_uri", f"https://me:{SECRET}@other"),
        ("--output.table", f"s3a://AKEY:{SECRET}@bucket/predictions"),
        ("--output.table", f"s3a://AKEY:{SECRET}/{SECRET}@bucket/predictions"),
        ("--source.table", f"s3a://AKEY:{SECRET}@bucket/flights"),
        ("--home", f"s3a://AKEY:{SECRET}@bucket/home"),
        ("--output.stage", f"abfss://c:{SECRET}@account/stage"),
        ("--monitor.metrics", f"file:///metrics?token={SECRET}"),
        ("--gate.input", f"s3a://AKEY:{SECRET}@bucket/suite.json"),
        ("--job", f"token={SECRET}"),
        ("--result", f"/proc/none/s3a://me:{SECRET}@x"),
    ],
)
def test_a_wrong_argument_is_refused_without_its_secret(
    words: tuple[str, ...], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "job.yaml"
    config.write_text("{job: j, source: {table: t, keys: [id]}, model: {uri: models:/m/1}, output: {table: p}}")
    code = main.run_verb("score", ["--config", str(config), "--as-of", AS_OF, *words, "--debug"])
    shown = capfd.readouterr()
    assert code == 2, shown.err
    assert SECRET not in shown.out + shown.err
    assert json.loads(shown.out)["error"]["message"]


@pytest.mark.parametrize(
    "text",
    [
        f"monitor: {{webhook: [{HOOK}]}}",
        f"monitor: {HOOK}",
        f"monitor:\n  webhook: {HOOK}\n  report: [",
        f"monitor: {{webhok: {HOOK}}}",
        f"monitor: {{webhook: '{HOOK} {{{{ ds }}}}'}}",
        f"model: {{tracking_uri: ['https://me:{SECRET}@host']}}",
        f"password: {SECRET}",
        f"output: {{table: 's3a://AKEY:{SECRET}@bucket/x'}}",
        f"model: {{params: {{x: 'https://me:{SECRET}@host'}}}}\nscoring: {{batch_rows: 'https://me:{SECRET}@host'}}",
    ],
)
def test_a_wrong_config_is_refused_without_its_secret(
    text: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "job.yaml"
    config.write_text(text)
    code = main.run_verb("score", ["--config", str(config), "--as-of", AS_OF, "--debug"])
    shown = capfd.readouterr()
    assert code == 2, shown.err
    assert SECRET not in shown.out + shown.err
