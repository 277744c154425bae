"""A model that counts what is paid for it, and springs traps: at a chosen batch it dies, waits, kills its executor."""

import os
import signal
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import numpy.typing as npt
from mlflow.models import infer_signature
from sklearn.base import BaseEstimator

from tests.model.shelf import Shelf
from tests.world import MODEL, Registry, fitted, source_rows

cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))  # executors cannot import tests


class Watched(BaseEstimator):  # type: ignore[misc]
    """A fitted model. Each batch's number of rows is appended to a file, by whichever process predicts it.

    `hate` in the folder holds a number: a batch with a greater x1 raises an error. `trap` says what happens and from
    which batch on: `hold 12`, `hold once 12`, `die once 12`, `die 12`, `executor 12`.
    """

    def __init__(self, inner: Any, folder: Path) -> None:
        self.inner = inner
        self.folder = folder

    def predict_proba(self, features: Any) -> Any:
        batch = self._counted(len(features))
        self._refuse(features)
        try:
            *kind, first = (self.folder / "trap").read_text().split()
        except (OSError, ValueError):
            kind, first = [], "0"
        if kind and batch >= int(first):
            self._spring(kind)
        return self.inner.predict_proba(features)

    def _refuse(self, features: Any) -> None:
        try:
            greatest = float((self.folder / "hate").read_text())
        except (OSError, ValueError):
            return
        if (np.asarray(features)[:, 0] > greatest).any():
            raise ValueError("a row that is hated")

    def _counted(self, rows: int) -> int:
        """How many batches there have been, with this one: appends of few bytes are whole, whoever writes."""
        with (self.folder / "predicting").open("a") as processes:
            processes.write(f"{os.getpid()}\n")
        file = os.open(self.folder / "paid", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, struct.pack("<q", rows))
            return os.lseek(file, 0, os.SEEK_CUR) // 8
        finally:
            os.close(file)

    def _spring(self, kind: list[str]) -> None:
        with (self.folder / "sprung").open("a") as file:
            file.write(f"{os.getpid()}\n")
        if kind == ["hold"]:
            self._wait_while("trap")
            return
        if kind == ["hold", "once"]:
            with suppress(FileNotFoundError):  # another process was faster, and is the one that is held
                (self.folder / "trap").rename(self.folder / "held")
                self._wait_while("held")
            return
        if kind != ["die"]:
            (self.folder / "trap").unlink(missing_ok=True)
        if kind[0] == "executor":
            from sparkscore.model.host.executor_process import find_executor_process

            find_executor_process(os.getpid()).kill()
        os.kill(os.getpid(), signal.SIGKILL)

    def _wait_while(self, there: str) -> None:
        until = time.monotonic() + 600  # a bound, not a pace: whoever sets the trap takes it away
        while (self.folder / there).exists() and time.monotonic() < until:
            time.sleep(0.005)


@dataclass(frozen=True)
class Traps:
    """The test's side: what was paid, and which trap is set."""

    folder: Path

    def paid(self) -> int:
        """Rows that the model has predicted so far, in all processes."""
        return int(self._counts().sum())

    def set(self, kind: str, *, after: int) -> None:
        """Set a trap: it springs when the model is given one more batch than `after` from now on."""
        for name in ("sprung", "predicting"):
            (self.folder / name).unlink(missing_ok=True)
        self._write("trap", f"{kind} {len(self._counts()) + after + 1}")

    def hate(self, greatest: float) -> None:
        """The model raises an error on each row with a greater x1."""
        self._write("hate", str(greatest))

    def free(self) -> None:
        """Take the trap away; whoever is held in it goes on, and no row is hated."""
        for name in ("trap", "held", "hate"):
            (self.folder / name).unlink(missing_ok=True)

    def caught(self) -> list[int]:
        """The processes that the last trap has caught, once per batch."""
        return self._processes("sprung")

    def predicting(self) -> list[int]:
        """The processes that have predicted since the last trap was set, once per batch."""
        return self._processes("predicting")

    def given(self) -> int:
        """Batches that the model was given so far, in all processes."""
        return len(self._counts())

    def _processes(self, name: str) -> list[int]:
        file = self.folder / name
        return [int(pid) for pid in file.read_text().split()] if file.exists() else []

    def _counts(self) -> npt.NDArray[np.int64]:
        file = self.folder / "paid"
        return np.fromfile(file, "<i8") if file.exists() else np.zeros(0, np.int64)

    def _write(self, name: str, text: str) -> None:
        new = self.folder / f"{name}.new"
        new.write_text(text)
        new.replace(self.folder / name)


def watched_registry(folder: Path) -> tuple[Registry, Traps]:
    """A registry like `world.registry_in`'s, whose two versions are watched by the same traps."""
    traps = Traps(folder / "traps")
    traps.folder.mkdir(parents=True)
    shelf, models = Shelf(folder), (fitted(0), fitted(3))
    frame = source_rows(5).to_pandas()[["x1", "x2"]]
    for model in models:
        signed = infer_signature(frame, model.predict_proba(frame))
        shelf.put(MODEL, Watched(model, traps.folder), signed, method="predict_proba")
    registry = Registry(shelf.uri, models)
    registry.alias(1)
    return registry, traps
