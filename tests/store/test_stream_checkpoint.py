"""The as_of of a micro-batch: written once, ascending with its number, whatever the clock does."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, PublishConflict
from sparkscore.store import hadoop_folders
from sparkscore.store.stream_checkpoint import CheckpointStamp, StreamCheckpoint, load_stamp, write_stamp

STAMP = CheckpointStamp("late-flights", "flights", "delta", "t-1")


@pytest.fixture(params=["local", "hadoop"])
def root(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "hadoop":  # Hadoop's client, as for all that is not on this machine
        monkeypatch.setattr(hadoop_folders, "_find_local_path", lambda *_: None)
    return str(tmp_path / "checkpoint")


def reopened(spark: SparkSession, root: str) -> StreamCheckpoint:
    """As the next process finds it."""
    stamp = load_stamp(spark, root)
    assert stamp is not None
    return StreamCheckpoint(spark, root, stamp)


def test_a_stamp_is_read_as_it_was_written_and_an_absent_one_is_none(spark: SparkSession, root: str) -> None:
    assert load_stamp(spark, root) is None
    assert write_stamp(spark, root, STAMP).spark_folder == f"{root}/1"
    assert reopened(spark, root).stamp == STAMP
    Path(root, ".stream-owner.json.crc").unlink(missing_ok=True)  # Hadoop's, of what the file held
    Path(root, "stream-owner.json").write_text("[]")
    with pytest.raises(ConfigError, match="no stamp of a stream"):
        load_stamp(spark, root)


def test_a_stamp_that_differs_from_its_checksum_is_refused_with_what_to_do(spark: SparkSession, root: str) -> None:
    write_stamp(spark, root, STAMP)
    checksum, stamp = Path(root, ".stream-owner.json.crc"), Path(root, "stream-owner.json")
    stamp.write_text(stamp.read_text().replace("late-flights", "hate-flights"))
    if not checksum.exists():  # a file of this machine, which Hadoop has not written
        assert reopened(spark, root).stamp.job == "hate-flights"
        return
    with pytest.raises(ConfigError, match=r"stream-owner.json was damaged or edited: .*json.crc differs") as one:
        load_stamp(spark, root)
    assert one.value.exit_code == 2
    assert f"remove {root}/.stream-owner.json.crc" in one.value.do
    assert "--new-checkpoint" in one.value.do
    checksum.unlink()
    assert reopened(spark, root).stamp.job == "hate-flights"


@pytest.mark.parametrize("file", ["stream-owner.json", "batches/1-0.json"])
def test_a_file_that_is_no_text_or_another_one_is_refused_with_what_to_do(
    spark: SparkSession, root: str, file: str
) -> None:
    write_stamp(spark, root, STAMP).pin_batch(0, after=None)
    for content in (b"\xff\xfe", b"[]", b"{}"):
        Path(root, file).with_name(f".{Path(file).name}.crc").unlink(missing_ok=True)
        Path(root, file).write_bytes(content)
        with pytest.raises(ConfigError) as one:
            reopened(spark, root).pin_batch(0, after=None)
        assert "--new-checkpoint" in one.value.do


def test_an_as_of_stays_what_it_was_and_ascends_also_where_the_clock_goes_back(spark: SparkSession, root: str) -> None:
    first = write_stamp(spark, root, STAMP)
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    zero = first.pin_batch(0, after=tomorrow)  # of a job whose newest as_of a faster clock has made
    assert (zero.as_of, zero.is_new) == (tomorrow + timedelta(milliseconds=1), True)
    one = first.pin_batch(1, after=None)
    assert one.as_of == zero.as_of + timedelta(milliseconds=1)
    again = reopened(spark, root)
    assert again.pin_batch(1, after=None).as_of == one.as_of
    assert not again.pin_batch(1, after=None).is_new
    assert again.pin_batch(2, after=None).as_of > one.as_of


def test_a_long_stream_keeps_the_as_ofs_of_the_last_hundred(spark: SparkSession, root: str) -> None:
    checkpoint = write_stamp(spark, root, STAMP)
    as_ofs = [checkpoint.pin_batch(number, after=None).as_of for number in range(104)]
    assert as_ofs == sorted(set(as_ofs))
    assert len(list(Path(root, "batches").glob("*.json"))) == 100
    assert reopened(spark, root).pin_batch(103, after=None).as_of == as_ofs[-1]


def test_an_older_checkpoint_and_a_second_stream_are_refused(spark: SparkSession, root: str) -> None:
    mine, other = write_stamp(spark, root, STAMP), StreamCheckpoint(spark, root, STAMP)
    other._load_as_ofs()  # both have looked before either writes
    for number in range(3):
        mine.pin_batch(number, after=None)
    with pytest.raises(PublishConflict, match="another stream works on micro-batch 0"):
        other.pin_batch(0, after=None)
    with pytest.raises(ConfigError, match="begins with micro-batch 0, and 2 was begun before"):
        reopened(spark, root).pin_batch(0, after=None)


def test_a_new_beginning_counts_anew(spark: SparkSession, root: str) -> None:
    write_stamp(spark, root, STAMP).pin_batch(0, after=None)
    anew = write_stamp(spark, root, CheckpointStamp("late-flights", "flights", "delta", "t-1", folder=2))
    assert anew.pin_batch(0, after=None).is_new


def test_offsets_are_those_of_sparks_own_files(spark: SparkSession, root: str) -> None:
    checkpoint = write_stamp(spark, root, STAMP)
    assert checkpoint.list_batches() == []
    folder = Path(checkpoint.spark_folder, "offsets")
    folder.mkdir(parents=True)
    for number in (9, 10):
        (folder / str(number)).write_text('v1\n{"batchWatermarkMs":0}\n' + json.dumps({"reservoirVersion": number}))
        (folder / f".{number}.crc").write_text("crc")
    assert checkpoint.list_batches() == [9, 10]
    assert checkpoint.load_offset(10) == {"reservoirVersion": 10}
    assert checkpoint.load_offset(11) is None
