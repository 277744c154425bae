import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.errors import ModelError
from sparkscore.model.trust.model_digest import compute_former_digest, compute_model_digest, frame_parts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "MLmodel").write_text("flavors: {}")
    (tmp_path / "data" / "model.bin").write_bytes(b"\x00\x01")
    return tmp_path


def test_equal_files_have_equal_digests_wherever_they_lie(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "data").mkdir()
    (other / "empty").mkdir()
    (other / "data" / "model.bin").write_bytes(b"\x00\x01")
    (other / "MLmodel").write_text("flavors: {}")
    assert compute_model_digest(folder) == compute_model_digest(str(other))
    assert len(compute_model_digest(folder)) == 64


def test_one_flipped_bit_changes_the_digest(folder: Path) -> None:
    before = compute_model_digest(folder)
    (folder / "data" / "model.bin").write_bytes(b"\x00\x00")
    assert compute_model_digest(folder) != before


def test_a_renamed_file_changes_the_digest(folder: Path) -> None:
    before = compute_model_digest(folder)
    (folder / "data" / "model.bin").rename(folder / "data" / "other.bin")
    assert compute_model_digest(folder) != before


def test_a_file_more_changes_the_digest(folder: Path) -> None:
    before = compute_model_digest(folder)
    (folder / "data" / "sitecustomize.py").touch()
    assert compute_model_digest(folder) != before


def test_a_link_is_refused(folder: Path) -> None:
    (folder / "data" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(ModelError, match="passwd among the model's files is a link"):
        compute_model_digest(folder)


def test_a_linked_folder_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "code").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(ModelError, match="code among the model's files is a link"):
        compute_model_digest(folder)


@pytest.mark.parametrize("name", ["nothing", "absent"])
def test_no_files_are_no_model(tmp_path: Path, name: str) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ModelError, match="no model files"):
        compute_model_digest(tmp_path / name)


def test_a_name_that_holds_what_joined_two_files_is_another_model(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (two / "x").write_bytes(b"first")
    (two / "y").write_bytes(b"second")
    (one / f"x\n{hashlib.sha256(b'second').hexdigest()}  y").write_bytes(b"first")
    assert compute_model_digest(one) != compute_model_digest(two)
    assert compute_former_digest(one) is None


def test_the_former_digest_of_files_is_the_one_that_older_pins_hold(folder: Path) -> None:
    lines = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("MLmodel", "data/model.bin")}
    joined = "".join(f"{content}  {name}\n" for name, content in lines.items())
    assert compute_former_digest(folder) == hashlib.sha256(joined.encode()).hexdigest() != compute_model_digest(folder)


def test_a_name_that_is_no_utf_8_counts_as_it_is(folder: Path) -> None:
    before = compute_model_digest(folder)
    Path(f"{folder}/caf\udce9").touch()
    first = compute_model_digest(folder)
    Path(f"{folder}/caf\udce9").rename(f"{folder}/caf\udce8")
    assert len({before, first, compute_model_digest(folder)}) == 3
    assert compute_former_digest(folder) != compute_former_digest(folder / "data")


PARTS = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"\n", b"\0" * 8, b"\0" * 7 + b"\x01", b"x\ny"]))
FILES = st.dictionaries(PARTS, PARTS, max_size=4)


@given(FILES, FILES)
def test_no_two_sets_of_files_are_framed_alike(one: dict[bytes, bytes], two: dict[bytes, bytes]) -> None:
    assert (frame_parts(one.items()) == frame_parts(two.items())) == (one == two)


@given(FILES)
def test_what_is_framed_can_be_told_apart_again(files: dict[bytes, bytes]) -> None:
    text, parts = frame_parts(files.items()).removeprefix(b"sparkscore-model-2\0"), []
    while text:
        end = 8 + int.from_bytes(text[:8], "big")
        parts.append(text[8:end])
        text = text[end:]
    assert dict(zip(parts[::2], parts[1::2], strict=True)) == files


@given(FILES)
def test_the_order_of_files_counts_for_nothing(files: dict[bytes, bytes]) -> None:
    assert frame_parts(files.items()) == frame_parts(reversed(files.items()))
