"""Runs Great Expectations' own engine, without output, and without values of rows in its results."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.gate.gx.gx_output import suppress_gx_output
from sparkscore.gate.suites import Expectation
from sparkscore.spark.identifiers import quote_identifier

# BASIC with no examples: above BOOLEAN_ONLY results carry values of rows otherwise.
_COUNTS_ONLY_FORMAT: Mapping[str, Any] = {"result_format": "BASIC", "partial_unexpected_count": 0}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+")
_GX_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list", "column_set")


def evaluate_with_gx(frame: DataFrame, expectations: Sequence[Expectation]) -> list[Any]:
    """What Great Expectations found, one validation result per expectation, in order.

    Jobs:    two to four, and about two more for each expectation that is not a plain aggregate; nothing is cached.
    """
    aliases = _plain_column_aliases(frame)
    plain = frame.select(*[F.col(quote_identifier(name)).alias(aliases.get(name, name)) for name in frame.columns])
    with suppress_gx_output():
        found = _validate_gx_batch(
            plain, [_to_gx_entry(place, expectation, aliases) for place, expectation in enumerate(expectations)]
        )
    # A result knows its place by the meta of its expectation: broken ones come first, whatever the order of the suite.
    results = {result.expectation_config.meta["place"]: result for result in found}
    return [results[place] for place in range(len(expectations))]


def _plain_column_aliases(frame: DataFrame) -> dict[str, str]:
    """Plain names for the columns that Great Expectations cannot quote: dots, backticks, spaces."""
    return {name: f"_column_{place}" for place, name in enumerate(frame.columns) if not _PLAIN_NAME.fullmatch(name)}


def _to_gx_entry(place: int, expectation: Expectation, aliases: Mapping[str, str]) -> dict[str, Any]:
    kwargs = dict(expectation.kwargs)
    for argument in _GX_COLUMN_ARGUMENTS:
        if isinstance(kwargs.get(argument), str):
            kwargs[argument] = aliases.get(kwargs[argument], kwargs[argument])
        elif isinstance(kwargs.get(argument), list):
            kwargs[argument] = [aliases.get(name, name) for name in kwargs[argument]]
    if kwargs.get("row_condition") is not None:
        kwargs["row_condition"] = _rename_condition_columns(kwargs["row_condition"], aliases)
    return {"type": expectation.type, "kwargs": kwargs, "meta": {"place": place}}


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
    whole = source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("frame")
    batch = whole.get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name="suite", expectations=entries)
    return list(batch.validate(suite, result_format=dict(_COUNTS_ONLY_FORMAT)).results)
