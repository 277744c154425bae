"""One secret in each place where a secret may stand, every verb, and then a look at all that was written.

The same look finds them where nothing is masked, so that it could find them here.
"""

import base64
import html
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pyarrow.parquet as pq
import pytest
import yaml

from tests.mlflow_servers import serve_mlflow
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.monitor.loopback import Server, serving, status
from tests.world import AS_OF, World

SECRETS = {
    "webhook": "CanaryHook+1/Zq7w",
    "flag": "CanaryFlag2Zq7wXy",
    "uri": "Canary@Uri/3+Zq7w",
    "password": 'Canary"Pass\\4 Zq7w',
    "aws": "CanaryAws/5+Zq7wXyz/",
    "session": "CanarySession6Zq7w==",
    "token": "CanaryToken7Zq7wXy",
    "conf": "CanaryConf/8+Zq7wXy",
    "table": "CanaryTable/9+Zq7w",
    "refused": "CanaryRefused10Zq7w",
}
"""A value for each place, so that a failure tells which one leaked."""
ALWAYS_KNOWN = ("webhook", "uri", "password", "aws", "session", "token", "conf")
"""The others stand on single command lines: no other command can know them."""
NEXT, LAST, LATER = "2014-01-01", "2014-01-02", "2014-01-03"
MARK = "===== from here on nothing is masked ====="
RUN = """
import json, os, sys
from pathlib import Path
from sparkscore.cli import main
from sparkscore.redaction import known_secrets
mark, calls = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
codes = []
for number, words in enumerate(calls):
    if words == ["unmask"]:
        known_secrets._forms_of = lambda _: iter(())
        known_secrets._KNOWN.values, known_secrets._KNOWN.forms = set(), {}
        print(mark, flush=True)
        print(mark, file=sys.stderr, flush=True)
        codes.append(0)
        continue
    first = Path("0.json")
    run = (json.loads(first.read_text()).get("run_id") or "")[:12] if number else ""
    rest = [word.replace("{run}", run) for word in words[1:]]
    codes.append(main.run_verb(words[0], [*rest, "--result", f"{number}.json"]))
Path("codes.json").write_text(json.dumps(codes))
"""


def forms_of(secret: str) -> Iterator[str]:
    """How a text may hold it. On their own: not by the code that is tested."""
    yield from (
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        repr(secret)[1:-1],
    )
    yield from (json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3])
    for user in ("", "m", "me"):
        encoded = base64.b64encode(f"{user}{secret}".encode()).decode()
        yield encoded[4:-4]
        yield encoded[4:-4].replace("+", "-").replace("/", "_")


def leaks(text: str) -> list[str]:
    """The places whose secret a text holds, in any form."""
    return [place for place, secret in SECRETS.items() if any(form in text for form in forms_of(secret))]


def texts_below(folder: Path) -> Iterator[tuple[str, str]]:
    """Each file, by its path in the folder: the rows of Parquet, the bytes of all others."""
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.name.endswith(".crc"):
            continue
        if file.suffix == ".parquet":
            text = json.dumps(pq.ParquetFile(file).read().to_pylist(), default=str, ensure_ascii=False)
        else:
            text = file.read_bytes().decode("utf-8", "replace")
        yield str(file.relative_to(folder)), text


def leaking(known: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: found for name, text in known.items() if (found := leaks(text))}


def leaking_model() -> Answers:
    """Its function is one of its own: executors cannot import this module."""

    def leak(frame: Any) -> Any:
        raise RuntimeError(f"cannot reach the store with {__import__('os').environ['AWS_SECRET_ACCESS_KEY']}")

    return Answers(leak)


@dataclass
class Scene:
    """A job whose config, environment and command lines hold secrets."""

    world: World
    folder: Path
    hook: Server
    refusing: Server
    port: int

    def suite(self, name: str, severity: str) -> str:
        """A suite whose rule rows break, and which names the secrets that each command knows: findings quote them."""
        rules = [
            {
                "type": "expect_column_values_to_be_in_set",
                "kwargs": {"column": "carrier", "value_set": [SECRETS[place] for place in ALWAYS_KNOWN]},
                "severity": severity,
            }
        ]
        file = self.folder / "inputs" / f"{name}.json"
        file.write_text(json.dumps({"name": name, "expectations": rules}))
        return str(file)

    def config(self, job: str, **groups: Any) -> str:
        """A job's config file."""
        settings: dict[str, Any] = {
            "job": job,
            "home": str(self.world.home),
            "source": {"table": "flights", "keys": ["id"], "passthrough": ["carrier"]},
            "model": {
                "uri": "models:/late@champion",
                "tracking_uri": f"http://me:{quote(SECRETS['uri'], safe='')}@127.0.0.1:{self.port}",
            },
            "gate": {"input": self.suite(f"{job}-warns", "warning")},
            "output": {"table": job, "threshold": 0.5},
            "sla": {"rows_per_second": 1e9},
            "monitor": {"metrics": str(self.folder / "metrics")},
        }
        for name, value in groups.items():
            settings[name] = {**settings[name], **value}
        file = self.folder / "inputs" / f"{job}.yaml"
        file.write_text(yaml.safe_dump(settings))
        return str(file)

    def calls(self) -> list[tuple[list[str], tuple[int, ...]]]:
        """The commands, and how each may end."""
        masked = ["--config", self.config("masked")]
        open_ = ["--config", self.config("unmasked", monitor={"mlflow": False})]
        critical = ["--gate.input", self.suite("stops", "critical")]
        silent = ["--monitor.webhook", f"http://127.0.0.1:9/{SECRETS['flag']}"]
        table = f"s3a://AKEY:{SECRETS['table']}@bucket/t"
        refusing = f"http://me:{SECRETS['refused']}@127.0.0.1:{self.refusing.port}"
        leaky = ["--model.uri", "models:/leaky/1", "--model.tracking_uri", Shelf(self.folder / "shelf").uri]
        return [
            (["score", *masked, "--as-of", AS_OF], (0,)),
            (["score", *masked, "--as-of", AS_OF], (0,)),
            (["score", *masked, "--as-of", AS_OF, "--replace", "--output.threshold", "0.4"], (0,)),
            (["score", *masked, "--as-of", NEXT, "--dry-run"], (0,)),
            (["score", *masked, "--as-of", NEXT, "--sample", "3"], (0,)),
            (["score", *masked, "--as-of", NEXT, *critical, "--debug"], (3,)),
            (["score", *masked, "--as-of", LAST, *critical, *silent], (3,)),
            (["score", *masked, "--as-of", LATER, *leaky, "--debug"], (4,)),
            (["score", *masked, "--as-of", LATER, "--model.tracking_uri", refusing, "--debug"], (2, 4, 75)),
            (["score", *masked, "--as-of", LATER, "--source.table", table, "--debug"], (2,)),
            (["score", *masked, "--as-of", LATER, "--monitor.webhok", SECRETS["flag"], "--debug"], (2,)),
            (["score", *masked, "--as-of", LATER], (0,)),
            (["runs", *masked], (0,)),
            (["runs", "show", "{run}", *masked], (0,)),
            (["rejects", *masked], (0,)),
            (["rejects", "retry", "{run}", *masked, "--debug"], (0, 2)),
            (["rollback", *masked, "--as-of", AS_OF], (0,)),
            (["report", "{run}", *masked], (0,)),
            (["report", "--job", *masked], (0,)),
            (["check_sla", *masked], (0, 5)),
            (["maintain", *masked], (0,)),
            (["gate", "check", "flights", *masked, "--suite", self.suite("checks", "critical")], (3,)),
            (["gate", "suggest", "flights", *masked, "--suite", "suggested.json"], (0,)),
            (["gate", "suggest", table, *masked, "--debug"], (2,)),
            (["quickstart", *masked, "--home", table, "--debug"], (2,)),
            (["unmask"], (0,)),
            (["score", *open_, "--as-of", AS_OF], (0,)),
            (["score", *open_, "--as-of", NEXT, *critical], (3,)),
        ]

    def environ(self) -> dict[str, str]:
        """The environment of the process."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("SPARKSCORE_", "MLFLOW_", "AWS"))
        }
        hook = f"http://127.0.0.1:{self.hook.port}/services/{quote(SECRETS['webhook'], safe='')}"
        conf = f"--conf spark.hadoop.fs.s3a.secret.key={SECRETS['conf']}"
        return kept | {
            "SPARKSCORE_MONITOR__WEBHOOK": hook,
            "MLFLOW_TRACKING_USERNAME": "me",
            "MLFLOW_TRACKING_PASSWORD": SECRETS["password"],
            "AWS_SECRET_ACCESS_KEY": SECRETS["aws"],
            "AWS_SESSION_TOKEN": SECRETS["session"],
            "DATABRICKS_TOKEN": SECRETS["token"],
            "PYSPARK_SUBMIT_ARGS": f"{conf} {os.environ['PYSPARK_SUBMIT_ARGS']}",
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        }

    def run(self, calls: Sequence[Sequence[str]]) -> subprocess.CompletedProcess[str]:
        """The commands, one after another, in a process of their own: what Spark's JVM logs is seen, too."""
        work = self.folder / "work"
        work.mkdir()
        (self.folder / "inputs" / "run.py").write_text(RUN)
        (self.folder / "inputs" / "calls.json").write_text(json.dumps(calls))
        return subprocess.run(
            [sys.executable, self.folder / "inputs" / "run.py", MARK, self.folder / "inputs" / "calls.json"],
            cwd=work,
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=540,
            check=False,
        )


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Iterator[Scene]:
    for name in ("inputs", "shelf", "artifacts"):
        (tmp_path / name).mkdir()
    Shelf(tmp_path / "shelf").put("leaky", leaking_model(), signature(columns(x1="double"), tensor("float64")))
    with (
        serving(status("200 OK")) as hook,
        serving(status("403 Forbidden", body=b"no")) as refusing,
        serve_mlflow(world.registry.uri, tmp_path / "artifacts") as port,
    ):
        yield Scene(world, tmp_path, hook, refusing, port)


def test_no_secret_is_in_anything_that_any_verb_writes(scene: Scene) -> None:
    calls = scene.calls()
    done = scene.run([words for words, _ in calls])
    assert done.returncode == 0, done.stderr[-3000:]
    codes = json.loads((scene.folder / "work" / "codes.json").read_text())
    wrong = [(words[:2], code) for (words, allowed), code in zip(calls, codes, strict=True) if code not in allowed]
    assert wrong == [], done.stderr[-6000:]
    (out, open_out), (err, open_err) = done.stdout.split(MARK), done.stderr.split(MARK)
    written = dict(texts_below(scene.world.home)) | {
        f"work/{name}": text for name, text in texts_below(scene.folder / "work")
    }
    written |= {f"metrics/{name}": text for name, text in texts_below(scene.folder / "metrics")}
    first_open = [words for words, _ in calls].index(["unmask"]) + 1
    open_results = {f"work/{number}.json" for number in range(first_open, len(calls))}
    opened = {name: text for name, text in written.items() if "unmasked" in name or name in open_results}
    masked = {name: text for name, text in written.items() if name not in opened}
    alerts = list(scene.hook.texts)
    masked |= {"stdout": out, "stderr": err, **dict(texts_below(scene.folder / "artifacts"))}
    masked |= {f"alert {number}": text for number, text in enumerate(alerts) if "unmasked" not in text}
    masked["MLflow"] = Path(scene.world.registry.uri.removeprefix("sqlite:///")).read_bytes().decode("utf-8", "replace")
    assert leaking(masked) == {}
    kinds = (
        "_runs",
        "_profile",
        "_drift",
        "_delta_log",
        "reports/masked",
        ".prom",
        "alert",
        ".json",
        "MLflow",
        ".html",
    )
    assert [kind for kind in kinds if not any(kind in name for name in masked)] == []
    assert "***" in masked["stderr"]
    # the same look finds them where nothing is masked
    opened |= {"stdout": open_out, "stderr": open_err}
    found = leaking(opened)
    for kind in ("unmasked_runs", "reports/unmasked", "stdout", "stderr", *open_results):
        assert any(kind in name for name in found), (kind, sorted(found))
    assert {place for places in found.values() for place in places} == set(ALWAYS_KNOWN)
