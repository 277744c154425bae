"""Many models in one archive: taken out of it one by one, and verified."""

import zipfile
from pathlib import Path

import pytest

from sparkscore.errors import DigestMismatch
from sparkscore.model.distribution.model_shipping import zip_folders
from sparkscore.model.distribution.unpacked_model import release_model, unpack_model
from sparkscore.model.trust.model_digest import compute_model_digest


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Folders of two models, by their digests; what is unpacked lies in a folder of the test's."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folders = {}
    for name in ("a", "b"):
        folder = tmp_path / name
        (folder / "data").mkdir(parents=True)
        (folder / "MLmodel").write_text(name)
        (folder / "data" / "weights").write_text(name * 100)
        folders[compute_model_digest(folder)] = folder
    return folders


def test_each_model_is_taken_out_alone_and_has_its_digest(models: dict[str, Path], tmp_path: Path) -> None:
    pack = zip_folders(models, tmp_path / "pack.zip")
    first, second = models
    unpacked = Path(unpack_model(pack, first, is_packed=True))
    assert compute_model_digest(unpacked) == first
    assert not (unpacked.parent / second).exists()
    assert compute_model_digest(unpack_model(pack, second, is_packed=True)) == second
    for digest in models:
        release_model(digest)


def test_a_pack_that_holds_other_files_under_a_digest_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    first, second = models
    swapped = zip_folders({first: models[second]}, tmp_path / "swapped.zip")
    with pytest.raises(DigestMismatch, match="have the digest"):
        unpack_model(swapped, first, is_packed=True)


def test_a_pack_without_the_model_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    first, second = models
    with pytest.raises(DigestMismatch):
        unpack_model(zip_folders({first: models[first]}, tmp_path / "less.zip"), second, is_packed=True)


def test_an_entry_that_leads_outside_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    first = next(iter(models))
    hostile = tmp_path / "hostile.zip"
    with zipfile.ZipFile(hostile, "w") as archive:
        archive.writestr(f"{first}/../../escaped", "x")
    with pytest.raises(DigestMismatch, match="cannot be read"):
        unpack_model(hostile, first, is_packed=True)
    assert not list(tmp_path.rglob("escaped"))
