"""The model process without Spark: its clients are threads of the test, or processes that stand in for workers."""

import json
import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.neural_network import MLPRegressor

from sparkscore.errors import (
    AccessDenied,
    BatchTimeout,
    ConfigError,
    DigestMismatch,
    ModelError,
    ModelNotLoaded,
    PredictError,
    RowsNotPredicted,
    SparkscoreError,
    TemporaryError,
    UnsupportedSession,
)
from sparkscore.executor_variables import HOST_TIMEOUT_VARIABLE
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host import client_threads, host_client, host_connection
from sparkscore.model.host.executor_process import find_process
from sparkscore.model.host.time_limits import HostTimeLimits, read_host_time_limits
from sparkscore.model.runtimes.model_loading import load_verified_scorer
from sparkscore.model.runtimes.scorer import find_task_end
from tests.model.host.models import doubles, shipped
from tests.model.host.node import QUICK, ROW, Node, eventually, is_stopped, runs


class TestOneLoad:
    def test_many_clients_share_one_load_and_one_of_them_counts_it(self, node: Node) -> None:
        model = node.put(lambda frame: frame["x"] * 2)
        with ThreadPoolExecutor(8) as pool:
            scorers = list(pool.map(lambda _: node.host(model), range(8)))
            answers = list(pool.map(lambda score: score(ROW).predictions.to_pylist(), scorers * 5))
        assert answers == [[6.0]] * 40
        assert (len(node.loads), len(node.told)) == (1, 1)
        assert node.loads != [os.getpid()]

    def test_workers_of_one_executor_share_it_and_those_of_another_do_not(self, node: Node) -> None:
        model = node.put(lambda frame: frame["x"] * 2)
        workers = [node.worker(partial(score_in_worker, node.folder, model)) for _ in range(3)]
        other = node.worker(partial(score_in_worker, node.folder, model), under=True)
        said = [json.loads(worker.communicate(timeout=240)[0]) for worker in [*workers, other]]
        assert [answer for answer, _ in said] == [[6.0]] * 4
        assert sum(told for _, told in said[:3]) == said[3][1] == 1
        assert len(set(node.loads)) == len(node.loads) == 2

    def test_a_worker_that_dies_while_it_has_the_model_loaded_leaves_it_to_the_next(self, node: Node) -> None:
        model = node.put(lambda frame: frame["x"] * 2, load_s=1.0)
        elector = node.worker(partial(score_in_worker, node.folder, model))
        assert eventually(lambda: len(node.loads) == 1, within_s=30)
        elector.kill()
        score = node.worker(partial(score_in_worker, node.folder, model))
        assert json.loads(score.communicate(timeout=240)[0]) == [[6.0], 1]
        assert len(node.loads) == 1

    def test_other_params_and_other_gpus_are_other_processes(self, node: Node) -> None:
        model = node.put(
            lambda frame: [__import__("os").environ.get("CUDA_VISIBLE_DEVICES", "-")] * len(frame), output=pa.string()
        )
        assert [node.host(model, device=device)(ROW).predictions.to_pylist() for device in ("0", "1", "0", None)] == [
            ["0"],
            ["1"],
            ["0"],
            ["-"],
        ]
        assert len(node.loads) == 3


class TestTheProcess:
    def test_its_seconds_of_the_cpu_are_told_once_with_the_answers(self, node: Node) -> None:
        def spin(frame: Any) -> list[float]:
            import time

            until = time.process_time() + 0.2
            while time.process_time() < until:
                pass
            return [time.process_time()] * len(frame)

        before = host_client.host_cpu_seconds()
        score = node.host(node.put(spin))
        spent = [score(ROW).predictions[0].as_py() for _ in range(3)]
        assert spent[-1] - spent[0] >= 0.4
        assert host_client.host_cpu_seconds() - before == pytest.approx(spent[-1], abs=0.1)

    def test_it_has_nothing_of_the_workers_and_imports_neither_spark_nor_mlflow(
        self, node: Node, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def look(frame: Any) -> list[str]:
            import json
            import os
            import sys
            from pathlib import Path

            own = Path("/proc/self/fd")
            seen = {
                "environment": dict(os.environ),
                "modules": [*sys.modules],
                "session": os.getsid(0) == os.getpid(),
                "files": [str(one.readlink()) for one in own.iterdir() if one.is_symlink()],
                "stdin": str((own / "0").readlink()),
                "folder": str(Path.cwd()),
            }
            return [json.dumps(seen)] * len(frame)

        for name in ("OMP_NUM_THREADS", "SPARK_LOCAL_DIRS", "PYTHON_WORKER_FACTORY_SECRET", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "7")
        monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
        with (node.folder / "inherited").open("w") as file:
            os.set_inheritable(file.fileno(), True)
            seen = json.loads(node.host(node.put(look, output=pa.string()), cores=2)(ROW).predictions[0].as_py())
        environment = seen["environment"]
        assert environment["OMP_NUM_THREADS"] == "2"
        assert environment["TOKENIZERS_PARALLELISM"] == "false"
        assert not {"SPARK_LOCAL_DIRS", "PYTHON_WORKER_FACTORY_SECRET", "AWS_SECRET_ACCESS_KEY"} & set(environment)
        assert {name.partition(".")[0] for name in seen["modules"]} & {"pyspark", "py4j", "mlflow", "sklearn"} == set()
        assert (seen["session"], seen["stdin"], seen["folder"]) == (True, "/dev/null", "/")
        assert not [name for name in seen["files"] if name.endswith("inherited")]

    def test_what_the_model_prints_goes_to_a_log_that_is_the_users_own(self, node: Node) -> None:
        score = node.host(node.put(lambda frame: [print("printed"), frame["x"]][1]))  # noqa: T201
        score(ROW)
        (log,) = (node.folder / "tmp").rglob("log")
        assert log.stat().st_mode & 0o777 == 0o600

    def test_it_ends_with_its_executor(self, node: Node) -> None:
        model = node.put(lambda frame: frame["x"])
        executor = node.worker(partial(score_in_worker, node.folder, model, stay=True), under=True)
        assert eventually((node.folder / "answered").exists, within_s=60)
        executor.kill()
        assert eventually(lambda: not runs(node.loads[0]))
        assert listing(node, "*") == []

    def test_it_ends_when_nobody_has_sent_a_batch_for_long_and_the_next_batch_starts_another(self, node: Node) -> None:
        score = node.host(node.put(lambda frame: frame["x"]), limits=HostTimeLimits(batch_s=20, load_s=30, idle_s=2))
        score(ROW)
        assert eventually(lambda: not runs(node.loads[0]))
        assert listing(node, "*") == []
        assert score(ROW).predictions.to_pylist() == [3.0]
        assert len(node.loads) == len(node.told) == 2


class TestWhatIsSurvived:
    def test_a_process_killed_in_the_middle_of_a_batch_is_started_once_more(self, node: Node) -> None:
        flag = node.folder / "killed"

        def once(frame: Any) -> Any:
            if not flag.exists():
                flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return frame["x"] * 2

        score = node.host(node.put(once))
        assert score(ROW).predictions.to_pylist() == [6.0]
        assert len(node.loads) == len(node.told) == 2

    def test_others_who_wait_for_it_then_are_served_by_the_same_new_one(self, node: Node) -> None:
        asked, killed = node.folder / "asked", node.folder / "killed"

        def answer(frame: Any) -> Any:
            asked.touch()
            if not killed.exists():
                __import__("time").sleep(600)
            return frame["x"] * 2

        model = node.put(answer)
        scorers = [node.host(model) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(score, ROW) for score in scorers]
            assert eventually(asked.exists)
            threading.Event().wait(0.2)  # the others wait, too
            killed.touch()
            os.kill(node.loads[0], signal.SIGKILL)
            assert [answer.result().predictions.to_pylist() for answer in answers] == [[6.0]] * 4
        assert len(node.loads) == len(node.told) == 2

    def test_a_child_that_the_model_forked_does_not_stand_in_the_way(self, node: Node) -> None:
        flag, child = node.folder / "killed", node.folder / "child"

        def once(frame: Any) -> Any:
            if not flag.exists():
                flag.touch()
                pid = os.fork()
                if pid == 0:
                    threading.Event().wait(30)
                    os._exit(0)
                child.write_text(str(pid))
                os.kill(os.getpid(), signal.SIGKILL)
            return frame["x"] * 2

        assert node.host(node.put(once))(ROW).predictions.to_pylist() == [6.0]
        assert runs(int(child.read_text()))
        os.kill(int(child.read_text()), signal.SIGKILL)

    def test_a_stopped_process_is_ended_and_replaced(self, node: Node) -> None:
        score = node.host(node.put(lambda frame: frame["x"] * 2), limits=HostTimeLimits(batch_s=5, load_s=60))
        os.kill(node.loads[0], signal.SIGSTOP)
        assert eventually(lambda: is_stopped(node.loads[0]))
        assert score(ROW).predictions.to_pylist() == [6.0]
        assert len(node.loads) == 2
        assert eventually(lambda: not runs(node.loads[0]))  # it was told to end: the kernel takes its time

    def test_a_batch_that_ends_the_process_is_tried_three_times(self, node: Node) -> None:
        score = node.host(node.put(lambda frame: os.kill(os.getpid(), signal.SIGKILL)))
        with pytest.raises(PredictError, match="failed 3 times on a batch of 1 rows: it ended; it ended; it ended"):
            score(ROW)
        assert len(node.loads) == 3

    def test_a_batch_that_never_ends_is_tried_three_times(self, node: Node) -> None:
        score = node.host(
            node.put(lambda frame: threading.Event().wait()), limits=HostTimeLimits(batch_s=0.5, load_s=60)
        )
        with pytest.raises(PredictError, match=r"did not answer within 0\.5 s, and was ended"):
            score(ROW)
        assert eventually(lambda: not any(runs(pid) for pid in node.loads))

    def test_a_time_out_can_be_set_for_an_executor(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert read_host_time_limits().batch_s == 600
        monkeypatch.setenv(HOST_TIMEOUT_VARIABLE, "2.5")
        assert read_host_time_limits().batch_s == 2.5
        monkeypatch.setenv(HOST_TIMEOUT_VARIABLE, "soon")
        assert read_host_time_limits(1.0).batch_s == 1.0
        with pytest.raises(ConfigError, match=r"spark\.executorEnv"):
            read_host_time_limits()


class TestBatchTimeout:
    """`scoring.batch_timeout`, which a model carries."""

    def hanging(self, node: Node, seconds: float = 2.0) -> ShippedModel:
        """A model that hangs on 4, and takes a quarter of a second for 0.5."""
        seconds_of = {4.0: 60.0, 0.5: 0.25}
        model = node.put(lambda frame: [__import__("time").sleep(seconds_of.get(frame["x"][0], 0)), frame["x"] * 2][1])
        return replace(model, batch_timeout=seconds)

    def host(self, node: Node, model: ShippedModel) -> Any:
        score = host_client.open_host_scorer(
            model, node.files, cores=1, device=None, on_load=lambda: node.told.append(1)
        )
        node.clients.append(score)
        return score

    def test_a_batch_that_hangs_is_tried_once_more_in_a_new_process(self, node: Node) -> None:
        score = self.host(node, self.hanging(node, 1.0))
        with pytest.raises(BatchTimeout, match="did not answer within 1 s on a batch of 1 rows, 2 times"):
            score([pa.array([4.0])])
        assert len(node.loads) == len(node.told) == 2
        assert eventually(lambda: not any(runs(pid) for pid in node.loads))

    def test_the_next_batch_is_scored_by_a_third(self, node: Node) -> None:
        score = self.host(node, self.hanging(node))
        with pytest.raises(BatchTimeout):
            score([pa.array([4.0])])
        assert score(ROW).predictions.to_pylist() == [6.0]
        assert len(node.loads) == 3

    def test_batches_that_only_were_beside_it_are_not_blamed(self, node: Node) -> None:
        model = self.hanging(node)
        scorers = [self.host(node, model) for _ in range(5)]
        with ThreadPoolExecutor(5) as pool:
            bad = [pool.submit(score, [pa.array([4.0])]) for score in scorers[:4]]
            while not all(future.done() for future in bad):
                assert scorers[4]([pa.array([0.5])]).predictions.to_pylist() == [1.0]
        assert {type(future.exception()) for future in bad} == {BatchTimeout}

    def test_it_needs_no_variable_of_the_executors(self) -> None:
        assert read_host_time_limits(2.5).batch_s == 2.5


class Says:
    """What a model may say beside predictions. `tasks` hears of the ends of tasks."""

    def predict(self, frame: Any) -> Any:
        from sparkscore.records import RowReject, ScoredRows

        return ScoredRows(frame["x"] * 2, {0: RowReject("first", "it is the first row")}, {"tokens": 3, "cost": 0.5})

    def end_task(self) -> dict[str, int]:
        self.tasks = getattr(self, "tasks", 0) + 1
        if self.tasks == 3:
            raise KeyError("third")
        return {"ended": self.tasks}


class TestWhatAModelSays:
    def test_rejects_and_counts_cross_the_socket(self, node: Node) -> None:
        model = shipped(node.folder / "files", Says(), inputs=doubles("x"), output=pa.float64())
        here = load_verified_scorer(model, node.files(verify=False), cores=1, device=None)
        rows = [pa.array([1.0, 2.0])]
        assert node.host(model)(rows) == here(rows)
        assert here(rows).counts == {"tokens": 3, "cost": 0.5}

    def test_it_hears_of_the_end_of_each_task_of_each_client(self, node: Node) -> None:
        model = shipped(node.folder / "files", Says(), inputs=doubles("x"), output=pa.float64())
        one, other = node.host(model), node.host(model)
        one(ROW)
        assert [find_task_end(client)() for client in (one, other)] == [{"ended": 1}, {"ended": 2}]  # type: ignore[misc]
        with pytest.raises(PredictError, match="KeyError: 'third'"):
            find_task_end(one)()  # type: ignore[misc]
        assert one(ROW).counts["tokens"] == 3

    def test_a_model_that_does_not_want_to_know_has_no_counts_and_a_process_that_has_ended_is_not_started(
        self, node: Node
    ) -> None:
        client = node.host(node.put(lambda frame: frame["x"]))
        assert find_task_end(client)() == {}  # type: ignore[misc]
        find_process(node.loads[0]).kill()
        assert eventually(lambda: not runs(node.loads[0]))
        assert find_task_end(client)() == {}  # type: ignore[misc]
        assert len(node.loads) == 1

    def test_a_process_that_is_dropped_for_others_in_the_middle_of_a_task_tells_its_counts_at_the_end(
        self, node: Node
    ) -> None:
        model = shipped(node.folder / "files", Says(), inputs=doubles("x"), output=pa.float64())
        client = host_client.open_host_scorer(
            model, node.files, cores=1, device=None, on_load=lambda: None, private=True, limits=QUICK
        )
        client(ROW)
        client.end_process()
        assert client.end_task() == {"ended": 1}
        assert client.end_task() == {}


class TestErrors:
    def test_what_a_model_raises_on_a_batch_arrives_as_in_process(self, node: Node) -> None:
        model = node.put(lambda frame: 1 / 0)
        score, here = node.host(model), load_verified_scorer(model, node.files(verify=False), cores=1, device=None)
        assert failure(partial(score, ROW)) == failure(partial(here, ROW))
        assert score.__class__ is host_client.HostedModel

    def test_the_class_of_what_it_raises_arrives_too(self, node: Node) -> None:
        with pytest.raises(RowsNotPredicted) as caught:
            node.host(node.put(lambda frame: 1 / 0))(ROW)
        assert caught.value.raised == "ZeroDivisionError"

    def test_words_that_may_hold_values_stay_in_the_process(self, node: Node) -> None:
        model = replace(node.put(lambda frame: {"": 0.0}[str(frame["x"][0])]), sensitive=True)
        with pytest.raises(RowsNotPredicted) as caught:
            node.host(model)(ROW)
        assert "KeyError" in str(caught.value)
        assert "3.0" not in str(caught.value)

    def test_the_process_serves_on_after_an_error(self, node: Node) -> None:
        score = node.host(node.put(lambda frame: frame["x"].map({3.0: 1.0}.__getitem__)))
        with pytest.raises(PredictError, match="KeyError"):
            score([pa.array([4.0])])
        assert score(ROW).predictions.to_pylist() == [1.0]
        assert len(node.loads) == 1

    def test_what_a_model_raises_on_loading_is_the_suites_error(self, node: Node) -> None:
        with pytest.raises(PredictError, match="could not be loaded on an executor: RuntimeError: no luck"):
            node.host(node.put(lambda frame: frame, error=RuntimeError("no luck\nsecond line")))

    @pytest.mark.parametrize("error", [TemporaryError("model's"), DigestMismatch("model's"), SystemExit(75)], ids=repr)
    def test_so_is_one_of_the_suites_classes_or_an_exit_that_the_model_raises(self, node: Node, error: Any) -> None:
        with pytest.raises(PredictError, match=f"could not be loaded on an executor: {type(error).__name__}") as caught:
            node.host(node.put(lambda frame: frame, error=error))
        assert (type(caught.value), len(node.loads)) == (ModelNotLoaded, 1)
        assert caught.value.to_dict()["raised"] == type(error).__name__

    def test_on_a_batch_neither_ends_the_process_nor_says_what_the_run_is_to_do(self, node: Node) -> None:
        def answer(frame: Any) -> Any:
            import sys

            from sparkscore.errors import TemporaryError

            if frame["x"][0] == 75:
                sys.exit(75)
            if frame["x"][0] < 0:
                raise TemporaryError("model's")
            return frame["x"]

        score = node.host(node.put(answer))
        with pytest.raises(PredictError, match="the model raised SystemExit: 75 on a batch of 1 rows") as caught:
            score([pa.array([75.0])])
        assert type(caught.value) is PredictError
        with pytest.raises(RowsNotPredicted, match="TemporaryError"):
            score([pa.array([-1.0])])
        assert (score(ROW).predictions.to_pylist(), len(node.loads)) == ([3.0], 1)

    def test_an_error_of_the_suite_on_loading_keeps_its_class(
        self, node: Node, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        with pytest.raises(ModelError, match="MLFLOW_ALLOW_PICKLE_DESERIALIZATION is false") as caught:
            node.host(node.put(lambda frame: frame))
        assert type(caught.value) is ModelError

    def test_changed_files_are_not_loaded(self, node: Node) -> None:
        model = node.put(lambda frame: frame)
        (node.folder / "files" / "more").touch()
        with pytest.raises(DigestMismatch):
            node.host(model)
        assert node.loads == []

    def test_files_that_were_put_right_are_loaded(self, node: Node) -> None:
        model, asked = node.put(lambda frame: frame["x"]), []

        def folder(*, verify: bool) -> str:
            asked.append(verify)
            (node.folder / "files" / "more").unlink() if verify else (node.folder / "files" / "more").touch()
            return str(node.folder / "files")

        score = host_client.open_host_scorer(model, folder, cores=1, device=None, on_load=lambda: None, limits=QUICK)
        node.clients.append(score)
        assert score(ROW).predictions.to_pylist() == [3.0]
        assert asked == [False, True]

    def test_a_process_that_ends_while_it_loads_says_where_its_log_is(self, node: Node) -> None:
        model = node.put(lambda frame: frame)
        (node.folder / "files" / "model.pkl").write_bytes(b"cos\n_exit\n(I9\ntR.")
        changed = shipped_again(node, model)
        with pytest.raises(PredictError, match=r"failed 3 times while it was loaded: it ended with 9 .* its log is /"):
            node.host(changed)

    def test_elsewhere_than_on_linux_it_is_refused_with_the_cure(
        self, node: Node, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = node.put(lambda frame: frame)
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(UnsupportedSession, match=r"set model\.residency to worker"):
            node.host(model)


class TestTrust:
    def test_a_folder_that_is_a_link_is_refused(self, node: Node) -> None:
        (node.folder / "elsewhere").mkdir(mode=0o700)
        (node.folder / "tmp" / f"sparkscore-{os.geteuid()}").symlink_to(node.folder / "elsewhere")
        with pytest.raises(AccessDenied, match="is a link"):
            node.host(node.put(lambda frame: frame))

    def test_a_process_of_another_user_is_refused(self, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        model = node.put(lambda frame: frame)
        monkeypatch.setattr(host_connection, "read_peer_credentials", lambda channel: (1, os.geteuid() + 1))
        with pytest.raises(AccessDenied, match="the model process belongs to the user"):
            node.host(model)

    def test_a_client_of_another_user_is_not_served(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client_threads, "read_peer_credentials", lambda channel: (1, os.geteuid() + 1))
        theirs, ours = socket.socketpair()
        client_threads.ClientThreads(lambda columns: columns[0]).serve_client(ours)
        with theirs:
            assert theirs.recv(1) == b""


class TestBatches:
    def test_they_make_the_memory_grow_and_small_ones_follow_big_ones(self, node: Node) -> None:
        score = node.host(node.put(lambda frame: frame["x"] * 2))
        for rows in (1, 10_000, 1_000_000, 3, 2_000_000, 1):
            column = pa.array(np.arange(rows, dtype=np.float64))
            assert score([column]).predictions.equals(pa.array(np.arange(rows) * 2.0))

    def test_predictions_outlive_the_next_batch(self, node: Node) -> None:
        score = node.host(node.put(lambda frame: frame["x"]))
        first = score([pa.array([1.0, 2.0])]).predictions
        score([pa.array([8.0, 9.0])])
        assert first.to_pylist() == [1.0, 2.0]

    def test_answers_larger_than_questions_fit(self, node: Node) -> None:
        score = node.host(node.put(lambda frame: np.ones((len(frame), 3000)), output=pa.list_(pa.float64())))
        assert score([pa.array([0.0] * 500)]).predictions.flatten().equals(pa.array(np.ones(1_500_000)))

    @pytest.mark.parametrize("rows", [1, 7, 10_000])
    def test_results_are_those_in_process_bit_for_bit(self, node: Node, rows: int) -> None:
        random = np.random.default_rng(5)
        inputs = doubles(*(f"c{place}" for place in range(20)))
        mlp = MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=3, n_iter_no_change=1, tol=1e9).fit(
            random.normal(size=(200, 20)), random.normal(size=200)
        )
        mlp.feature_names_in_ = np.array([one.name for one in inputs], dtype=object)
        model = shipped(node.folder / "files", mlp, inputs=inputs, output=pa.float64())
        batch = [pa.array(column) for column in random.normal(size=(20, rows))]
        here = load_verified_scorer(model, node.files(verify=False), cores=1, device=None)
        assert node.host(model)(batch).predictions.equals(here(batch).predictions)


def score_in_worker(folder: Path, model: ShippedModel, *, stay: bool = False) -> str:
    """What a worker does."""
    node, executor = Node(folder), os.getppid()
    answer = node.host(model)(ROW).predictions.to_pylist()
    (folder / "answered").touch()
    while stay and os.getppid() == executor:
        threading.Event().wait(0.05)
    return json.dumps([answer, len(node.told)])


def listing(node: Node, pattern: str) -> list[Path]:
    """What is in the folders of model processes."""
    hosts = node.folder / "tmp" / f"sparkscore-{os.geteuid()}" / "hosts"
    return list(hosts.glob(f"*/{pattern}"))


def failure(act: Any) -> tuple[Any, ...]:
    """Class and words of what is raised."""
    with pytest.raises(SparkscoreError) as caught:
        act()
    return type(caught.value), *caught.value.args


def shipped_again(node: Node, model: ShippedModel) -> ShippedModel:
    """The model with the digest that its files have now."""
    from sparkscore.model.trust.model_digest import compute_model_digest

    return replace(model, digest=compute_model_digest(node.folder / "files"))
