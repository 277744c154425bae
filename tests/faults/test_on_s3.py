"""Whole jobs with everything on S3: a real S3A in drivers of their own, against an S3 on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from sparkscore.settings import Settings
from tests.faults.children import Child
from tests.faults.models import Traps
from tests.faults.points import Order, eventually
from tests.faults.scene import plain
from tests.maven_jars import S3A
from tests.s3_server import LoopbackS3, serve_s3
from tests.world import AS_OF, MODEL, Registry, source_rows

pytestmark = [pytest.mark.slow, S3A.needed]

ROWS = 500
_EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"


@dataclass(frozen=True)
class S3Home:
    """A home folder on S3 with a source, and drivers that work on it."""

    server: LoopbackS3
    folder: Path
    registry: Registry
    name: str

    @property
    def uri(self) -> str:
        return f"s3a://lake/{self.name}"

    def order(self, at: str = "", do: str = "kill", **groups: Any) -> Order:
        """A run of the job, hurt where it says."""
        settings = Settings(
            job="late-flights",
            home=self.uri,
            source={"table": "flights", "keys": ["id"], "passthrough": ["carrier"], **groups.get("source", {})},
            model={"uri": f"models:/{MODEL}@champion", "tracking_uri": self.registry.uri},
            output={"table": "predictions", "threshold": 0.5},
            scoring={"repeat_rows": 0},
        )
        return Order(plain(settings), AS_OF, marker=str(self.folder / "fault"), at=at, do=do)

    def driver(self) -> Child:
        """A process of its own, whose Spark reaches the server by S3A."""
        conf = {
            "spark.hadoop.fs.s3a.endpoint": self.server.address,
            "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.access.key": "SPARK",
            "spark.hadoop.fs.s3a.secret.key": "hush",
            "spark.hadoop.fs.s3a.attempts.maximum": "2",
        }
        return Child(self.folder / f"driver-{len(list(self.folder.iterdir()))}.log", conf=conf)

    def open_table(self, name: str) -> DeltaTable:
        return DeltaTable(f"s3://lake/{self.name}/tables/{name}", storage_options=options_of(self.server))

    def assert_published_once(self) -> None:
        """Each row of the source has one prediction, the model's."""
        found = self.open_table("predictions").to_pyarrow_table().sort_by("id")
        rows = source_rows(ROWS)
        assert found["id"].to_pylist() == rows["id"].to_pylist()
        np.testing.assert_allclose(found["prediction"], self.registry.expected(rows), rtol=0, atol=1e-12)
        assert len(set(found["run_id"].to_pylist())) == 1


def options_of(server: LoopbackS3) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_REGION": "us-east-1"}
    return {**keys, "AWS_ENDPOINT_URL": server.address, "AWS_ALLOW_HTTP": "true", "aws_conditional_put": "etag"}


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackS3]:
    with serve_s3("lake") as made:
        yield made


@pytest.fixture
def home(
    server: LoopbackS3,
    watched: tuple[Registry, Traps],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> S3Home:
    """A home with a source; drivers find S3A on their class path, and no credentials but those that they are told."""
    monkeypatch.setenv("SPARK_DIST_CLASSPATH", S3A.extend_class_path())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    watched[0].alias(1)
    made = S3Home(server, tmp_path, watched[0], uuid4().hex)
    source: pa.Table = source_rows(ROWS)
    write_deltalake(f"s3://lake/{made.name}/tables/flights", source, storage_options=options_of(server))
    return made


def test_a_whole_job_has_its_home_there_and_a_second_call_finds_it_done(home: S3Home) -> None:
    driver = home.driver()
    try:
        report = driver.does(home.order())
        assert (report["status"], report["transport"]) == ("published", "scan"), report
        again = driver.does(home.order())
        absent = driver.does(home.order(source={"table": "s3a://absent/flights"}))
        home.server.refusal = _EXPIRED
        expired = driver.does(home.order())
    finally:
        home.server.refusal = None
        driver.end()
    home.assert_published_once()
    assert again["status"] == "already_published"
    assert (absent["exit_code"], "the bucket is not there" in absent["error"]["message"]) == (2, True), absent
    assert (expired["exit_code"], "no longer takes the credentials" in expired["error"]["message"]) == (75, True)
    events = home.open_table("predictions_runs").to_pyarrow_table().sort_by("at")["event"].to_pylist()
    assert [one for one in events if one == "published"] == ["published"]
    assert report["report"].startswith(f"{home.uri}/reports/")


def test_what_a_killed_driver_left_is_taken_up_and_published_once(home: S3Home) -> None:
    killed, second = home.driver(), home.driver()
    try:
        assert killed.dies(home.order("before publish")) == -9
        report = second.does(home.order())
    finally:
        killed.end()
        second.end()
    assert (report["status"], report["attempt"], report["rows_scored"]) == ("published", 2, ROWS), report
    home.assert_published_once()


@contextmanager
def held_driver(home: S3Home, traps: Traps, at: str) -> Iterator[Child]:
    """A driver that stands still in the middle of a run, until it is let go."""
    driver = home.driver()
    try:
        if at == "scoring":
            traps.set("hold", after=0)
        driver.begin(home.order() if at == "scoring" else home.order(at, "hold"))
        is_held = traps.caught if at == "scoring" else (home.folder / "fault").exists
        assert eventually(lambda: bool(is_held())), driver.log.read_text()[-3000:]
        yield driver
    finally:
        driver.end()


@pytest.mark.parametrize("at", ["scoring", "before publish"])
def test_credentials_that_expire_in_the_middle_end_the_run_with_75_and_the_next_one_goes_on(
    home: S3Home, watched: tuple[Registry, Traps], at: str
) -> None:
    traps = watched[1]
    try:
        with held_driver(home, traps, at) as driver:
            home.server.refusal = _EXPIRED
            traps.free()
            (home.folder / "fault.go").touch()
            expired = driver.answer()
            home.server.refusal = None
            paid = traps.paid()
            report = driver.does(home.order())
    finally:
        home.server.refusal = None
        traps.free()
    assert expired is not None
    assert expired["exit_code"] == 75, expired
    assert "no longer takes the credentials" in expired["error"]["message"]
    assert (report["status"], report["attempt"]) == ("published", 2), report
    assert traps.paid() - paid == (ROWS if at == "scoring" else 0)
    home.assert_published_once()


def test_two_drivers_of_one_as_of_make_one_publication(home: S3Home) -> None:
    first, second = home.driver(), home.driver()
    try:
        first.begin(home.order("before publish", "hold"))
        assert eventually((home.folder / "fault").exists), first.log.read_text()[-3000:]
        theirs = second.does(home.order())
        (home.folder / "fault.go").touch()
        mine = first.answer()
    finally:
        first.end()
        second.end()
    assert mine is not None
    assert sorted([mine["status"], theirs["status"]]) == ["already_published", "published"], (mine, theirs)
    home.assert_published_once()
