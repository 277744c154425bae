"""Runs Great Expectations' own engine, without output, and without values of rows in its results and errors."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.gate.gx.gx_output import suppress_gx_output
from sparkscore.gate.suites import Expectation
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.spark.identifiers import quote_identifier

# BASIC with no examples: above BOOLEAN_ONLY results carry values of rows otherwise.
_COUNTS_ONLY_FORMAT: Mapping[str, Any] = {"result_format": "BASIC", "partial_unexpected_count": 0}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+")
_GX_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list", "column_set")

_SPARK_ERROR_PATTERN = re.compile(r"org\.apache\.spark|Python worker|SQLSTATE")
_SQL_STATE_PATTERN = re.compile(r"SQLSTATE: (\w{5})")
_ERROR_CLASS_PATTERN = re.compile(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)*)\]|\bjava\.[\w.]*?(\w+(?:Exception|Error))\b")
# Data exceptions, syntax and access rules, features that are not supported.
_RULE_FAULT_STATES = ("22", "42", "0A")
# The only Python in a gate's frame is that of its rules.
_RULE_FAULT_PATTERN = re.compile(r"PatternSyntaxException|exception was thrown from the Python worker")


def evaluate_with_gx(frame: DataFrame, expectations: Sequence[Expectation]) -> list[Any]:
    """What Great Expectations found, one validation result per expectation, in order.

    Jobs:    two to four, and about two more for each expectation that is not a plain aggregate; nothing is cached.
    """
    aliases = _plain_column_aliases(frame)
    renamed = frame.select(*[F.col(quote_identifier(name)).alias(aliases.get(name, name)) for name in frame.columns])
    with suppress_gx_output():
        found = _validate_gx_batch(
            renamed, [_to_gx_entry(index, expectation, aliases) for index, expectation in enumerate(expectations)]
        )
    # A result knows its index by the meta of its expectation: broken ones come first, whatever the order of the suite.
    results = {result.expectation_config.meta["index"]: result for result in found}
    return [results[index] for index in range(len(expectations))]


def _plain_column_aliases(frame: DataFrame) -> dict[str, str]:
    """Plain names for the columns that Great Expectations cannot quote: dots, backticks, spaces."""
    return {name: f"_column_{index}" for index, name in enumerate(frame.columns) if not _PLAIN_NAME.fullmatch(name)}


def _to_gx_entry(index: int, expectation: Expectation, aliases: Mapping[str, str]) -> dict[str, Any]:
    kwargs = dict(expectation.kwargs)
    for argument in _GX_COLUMN_ARGUMENTS:
        if isinstance(kwargs.get(argument), str):
            kwargs[argument] = aliases.get(kwargs[argument], kwargs[argument])
        elif isinstance(kwargs.get(argument), list):
            kwargs[argument] = [aliases.get(name, name) for name in kwargs[argument]]
    if kwargs.get("row_condition") is not None:
        kwargs["row_condition"] = _rename_condition_columns(kwargs["row_condition"], aliases)
    return {"type": expectation.type, "kwargs": kwargs, "meta": {"index": index}}


def _rename_condition_columns(condition: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    """A typed row condition over the plain names."""
    if "conditions" in condition:
        return {
            **condition,
            "conditions": [_rename_condition_columns(part, aliases) for part in condition["conditions"]],
        }
    name = condition["column"]["name"]
    return {**condition, "column": {"name": aliases.get(name, name)}}


def _validate_gx_batch(frame: DataFrame, entries: list[dict[str, Any]]) -> list[Any]:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
        analytics_enabled=False,
    )
    source = gx.get_context(mode="ephemeral", project_config=config).data_sources.add_spark("frame", persist=False)
    definition = source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("frame")
    batch = definition.get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name="suite", expectations=entries)
    return list(batch.validate(suite, result_format=dict(_COUNTS_ONLY_FORMAT)).results)


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
    return shorten_redacted(lines[-1], 200) if lines else "an error without a message"
