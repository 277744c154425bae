"""Drafts of configs: keys, inputs and casts from a model's signature and a table's columns."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from deltalake import write_deltalake

from sparkscore.errors import ConfigError, ModelNotFound, TableNotFound
from sparkscore.pipelines.config_draft import ConfigDraft, KeysUnknown, draft_config, draft_settings
from sparkscore.pipelines.config_text import describe_draft, format_config
from sparkscore.settings import Settings, TableSettings
from tests.world import World, source_rows


def draft(world: World, *, table: str = "flights", uri: str = "models:/late@champion", keys: str = "") -> ConfigDraft:
    flags = {
        "home": str(world.home),
        "model.tracking_uri": world.registry.uri,
        "model.uri": uri,
        "source.table": table,
        **({"source.keys": keys} if keys else {}),
    }
    return draft_config(None, TableSettings.load(flags=flags, environ={}))


def rows_with(**columns: pa.Array) -> pa.Table:
    rows = source_rows(10)
    for name, values in columns.items():
        rows = rows.append_column(name, values)
    return rows


def write_table(world: World, rows: pa.Table, name: str = "flights") -> None:
    write_deltalake(world.path(name), rows, mode="overwrite", schema_mode="overwrite")


def settings_of(draft: ConfigDraft, folder: Path) -> Settings:
    file = folder / "drafted.yaml"
    file.write_text(format_config(draft, draft_settings(draft, {})))
    return Settings.load(file, environ={})


def test_without_spark_it_maps_inputs_to_columns_and_guesses_the_key(world: World, tmp_path: Path) -> None:
    drafted = draft(world)
    assert (drafted.job, drafted.keys, drafted.is_key_guessed, drafted.others) == ("late", ("id",), True, ("carrier",))
    assert [(one.name, one.column) for one in drafted.inputs] == [("x1", "x1"), ("x2", "x2")]
    loaded = settings_of(drafted, tmp_path)
    assert (loaded.source.keys, loaded.output.table) == (("id",), "flights_predictions")
    assert "source.keys is a guess" in describe_draft(drafted)[0]


def test_a_column_that_is_named_almost_like_an_input_is_mapped(world: World, tmp_path: Path) -> None:
    write_table(world, source_rows(10).rename_columns(["id", "carrier", "X_1", "x2"]))
    assert settings_of(draft(world), tmp_path).model.inputs == {"x1": "X_1"}


def test_an_input_without_a_column_is_written_as_a_comment_and_told(world: World, tmp_path: Path) -> None:
    write_table(world, source_rows(10).drop_columns(["x2"]))
    drafted = draft(world)
    assert "# " in format_config(drafted, draft_settings(drafted, {})).split("x2: COLUMN")[0].splitlines()[-1]
    assert any("no column is named like the input x2" in note for note in describe_draft(drafted))
    assert settings_of(drafted, tmp_path).model.inputs == {}


def test_a_cast_that_loses_something_is_shown_and_not_allowed_by_itself(world: World, tmp_path: Path) -> None:
    rows = source_rows(10)
    write_table(world, rows.set_column(2, "x1", rows["id"].cast(pa.int64())))
    drafted = draft(world)
    assert [(one.cast, one.effect) for one in drafted.inputs] == [("double", "rounds"), (None, "")]
    text = format_config(drafted, draft_settings(drafted, {}))
    assert "#   x1: double    (int64 to double: rounds)" in text
    assert settings_of(drafted, tmp_path).model.casts == {}


def test_a_column_that_no_cast_fits_is_told(world: World) -> None:
    rows = source_rows(10)
    write_table(world, rows.set_column(2, "x1", pa.array([[1.0]] * 10)))
    assert any("x1 takes double: the column is list" in note for note in describe_draft(draft(world)))


def test_keys_that_several_columns_may_be_are_asked_for(world: World) -> None:
    rows = source_rows(10).rename_columns(["flight_id", "carrier", "x1", "x2"])
    write_table(world, rows)
    assert draft(world).keys == ("flight_id",)
    write_table(world, rows.rename_columns(["plane_id", "carrier_id", "x1", "x2"]), name="legs")
    with pytest.raises(KeysUnknown, match="plane_id, carrier_id"):
        draft(world, table="legs")
    assert draft(world, table="legs", keys="[plane_id]").keys == ("plane_id",)


def test_keys_that_are_no_columns_are_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="no column nope"):
        draft(world, keys="[nope]")


def test_an_absent_table_and_an_absent_model_are_what_they_are_elsewhere(world: World) -> None:
    with pytest.raises(TableNotFound):
        draft(world, table="nowhere")
    with pytest.raises(ModelNotFound):
        draft(world, uri="models:/late@nobody")


def test_names_of_columns_can_neither_end_a_comment_nor_add_a_setting(world: World) -> None:
    hostile = "a\njob: stolen\n#"
    drafted = replace(draft(world), others=(hostile,), table="/data/x y: {z}")
    text = format_config(drafted, draft_settings(drafted, {}))
    assert yaml.safe_load(text)["job"] == "late"
    assert yaml.safe_load(text)["source"]["table"] == "/data/x y: {z}"


@pytest.mark.parametrize("hostile", ["{a, -\n*%", ",]\n0%", "}1<\n#\u2028", "<<", "no", "a: b # c", "\x00\x1b", "'\""])
def test_names_of_columns_and_inputs_may_be_any(hostile: str, world: World) -> None:
    drafted = draft(world)
    given = replace(drafted, keys=(hostile,), inputs=(replace(drafted.inputs[0], name=hostile, column=f"{hostile} b"),))
    read = yaml.safe_load(format_config(given, draft_settings(given, {})))
    assert (read["source"]["keys"], read["model"]["inputs"]) == ([hostile], {hostile: f"{hostile} b"})


def test_a_wide_table_is_shown_in_part_and_lines_stay_short(world: World) -> None:
    drafted = replace(draft(world), others=tuple(f"column_number_{index}" for index in range(200)))
    text = format_config(drafted, draft_settings(drafted, {}))
    assert "and 140 more" in text
    assert max(map(len, text.splitlines())) <= 120


def test_an_address_with_a_password_does_not_go_into_the_file(world: World) -> None:
    values = draft_settings(draft(world), {"model.tracking_uri": "http://user:geheim@host/"})
    assert "geheim" not in repr(values)
