"""`model.files`: the folder whose files a model may read, as workers reach it."""

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyarrow import fs

from sparkscore.errors import ConfigError
from sparkscore.pipelines.shared.readable_files import check_model_files, locate_readable_files
from sparkscore.workloads.images.file_reading import FileFolder
from tests.s3_server import serve_s3

READS: dict[str, Any] = {"sparkscore": {"reads_files": True}}


def attempt_of(files: str | None) -> Any:
    settings = SimpleNamespace(model=SimpleNamespace(files=files))
    return SimpleNamespace(settings=settings, session=None, require_session=lambda: None)


def model_of(metadata: Any) -> Any:
    return SimpleNamespace(name="photos", described={"metadata": metadata})


def test_a_folder_on_s3_is_reached_with_the_keys_that_tables_are_reached_with(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_s3("lake") as server:
        place = {"endpoint_override": server.address, "region": "us-east-1"}
        owner = fs.S3FileSystem(access_key="owner", secret_key="hush", **place)
        with owner.open_output_stream("lake/photos/one.jpg") as file:
            file.write(b"one")
        for name, value in {
            "AWS_ACCESS_KEY_ID": "TABLES",
            "AWS_SECRET_ACCESS_KEY": "hush",
            "AWS_ENDPOINT_URL": server.address,
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        server.keys.clear()
        attempt, model = attempt_of("s3a://lake/photos"), model_of(READS)
        check_model_files(attempt, model)
        found = locate_readable_files(attempt, model)
        assert found is not None
        assert "hush" not in repr(found)
        with pytest.raises(ConfigError, match="is not there"):
            check_model_files(attempt_of("s3a://lake/absent"), model)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name)  # a worker has none of them
        assert FileFolder(pickle.loads(pickle.dumps(found))).read_file("one.jpg") == b"one"
        assert set(server.keys) == {"TABLES"}


@pytest.mark.parametrize(
    ("files", "metadata", "words"),
    [
        (None, READS, "model.files is not set"),
        ("{folder}", None, "reads no files"),
        ("{folder}", {"sparkscore": {"reads_files": "yes"}}, "reads no files"),
        ("{folder}/absent", READS, "is not there"),
        ("hdfs://cluster/photos", READS, "workers do not reach the files"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_row_is_read(
    tmp_path: Path, files: str | None, metadata: Any, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        check_model_files(attempt_of(files and files.format(folder=tmp_path)), model_of(metadata))
    assert refused.value.exit_code == 2


def test_a_model_that_reads_none_needs_none() -> None:
    check_model_files(attempt_of(None), model_of(None))
    assert locate_readable_files(attempt_of(None), model_of(None)) is None
