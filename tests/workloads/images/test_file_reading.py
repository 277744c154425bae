"""Paths in rows -> the files' content, from one folder and from nowhere else."""

import os
import pickle
from pathlib import Path

import pytest
from pyarrow import fs

from sparkscore.errors import ModelError
from sparkscore.records.model_files import ModelFiles, get_model_files, offer_model_files
from sparkscore.workloads.images.file_reading import FileFolder
from sparkscore.workloads.images.image_decoding import BrokenImageError
from tests.s3_server import serve_s3


@pytest.fixture
def folder(tmp_path: Path) -> FileFolder:
    root = tmp_path / "photos"
    (root / "a b").mkdir(parents=True)
    (root / "a b" / "one?#%20.jpg").write_bytes(b"one")
    (root / "two.jpg").write_bytes(b"two")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "photos-of-others").mkdir()
    (tmp_path / "photos-of-others" / "secret.jpg").write_bytes(b"secret")
    return FileFolder(ModelFiles(str(root), str(root), ""))


def code_of(folder: FileFolder, path: str) -> str:
    with pytest.raises(BrokenImageError) as caught:
        folder.read_file(path)
    assert "secret" not in caught.value.message
    return caught.value.code


def test_paths_are_from_the_folder_on_or_whole(folder: FileFolder) -> None:
    root = folder.files.root
    for path in (
        "two.jpg",
        f"{root}/two.jpg",
        f"file:{root}/two.jpg",
        f"file://{root}/two.jpg",
        f"FILE:{root}/two.jpg",
    ):
        assert folder.read_file(path) == b"two", path
    assert folder.read_file("a b/one?#%20.jpg") == b"one"
    assert folder.read_file(f"file:{root}/a b/one?#%20.jpg") == b"one"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.jpg",
        "a b/../../secret.jpg",
        "a b/../two.jpg",
        "/etc/passwd",
        "{root}-of-others/secret.jpg",
        "{root}/../secret.jpg",
        "file://other/two.jpg",
        "s3://bucket/two.jpg",
        "http://localhost/two.jpg",
        "two.jpg\0.png",
    ],
)
def test_a_path_that_leaves_it_is_refused(folder: FileFolder, path: str) -> None:
    assert code_of(folder, path.format(root=folder.files.root)) == "path_outside_root"


def test_so_is_a_link_that_does(folder: FileFolder, tmp_path: Path) -> None:
    root = Path(folder.files.root)
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "link").symlink_to(tmp_path)
    (root / "inner.jpg").symlink_to(root / "two.jpg")
    assert code_of(folder, "link.jpg") == "path_outside_root"
    assert code_of(folder, "link/secret.jpg") == "path_outside_root"
    assert folder.read_file("inner.jpg") == b"two"


def test_what_is_no_file_is_refused_and_nothing_hangs(folder: FileFolder) -> None:
    os.mkfifo(Path(folder.files.root, "pipe.jpg"))
    assert code_of(folder, "pipe.jpg") == "file_denied"
    assert code_of(folder, "a b") == "file_denied"
    assert code_of(folder, "two.jpg/inside.jpg") == "file_denied"
    assert [code_of(folder, path) for path in ("none.jpg", "", "/", ".")][:1] == ["file_missing"]


def test_a_file_that_is_too_large_is_not_read(folder: FileFolder) -> None:
    assert code_of(FileFolder(folder.files, max_bytes=2), "two.jpg") == "file_too_large"


def test_without_the_folder_nothing_is_read_at_all(tmp_path: Path) -> None:
    absent = FileFolder(ModelFiles("/absent", str(tmp_path / "absent"), ""))
    with pytest.raises(FileNotFoundError, match=r"model\.files"):
        absent.require_folder()


def test_it_is_offered_to_a_model_while_that_is_loaded(folder: FileFolder) -> None:
    with pytest.raises(ModelError):
        get_model_files()
    with offer_model_files(folder.files):
        assert get_model_files() == folder.files
    with pytest.raises(ModelError):
        get_model_files()


def test_on_a_store_it_is_read_with_the_session_s_keys() -> None:
    with serve_s3("photos", "others") as server:
        place = {"endpoint_override": server.address, "region": "us-east-1"}
        owner = fs.S3FileSystem(access_key="owner", secret_key="hush", **place)
        for name in ("photos/in/a b/one.jpg", "photos/in/two.jpg", "photos/secret.jpg", "others/in/secret.jpg"):
            with owner.open_output_stream(name) as file:
                file.write(name.encode())
        own = fs.S3FileSystem(access_key="SPARK", secret_key="hush", **place)
        shipped = pickle.loads(pickle.dumps(ModelFiles("s3a://photos/in", "photos/in", "", own)))
        folder = FileFolder(shipped)
        folder.require_folder()
        server.keys.clear()
        assert folder.is_remote
        assert folder.read_file("a b/one.jpg") == b"photos/in/a b/one.jpg"
        assert folder.read_file("s3://photos/in/two.jpg") == b"photos/in/two.jpg"
        assert folder.read_file("s3a://photos/in/two.jpg") == b"photos/in/two.jpg"
        assert set(server.keys) == {"SPARK"}
        outside = ("../secret.jpg", "s3a://photos/secret.jpg", "s3a://others/in/secret.jpg", "file:/etc/passwd", "/a")
        assert {code_of(folder, path) for path in outside} == {"path_outside_root"}
        assert code_of(folder, "none.jpg") == "file_missing"
        assert code_of(FileFolder(shipped, max_bytes=3), "two.jpg") == "file_too_large"
