import os
import socket
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import mlflow
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.store.artifact import artifact_repository_registry
from sklearn.linear_model import LinearRegression

from sparkscore.errors import (
    AccessDenied,
    ConfigError,
    ModelError,
    ModelNotFound,
    RegistryUnreachable,
    SignatureError,
    SparkscoreError,
    TrustRefused,
)
from sparkscore.model.registry.copy_origin import describe_origin
from sparkscore.model.registry.mlflow_client import download_model_files
from sparkscore.model.registry.mlflow_registry import MlflowRegistry
from sparkscore.model.registry.model_registry import ModelEntry
from sparkscore.model.registry.model_resolution import look_up_model_version, resolve_model
from sparkscore.model.registry.model_uri import ModelUri, parse_model_uri, pinned_model_uri
from sparkscore.model.trust.model_digest import compute_model_digest
from sparkscore.records import ModelInput, PinnedModel, TrustPolicy
from sparkscore.settings import TrustSettings
from tests import world
from tests.model.shelf import Returns, Shelf, Sums, columns, signature, tensor

LINE = LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [0.0, 1.0])
SIGNED = signature(columns(x="double"), tensor("float64"))
PATIENCE = 90.0
"""Seconds. MLflow itself waits 20 for a locked sqlite file."""


@pytest.fixture(scope="module", autouse=True)
def line(shelf: Shelf) -> None:
    """Two versions of a line; champion is the first one, challenger the second."""
    shelf.put("line", LINE, SIGNED)
    shelf.put("line", LINE, SIGNED)
    shelf.client.set_registered_model_alias("line", "champion", "1")
    shelf.client.set_registered_model_alias("line", "challenger", "2")


def asked(uri: str, tracking_uri: str, copies: Path) -> PinnedModel:
    return resolve_model(uri, tracking_uri=tracking_uri, runtime="auto", params={}, copies=str(copies))


class TestUri:
    def test_a_model_by_alias_or_by_version(self) -> None:
        assert parse_model_uri("models:/main.lake.flight delay@champion") == ModelUri(
            "main.lake.flight delay", "champion", None
        )
        assert parse_model_uri("models:/late/12") == ModelUri("late", None, "12")

    @pytest.mark.parametrize(
        "uri",
        [
            "late",
            "models:/late",
            "models:/late/latest",
            "models:/late/Production",
            "models:/late@",
            "models:/@a",
            "models://late/1",
            "models:/late/1/data",
            "models:/m-0123/1/data",
            "runs:/abc",
            "runs:/abc/",
            "runs:/abc/../model",
            "runs:/abc/a/./b",
            "s3://bucket/model",
            "models:/late/1\n",
            "",
        ],
    )
    def test_anything_else_is_refused_with_the_forms(self, uri: str) -> None:
        with pytest.raises(ConfigError, match="the model URI") as caught:
            parse_model_uri(uri)
        assert caught.value.expected.startswith("models:/<name>@<alias> or models:/<name>/<version>")


class TestResolving:
    def test_an_alias_becomes_a_version_with_its_signature(self, shelf: Shelf) -> None:
        model = shelf.pinned("models:/line@champion")
        assert (model.name, model.version, model.runtime, model.tensor) == ("line", "1", "sklearn", False)
        assert model.inputs == (ModelInput("x", pa.float64(), True),)
        assert model.output == pa.float64()
        assert shelf.client.get_model_version("line", "1").source == f"models:/{model.model_id}"

    def test_a_pinned_version_again_has_the_same_digest_and_another_version_another(self, shelf: Shelf) -> None:
        model = shelf.pinned("models:/line@champion")
        assert shelf.pinned("models:/line/1") == model
        assert shelf.pinned("models:/line/2").digest != model.digest

    def test_an_alias_that_moved_is_seen_without_a_download(self, shelf: Shelf) -> None:
        assert look_up_model_version("models:/line@challenger", shelf.uri) == "2"
        assert look_up_model_version("models:/line/1", shelf.uri) == "1"

    def test_the_copy_is_private_and_named_by_its_digest(self, shelf: Shelf) -> None:
        folder = Path(shelf.pinned("models:/line/1").path)
        assert folder.name == compute_model_digest(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        assert not list(folder.parent.glob(".fetch-*"))

    def test_a_copy_that_was_changed_is_replaced(self, shelf: Shelf) -> None:
        model = shelf.pinned("models:/line/1")
        (Path(model.path) / "model.pkl").write_bytes(b"changed")
        assert shelf.pinned("models:/line/1") == model
        assert compute_model_digest(model.path) == model.digest

    def test_a_version_is_downloaded_once_and_again_when_its_files_have_changed(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = shelf.pinned("models:/line/1")
        seen: list[str] = []

        def count(*args: Any) -> Path:
            seen.append("a download")
            return download_model_files(*args)

        monkeypatch.setattr("sparkscore.model.registry.mlflow_registry.download_model_files", count)
        assert (shelf.pinned("models:/line/1"), seen) == (model, [])
        file = shelf.files("line") / "model.pkl"
        status, content = file.stat(), file.read_bytes()
        try:
            file.write_bytes(content[:-1] + b"!")
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if nothing had happened
            assert shelf.pinned("models:/line/1").digest != model.digest
            assert seen == ["a download"]
        finally:
            file.write_bytes(content)
        assert shelf.pinned("models:/line/1") == model

    def test_a_look_takes_the_copy_that_a_run_has_left_and_leaves_none(self, shelf: Shelf, tmp_path: Path) -> None:
        model = shelf.pinned("models:/line/1")
        seen = resolve_model(
            "models:/line/1",
            tracking_uri=shelf.uri,
            runtime="auto",
            params={},
            copies=str(tmp_path / "new"),
            known_copies=shelf.copies,
        )
        assert seen == model
        assert not (tmp_path / "new").exists()

    def test_files_behind_a_server_are_known_by_their_names_and_sizes(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store: dict[str | None, list[FileInfo]] = {
            None: [FileInfo("MLmodel", False, 7), FileInfo("data", True, None)],
            "data": [FileInfo("data/x", False, 9)],
        }
        repository = SimpleNamespace(list_artifacts=store.__getitem__)
        monkeypatch.setattr(artifact_repository_registry, "get_artifact_repository", lambda *_: repository)
        registry = MlflowRegistry.open(shelf.uri)
        entry = ModelEntry("line", "1", "mlflow-artifacts:/1/models/m-1/artifacts", 7)
        first = describe_origin(registry, entry)
        assert first is not None
        assert describe_origin(registry, entry) == first
        store["data"] = [FileInfo("data/x", False, 8)]
        changed = describe_origin(registry, entry)
        assert changed is not None
        assert (changed.key, changed.evidence == first.evidence) == (first.key, False)
        store["data"] = [FileInfo("data/x", False, None)]  # nothing to know it by
        assert describe_origin(registry, entry) is None
        assert describe_origin(registry, replace(entry, location="models:/line/1")) is None

        def fail(*_: object) -> NoReturn:
            raise MlflowException("no client of this store is installed")

        monkeypatch.setattr(artifact_repository_registry, "get_artifact_repository", fail)
        assert describe_origin(registry, entry) is None  # the download tells of it

    def test_a_leading_zero_names_the_same_version(self, shelf: Shelf) -> None:
        assert shelf.pinned("models:/line/01").version == "1"
        assert look_up_model_version("models:/line/01", shelf.uri) == "1"

    def test_nothing_reaches_stdout_and_the_global_address_stays(
        self, shelf: Shelf, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        before, environment = mlflow.get_tracking_uri(), dict(os.environ)
        asked("models:/line/1", shelf.uri, tmp_path)
        assert capfd.readouterr().out == ""
        assert mlflow.get_tracking_uri() == before
        assert dict(os.environ) == environment

    def test_without_an_address_mlflows_own_is_taken(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", shelf.uri)
        monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
        assert look_up_model_version("models:/line@champion", None) == "1"

    def test_params_decide_the_runtime_and_are_checked(self, shelf: Shelf) -> None:
        uri = shelf.put(
            "power",
            Returns(lambda frame, params: frame["x"] ** params["n"]),
            signature(columns(x="double"), tensor("float64"), n=2),
        )
        assert shelf.pinned(uri, n=3).runtime == "pyfunc"
        with pytest.raises(SignatureError, match="no param m"):
            shelf.pinned(uri, m=3)


class TestWhatIsNotThere:
    def test_an_unknown_alias_names_those_that_exist(self, shelf: Shelf) -> None:
        with pytest.raises(ModelNotFound, match="no alias champoin on the model line") as caught:
            shelf.pinned("models:/line@champoin")
        assert caught.value.expected == "one of its aliases: challenger, champion"

    @pytest.mark.parametrize("uri", ["models:/circle@champion", "models:/circle/1", "models:/line/99"])
    def test_an_unknown_model_or_version(self, shelf: Shelf, uri: str) -> None:
        with pytest.raises(ModelNotFound, match="the registry does not have"):
            shelf.pinned(uri)

    def test_a_version_whose_files_are_gone(self, shelf: Shelf) -> None:
        uri = shelf.put("gone", LINE, SIGNED)
        files = shelf.files("gone")
        files.rename(files.with_name("elsewhere"))
        with pytest.raises(ModelNotFound, match="the files of gone version 1"):
            shelf.pinned(uri)

    def test_a_version_that_is_not_ready(self, shelf: Shelf) -> None:
        uri = shelf.put("failed", LINE, SIGNED)
        with sqlite3.connect(shelf.folder / "mlflow.db") as database:
            database.execute("UPDATE model_versions SET status = 'FAILED_REGISTRATION' WHERE name = 'failed'")
        database.close()
        with pytest.raises(ModelNotFound, match="version 1 of failed is FAILED_REGISTRATION"):
            shelf.pinned(uri)

    def test_a_database_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(ModelNotFound, match="no registry at"):
            asked("models:/line@champion", f"sqlite:///{tmp_path}/none.db", tmp_path)
        assert not list(tmp_path.iterdir())


class TestForeignModels:
    def test_a_foreign_loader_is_refused_before_anything_is_imported(self, shelf: Shelf) -> None:
        uri = shelf.put("foreign", LINE, SIGNED)
        file = shelf.files("foreign") / "MLmodel"
        content = yaml.safe_load(file.read_text())
        content["flavors"]["python_function"]["loader_module"] = "antigravity"
        file.write_text(yaml.safe_dump(content))
        with pytest.raises(ModelError, match="'antigravity'"):
            shelf.pinned(uri)

    def test_a_model_without_signature_is_refused(self, shelf: Shelf) -> None:
        uri = shelf.put("unsigned", Returns(lambda frame: frame), None)
        with pytest.raises(SignatureError, match="no inputs and no outputs in the model's signature"):
            shelf.pinned(uri)


class TestNoAnswer:
    """Whatever the registry does, an answer comes in bounded time and says whether trying again can help."""

    @contextmanager
    def quickly(self, kind: type[SparkscoreError], match: str) -> Iterator[None]:
        start = time.monotonic()
        with pytest.raises(kind, match=match):
            yield
        assert time.monotonic() - start < PATIENCE

    def test_a_server_that_refuses_connections(self, tmp_path: Path) -> None:
        with self.quickly(RegistryUnreachable, "no answer"):
            asked("models:/line@champion", "http://127.0.0.1:9", tmp_path)

    def test_a_server_that_never_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")  # of each try
        with socket.create_server(("127.0.0.1", 0)) as silent, self.quickly(RegistryUnreachable, "no answer"):
            look_up_model_version("models:/line@champion", f"http://127.0.0.1:{silent.getsockname()[1]}")

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(500, RegistryUnreachable), (503, RegistryUnreachable), (403, AccessDenied), (401, AccessDenied)],
    )
    def test_a_server_that_answers_with_an_error(
        self, tmp_path: Path, status: int, kind: type[SparkscoreError]
    ) -> None:
        with server(status) as address, self.quickly(kind, "the model line"):
            asked("models:/line@champion", address, tmp_path)

    def test_a_web_server_that_is_no_registry(self, tmp_path: Path) -> None:
        with server(404) as address, self.quickly(ConfigError, "the model line"):
            asked("models:/line@champion", address, tmp_path)

    def test_an_address_of_an_unknown_kind(self, tmp_path: Path) -> None:
        with self.quickly(ConfigError, "unsupported URI"):
            asked("models:/line@champion", "foo://bar", tmp_path)

    def test_a_locked_database(self, tmp_path: Path, shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
        lock = sqlite3.connect(shelf.folder / "mlflow.db", isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        try:
            with self.quickly(RegistryUnreachable, "no answer for the model line"):
                asked("models:/line@champion", shelf.uri, tmp_path)
        finally:
            lock.close()
        assert not caplog.records

    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").write_text("no database")
        with self.quickly(RegistryUnreachable, "no answer"):
            asked("models:/line@champion", f"sqlite:///{tmp_path}/mlflow.db", tmp_path)

    def test_a_password_in_the_address_is_not_told(self, tmp_path: Path) -> None:
        with pytest.raises(RegistryUnreachable) as caught:
            asked("models:/line@champion", "http://me:hunter2@127.0.0.1:9", tmp_path)
        assert "hunter2" not in str(caught.value)


def test_a_folder_for_copies_that_cannot_be_made_is_named(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AccessDenied, match=r"cannot write to .*file/copies"):
        asked("models:/line/1", shelf.uri, tmp_path / "file" / "copies")


@contextmanager
def server(status: int) -> Iterator[str]:
    """A web server that gives every question the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


class TestTrust:
    """Decided before the registry is asked, and before anything of the model is loaded."""

    def test_a_registry_that_is_not_listed_is_not_asked(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sparkscore.model.registry.mlflow_registry.call_registry", pytest.fail)
        for trust in (TrustPolicy(registries=("https://*",)), TrustPolicy(names=("other",))):
            with pytest.raises(TrustRefused):
                resolve_trusted(shelf, "models:/line@champion", trust)

    def test_a_listed_model_is_resolved(self, shelf: Shelf) -> None:
        known = shelf.pinned("models:/line/1")
        trust = TrustPolicy(registries=("sqlite:///*",), names=("li*",), digests=(known.digest,))
        assert resolve_trusted(shelf, "models:/line/1", trust).trust == trust

    def test_other_files_than_those_of_the_listed_digest_are_refused(self, shelf: Shelf) -> None:
        with pytest.raises(TrustRefused, match=r"model\.trust\.digest: 0000"):
            resolve_trusted(shelf, "models:/line/2", TrustPolicy(digests=("0" * 64,)))

    def test_a_pickle_is_refused_where_the_settings_say_so(self, shelf: Shelf) -> None:
        with pytest.raises(TrustRefused, match="a pickle when it is loaded"):
            resolve_trusted(shelf, "models:/line/1", TrustPolicy(pickle="refuse"))

    def test_a_skops_model_meets_the_strict_profile(self, shelf: Shelf) -> None:
        uri = shelf.put("line-skops", LINE, SIGNED, serialization_format="skops")
        trust = TrustSettings(profile="strict", names=("line*",), registries=("sqlite:*",)).to_policy()
        assert resolve_trusted(shelf, uri, trust).warnings == ()

    @pytest.mark.parametrize("what", ["file", "folder"])
    def test_what_links_among_the_models_files_lead_to_is_not_copied(
        self, shelf: Shelf, tmp_path: Path, what: str
    ) -> None:
        uri = shelf.put(f"linked-{what}", LINE, SIGNED)
        (tmp_path / "secret").mkdir()
        (tmp_path / "secret" / "key").write_text("canary-7f3a")
        target = tmp_path / "secret" if what == "folder" else tmp_path / "secret" / "key"
        (shelf.files(f"linked-{what}") / "data").symlink_to(target)
        with pytest.raises(ModelError, match="is a link"):
            shelf.pinned(uri)
        copied = [path for path in Path(shelf.copies).rglob("*") if path.is_file()]
        assert not [path for path in copied if b"canary-7f3a" in path.read_bytes()]


def resolve_trusted(shelf: Shelf, uri: str, trust: TrustPolicy) -> PinnedModel:
    return resolve_model(uri, tracking_uri=shelf.uri, runtime="auto", params={}, copies=shelf.copies, trust=trust)


@pytest.fixture(scope="module")
def logged(shelf: Shelf) -> tuple[str, str]:
    """A run and the model in it, which is a registry's version as well."""
    with world.tracking(shelf.uri):
        experiment = mlflow.create_experiment("runs", artifact_location=(shelf.folder / "runs").as_uri())
        with mlflow.start_run(experiment_id=experiment) as run:
            info = mlflow.sklearn.log_model(
                Sums(), name="sums", signature=signature(columns(x="double"), tensor("float64")),
                serialization_format="cloudpickle", pip_requirements=[],
            )  # fmt: skip
    return run.info.run_id, info.model_id


class TestLoggedModels:
    """Models that no registry names."""

    def test_the_uri_is_the_name_and_mlflows_id_the_version(self, shelf: Shelf, logged: tuple[str, str]) -> None:
        run, model_id = logged
        for uri in (f"runs:/{run}/sums", f"models:/{model_id}"):
            model = shelf.pinned(uri)
            assert (model.name, model.version, model.model_id) == (uri, model_id, model_id)
            assert model.warnings[0].startswith(f"no registry names the model {uri}")
            assert look_up_model_version(uri, shelf.uri) == model_id
            assert shelf.pinned(pinned_model_uri(model.name, model.version)).digest == model.digest
        assert pinned_model_uri("late", "3") == "models:/late/3"

    def test_files_of_a_run_of_older_versions_have_no_id(self, shelf: Shelf, logged: tuple[str, str]) -> None:
        run, model_id = logged
        files = Path(shelf.pinned(f"models:/{model_id}").path)
        with world.tracking(shelf.uri):
            mlflow.MlflowClient().log_artifacts(run, str(files), "old/model")
        model = shelf.pinned(f"runs:/{run}/old/model")
        assert (model.version, model.digest) == ("unregistered", files.name)

    def test_what_is_not_there(self, shelf: Shelf, logged: tuple[str, str]) -> None:
        for uri in ("models:/m-0123456789abcdef", "runs:/0123456789abcdef/sums", f"runs:/{logged[0]}/other"):
            with pytest.raises(ModelNotFound):
                shelf.pinned(uri)

    def test_trust_holds_for_them(self, shelf: Shelf, logged: tuple[str, str]) -> None:
        uri = f"models:/{logged[1]}"
        for policy, found in (
            (TrustPolicy(names=("late",)), "the model's name is"),
            (TrustPolicy(pickle="refuse"), "a pickle"),
        ):
            with pytest.raises(TrustRefused, match=found):
                resolve_model(uri, tracking_uri=shelf.uri, runtime="auto", params={}, copies=shelf.copies, trust=policy)

    def test_links_among_their_files_are_refused(self, shelf: Shelf, logged: tuple[str, str]) -> None:
        run, _ = logged
        artifacts = Path(unquote(urlsplit(shelf.client.get_run(run).info.artifact_uri).path)) / "linked"
        artifacts.mkdir(parents=True)
        (artifacts / "MLmodel").symlink_to("/etc/hostname")
        with pytest.raises(ModelError, match="link"):
            shelf.pinned(f"runs:/{run}/linked")
