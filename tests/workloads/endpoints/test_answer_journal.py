"""What was paid outlives the process that paid it, on the machine that asked."""

import os
import subprocess
import sys
import time
from pathlib import Path

from sparkscore.workloads.endpoints.answer_journal import AnswerJournal, JournalAnswer, digest_request, open_journal

KEYS = [digest_request("chat/completions", {"prompt": f"row {n}"}) for n in range(10)]
BE_KILLED = """
import os, signal, sys
from pathlib import Path
from sparkscore.workloads.endpoints.answer_journal import digest_request, open_journal
journal = open_journal(Path(sys.argv[1]), "run")
for n in range(1000):
    journal.add_answer(digest_request("chat/completions", {"prompt": f"row {n}"}), b'{"n": %d}\\n' % n, 1.5)
    if n == 7:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_answers_of_a_process_that_was_killed_are_taken_once(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", BE_KILLED, str(tmp_path)], check=False, timeout=60)
    journal = open_journal(tmp_path, "run")
    assert [journal.take_answer(key) for key in KEYS[:8]] == [JournalAnswer(b'{"n": %d}\n' % n, 1.5) for n in range(8)]
    assert journal.take_answer(KEYS[0]) is None
    assert journal.take_answer(KEYS[8]) is None


def test_another_run_takes_none_of_them(tmp_path: Path) -> None:
    open_journal(tmp_path, "run").add_answer(KEYS[0], b"{}", 1.0)
    assert open_journal(tmp_path, "other").take_answer(KEYS[0]) is None


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "run-1-a"
    line = b"%s 1.0 e30=\n" % KEYS[0].hex().encode()
    file.write_bytes(b"what is no line of ours\n" + line[:20])
    journal = open_journal(tmp_path, "run")
    assert journal.take_answer(KEYS[0]) is None
    file.write_bytes(b"what is no line of ours\n" + line)
    journal.refresh()
    assert journal.take_answer(KEYS[0]) == JournalAnswer(b"{}", 1.0)


def test_a_process_takes_its_own_answers_only_after_a_batch_that_failed(tmp_path: Path) -> None:
    journal = AnswerJournal(tmp_path, "run")
    journal.add_answer(KEYS[0], b"0", 1.0)
    journal.skip_own()  # the batch is done
    journal.add_answer(KEYS[1], b"1", 1.0)
    journal.refresh(with_own=True)  # the next one has failed
    assert journal.take_answer(KEYS[0]) is None
    assert journal.take_answer(KEYS[1]) == JournalAnswer(b"1", 1.0)


def test_journals_of_old_runs_are_removed(tmp_path: Path) -> None:
    for name, days in (("old-1-a", 9), ("new-1-a", 1)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - days * 86_400,) * 2)
    open_journal(tmp_path, "run")
    assert [file.name for file in tmp_path.iterdir()] == ["new-1-a"]
