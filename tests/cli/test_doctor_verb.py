import json
from pathlib import Path

import pytest
import yaml

from sparkscore.cli.main import run_verb


def run_doctor(*words: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object], str]:
    code = run_verb("doctor", ["--without-spark", *words])
    out, err = capfd.readouterr()
    (line,) = out.splitlines()
    return code, json.loads(line), err


def test_it_ends_with_0_where_nothing_will_fail(capfd: pytest.CaptureFixture[str]) -> None:
    code, result, err = run_doctor(capfd=capfd)
    assert (code, result["status"], result["job"]) == (0, "fit", None)
    assert "java" in err


def test_it_ends_with_2_where_something_will_and_tells_its_cure(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "job.yaml"
    model = {"uri": "models:/late@champion", "tracking_uri": "http://me:s3cret-Passw0rd@127.0.0.1:9"}
    source = {"table": "flights", "keys": ["id"]}
    job = {"job": "late", "home": "home", "source": source, "model": model, "output": {"table": "predictions"}}
    config.write_text(yaml.safe_dump(job))
    code, result, err = run_doctor("--config", str(config), "--result", str(tmp_path / "result.json"), capfd=capfd)
    assert (code, result["status"], result["job"]) == (2, "unfit", "late")
    assert json.loads((tmp_path / "result.json").read_text()) == result
    assert "do: check model.tracking_uri" in err
    assert "s3cret-Passw0rd" not in err + json.dumps(result)
    assert not (tmp_path / "home").exists()


def test_json_alone_leaves_stderr_empty(capfd: pytest.CaptureFixture[str]) -> None:
    _, result, err = run_doctor("--json", capfd=capfd)
    assert (result["schema"], err) == (1, "")


def test_a_config_with_a_typo_is_an_error_as_for_every_verb(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "job.yaml"
    config.write_text("job: late\nsorce: {table: t}\n")
    code, result, err = run_doctor("--config", str(config), capfd=capfd)
    assert (code, result["status"]) == (2, "failed")
    assert "sorce" in err
