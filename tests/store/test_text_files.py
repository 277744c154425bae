"""Files of text, beside the tables: whole or not at all, and where no link leads."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import AccessDenied
from sparkscore.store.hadoop_folders import write_text_file


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_file_is_written_and_replaced_with_its_folder(spark: SparkSession, tmp_path: Path, scheme: str) -> None:
    file = tmp_path / "absent" / "deep" / "page.html"
    for text in ("first", "é, then second"):
        write_text_file(spark, f"{scheme}{file}", text)
        assert file.read_text(encoding="utf-8") == text
    assert [one.name for one in file.parent.iterdir()] == ["page.html"]


def test_a_link_is_replaced_and_what_it_leads_to_stays(spark: SparkSession, tmp_path: Path) -> None:
    elsewhere, file = tmp_path / "elsewhere", tmp_path / "page.html"
    elsewhere.write_text("kept")
    file.symlink_to(elsewhere)
    write_text_file(spark, str(file), "page")
    assert (file.is_symlink(), file.read_text(), elsewhere.read_text()) == (False, "page", "kept")


def test_secrets_do_not_reach_a_file(spark: SparkSession, tmp_path: Path) -> None:
    write_text_file(spark, str(tmp_path / "page.html"), "https://user:pa55word@host/x")
    assert "pa55word" not in (tmp_path / "page.html").read_text()


def test_a_folder_that_is_a_file_is_no_place_to_write(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(AccessDenied, match="cannot be written"):
        write_text_file(spark, str(tmp_path / "reports" / "page.html"), "page")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["reports"]
