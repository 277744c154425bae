"""The findings as Great Expectations' own result objects: for Data Docs, checkpoints' actions, and other tools."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame

from sparkscore.gate.gx.gx_output import suppress_gx_output
from sparkscore.gate.suite_compilation import Gate
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.verdicts import evaluate_suite


def validate_to_gx_result(frame: DataFrame, suite: Suite, *, gate: Gate = "input", asset: str = "frame") -> Any:
    """A `gx.core.ExpectationSuiteValidationResult` in the format BASIC, without examples: no value of a row.

    `asset`: what the results are of, for people. Needs Great Expectations: its import takes seconds.

    Jobs, Raises: as `gate.verdicts`.
    """
    found = evaluate_suite(frame, suite, gate=gate)
    with suppress_gx_output():
        results = [
            _to_gx_rule_result(expectation, rule_result)
            for expectation, rule_result in zip(suite.expectations, found, strict=True)
        ]
        return _to_gx_suite_result(suite, results, asset)


def _to_gx_rule_result(expectation: Expectation, found: Any) -> Any:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations.registry import get_expectation_impl

    implementation: Any = get_expectation_impl(expectation.type)
    configured = implementation(**expectation.kwargs, severity=expectation.severity)
    return ExpectationValidationResult(
        success=bool(found.success), expectation_config=configured.configuration, result=dict(found.result)
    )


def _to_gx_suite_result(suite: Suite, results: Sequence[Any], asset: str) -> Any:
    from great_expectations.core import ExpectationSuiteValidationResult

    successes = sum(result.success for result in results)
    share = successes / len(results) * 100 if results else None
    statistics = {
        "evaluated_expectations": len(results),
        "successful_expectations": successes,
        "unsuccessful_expectations": len(results) - successes,
        "success_percent": share,
    }
    return ExpectationSuiteValidationResult(
        success=successes == len(results),
        results=list(results),
        suite_name=suite.name,
        statistics=statistics,
        meta=dict(_gx_result_meta(asset)),
        batch_id=f"sparkscore-{asset}",
    )


def _gx_result_meta(asset: str) -> Mapping[str, Any]:
    from great_expectations import __version__ as version
    from great_expectations.core.run_identifier import RunIdentifier

    now = datetime.now(UTC)
    return {
        "great_expectations_version": version,
        "active_batch_definition": {
            "datasource_name": "sparkscore",
            "data_connector_name": "fluent",
            "data_asset_name": asset,
            "batch_identifiers": {},
        },
        "batch_spec": {"data_asset_name": asset},
        "batch_markers": {"ge_load_time": now.strftime("%Y%m%dT%H%M%S.%fZ")},
        "run_id": RunIdentifier(run_time=now),
        "validation_time": now,
    }
