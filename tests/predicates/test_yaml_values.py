"""Values of a filter that YAML has changed, against the types of their columns."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.predicates.spark_filter import to_arrow_conditions, to_spark_filter
from sparkscore.records import Condition
from sparkscore.settings import Settings

UTC_TIME = pa.timestamp("us", tz="UTC")
CONFIG = """job: flight-delay
source: {{table: flights, keys: [id], where: [{{column: c, value: {value}}}]}}
model: {{uri: "models:/x/1"}}
output: {{table: predictions}}
"""


def load_condition(value: str, folder: Path) -> Condition:
    """The condition `c = …` as a config file writes it."""
    file = folder / "job.yaml"
    file.write_text(CONFIG.format(value=value))
    return Settings.load(file, environ={}).source.where[0].to_condition()


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    ("value", "kind", "read", "do"),
    [
        ("01234", pa.string(), "668 (int): YAML reads 01234 as that", 'write "01234", in quotes'),
        ("12:30", pa.string(), "750 (int): YAML reads 12:30 as that", 'write "12:30", in quotes'),
        ("1:30:00", pa.string(), "5400 (int): YAML reads 1:30:00 as that", 'write "1:30:00", in quotes'),
        ("no", pa.string(), "False (bool): YAML reads no as that", 'write "no", in quotes'),
        ("On", pa.string(), "True (bool): YAML reads On as that", 'write "On", in quotes'),
        ("1_000", pa.string(), "1000 (int): YAML reads 1_000 as that", 'write "1_000", in quotes'),
        ("0x1F", pa.string(), "31 (int): YAML reads 0x1F as that", 'write "0x1F", in quotes'),
        ("0b1", pa.string(), "1 (int): YAML reads 0b1 as that", 'write "0b1", in quotes'),
        (".5", pa.string(), "0.5 (float): YAML reads .5 as that", 'write ".5", in quotes'),
        ("1.50", pa.string(), "1.5 (float): YAML reads 1.50 as that", 'write "1.50", in quotes'),
        ("2013-10-01", pa.string(), "datetime.date(2013, 10, 1) (date)", 'write "2013-10-01", in quotes'),
        ("10", pa.string(), "10 (int)", 'write "10", in quotes'),
        ("01234", pa.int32(), "668 (int): YAML reads 01234 as that", "write 1234 or 668 in"),
        ("-010", pa.float64(), "-8 (int): YAML reads -010 as that", "write -10 or -8 in"),
        ("0100", pa.decimal128(10, 2), "64 (int): YAML reads 0100 as that", "write 100 or 64 in"),
        ("12:30", pa.int64(), "750 (int): YAML reads 12:30 as that", "write 750 in"),
        ("1:30.5", pa.float64(), "90.5 (float): YAML reads 1:30.5 as that", "write 90.5 in"),
        ("1e3", pa.int32(), "'1e3' (str)", "write 1000, without quotes"),
        ("1e3", pa.float64(), "'1e3' (str)", "write 1000.0, without quotes"),
        ("1e-7", pa.float64(), "'1e-7' (str)", "write 1.0e-07, without quotes"),
        ("08", pa.int32(), "'08' (str)", "write 8, without quotes"),
        ("1e999999999", pa.int64(), "'1e999999999' (str)", "change the value"),
        ("no", pa.int32(), "False (bool): YAML reads no as that", "change the value"),
        (".inf", pa.decimal128(10, 2), "inf (float): YAML reads .inf as that", "change the value"),
        ("9007199254740993.0", pa.int64(), "9007199254740992.0 (float)", "write 9007199254740993, without"),
        ("0.123456789012345678", pa.decimal128(38, 20), "0.12345678901234568 (float)", 'write "0.123456789012345678'),
        ("2013-10-01 10:00:00.1234567", UTC_TIME, "datetime.datetime(2013", "write at most six digits"),
        ("12:30", pa.date32(), "750 (int): YAML reads 12:30 as that", "change the value"),
    ],
)
def test_a_value_that_yaml_changes_is_refused_with_the_form_to_write(
    tmp_path: Path, value: str, kind: pa.DataType, read: str, do: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        to_spark_filter([load_condition(value, tmp_path)], pa.schema([("c", kind)]))
    assert f"the filter c = {read}" in caught.value.found
    assert caught.value.expected.endswith(f"the column's type is {kind}")
    assert do in caught.value.do
    assert caught.value.exit_code == 2


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    ("value", "kind", "taken"),
    [
        ("'01234'", pa.string(), "01234"),
        ("no thanks", pa.string(), "no thanks"),
        ("1e3", pa.string(), "1e3"),
        ("true", pa.bool_(), True),
        ("no", pa.bool_(), False),
        ("10", pa.int32(), 10),
        ("007", pa.int32(), 7),
        ("1_000", pa.int32(), 1000),
        ("0x1F", pa.int32(), 31),
        ("10.0", pa.int32(), 10.0),
        ("1.0e+3", pa.int32(), 1000.0),
        ("1.5", pa.float64(), 1.5),
        ("0.1", pa.decimal128(10, 2), 0.1),
        ("0.1234567890123456", pa.decimal128(38, 20), 0.1234567890123456),
        ("9007199254740993.0", pa.float64(), 9007199254740992.0),
    ],
)
def test_a_value_in_one_reading_is_taken(tmp_path: Path, value: str, kind: pa.DataType, taken: object) -> None:
    condition = load_condition(value, tmp_path)
    to_spark_filter([condition], pa.schema([("c", kind)]))
    assert (condition.value, type(condition.value)) == (taken, type(taken))


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    ("value", "kind"), [("2013-10-01", pa.date32()), ("2013-10-01", UTC_TIME), ("2013-10-01 10:00:00.12", UTC_TIME)]
)
def test_a_date_or_a_time_without_quotes_is_taken(tmp_path: Path, value: str, kind: pa.DataType) -> None:
    schema = pa.schema([("c", kind)])
    plain, quoted = load_condition(value, tmp_path), load_condition(f'"{value}"', tmp_path)
    to_spark_filter([plain], schema)
    assert to_arrow_conditions([plain], schema)[0].values.equals(to_arrow_conditions([quoted], schema)[0].values)


@pytest.mark.usefixtures("spark")
def test_a_changed_value_of_a_list_is_named(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(CONFIG.format(value="[AA, NO, 'no']").replace("column: c", 'column: c, op: "in"'))
    condition = Settings.load(file, environ={}).source.where[0].to_condition()
    with pytest.raises(ConfigError, match=r"c in False \(bool\): YAML reads NO as that") as caught:
        to_spark_filter([condition], pa.schema([("c", pa.string())]))
    assert 'write "NO", in quotes' in caught.value.do


@pytest.mark.usefixtures("spark")
def test_a_changed_value_of_a_sensitive_column_is_not_shown(tmp_path: Path) -> None:
    condition = load_condition("01234", tmp_path)
    hidden = Condition(condition.column, condition.op, condition.value, sensitive=True, yaml_texts=condition.yaml_texts)
    for kind in (pa.string(), pa.int32()):
        with pytest.raises(ConfigError) as caught:
            to_spark_filter([hidden], pa.schema([("c", kind)]))
        assert "the filter c = *** (int, as YAML has read it)" in caught.value.found
        assert "1234" not in str(caught.value)
        assert "668" not in str(caught.value)


@pytest.mark.usefixtures("spark")
def test_a_value_from_python_has_no_other_reading() -> None:
    to_spark_filter([Condition("c", "=", 668)], pa.schema([("c", pa.int32())]))


@given(st.integers(-(2**31), 2**31 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_yaml_dumps_is_in_one_reading(spark: SparkSession, value: Any) -> None:
    text = yaml.safe_dump(value).partition("\n")[0]
    assert yaml.safe_load(text) == value
    to_spark_filter([Condition("c", "=", value, yaml_texts=(text,))], pa.schema([("c", pa.float64())]))
