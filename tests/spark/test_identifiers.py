"""The grammar of identifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.errors import NameRefused
from sparkscore.records import TableRef
from sparkscore.spark.identifiers import parse_table_ref, quote_identifier, quote_table, sibling_table


def test_a_plain_name_is_a_table_under_the_home() -> None:
    assert parse_table_ref("flights", home="/h") == TableRef("flights", "/h/tables/flights")


@pytest.mark.parametrize("name", ["lake.flights", "main.lake.flights-2013"])
def test_a_dotted_name_is_the_catalogs(name: str) -> None:
    assert parse_table_ref(name, home="/h") == TableRef(name, None)


@pytest.mark.parametrize(
    "path",
    [
        "/data/flights",
        "s3a://bucket/a b/flights",
        "abfss://c@account.dfs.core.windows.net/t",
        "file:/x/y",
        "/a/month=3/ü",
    ],
)
def test_a_path_is_itself(path: str) -> None:
    assert parse_table_ref(path, home="/h") == TableRef(path, path)


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "a b", "my table", "text.`/etc/hostname`", "csv.`/x`", "delta.`/x`", "a.b.c.d",
        "a;b", "a; DROP TABLE b", "flights'", '"flights"',
        "(SELECT 1)", "/a/../b", "/a`b", "http://host/x", "jdbc:postgresql://x", "1st", "a\nb", "{{ table }}",
        "/data/*", "lake.", ".lake", "/",
    ],
)  # fmt: skip
def test_any_other_name_is_refused_before_spark_sees_it(name: str) -> None:
    with pytest.raises(NameRefused, match="table name"):
        parse_table_ref(name, home="/h")


def test_a_table_beside_another_keeps_its_kind() -> None:
    assert sibling_table(TableRef("a.b", None), "_runs") == TableRef("a.b_runs", None)
    assert sibling_table(TableRef("x", "/h/x/"), "_runs") == TableRef("x_runs", "/h/x_runs")


@given(st.text(min_size=1))
def test_a_quoted_column_is_one_identifier(name: str) -> None:
    inside = quote_identifier(name)[1:-1]
    assert inside.replace("``", "") == name.replace("`", "")
    assert inside.replace("``", "`") == name


def test_each_part_of_a_catalog_name_is_quoted() -> None:
    assert quote_table(TableRef("a.b-c", None)) == "`a`.`b-c`"


@pytest.mark.parametrize(
    "name",
    [
        "s3a://AKEY:A-SECRET@bucket/t",
        "s3a://AKEY:A-SEC/RET@bucket/t",
        "abfss://c:A-SECRET@account/t",
        "s3://A-SECRET@bucket/t",
    ],
)
def test_credentials_in_the_name_of_a_table_are_refused_without_showing_them(name: str) -> None:
    with pytest.raises(NameRefused, match="credentials") as caught:
        parse_table_ref(name, home="/home")
    assert "A-SEC" not in str(caught.value)


def test_a_container_of_azure_is_no_user() -> None:
    assert parse_table_ref("abfss://c@account.dfs.core.windows.net/t", home="/home").path
