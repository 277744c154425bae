"""The parts of the model process, each by itself."""

import fcntl
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sparkscore.errors import AccessDenied, BatchOutOfMemory, DigestMismatch, PredictError, RowsNotPredicted
from sparkscore.model.distribution.locked_directory import acquire_file_lock, ensure_private_folder
from sparkscore.model.host import inherited_environment as environment_module
from sparkscore.model.host.client_threads import CLIENT_HELLO, LOADED_BEFORE, LOADED_NOW, ClientThreads
from sparkscore.model.host.error_messages import decode_host_error, encode_host_error
from sparkscore.model.host.executor_process import Process, find_process
from sparkscore.model.host.host_directory import HostDirectory, locate_host_directory, remove_old_host_directories
from sparkscore.model.host.host_start import build_host_environment
from sparkscore.model.host.inherited_environment import (
    InheritedEnvironment,
    read_inherited_environment,
    remember_environment,
)
from sparkscore.model.host.wire_format import (
    MessageHeader,
    MessageKind,
    Region,
    read_peer_credentials,
    receive_bytes,
    receive_header,
    send_header,
)
from sparkscore.model.runtimes.scored_batch import ScoredBatch
from sparkscore.model.runtimes.scorer import to_load_error
from tests.model.host.models import doubles, shipped
from tests.model.host.node import Node

ME = find_process(os.getpid())


class TestRegion:
    def test_what_one_side_writes_the_other_reads_whoever_made_it_grow(self) -> None:
        ours = Region.create()
        its = Region(os.dup(ours.descriptor))
        for rows in (1, 500_000, 2):
            batch = pa.record_batch(
                [pa.array(np.arange(rows)), pa.array([str(row) for row in range(rows)])], ["a", "b"]
            )
            asked = ours.write_batch(batch, kind=MessageKind.BATCH)
            assert its.read_batch(asked).equals(batch)
            answer = its.write_batch(batch, kind=MessageKind.PREDICTIONS, start=asked.next_start)
            assert answer.start % 64 == 0
            assert pa.ipc.open_stream(ours.copy_bytes(answer)).read_next_batch().equals(batch)
            assert its.read_batch(asked).equals(batch)
        ours.close()
        its.close()
        its.close()

    @pytest.mark.parametrize(
        "column",
        [
            pa.array([1.5, None, float("nan")]),
            pa.array([2**53 + 1, None, -1], pa.int64()),
            pa.array(["é", None, ""]),
            pa.array([[1.0], None, []], pa.list_(pa.float64())),
            pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
            pa.array(["a", "b", "a"]).dictionary_encode(),
            pa.array([1, None, 3], pa.timestamp("us", tz="UTC")),
            pa.array(np.arange(10.0)).slice(4, 3),
        ],
    )
    def test_every_type_arrives(self, column: pa.Array) -> None:
        region = Region.create()
        batch = pa.record_batch([column], ["c"])
        there = region.read_batch(region.write_batch(batch, kind=MessageKind.BATCH)).column(0)
        assert (there.type, repr(there.to_pylist())) == (column.type, repr(column.to_pylist()))
        region.close()

    def test_nobody_can_make_it_smaller(self) -> None:
        region = Region.create()
        region.write_batch(pa.record_batch([pa.array([1])], ["a"]), kind=MessageKind.BATCH)
        with pytest.raises(PermissionError):
            os.ftruncate(region.descriptor, 0)
        assert fcntl.fcntl(region.descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        region.close()


class TestSocket:
    def test_headers_arrive_and_the_end_of_the_other_side_is_an_error(self) -> None:
        ours, its = socket.socketpair()
        send_header(ours, MessageHeader(MessageKind.ERROR, 64, 2**40))
        assert receive_header(its) == MessageHeader(MessageKind.ERROR, 64, 2**40)
        ours.close()
        with pytest.raises(ConnectionError):
            receive_header(its)
        its.close()

    def test_the_kernel_says_who_is_there(self) -> None:
        ours, its = socket.socketpair()
        with ours, its:
            assert read_peer_credentials(ours) == (os.getpid(), os.geteuid())


class TestClients:
    def connected(self, clients: ClientThreads, region: Region, word: bytes = CLIENT_HELLO) -> socket.socket:
        ours, its = socket.socketpair()
        ours.settimeout(60)
        clients.serve_client(its)
        socket.send_fds(ours, [word], [region.descriptor])
        return ours

    def test_the_first_client_counts_the_load_and_idleness_ends_while_a_batch_is_scored(self) -> None:
        going, gone_on = threading.Event(), threading.Event()

        def score(columns: Sequence[pa.Array]) -> ScoredBatch:
            going.set()
            gone_on.wait(60)
            return ScoredBatch(columns[0])

        clients, region = ClientThreads(score), Region.create()
        with self.connected(clients, region) as one, self.connected(clients, region) as other:
            assert {receive_bytes(one, 1), receive_bytes(other, 1)} == {LOADED_NOW, LOADED_BEFORE}
            assert clients.idle_s() > 0
            send_header(one, region.write_batch(pa.record_batch([pa.array([1.0])], ["x"]), kind=MessageKind.BATCH))
            going.wait(60)
            assert clients.idle_s() == 0
            gone_on.set()
            assert region.read_batch(receive_header(one)).column(0).to_pylist() == [1.0]
        region.close()

    def test_whoever_says_another_word_is_not_served(self) -> None:
        region = Region.create()
        with self.connected(ClientThreads(lambda columns: ScoredBatch(columns[0])), region, b"hullo") as channel:
            assert channel.recv(1) == b""
        region.close()

    @pytest.mark.parametrize(("raised", "told"), [(OverflowError, PredictError), (MemoryError, BatchOutOfMemory)])
    def test_an_error_that_is_not_the_suites_is_told_as_one(
        self, raised: type[Exception], told: type[PredictError]
    ) -> None:
        def score(columns: Sequence[pa.Array]) -> ScoredBatch:
            raise raised

        region = Region.create()
        with self.connected(ClientThreads(score), region) as channel:
            receive_bytes(channel, 1)
            send_header(channel, region.write_batch(pa.record_batch([pa.array([1.0])], ["x"]), kind=MessageKind.BATCH))
            header = receive_header(channel)
            assert header.kind == MessageKind.ERROR
            error = decode_host_error(region.copy_bytes(header).decode())
        assert type(error) is told
        assert raised.__name__ in error.found
        region.close()


class TestErrors:
    def test_the_suites_own_come_back_as_they_were(self) -> None:
        error = decode_host_error(encode_host_error(DigestMismatch("found", "expected", "do")))
        assert type(error) is DigestMismatch
        assert error.args == ("found", "expected", "do")

    def test_that_rows_are_at_fault_comes_back_with_what_the_model_raised(self) -> None:
        error = decode_host_error(encode_host_error(RowsNotPredicted("found", "expected", "do", raised="KeyError")))
        assert isinstance(error, RowsNotPredicted)
        assert (error.args, error.raised) == (("found", "expected", "do"), "KeyError")

    def test_of_others_only_the_class_is_told_where_the_rest_may_hold_values(self) -> None:
        assert "KeyError: 'secret'" in decode_host_error(encode_host_error(KeyError("secret"))).found
        assert "secret" not in encode_host_error(KeyError("secret"), sensitive=True)
        assert str(to_load_error(KeyError("secret"), sensitive=True)).count("secret") == 0

    def test_a_class_that_only_the_model_knows_is_told_as_what_it_did_to_a_batch(self) -> None:
        error = decode_host_error(encode_host_error(type("Theirs", (DigestMismatch,), {})("found")))
        assert type(error) is PredictError
        assert "Theirs" in error.found

    def test_what_a_load_raises_is_the_suites_own(self) -> None:
        denied = AccessDenied("x")
        assert to_load_error(denied) is denied
        assert "ImportError: no torch" in str(to_load_error(ImportError("no torch")))


class TestPlace:
    def place(self, folder: Path, executor: Process = ME, device: str | None = None) -> HostDirectory:
        model = shipped(folder / "files", object(), inputs=doubles("x"), output=pa.float64())
        return locate_host_directory(executor, model, device)

    def test_it_is_one_per_executor_model_and_gpu(self, node: Node) -> None:
        assert self.place(node.folder) == self.place(node.folder)
        others = {self.place(node.folder, Process(1, 1)), self.place(node.folder, device="0"), self.place(node.folder)}
        assert len(others) == 3

    def test_sockets_have_an_address_however_long_the_path_is(
        self, node: Node, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deep = node.folder / ("d" * 100) / ("e" * 100)
        deep.mkdir(parents=True)
        monkeypatch.setattr(tempfile, "tempdir", str(deep))
        with socket.socket(socket.AF_UNIX) as listener, self.place(node.folder).open_address() as address:
            listener.bind(address)
        assert (self.place(node.folder).folder / "socket").is_socket()

    def test_what_was_left_behind_is_removed_after_a_day_and_what_lives_is_not(self, node: Node) -> None:
        dead, alive, fresh = (self.place(node.folder, Process(1, number)) for number in range(3))
        held = acquire_file_lock(alive.alive_lock)
        for place in (dead, alive):
            os.utime(place.folder, (0, 0))
        assert fresh.folder.exists()
        remove_old_host_directories()
        assert {one.name for one in ensure_private_folder("hosts").iterdir()} == {alive.name, fresh.name}
        assert held is not None
        os.close(held)

    def test_whoever_is_about_to_end_a_process_leaves_word_of_that_very_one(self, node: Node) -> None:
        place = self.place(node.folder)
        assert not place.has_end_marker(ME)
        place.write_end_marker(ME)
        assert place.has_end_marker(ME)
        assert not place.has_end_marker(Process(ME.pid, ME.start_ticks + 1))

    def test_a_process_that_leaves_while_the_next_one_starts_leaves_the_locks(self, node: Node) -> None:
        place = self.place(node.folder)
        (place.folder / "socket").touch()
        held = acquire_file_lock(place.start_lock)
        assert held is not None
        place.remove_directory()
        assert [one.name for one in place.folder.iterdir()] == ["lock"]
        os.close(held)
        place.remove_directory()
        assert list(ensure_private_folder("hosts").iterdir()) == []


class TestEnvironment:
    def test_it_is_the_workers_without_what_is_sparks_or_secret(self) -> None:
        given = {"PATH": "p", "SPARK_X": "1", "PYSPARK_Y": "1", "MY_API_KEY": "1", "db_password": "1", "LANG": "C"}
        made = build_host_environment(InheritedEnvironment(given, (), 0o22), cores=3, device=None)
        assert {name: made[name] for name in made.keys() & given.keys()} == {"PATH": "p", "LANG": "C"}
        assert made["OMP_NUM_THREADS"] == "3"
        assert "CUDA_VISIBLE_DEVICES" not in made

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("AWS_SESSION_TOKEN", "x"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AZURE_STORAGE_KEY", "x"),
            ("AZURE_STORAGE_CONNECTION_STRING", "x"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/key.json"),
            ("MLFLOW_TRACKING_URI", "https://mlflow"),
            ("MLFLOW_TRACKING_USERNAME", "me"),
            ("MYSQL_PWD", "x"),
            ("SENTRY_DSN", "x"),
            ("SLACK_WEBHOOK", "https://hooks.slack.com/x"),
            ("OPENAI_KEY", "x"),
            ("GITHUB_PAT", "x"),
            ("https_proxy", "http://me:hunter2@proxy:3128"),
            ("DATABASE_URL", "postgresql://me:hunter2@db/x"),
            ("PIP_INDEX_URL", "https://me:hunter2@pypi.example/simple"),
        ],
    )
    def test_it_holds_no_secret_by_name_or_in_a_uri_unless_it_is_named(self, name: str, value: str) -> None:
        inherited = InheritedEnvironment({name: value}, (), 0o22)
        assert name not in build_host_environment(inherited, cores=1, device=None)
        named = InheritedEnvironment({name: value, "SPARKSCORE_HOST_VARIABLES": f"OTHER, {name}"}, (), 0o22)
        assert build_host_environment(named, cores=1, device=None)[name] == value

    def test_what_libraries_of_models_read_stays(self) -> None:
        kept = {
            "PATH": "/bin", "LD_LIBRARY_PATH": "/lib", "HF_HOME": "/hf", "CUDA_PATH": "/cuda", "AWS_REGION": "eu",
            "TOKENIZERS_PARALLELISM": "false", "KMP_AFFINITY": "none", "http_proxy": "http://proxy:3128", "TZ": "UTC",
            "KEYBOARD": "us",
        }  # fmt: skip
        made = build_host_environment(InheritedEnvironment(kept, (), 0o22), cores=1, device=None)
        assert {name: made.get(name) for name in kept} == kept

    def test_the_import_path_is_the_workers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(environment_module, "_remembered", [])
        monkeypatch.setattr(sys, "path", ["", "relative", "/absolute.zip"])
        made = build_host_environment(read_inherited_environment(), cores=1, device=None)
        assert made["PYTHONPATH"] == f"{Path('relative').absolute()}:/absolute.zip"

    def test_it_shows_one_gpu_numbered_as_spark_does(self) -> None:
        made = build_host_environment(
            InheritedEnvironment({"CUDA_VISIBLE_DEVICES": "0,1"}, (), 0o22), cores=1, device="1"
        )
        assert (made["CUDA_VISIBLE_DEVICES"], made["CUDA_DEVICE_ORDER"]) == ("1", "PCI_BUS_ID")


class TestInheritedEnvironment:
    @pytest.fixture(autouse=True)
    def no_model_yet(self, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "path", ["/driver", "/site"])

    def test_what_a_model_did_to_the_environment_the_path_and_the_umask_does_not_pass_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("KEPT", "before")
        before = os.umask(0o027)
        try:
            remember_environment("/spark/files")
            os.umask(0)
            monkeypatch.setenv("KEPT", "after")
            monkeypatch.setenv("ADDED", "1")
            sys.path = ["/models/a/code", "/driver"]
            remember_environment("/spark/files")
            found = read_inherited_environment()
        finally:
            os.umask(before)
        assert (found.variables["KEPT"], "ADDED" in found.variables) == ("before", False)
        assert (found.path, found.umask) == (("/driver", "/site"), 0o027)

    def test_files_that_spark_adds_later_do_and_unpacked_models_never(self) -> None:
        files = str(ensure_private_folder("models").parent)  # even where the one lies in the other
        remember_environment(files)
        sys.path = ["/elsewhere", str(ensure_private_folder("models", "a")), "/driver", f"{files}/new.zip", "/site"]
        assert read_inherited_environment().path == ("/driver", f"{files}/new.zip", "/site")
