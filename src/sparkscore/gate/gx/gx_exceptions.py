"""Tells an expectation's error inside Great Expectations from a failure of Spark, without values of rows."""

import re
from collections.abc import Mapping
from typing import Any

_SPARK_ERROR_PATTERN = re.compile(r"org\.apache\.spark|Python worker|SQLSTATE")
_SQL_STATE_PATTERN = re.compile(r"SQLSTATE: (\w{5})")
_ERROR_CLASS_PATTERN = re.compile(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)*)\]|\bjava\.[\w.]*?(\w+(?:Exception|Error))\b")
# Data exceptions, syntax and access rules, features that are not supported.
_RULE_FAULT_STATES = ("22", "42", "0A")
# The only Python in a gate's frame is that of its rules.
_RULE_FAULT_PATTERN = re.compile(r"PatternSyntaxException|exception was thrown from the Python worker")


def gx_exception_text(info: Mapping[str, Any]) -> str:
    """The text of what was raised, empty where nothing was. `info` is one entry, or one per metric."""
    entries = [info] if "raised_exception" in info else list(info.values())
    return "\n".join(str(entry["exception_message"]) for entry in entries if entry["raised_exception"])


def is_rule_fault(text: str) -> bool:
    """Whether the rule does not fit the frame; else storage or cluster failed, and the rule may be right."""
    if not _SPARK_ERROR_PATTERN.search(text):
        return True
    state = _SQL_STATE_PATTERN.search(text)
    return bool(_RULE_FAULT_PATTERN.search(text)) if state is None else state[1].startswith(_RULE_FAULT_STATES)


def summarize_rule_error(text: str, *, sensitive: bool = False) -> str:
    """One line; of a failure of Spark only its class, for its message may quote a row; nothing of others if asked."""
    if _SPARK_ERROR_PATTERN.search(text):
        found = _ERROR_CLASS_PATTERN.search(text)
        return "a failed Spark job" if found is None else found[1] or found[2]
    if sensitive:
        return "an error whose message may hold values"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "an error without a message"
