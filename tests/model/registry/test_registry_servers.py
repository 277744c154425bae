"""MLflow over HTTP: its own server behind a proxy that asks for a password or a token, as people run it."""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import mlflow
import pytest

from sparkscore.errors import (
    AccessDenied,
    ConfigError,
    ModelError,
    ModelNotFound,
    RegistryUnreachable,
    SparkscoreError,
)
from sparkscore.model.registry.model_resolution import look_up_model_version, resolve_model
from sparkscore.records import PinnedModel
from sparkscore.redaction.secret_patterns import redact_secrets
from tests import world
from tests.mlflow_servers import Gate, send_answer, serve_mlflow
from tests.model.registry.test_model_resolution import LINE, SIGNED
from tests.model.shelf import Shelf

PASSWORD, TOKEN = "s3cret-Passw0rd", "tok-8f2a61c09d"
BASIC = f"Basic {base64.b64encode(f'scorer:{PASSWORD}'.encode()).decode()}"
URI = "models:/line@champion"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """MLflow's server with two versions of a model, whose files it hands out itself; champion is the first."""
    folder = tmp_path_factory.mktemp("served")
    shelf = Shelf(folder)
    (folder / "store").mkdir()
    with serve_mlflow(shelf.uri, folder / "store") as port:
        with world.tracking(f"http://127.0.0.1:{port}"):
            mlflow.create_experiment("served", artifact_location="mlflow-artifacts:/served")
            mlflow.set_experiment("served")
            for _ in range(2):
                mlflow.sklearn.log_model(
                    LINE, name="line", signature=SIGNED, registered_model_name="line", pip_requirements=[]
                )
        shelf.client.set_registered_model_alias("line", "champion", "1")
        yield port


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials but those of the test."""
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("mlflow.utils.credentials._get_credentials_path", lambda: tmp_path / "credentials")


def resolve(address: str, copies: Path) -> PinnedModel:
    return resolve_model(URI, tracking_uri=address, runtime="auto", params={}, copies=str(copies))


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({"MLFLOW_TRACKING_USERNAME": "scorer", "MLFLOW_TRACKING_PASSWORD": PASSWORD}, BASIC),
        ({"MLFLOW_TRACKING_TOKEN": TOKEN}, f"Bearer {TOKEN}"),
    ],
)
def test_a_password_or_a_token_of_the_environment_opens_it(
    variables: dict[str, str], word: str, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    gate = Gate(port, word)
    with gate.serve() as address:
        model = resolve(address, tmp_path / "copies")
    assert (model.name, model.version) == ("line", "1")
    assert {given for _, _, given in gate.asked} == {word}
    assert any("/mlflow-artifacts/artifacts/" in path for _, path, _ in gate.asked)


@pytest.mark.parametrize("given", [None, "wr0ng-Passw0rd"])
def test_no_password_or_a_wrong_one_is_told_without_it(
    given: str | None, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "scorer")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", given)
    with Gate(port, BASIC).serve() as address, pytest.raises(AccessDenied) as told:
        resolve(address, tmp_path / "copies")
    assert told.value.exit_code == 2
    assert "MLFLOW_TRACKING_USERNAME" in told.value.do
    assert given is None or given not in str(told.value)


def test_files_that_are_refused_are_a_matter_of_permission_too(port: int, tmp_path: Path) -> None:
    gate = Gate(port, refuse=lambda path: 403 if "/mlflow-artifacts/" in path else None)
    with gate.serve() as address, pytest.raises(AccessDenied, match="the files of line version 1"):
        resolve(address, tmp_path / "copies")


def test_a_server_that_dies_in_the_middle_may_be_asked_again(port: int, tmp_path: Path) -> None:
    whole = Gate(port)
    with whole.serve() as address:
        resolve(address, tmp_path / "whole")
    for served in range(len(whole.asked)):
        copies = tmp_path / str(served)
        with Gate(port, lets_through=served).serve() as address, pytest.raises(RegistryUnreachable) as told:
            resolve(address, copies)
        assert told.value.exit_code == 75
        assert [one.name for one in copies.glob("*")] == []  # nothing half of a model is left


def test_a_version_stays_the_one_that_was_resolved_when_its_alias_moves_meanwhile(port: int, tmp_path: Path) -> None:
    client = mlflow.MlflowClient(f"http://127.0.0.1:{port}", registry_uri=f"http://127.0.0.1:{port}")

    def move(path: str) -> None:
        if "registered-models/get" in path:
            client.set_registered_model_alias("line", "champion", "2")

    try:
        with Gate(port, after=move).serve() as address:
            assert resolve(address, tmp_path / "copies").version == "1"
            assert look_up_model_version(URI, address) == "2"
    finally:
        client.set_registered_model_alias("line", "champion", "1")


def test_a_certificate_of_ones_own_is_trusted_where_mlflow_is_told_so(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, key = tmp_path / "own.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=loopback", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-out", str(own), "-keyout", str(key)], check=True, capture_output=True)
    with Gate(port, certificate=(own, key)).serve() as address:
        with pytest.raises(ConfigError) as told:
            resolve(address, tmp_path / "copies")
        assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in told.value.do
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(own))
        assert resolve(address, tmp_path / "copies").version == "1"


def test_a_password_does_not_follow_a_redirect_to_another_server(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "scorer")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    other = Gate(port)
    with other.serve() as elsewhere, Redirecting(port, target=elsewhere).serve() as address:
        resolve(address, tmp_path / "copies")
    assert other.asked != []
    assert {given for _, _, given in other.asked} == {""}


def test_an_answer_that_comes_drop_by_drop_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkscore.model.registry.mlflow_client._LONGEST_ANSWER_S", 0.5)
    dripping = Dripping(0)
    with dripping.serve() as address, pytest.raises(RegistryUnreachable, match="no whole answer for the model line"):
        look_up_model_version(URI, address)
    dripping.ended.set()


@pytest.mark.parametrize("path", ["../../outside", "/outside", "a/../../outside", "..%2f..%2foutside", "..\\outside"])
def test_names_of_files_that_lead_out_of_the_copy_write_nothing_there(path: str, port: int, tmp_path: Path) -> None:
    with Hostile(port, path=path).serve() as address, pytest.raises(SparkscoreError):
        resolve(address, tmp_path / "home" / "copies")
    assert [one.name for one in tmp_path.rglob("*outside*")] == []
    assert [*(tmp_path / "home" / "copies").glob("*")] == []


@dataclass
class Redirecting(Gate):
    """Sends whoever asks to another server."""

    target: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        self.asked.append((request.command, request.path, request.headers.get("Authorization", "")))
        send_answer(request, 302, b"", {"Location": f"{self.target}{request.path}"})


@dataclass
class Dripping(Gate):
    """Answers a byte now and then, for as long as somebody listens."""

    ended: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        with suppress(OSError):
            while not self.ended.wait(0.1):
                request.wfile.write(b" ")


@dataclass
class Hostile(Gate):
    """Lists a file of a name of its own among those of a model."""

    path: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        if "/mlflow-artifacts/artifacts" not in request.path:
            super().answer(request)
        elif "path=" in request.path:
            told = {"files": [{"path": "MLmodel", "file_size": 5}, {"path": self.path, "file_size": 5}]}
            send_answer(request, 200, json.dumps(told).encode(), {"Content-Type": "application/json"})
        else:
            send_answer(request, 200, b"bytes", {})


@pytest.mark.parametrize(
    ("address", "error", "told"),
    [
        ("postgresql+psycopg2://me:s3cret-Passw0rd@127.0.0.1:1/models", ConfigError, "pip install psycopg2-binary"),
        ("http:/oops", ConfigError, "correct model.tracking_uri"),
        ("http://127.0.0.1:port", ConfigError, "correct model.tracking_uri"),
        ("databricks", AccessDenied, "DATABRICKS_HOST"),
    ],
)
def test_what_is_wrong_on_this_side_is_no_matter_of_time(
    address: str, error: type[SparkscoreError], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(error) as raised:
        look_up_model_version(URI, address)
    assert raised.value.exit_code == 2
    assert told in raised.value.do
    assert "s3cret-Passw0rd" not in str(raised.value)


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"])
def test_a_certificate_that_is_not_there_is_told_as_such(
    name: str, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "no.pem"))
    with pytest.raises(ConfigError, match="a certificate is not where") as raised:
        look_up_model_version(URI, "https://127.0.0.1:9")
    assert name in raised.value.do


def test_a_registry_cannot_make_any_folder_of_the_driver_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path / "shelf")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "id_ed25519").write_text("a key")
    shelf.client.create_registered_model("line")
    shelf.client.create_model_version("line", (tmp_path / "keys").as_uri())
    monkeypatch.setattr("mlflow.artifacts.download_artifacts", None)  # nothing is copied
    with pytest.raises(ModelError, match="no file MLmodel in"):
        resolve_model(
            "models:/line/1", tracking_uri=shelf.uri, runtime="auto", params={}, copies=str(tmp_path / "copies")
        )


@pytest.mark.parametrize("uri", ["models:/line/" + "9" * 5_000, "models:/li\nne@champion", "models:/line@cham\x1bpion"])
def test_names_and_versions_that_no_registry_has_are_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match="no alias or version"):
        look_up_model_version(uri, None)


@dataclass
class UnityCatalog(Gate):
    """The REST calls that MLflow makes of Unity Catalog, answered as they are documented."""

    port: int = 0
    word: str | None = f"Bearer {TOKEN}"
    status: str = "READY"
    bodies: list[object] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        given = request.headers.get("Authorization", "")
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if request.path.startswith("/api/"):
            self.asked.append((request.command, request.path, given))
            self.bodies.append(json.loads(body or b"null"))
        if "/api/" in request.path and given != self.word:
            refusal = {"error_code": "PERMISSION_DENIED", "message": "no such token"}
            send_answer(request, 403, json.dumps(refusal).encode(), {})
            return
        version = {"name": "main.lake.delay", "version": "3", "creation_timestamp": "5", "status": self.status}
        aliases = [{"alias": "champion", "version": "3"}]
        answers = {
            "registered-models/get": {"registered_model": {"name": "main.lake.delay", "aliases": aliases}},
            "model-versions/get": {"model_version": version},
        }
        told = answers.get(request.path.partition("unity-catalog/")[2].partition("?")[0])
        missing = {"error_code": "ENDPOINT_NOT_FOUND", "message": "unknown"}
        send_answer(request, 404 if told is None else 200, json.dumps(told or missing).encode(), {})


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> Iterator[UnityCatalog]:
    """Unity Catalog as a contract: nothing of Databricks' runs here."""
    made = UnityCatalog()
    with made.serve() as address:
        monkeypatch.setenv("DATABRICKS_HOST", address)
        monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
        yield made


class TestUnityCatalog:
    @pytest.mark.parametrize("tracking_uri", ["databricks-uc", "databricks"])
    def test_names_of_three_levels_and_aliases_reach_it_as_they_are(
        self, tracking_uri: str, catalog: UnityCatalog
    ) -> None:
        assert look_up_model_version("models:/main.lake.delay@champion", tracking_uri) == "3"
        assert catalog.asked == [
            ("GET", "/api/2.0/mlflow/unity-catalog/registered-models/get?name=main.lake.delay", f"Bearer {TOKEN}")
        ]

    def test_files_are_asked_for_with_the_credentials_that_it_lends(
        self, catalog: UnityCatalog, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError, match=r"the files of main\.lake\.delay version 3"):  # the stub lends none
            resolve_model(
                "models:/main.lake.delay@champion",
                tracking_uri="databricks-uc",
                runtime="auto",
                params={},
                copies=str(tmp_path / "copies"),
            )
        lent = [
            body
            for (_, path, _), body in zip(catalog.asked, catalog.bodies, strict=True)
            if path.endswith("/generate-temporary-credentials")
        ]
        wanted = {"name": "main.lake.delay", "version": "3", "operation": "MODEL_VERSION_OPERATION_READ"}
        assert lent == [wanted]

    def test_an_alias_that_is_not_there_is_told_with_those_that_are(self, catalog: UnityCatalog) -> None:
        with pytest.raises(ModelNotFound) as told:
            look_up_model_version("models:/main.lake.delay@best", "databricks-uc")
        assert "champion" in told.value.expected
        assert len(catalog.asked) == 1

    def test_a_token_that_is_refused_is_told_without_it(
        self, catalog: UnityCatalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-other-token-77")
        with pytest.raises(AccessDenied) as told:
            look_up_model_version("models:/main.lake.delay@champion", "databricks-uc")
        assert "dapi-other-token-77" not in redact_secrets(str(told.value))
        assert catalog.asked != []

    def test_stages_are_refused_before_it_is_asked(self, catalog: UnityCatalog) -> None:
        with pytest.raises(ConfigError, match="stages"):
            look_up_model_version("models:/main.lake.delay/Production", "databricks-uc")
        assert catalog.asked == []
