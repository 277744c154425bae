"""The error tree. Each class knows its exit code and whether a retry can help; all of them survive pickling.

SparkscoreError                 1
├── ConfigError                 2   a person has to change something
│   ├── NameRefused                 a table, column or job name outside the grammar
│   ├── TableNotFound               absent, or not a Delta table
│   ├── VersionGone                 files or log of a version of a table are gone
│   ├── AccessDenied                no permission to read or write
│   ├── UnsupportedSession          Spark Connect, or no Java
│   ├── ForeignTable                the table belongs to another job, or to a newer version of the suite
│   ├── PinsConflict                published with other pins
│   └── TableChanged                a published table was changed by someone else
├── ScanUnsupported             1   files that only Spark reads reliably; the caller reads them with Spark instead
├── GateFailed                  3   the data was judged bad
│   ├── DuplicateKeys
│   └── TooManyRejects
├── ModelError                  4
│   ├── ModelNotFound               no such model, version or alias
│   ├── SignatureError              source columns and model inputs do not fit
│   ├── DigestMismatch              the model's files are not the ones that were pinned
│   ├── TrustRefused                model.trust does not allow to load the model; nothing of it was imported
│   ├── ServedModelChanged          an endpoint answers with another model than the pinned one
│   └── PredictError                the model failed on a batch
│       ├── RowsNotPredicted        the model raised: some of the rows may be at fault
│       │   ├── InputOutOfRange     a number that the model's type cannot hold
│       │   └── BatchOutOfMemory    memory ran out: smaller batches may fit
│       └── BatchTimeout            the model did not answer in time
└── TemporaryError             75   a retry may help
    ├── RegistryUnreachable
    ├── EndpointUnavailable         the endpoint of a language model
    ├── PublishConflict
    ├── ExportFailed                an export of a run that is published
    ├── SessionLost                 Spark's JVM or Connect server is gone
    ├── DeadlinePassed              stopped with its chunks kept
    └── BudgetReached               likewise

SparkNeeded is no error: it asks for a session, in a process that has begun without one.

A published run that broke a binding rule is no error: it ends with MONITORING_BREACH, and its result says which rule.
"""

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sparkscore.redaction.secret_patterns import redact_secrets, shorten_redacted

MONITORING_BREACH = 5
"""Exit code of a published run that broke a binding rule about drift or SLA, and of `check_sla`."""

MESSAGE_HIDDEN = (
    "its message is not shown, because it may hold values of source.sensitive; run it with data that may be shown"
)
"""What to do about an error of which only the class is shown."""


def escape_lone_surrogates(text: str) -> str:
    """The text with lone surrogates, which no encoding has, as Python's escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def is_disk_full(error: OSError) -> bool:
    """Whether the system has no space left, or this user may have no more of it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def find_error_class(name: str) -> "type[SparkscoreError] | None":
    """The suite's error class of this name; None if there is none."""
    kind = globals().get(name)
    return kind if isinstance(kind, type) and issubclass(kind, SparkscoreError) else None


def is_retryable(name: str | None, *, exit_code: int | None) -> bool:
    """Whether a retry may help after an error of which only class and exit code are known, as in a run event."""
    kind = find_error_class(name or "")
    return exit_code == TemporaryError.exit_code if kind is None else kind.retryable


_MAX_SUMMARY_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """An error as result lines, run events and reports hold it."""

    class_name: str
    """Of the suite's error, or of whatever else was raised."""
    message: str
    """What was found, what was expected, what to do; without secrets."""
    retryable: bool
    """Whether the same command may end well later, without a change."""

    @classmethod
    def from_error(cls, error: BaseException) -> "ErrorSummary":
        """The summary of any exception, without secrets and without what is no text."""
        retryable = isinstance(error, SparkscoreError) and error.retryable
        message = escape_lone_surrogates(redact_secrets(str(error)))[:_MAX_SUMMARY_CHARACTERS]
        return cls(type(error).__name__, message, retryable)

    def to_dict(self) -> dict[str, object]:
        """As JSON has it."""
        return {"class": self.class_name, "message": self.message, "retryable": self.retryable}


class SparkscoreError(Exception):
    """Base of all errors of the suite: what was found, what was expected, what to do."""

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    remedy: ClassVar[str] = (
        "read the stack trace that `--debug` shows; if the data and the settings are right, report it"
    )
    """What to do about errors of this class in general; the `do` of an error says it for the case at hand."""

    def __init__(self, found: str, expected: str = "", do: str = "") -> None:
        self.found = redact_secrets(found)
        self.expected = redact_secrets(expected)
        self.do = redact_secrets(do)
        super().__init__(self.found, self.expected, self.do)
        self.report: object | None = None
        """The `RunReport` of the attempt that failed, where there was one."""

    def to_dict(self) -> dict[str, str]:
        """The error as JSON values, for another process, where `from_dict` restores it."""
        return {"class": type(self).__name__, "found": self.found, "expected": self.expected, "do": self.do}

    @staticmethod
    def from_dict(parts: Mapping[str, object]) -> "SparkscoreError":
        """Restore an error of `to_dict`: same class, same message.

        Raises:  ValueError for anything else than the result of `to_dict`.
        """
        kind = find_error_class(str(parts.get("class")))
        words = {name: word for name, word in parts.items() if name != "class" and isinstance(word, str)}
        if kind is None or len(words) != len(parts) - 1 or not words.keys() >= {"found", "expected", "do"}:
            raise ValueError(
                f"{shorten_redacted(repr(parts), 300)} is no error of the suite: expected what to_dict returns"
            )
        try:
            return kind(**words)
        except TypeError as error:
            raise ValueError(f"{kind.__name__} takes other parts than {', '.join(words)}") from error

    def __str__(self) -> str:
        parts = [self.found, f"expected: {self.expected}" if self.expected else "", f"do: {self.do}" if self.do else ""]
        # once more: a secret may have become known since
        return redact_secrets("\n  ".join(part for part in parts if part))


class SparkNeeded(BaseException):
    """What was asked of a table is told by Spark alone, and there is no session: to be asked again with one.

    No failure, so nothing that handles failures may handle it.
    """


class ConfigError(SparkscoreError):
    """A setting, a name or a permission that only a person can correct."""

    exit_code = 2
    remedy = "correct the setting, the name or the file that the message names, then run the command again"


class NameRefused(ConfigError):
    """A name outside the grammar of identifiers; it was never passed to Spark."""

    remedy = "rename it: catalog names have up to three parts joined by dots; anything with a slash is a path"


class TableNotFound(ConfigError):
    """No table at that name, or not a Delta table."""

    remedy = "check the name and the home folder (`home`): a plain name is a table under it"


class VersionGone(ConfigError):
    """A table's version that can no longer be read: vacuumed, or its log was cleaned up."""

    remedy = "use a version that still exists, or run `score --restart` to pin the newest one; keep history longer"


class AccessDenied(ConfigError):
    """No permission to read or to write."""

    remedy = "give the identity that runs the job the missing permission, or name another table or folder"


class UnsupportedSession(ConfigError):
    """A session or a machine that the suite cannot work with."""

    remedy = "use a classic Spark session (a cluster with dedicated access) and Java 17 or newer"


class ForeignTable(ConfigError):
    """A table that another job owns, or that a newer version of the suite wrote."""

    remedy = "give the job a prediction table of its own (`output.table`), or use the newer version of sparkscore"


class PinsConflict(ConfigError):
    """The as_of is published with other pins than the requested ones."""

    remedy = "keep the publication, or run `score --replace` to publish the new pins as the next revision"


class TableChanged(ConfigError):
    """The prediction table no longer holds what a run published."""

    remedy = "find out who changed the table; then publish again with `score --force`"


class ScanUnsupported(SparkscoreError):
    """Tables or files that only Spark can be relied on to read correctly."""

    remedy = "set `scoring.transport: arrow`, or leave it at `auto`, which makes that choice by itself"

    def __init__(self, found: str, expected: str = "", do: str = "let Spark read it: scoring.transport: arrow") -> None:
        super().__init__(found, expected, do)


class EngineTaskError(SparkscoreError):
    """What a task raised in a worker of another engine, and is no error of the suite: its traceback."""

    remedy = "look at the worker's log; a task of Spark may do better: `scoring.engine: spark`"


class GateFailed(SparkscoreError):
    """Expectations that the data did not meet; nothing was published."""

    exit_code = 3
    remedy = "look at the data, or correct the suite; nothing was published"


class DuplicateKeys(GateFailed):
    """More than one row for a key."""

    remedy = "remove the duplicates from the source, or name all columns that identify a row in `source.keys`"


class TooManyRejects(GateFailed):
    """More rows could not be scored than the config allows."""

    remedy = "see why rows are rejected with `rejects`; correct the data, or raise `scoring.max_reject_ratio`"


class ModelError(SparkscoreError):
    """The model cannot be used as asked."""

    exit_code = 4
    remedy = "check the model and what was logged with it"


class ModelNotFound(ModelError):
    """No such model, version or alias."""

    remedy = "check `model.uri` and the MLflow server (`model.tracking_uri`)"


class SignatureError(ModelError):
    """The source's columns do not fit the model's signature."""

    remedy = (
        "map differing names in `model.inputs`, cast the columns in the source, or log the model with its signature"
    )


class DigestMismatch(ModelError):
    """The model's files differ from the ones that were pinned."""

    remedy = "log the model again as a new version: files of a registered version must not change"


class TrustRefused(ModelError):
    """The model may not be loaded; nothing of it was imported."""

    remedy = "log the model in a format that holds data alone, or allow what the message names in `model.trust`"


class ServedModelChanged(ModelError):
    """An endpoint answers with another model than the one that was pinned."""

    remedy = "name the model that is served in `llm.served_model`, or serve the pinned one again"


class PredictError(ModelError):
    """The model raised an error, or returned something else than its signature says."""

    remedy = "run the model on the rows that the message names; log a corrected version"


class ModelNotLoaded(PredictError):
    """The model raised an error when it was loaded: in the worker, or in a process of its own."""

    remedy = "install what its requirements.txt lists on the executors"

    def __init__(self, found: str, expected: str = "", do: str = "", *, raised: str = "") -> None:
        super().__init__(found, expected, do)
        self.raised = raised
        """Class of what the model raised."""

    def to_dict(self) -> dict[str, str]:
        """The error as JSON has it, with the class of what the model raised."""
        return {**super().to_dict(), "raised": self.raised}


class RowsNotPredicted(PredictError):
    """The model raised an error on a batch: it may predict the rows that did not cause it."""

    def __init__(self, found: str, expected: str = "", do: str = "", *, raised: str = "") -> None:
        super().__init__(found, expected, do)
        self.raised = raised
        """Class of what the model raised."""

    def to_dict(self) -> dict[str, str]:
        """The error as JSON has it, with the class of what the model raised."""
        return {**super().to_dict(), "raised": self.raised}


class InputOutOfRange(RowsNotPredicted):
    """A row of a batch has a number that the type in which the model computes cannot hold; the model was not called."""

    remedy = "filter these rows, or log the model with a wider type"


class BatchOutOfMemory(RowsNotPredicted):
    """Memory ran out on a batch, of the machine or of its GPU: a smaller one may fit."""

    remedy = "give executors more memory, or lower `scoring.batch_bytes` or `scoring.batch_rows`"


class BatchTimeout(PredictError):
    """The model did not answer within `scoring.batch_timeout`."""

    remedy = "raise `scoring.batch_timeout`, lower `scoring.batch_rows`, or find out why the model hangs"


class TemporaryError(SparkscoreError):
    """Something outside is not available at the moment; a retry may help."""

    exit_code = 75
    retryable = True
    remedy = "run the same command again later: the next attempt continues from what is kept"


class RegistryUnreachable(TemporaryError):
    """The model registry did not answer."""

    remedy = "check that the MLflow server answers, then run the same command again"


class EndpointUnavailable(TemporaryError):
    """The endpoint of a language model did not answer, or asked to wait for too long."""

    remedy = "run the same command again later: the next attempt continues from the chunks that are kept"


class PublishConflict(TemporaryError):
    """Other writers kept committing first."""

    remedy = "run the same command again; if it repeats, keep other writers away from the table during the publication"


class ExportFailed(TemporaryError):
    """An export after the publication; readers of the prediction table see the run, and the target is as it was."""

    remedy = "run the same command again: it leaves the publication alone and makes up for the exports that are missing"


class SessionLost(TemporaryError):
    """Spark is gone: its JVM, its Connect server, or the session in it."""

    remedy = "run the same command again, in a new process: the next attempt continues from what is kept"


class DeadlinePassed(TemporaryError):
    """The deadline passed; the scored chunks are kept, and the next attempt continues from them."""

    remedy = "run the same command again, or raise `scoring.deadline`"


class BudgetReached(TemporaryError):
    """One of `scoring.budgets` is used up; the scored chunks are kept, and the next attempt continues from them."""

    remedy = "run the same command again: each attempt has the whole budget; or raise it"
