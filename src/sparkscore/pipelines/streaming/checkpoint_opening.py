"""Opens the checkpoint of a stream: refuses one that was lost, or that is somebody else's."""

from dataclasses import replace

from sparkscore.errors import ConfigError
from sparkscore.ingest.stream_source import StreamSource
from sparkscore.pipelines.streaming.stream_job import StreamJob
from sparkscore.records import RunEvent, to_utc_text
from sparkscore.store.stream_checkpoint import (
    CheckpointStamp,
    StreamCheckpoint,
    count_checkpoint_folders,
    holds_foreign_files,
    load_stamp,
    write_stamp,
)


def open_checkpoint(job: StreamJob, *, anew: bool = False) -> StreamCheckpoint:
    """The checkpoint that the stream goes on with, or a new one where there was none, or where it is to begin anew.

    Raises:  ConfigError where micro-batches of the job are published that the checkpoint does not know, and for one of
             another job or source.
    """
    root, own = job.settings.checkpoint_uri, _describe_own_stamp(job)
    if anew:
        return write_stamp(job.spark, root, replace(own, folder=count_checkpoint_folders(job.spark, root) + 1))
    stamp = load_stamp(job.spark, root)
    if stamp is None:
        if holds_foreign_files(job.spark, root):
            raise ConfigError(
                f"{root} holds files and no stamp of a stream: it is the checkpoint of something else, or was damaged",
                "an empty folder, or the checkpoint of this job",
                "name another folder: stream.checkpoint; or begin anew beside what is there: --new-checkpoint",
            )
        if job.last_batch is not None:
            raise _lost_checkpoint(job, root, job.last_batch, "is empty")
        return write_stamp(job.spark, root, own)
    _refuse_other_owner(job, root, stamp, own)
    checkpoint = StreamCheckpoint(job.spark, root, stamp)
    _refuse_older_checkpoint(job, checkpoint)
    return checkpoint


def choose_stream_source(job: StreamJob, checkpoint: StreamCheckpoint) -> StreamSource:
    """The source with the version that a checkpoint begins with; Spark asks for it until it knows an offset.

    `latest` means what it meant when the checkpoint was new: also for a stream that was ended before its first row.
    """
    first, table = checkpoint.stamp.first_version, job.source_table
    if first is None or table is None:
        return job.source
    told = "latest" if first > table.load_newest_version() else str(first)  # Delta refuses one that is to come
    return replace(job.source, options={**job.source.options, "startingVersion": told})


def _describe_own_stamp(job: StreamJob) -> CheckpointStamp:
    table, first = job.source_table, job.settings.stream.starting_version
    if table is None:
        return CheckpointStamp(job.settings.job, job.source.name, job.source.format)
    version = table.load_newest_version() + 1 if first == "latest" else first
    return CheckpointStamp(job.settings.job, job.source.name, job.source.format, table.id, first_version=version)


def _refuse_other_owner(job: StreamJob, root: str, stamp: CheckpointStamp, own: CheckpointStamp) -> None:
    begin_anew = "name another folder: stream.checkpoint; or begin anew: --new-checkpoint"
    if stamp.job not in job.names:
        raise ConfigError(
            f"the checkpoint {root} belongs to the job {stamp.job}", f"one of the job {job.settings.job}", begin_anew
        )
    if (stamp.source, stamp.format) != (own.source, own.format):
        raise ConfigError(
            f"the checkpoint {root} counts rows of {stamp.source} ({stamp.format})",
            f"one of {own.source} ({own.format})",
            begin_anew,
        )
    if stamp.source_id != own.source_id:
        raise ConfigError(
            f"{own.source} was made anew since the checkpoint {root}: its versions are other ones",
            f"the table with the id {stamp.source_id}, not {own.source_id}",
            "score its rows from the beginning, or from a version on: --new-checkpoint, --stream.starting_version",
        )


def _refuse_older_checkpoint(job: StreamJob, checkpoint: StreamCheckpoint) -> None:
    """Refuse one that lacks a micro-batch which is published: its files were lost, or restored from an older copy."""
    if job.last_batch is None:
        return
    batch = _batch_facts(job.last_batch)
    if batch.get("checkpoint") != checkpoint.stamp.id:
        return
    known, number = checkpoint.list_batches(), int(batch.get("number", 0))
    if not known or known[-1] < number:
        raise _lost_checkpoint(
            job,
            checkpoint.root,
            job.last_batch,
            f"ends with micro-batch {known[-1]}" if known else "has lost its micro-batches",
        )


def _batch_facts(event: RunEvent) -> dict[str, str]:
    return dict((event.parsed_details.get("landing") or {}).get("batch") or {})


def _lost_checkpoint(job: StreamJob, root: str, event: RunEvent, what: str) -> ConfigError:
    batch = _batch_facts(event)
    following = batch.get("next_version")
    where = f" --stream.starting_version {following}" if following else ""
    return ConfigError(
        f"the checkpoint {root} {what}, and micro-batch {batch.get('number')} of {job.settings.job} is published"
        f" (as_of {to_utc_text(event.as_of)})",
        "the checkpoint as the last stream left it: without it, rows would be scored twice",
        f"restore it; or go on without it: --new-checkpoint{where}"
        + (f" (versions of {job.source.name} before {following} are published)" if following else ""),
    )
