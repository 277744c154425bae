"""The loop of an engine: turns in, answers out. stdout is kept for answers, whatever libraries print."""

import ctypes
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from bench import machine

Turn = dict[str, Any]
Answer = dict[str, Any]
Way = Callable[[Turn], Answer]

_PR_SET_CHILD_SUBREAPER = 36


def serve(start: Callable[[], Mapping[str, Way]]) -> None:
    """Starts the engine, says hello, takes turns until stdin ends."""
    answers = _answers()
    _adopt_orphans()
    try:
        ways = start()
    except Exception as error:  # noqa: BLE001  the other side tells it
        _say(answers, _failed(error))
        return
    _say(answers, {"versions": machine.versions(), "ways": sorted(ways)})
    for line in sys.stdin:
        turn = json.loads(line)
        try:
            _say(answers, ways[turn["way"]](turn))
        except Exception as error:  # noqa: BLE001  the other side tells it
            _say(answers, _failed(error))


def _answers() -> TextIO:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _adopt_orphans() -> None:
    """A process whose parent ends stays below this one, so that its memory is seen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _failed(error: Exception) -> Answer:
    traceback.print_exc()
    return {"error": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"}


def _say(answers: TextIO, answer: Answer) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
