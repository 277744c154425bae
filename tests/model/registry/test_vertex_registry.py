"""Vertex AI's registry as far as a stub of its REST API and an emulator of Cloud Storage go."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import mlflow
import pytest

from sparkscore.errors import (
    AccessDenied,
    ConfigError,
    ModelError,
    ModelNotFound,
    RegistryUnreachable,
    SparkscoreError,
    TrustRefused,
)
from sparkscore.model.registry.alias_promotion import plan_alias_move
from sparkscore.model.registry.group_uris import name_group_model
from sparkscore.model.registry.model_resolution import look_up_model_version, resolve_model
from sparkscore.model.registry.model_uri import ModelUri, parse_model_uri, pinned_model_uri
from sparkscore.model.registry.vertex_registry import ENDPOINT_VARIABLE
from sparkscore.records import PinnedModel, TrustPolicy
from sparkscore.settings.model_groups import find_group_problem
from tests.mlflow_servers import Gate, send_answer
from tests.model.registry.test_model_resolution import LINE, SIGNED

NAME = "projects/acme/locations/europe-west4/models/delay"
URI = f"vertex://{NAME}"

needs_client = pytest.mark.skipif(
    find_spec("google") is None or find_spec("google.cloud") is None or find_spec("google.cloud.aiplatform_v1") is None,
    reason="google-cloud-aiplatform is not installed: the extra vertex; ci/integration/registries has it",
)


class TestUri:
    def test_it_is_the_models_resource_name_with_an_alias_or_a_version(self) -> None:
        assert parse_model_uri(f"{URI}@champion") == ModelUri(URI, "champion", None)
        assert parse_model_uri(f"{URI}@12") == ModelUri(URI, None, "12")
        assert pinned_model_uri(URI, "12") == f"{URI}@12"

    @pytest.mark.parametrize(
        "uri",
        [
            URI,
            f"{URI}@",
            f"{URI}@Best",
            f"{URI}@a@b",
            f"{URI}/3",
            "vertex://acme/delay@a",
            f"{URI}@a/../b",
            "vertex://",
        ],
    )
    def test_anything_else_is_refused_with_the_form(self, uri: str) -> None:
        with pytest.raises(ConfigError, match="vertex://projects/<project>/locations/<location>/models/<id>@"):
            parse_model_uri(uri)


def test_without_the_extra_it_says_which_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "google.cloud.aiplatform_v1.services.model_service", None)
    with pytest.raises(ConfigError, match="vertex"):
        look_up_model_version(f"{URI}@champion", None)


def test_an_address_without_tls_is_refused_unless_it_is_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://vertex.example.org")
    with pytest.raises(ConfigError, match="without TLS"):
        look_up_model_version(f"{URI}@champion", None)


def test_a_pinned_version_needs_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9")
    assert look_up_model_version(f"{URI}@7", None) == "7"


class TestWhatMlflowAloneHas:
    def test_a_promotion_is_refused_with_what_to_do_instead(self) -> None:
        with pytest.raises(ConfigError, match="--promote moves an alias of MLflow, and Vertex AI has") as told:
            plan_alias_move(f"{URI}@champion", champion=(URI, "3"), challenger=(URI, "4"))
        assert (told.value.exit_code, "move the alias in Vertex AI" in told.value.do) == (2, True)

    def test_one_model_per_group_is_refused_with_what_to_do_instead(self) -> None:
        uri = "vertex://projects/acme/locations/europe-west4/models/delay-{carrier}@champion"
        problem = find_group_problem(uri, ["carrier"], None)
        assert problem is not None
        assert "model.by takes those of MLflow's registry alone" in problem
        assert "or a job for each model" in problem

    def test_a_group_that_a_table_sends_to_vertex_ai_has_no_model_in_words(self) -> None:
        told = name_group_model("{model}", {"model": f"{URI}@champion"}, trusted=True)
        assert told == "model name a model that is not registered in MLflow"


@dataclass
class Vertex(Gate):
    """The REST calls that Google's client makes, answered as they are documented."""

    port: int = 0
    places: dict[str, str] = field(default_factory=dict)
    """Of the files of each version."""
    aliases: dict[str, str] = field(default_factory=dict)
    refused: tuple[int, str] | None = None

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path = unquote(request.path.partition("?")[0])
        self.asked.append((request.command, path, request.headers.get("Authorization", "")))
        name, _, wanted = path.removeprefix("/v1/").partition("@")
        if self.refused is not None:
            self._refuse(request, *self.refused)
        elif path == f"/v1/{NAME}:listVersions":
            send_answer(request, 200, json.dumps({"models": [self._describe(one) for one in self.places]}).encode(), {})
        elif name == NAME and self.aliases.get(wanted, wanted) in self.places:
            send_answer(request, 200, json.dumps(self._describe(self.aliases.get(wanted, wanted))).encode(), {})
        else:
            self._refuse(request, 404, "NOT_FOUND")

    def _describe(self, version: str) -> dict[str, object]:
        return {
            "name": NAME,
            "versionId": version,
            "versionAliases": [alias for alias, named in self.aliases.items() if named == version],
            "artifactUri": self.places[version],
            "versionCreateTime": "2026-01-02T03:04:05Z",
        }

    @staticmethod
    def _refuse(request: BaseHTTPRequestHandler, code: int, status: str) -> None:
        told = {"error": {"code": code, "message": f"the stub says {status}", "status": status}}
        send_answer(request, code, json.dumps(told).encode(), {"Content-Type": "application/json"})


@pytest.fixture
def vertex(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Vertex]:
    """The stub, with a model that MLflow has saved in a bucket of the emulator."""
    pytest.importorskip("google.cloud.storage", reason="google-cloud-storage is not installed: the extra vertex")
    from gcp_storage_emulator.server import create_server
    from google.cloud import storage

    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
    files = create_server("127.0.0.1", 0, in_memory=True, default_bucket="lake")
    files.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{files._api._httpd.socket.getsockname()[1]}")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "google"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    mlflow.sklearn.save_model(LINE, str(tmp_path / "saved"), signature=SIGNED, pip_requirements=[])
    bucket = storage.Client().bucket("lake")
    for file in (tmp_path / "saved").rglob("*"):
        if file.is_file():
            blob = bucket.blob(f"models/delay/{file.relative_to(tmp_path / 'saved')}")
            blob.upload_from_string(file.read_bytes())
    bucket.blob("models/plain/model.joblib").upload_from_string(b"no model of MLflow")
    made = Vertex(places={"3": "gs://lake/models/delay", "4": "gs://lake/models/plain"}, aliases={"champion": "3"})
    try:
        with made.serve() as address:
            monkeypatch.setenv(ENDPOINT_VARIABLE, address)
            yield made
    finally:
        files.stop()


def resolve(uri: str, copies: Path, trust: TrustPolicy | None = None) -> PinnedModel:
    more: dict[str, Any] = {} if trust is None else {"trust": trust}
    return resolve_model(uri, tracking_uri=None, runtime="auto", params={}, copies=str(copies), **more)


@needs_client
class TestRegistry:
    def test_an_alias_becomes_a_version_with_its_files_and_their_digest(self, vertex: Vertex, tmp_path: Path) -> None:
        assert look_up_model_version(f"{URI}@champion", None) == "3"
        model = resolve(f"{URI}@champion", tmp_path / "copies")
        assert (model.name, model.version) == (URI, "3")
        assert resolve(pinned_model_uri(model.name, model.version), tmp_path / "copies").digest == model.digest
        assert {path for _, path, _ in vertex.asked} == {f"/v1/{NAME}@champion", f"/v1/{NAME}@3"}
        assert {given for _, _, given in vertex.asked} == {""}  # no token of Google's goes to an emulator

    def test_files_are_downloaded_once(self, vertex: Vertex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = resolve(f"{URI}@champion", tmp_path / "copies")
        monkeypatch.setattr("mlflow.artifacts.download_artifacts", None)
        assert resolve(f"{URI}@champion", tmp_path / "copies") == first

    def test_an_alias_that_is_not_there_is_told_with_those_that_are(self, vertex: Vertex) -> None:
        with pytest.raises(ModelNotFound) as told:
            look_up_model_version(f"{URI}@best", None)
        assert "3, 4, champion" in told.value.expected

    def test_what_is_no_model_of_mlflow_is_refused(self, vertex: Vertex, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no file MLmodel"):
            resolve(f"{URI}@4", tmp_path / "copies")

    @pytest.mark.parametrize("place", ["", "file:///etc", "bq://acme.lake.model"])
    def test_files_elsewhere_than_in_cloud_storage_are_refused(
        self, place: str, vertex: Vertex, tmp_path: Path
    ) -> None:
        vertex.places["3"] = place
        with pytest.raises(ModelError, match="has its files at"):
            resolve(f"{URI}@champion", tmp_path / "copies")

    def test_a_folder_without_files_is_told(self, vertex: Vertex, tmp_path: Path) -> None:
        vertex.places["3"] = "gs://lake/models/nothing"
        with pytest.raises(ModelNotFound, match="nothing lies at gs://lake/models/nothing"):
            resolve(f"{URI}@champion", tmp_path / "copies")

    @pytest.mark.parametrize(
        ("refused", "error", "code"),
        [
            ((403, "PERMISSION_DENIED"), AccessDenied, 2),
            ((401, "UNAUTHENTICATED"), AccessDenied, 2),
            ((404, "NOT_FOUND"), ModelNotFound, 4),
            ((400, "INVALID_ARGUMENT"), ConfigError, 2),
            ((503, "UNAVAILABLE"), RegistryUnreachable, 75),
            ((429, "RESOURCE_EXHAUSTED"), RegistryUnreachable, 75),
        ],
    )
    def test_each_refusal_has_its_exit_code(
        self, refused: tuple[int, str], error: type[SparkscoreError], code: int, vertex: Vertex
    ) -> None:
        vertex.refused = refused
        with pytest.raises(error) as told:
            look_up_model_version(f"{URI}@champion", None)
        assert told.value.exit_code == code

    def test_nobody_who_answers_is_a_matter_of_time(self, vertex: Vertex, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9")
        with pytest.raises(RegistryUnreachable):
            look_up_model_version(f"{URI}@champion", None)

    def test_without_credentials_the_cure_is_told(
        self, vertex: Vertex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(ENDPOINT_VARIABLE)
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        with pytest.raises(AccessDenied, match=r"europe-west4-aiplatform\.googleapis\.com") as told:
            look_up_model_version(f"{URI}@champion", None)
        assert "Application Default Credentials" in told.value.do

    def test_trust_holds_for_it(self, vertex: Vertex, tmp_path: Path) -> None:
        with pytest.raises(TrustRefused, match="registries"):
            resolve(f"{URI}@champion", tmp_path / "copies", TrustPolicy(registries=("https://*.googleapis.com",)))
        assert vertex.asked == []
