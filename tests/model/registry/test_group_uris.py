"""Which model a group names: values are parts of a name, and nothing else."""

import pytest

from sparkscore.model.registry.group_uris import name_group_model
from sparkscore.model.registry.model_uri import ModelUri

TEMPLATE = "models:/forecast-{store}@champion"


@pytest.mark.parametrize("store", ["17", "St. Louis", "São Paulo", "2013-01-01", "true", "a_b-c"])
def test_a_value_is_a_part_of_the_name(store: str) -> None:
    assert name_group_model(TEMPLATE, {"store": store}) == ModelUri(f"forecast-{store}", "champion", None)


@pytest.mark.parametrize(
    "store",
    ["../../x", "a/b", "a:b", "a@b", "{store}", "{", "a\nb", "", " a", "a" * 129, "..", "a..b", "a\0b", "%2e%2e", "\\"],
)
def test_a_value_that_fits_no_name_names_no_model(store: str) -> None:
    assert name_group_model(TEMPLATE, {"store": store}) == "the value of store fits no name of a registered model"


def test_a_dot_leads_to_no_other_catalog() -> None:
    assert isinstance(name_group_model("models:/main.sales.{store}@champion", {"store": "a.b"}), str)


def test_null_names_no_model() -> None:
    assert name_group_model(TEMPLATE, {"store": None}) == "store is NULL"


def test_a_value_is_never_expanded_again() -> None:
    found = name_group_model("models:/{a}-{b}/1", {"a": "x", "b": "{a}"})
    assert found == "the value of b fits no name of a registered model"


def test_a_table_may_name_whole_uris_of_registered_models_alone() -> None:
    def named(uri: str) -> ModelUri | str:
        return name_group_model("{uri}", {"uri": uri}, trusted=True)

    assert named("models:/churn/3") == ModelUri("churn", None, "3")
    assert isinstance(named("runs:/abc/model"), str)
    assert isinstance(named("models:/m-1234"), str)
    assert isinstance(named("/etc/passwd"), str)
