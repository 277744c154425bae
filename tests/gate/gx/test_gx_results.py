"""What was found, as Great Expectations' own objects: its Data Docs and its checkpoints' actions work on it."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.gate.gx.gx_results import validate_to_gx_result
from sparkscore.gate.suite_loading import from_gx_suite
from sparkscore.gate.suites import Expectation, Suite

PRIVATE = "Smith"
PATH = "expect_column_values_to_"


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """A hundred rows, one of them with a name that must not get out."""
    name = F.when(F.col("id") == 5, PRIVATE).otherwise("x")
    return spark.range(100).select("id", (F.col("id") / 10).alias("share"), name.alias("a `b`.c"))


@pytest.fixture(scope="module")
def result(rows: DataFrame) -> Any:
    """A result with one of everything: met, broken, of the schema, shuffled, and of Great Expectations' own engine."""
    month = {"type": "comparison", "column": {"name": "id"}, "operator": ">=", "parameter": 10}
    expectations = (
        Expectation(f"{PATH}be_between", {"column": "id", "min_value": 3, "max_value": 200, "mostly": 0.9}),
        Expectation(f"{PATH}be_in_set", {"column": "a `b`.c", "value_set": ["x"], "row_condition": month}, "warning"),
        Expectation("expect_column_mean_to_be_between", {"column": "share", "min_value": 5}),
        Expectation("expect_column_most_common_value_to_be_in_set", {"column": "a `b`.c", "value_set": ["y"]}),
        Expectation(f"{PATH}be_unique", {"column": "id"}),
        Expectation("expect_table_columns_to_match_set", {"column_set": ["id"]}),
        Expectation(f"{PATH}be_json_parseable", {"column": "a `b`.c"}),
        Expectation("expect_column_median_to_be_between", {"column": "share", "min_value": 0}),
    )
    return validate_to_gx_result(rows, Suite("flights", expectations), asset="flights")


def test_a_result_is_great_expectations_own(result: Any) -> None:
    from great_expectations import core

    kind: Any = core.ExpectationSuiteValidationResult
    assert isinstance(result, kind)
    assert {type(one) for one in result.results} == {core.ExpectationValidationResult}
    assert [one.success for one in result.results] == [True, True, False, False, True, False, False, True]
    assert result.statistics == {
        "evaluated_expectations": 8,
        "successful_expectations": 4,
        "unsuccessful_expectations": 4,
        "success_percent": 50.0,
    }
    assert result.results[0].result["unexpected_count"] == 3
    assert result.results[1].expectation_config.severity == "warning"
    assert (result.asset_name, result.suite_name, result.success) == ("flights", "flights", False)
    assert result.get_max_severity_failure() == "critical"
    assert json.loads(json.dumps(result.to_json_dict()))["statistics"]["evaluated_expectations"] == 8


def test_no_value_of_a_row_is_in_a_result(result: Any) -> None:
    assert PRIVATE not in json.dumps(result.to_json_dict())


def test_data_docs_are_rendered_from_a_result(result: Any) -> None:
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    view: Any = import_module("great_expectations.render.view").DefaultJinjaPageView()
    html = view.render(ValidationResultsPageRenderer().render(result))
    for words in ("flights", "a `b`.c", "values must be unique", "mean must be greater than or equal to"):
        assert words in html
    assert PRIVATE not in html


def test_a_checkpoint_s_actions_run_on_a_result(result: Any, tmp_path: Path) -> None:
    import great_expectations as gx
    from great_expectations.checkpoint.actions import ValidationAction
    from great_expectations.checkpoint.checkpoint import CheckpointResult
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    class WriteAction(ValidationAction):
        type: Literal["sparkscore_test_write"] = "sparkscore_test_write"

        def run(self, checkpoint_result: Any, action_context: Any = None) -> dict[str, Any]:
            text = json.dumps(checkpoint_result.describe_dict())
            (tmp_path / "told.json").write_text(text)
            return {
                "failed": len(
                    next(iter(checkpoint_result.run_results.values())).get_failed_validation_results().results
                )
            }

    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_spark("frames").add_dataframe_asset("flights")
    definition = gx.ValidationDefinition(
        name="flights",
        data=asset.add_batch_definition_whole_dataframe("whole"),
        suite=context.suites.add(gx.ExpectationSuite("flights")),
    )
    action = WriteAction(name="write")
    checkpoint = gx.Checkpoint(
        name="gate", validation_definitions=[context.validation_definitions.add(definition)], actions=[action]
    )
    key = ValidationResultIdentifier(
        ExpectationSuiteIdentifier("flights"), run_id=result.meta["run_id"], batch_identifier=result.batch_id
    )
    whole = CheckpointResult(run_id=result.meta["run_id"], run_results={key: result}, checkpoint_config=checkpoint)
    assert whole.success is False
    assert action.run(whole) == {"failed": 4}
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["statistics"] == {
        "evaluated_validations": 1,
        "success_percent": 0.0,
        "successful_validations": 0,
        "unsuccessful_validations": 1,
    }


def test_a_suite_of_great_expectations_own_classes_is_judged(rows: DataFrame) -> None:
    import great_expectations as gx
    from great_expectations.expectations.row_conditions import Column

    gxe: Any = gx.expectations
    built = gx.ExpectationSuite(
        name="built",
        expectations=[
            gxe.ExpectColumnValuesToBeBetween(
                column="id", min_value=10, max_value=20, row_condition=(Column("id") >= 10) & (Column("id") < 15)
            ),
            gxe.ExpectColumnValuesToNotBeNull(column="share", severity="warning", notes="why"),
            gxe.ExpectTableRowCountToEqual(value=7, row_condition=Column("id").is_in([1, 2]) | Column("id").is_null()),
        ],
    )
    suite = from_gx_suite(built)
    assert [one.severity for one in suite.expectations] == ["critical", "warning", "critical"]
    found = validate_to_gx_result(rows, suite)
    assert [one.success for one in found.results] == [True, True, False]
    assert found.results[0].result["element_count"] == 5
    assert found.results[2].result == {"observed_value": 2}
    assert [one.expectation_config.type for one in found.results] == [one.type for one in suite.expectations]
