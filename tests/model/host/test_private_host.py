"""Models that a worker does not have in its own process: their modules and globals are their own."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark import SparkFiles
from pyspark.sql import SparkSession
from sklearn.linear_model import LinearRegression

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.executor_process import find_process
from tests.model.coded import offset, put_coded
from tests.model.host.lodgers import fail_with, packed, score_each, score_in_turn, score_with_little_memory, stay_with
from tests.model.host.models import Tells, doubles, pids, shipped
from tests.model.host.node import Node, eventually, runs
from tests.model.shelf import Returns, Shelf, columns, signature, tensor

SIGNED = signature(columns(x="double"), tensor("float64"))


@pytest.fixture(scope="module")
def coded(spark: SparkSession, shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> list[ShippedModel]:
    """Two versions of a model with modules of the same names, which tell of their processes."""
    folder = tmp_path_factory.mktemp("code")
    return [shelf.shipped(spark, put_coded(shelf, folder, version, telling=True)) for version in (1, 2)]


def light(node: Node, name: str, answer: Callable[[Any], Any], *, output: pa.DataType | None = None) -> ShippedModel:
    """A pickled model without MLflow, so that it loads in no time."""
    assert node.loads == []
    folder = node.folder / name
    folder.mkdir()
    (folder / "name").write_text(name)
    made = shipped(folder, Tells(answer, node.folder / "loads"), inputs=doubles("x"), output=output or pa.int64())
    return packed(folder, replace(made, residency="worker"))


def said(node: Node, act: Callable[..., str], *given: Any, **named: Any) -> Any:
    """What an act says in a worker."""
    assert node.loads == []
    return json.loads(node.worker(partial(act, *given, **named)).communicate(timeout=240)[0])


@pytest.fixture(scope="module")
def told(coded: list[ShippedModel], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What a worker says that loads the first version, the second, and that with the residency executor."""
    node = Node(tmp_path_factory.mktemp("node"))
    (node.folder / "tmp").mkdir()
    models = [*coded, replace(coded[1], residency="executor")]
    told = said(node, score_in_turn, SparkFiles.getRootDirectory(), models)
    yield told | {"worker": node.started[0].pid}
    find_process(told["answers"][2]["pid"]).kill()


class TestOwnCode:
    def test_modules_packages_late_imports_and_globals_are_each_models_own(self, told: Any) -> None:
        assert [answer["value"] for answer in told["answers"]] == [offset(1), offset(2), offset(2)]
        draws = [np.random.RandomState(seed).random_sample() for seed in (1, 2, 2)]
        assert [answer["draw"] for answer in told["answers"]] == draws

    def test_the_first_has_the_worker_and_the_others_processes_that_count_as_loads(self, told: Any) -> None:
        pids = [answer["pid"] for answer in told["answers"]]
        assert pids[0] == told["worker"]
        assert len(set(pids)) == 3
        assert (told["loads"], told["started"]) == ([1, 1, 1], 2)
        assert told["cpu_beside_s"] > 0

    def test_their_processes_know_nothing_of_the_first(self, told: Any, coded: list[ShippedModel]) -> None:
        first, *others = (json.loads(answer["seen"]) for answer in told["answers"])
        assert any(coded[0].digest in entry for entry in first["path"])
        assert first["environment"]["OWN_VERSION"] == "1"
        for seen in others:
            assert coded[0].digest not in json.dumps(seen)
            assert seen["environment"]["OWN_VERSION"] == "2"

    def test_modules_that_the_worker_has_from_elsewhere_are_not_the_models(
        self, node: Node, coded: list[ShippedModel]
    ) -> None:
        told = said(node, score_in_turn, SparkFiles.getRootDirectory(), coded[1:], imported=["own_late"])
        (answer,) = told["answers"]
        assert (answer["value"], told["started"]) == (offset(2), 1)

    def test_a_model_that_brings_what_python_has_imported_before_it_is_refused_by_name(
        self, node: Node, spark: SparkSession, shelf: Shelf, tmp_path: Path
    ) -> None:
        (tmp_path / "code").mkdir()
        for name in ("pyarrow.py", "free.py"):
            (tmp_path / "code" / name).touch()
        (tmp_path / "loads").mkdir()
        code = [str(path) for path in (tmp_path / "code").iterdir()]
        uri = shelf.put("shadows", Returns(lambda frame: frame["x"], tmp_path / "loads"), SIGNED, code_paths=code)
        kind, found, _, do, _ = said(node, fail_with, SparkFiles.getRootDirectory(), [shelf.shipped(spark, uri)])
        assert kind == "ModelError"
        assert "brings the module pyarrow in its code_paths" in found
        assert "rename it" in do
        assert list((tmp_path / "loads").iterdir()) == []


class TestProcesses:
    def test_models_that_bring_no_code_share_the_worker(self, node: Node, spark: SparkSession, shelf: Shelf) -> None:
        models = [
            shelf.shipped(
                spark,
                shelf.put(
                    f"slope-{slope}",
                    LinearRegression().fit([[0.0], [1.0]], [1.0, slope]),
                    SIGNED,
                    serialization_format="skops",
                ),
            )
            for slope in (2.0, 3.0)
        ]
        told = said(node, score_in_turn, SparkFiles.getRootDirectory(), models)
        assert (told["answers"], told["loads"], told["started"]) == ([pytest.approx(1.0)] * 2, [1, 1], 0)

    def test_one_model_has_the_worker_and_nothing_beside_it(self, node: Node) -> None:
        told = said(node, score_in_turn, str(node.folder), [light(node, "a", pids)] * 2)
        assert told["answers"] == [node.started[0].pid] * 2
        assert (told["loads"], told["started"], told["cpu_beside_s"]) == ([1, 0], 0, 0)

    def test_other_params_are_another_model_and_what_is_sensitive_is_not(self, node: Node) -> None:
        model = light(node, "a", pids)
        models = [model, replace(model, params=(("n", 1),)), replace(model, sensitive=True)]
        first, other, same = said(node, score_in_turn, str(node.folder), models)["answers"]
        assert first == same != other

    def test_one_that_makes_room_ends_and_is_loaded_again_when_it_is_asked_for(self, node: Node) -> None:
        a, b, c = (light(node, name, pids) for name in "abc")
        told = said(node, score_with_little_memory, str(node.folder), [a, b, c, b])
        worker = node.started[0].pid
        assert told["pids"][0] == worker
        assert len(set(told["pids"])) == 4
        assert told["ended"][-1] == [False, True, True, False]
        assert all(len(one) == 1 for one in told["occupied"])
        assert told["occupied"][1][0] > 20 << 20  # all that the process takes
        assert told["loads"] == [1, 1, 1, 1]

    def test_it_ends_with_its_worker_and_no_other_worker_uses_it(self, node: Node) -> None:
        models = [light(node, name, pids) for name in "ab"]
        files = [node.folder / f"answered-{number}" for number in range(2)]
        workers = [node.worker(partial(stay_with, str(node.folder), models, file)) for file in files]
        assert eventually(lambda: all(file.exists() for file in files), within_s=60)
        beside = [json.loads(file.read_text())[1] for file in files]
        assert len({*beside, *(worker.pid for worker in workers)}) == 4
        workers[0].kill()
        assert eventually(lambda: not runs(beside[0]))
        assert runs(beside[1])
        workers[1].kill()
        assert eventually(lambda: not runs(beside[1]))
        hosts = node.folder / "tmp" / f"sparkscore-{os.geteuid()}" / "hosts"
        assert eventually(lambda: list(hosts.iterdir()) == [])

    def test_a_hang_is_told_as_in_the_worker_and_leaves_nothing(self, node: Node) -> None:
        hanging = light(node, "b", lambda frame: __import__("time").sleep(60))
        models = [light(node, "a", pids), replace(hanging, batch_timeout=1.0)]
        kind, found, _, do, left = said(node, fail_with, str(node.folder), models)
        assert kind == "BatchTimeout"
        assert found == "the model did not answer within 1 s for a batch of 1 rows in no task"
        assert "model.residency to executor" in do
        assert left == []
        assert len(node.loads) == 2  # it was not tried again

    def test_elsewhere_than_on_linux_a_second_model_is_refused_with_the_cure(self, node: Node) -> None:
        models = [light(node, name, pids) for name in "ab"]
        kind, found, _, do, _ = said(node, fail_with, str(node.folder), models, on_linux=False)
        assert kind == "UnsupportedSession"
        assert found.startswith("a second model on linux: the Python worker holds another model's code")
        assert "one model per session" in do

    def test_what_the_worker_ignores_and_blocks_is_put_back(self, node: Node) -> None:
        def signals(frame: Any) -> list[str]:
            import signal

            blocked = [int(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, ())]
            ignored = [one.name for one in signal.Signals if signal.getsignal(one) is signal.SIG_IGN]
            return [f"{blocked} {ignored}"] * len(frame)

        def marks(frame: Any) -> list[int]:
            import os
            import signal

            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
            return [os.umask(0)] * len(frame)

        models = [light(node, "a", marks), light(node, "b", signals, output=pa.string())]
        told = said(node, score_each, str(node.folder), models)
        assert told[1] == "[] ['SIGPIPE', 'SIGXFSZ']"
