import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkscore.pipelines.diagnosis.storage_checks import check_folder
from tests.s3_server import LoopbackS3, serve_s3

DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message></Error>"


def files_below(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*"))


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_is_tried_and_left_as_it_was(there: bool, tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    if there:
        home.mkdir(parents=True)
        (home / "kept").touch()
    before = files_below(tmp_path)
    tried, clock = check_folder(None, "home", str(home))
    assert (tried.status, clock.status) == ("ok", "ok")
    assert files_below(tmp_path) == before


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (found,) = check_folder(None, "home", str(tmp_path / "file" / "home"))
    assert (found.status, str(tmp_path / "file" / "home") in found.found) == ("fail", True)
    assert "permission to list, read, write and delete" in found.cure
    assert files_below(tmp_path) == ["file"]


def test_folders_that_were_made_on_the_way_to_one_that_cannot_be_are_removed(tmp_path: Path) -> None:
    (found,) = check_folder(None, "home", str(tmp_path / "a" / "b" / ("c" * 300)))
    assert found.status == "fail"
    assert files_below(tmp_path) == []


def test_a_file_system_that_takes_no_files_is_told(tmp_path: Path) -> None:
    (found,) = check_folder(None, "home", "/proc/sparkscore")  # no user, and root neither, can write there
    assert found.status == "fail"


def test_a_clock_of_storage_that_is_off_shows_in_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sparkscore.pipelines.diagnosis import storage_checks

    def write_in_the_past(self: storage_checks.FolderProbe) -> None:
        original(self)
        os.utime(self.path, (1, 1))
        self.measure_clock()

    original = storage_checks.FolderProbe.try_all
    monkeypatch.setattr(storage_checks.FolderProbe, "try_all", write_in_the_past)
    _, clock = check_folder(None, "home", str(tmp_path))
    assert (clock.name, clock.status) == ("clock of home", "fail")


class TestS3:
    @pytest.fixture
    def server(self) -> Iterator[LoopbackS3]:
        with serve_s3("lake") as made:
            yield made

    @pytest.fixture
    def session(self, spark: SparkSession, server: LoopbackS3) -> SparkSession:
        made = spark.newSession()
        for name, value in {
            "endpoint": server.address,
            "endpoint.region": "us-east-1",
            "access.key": "ME",
            "secret.key": "hush-hush-1",
        }.items():
            made.conf.set(f"fs.s3a.{name}", value)
        return made

    def test_a_bucket_is_tried_and_left_as_it_was(self, session: SparkSession, server: LoopbackS3) -> None:
        tried, clock = check_folder(session, "home", "s3a://lake/home")
        assert (tried.status, clock.status) == ("ok", "ok")
        server.keys.clear()
        again, _ = check_folder(session, "home", "s3a://lake/home")
        assert again.status == "ok"

    def test_a_bucket_that_denies_is_told_with_the_step(self, session: SparkSession, server: LoopbackS3) -> None:
        server.refusal = DENIED
        (found,) = check_folder(session, "home", "s3a://lake/home")
        assert (found.status, "writing" in found.found) == ("fail", True)
        assert "hush-hush-1" not in str(found)

    def test_a_bucket_that_is_not_there_is_told(self, session: SparkSession) -> None:
        (found,) = check_folder(session, "home", "s3a://nobody/home")
        assert found.status == "fail"
