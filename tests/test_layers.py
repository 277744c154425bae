"""What tests begin with is made once."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.layers import Trail


class Home:
    """A folder with a trail, and a list of what was really done to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        self.trail = Trail()
        self.done: list[str] = []

    def write(self, name: str, *, without: str = "") -> str:
        """A step that makes a file, and removes one."""

        def act() -> str:
            self.done.append(name)
            (self.folder / "deep").mkdir(exist_ok=True)
            (self.folder / "deep" / name).write_text(name)
            if without:
                (self.folder / "deep" / without).unlink()
            return uuid4().hex

        return self.trail.follow(self.folder, f"{self.seed} {name} {without}", act)

    seed = ""

    @property
    def files(self) -> list[str]:
        return sorted(file.name for file in self.folder.rglob("*") if file.is_file())


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Home, Home]:
    monkeypatch.setattr(Home, "seed", uuid4().hex)
    return Home(tmp_path / "one"), Home(tmp_path / "two")


def test_a_step_that_another_home_has_seen_is_copied_with_its_result(homes: tuple[Home, Home]) -> None:
    one, two = homes
    assert [one.write("a"), one.write("b")] == [two.write("a"), two.write("b")]
    assert (one.done, two.done) == (["a", "b"], [])
    assert two.files == one.files == ["a", "b"]
    assert (two.folder / "deep" / "b").read_text() == "b"


def test_a_file_that_a_step_has_removed_is_gone_from_the_copy_too(homes: tuple[Home, Home]) -> None:
    two = homes[1]
    for home in homes:
        home.write("a")
        home.write("b", without="a")
    assert (two.done, two.files) == ([], ["b"])


def test_after_other_steps_it_is_done_anew(homes: tuple[Home, Home]) -> None:
    one, two = homes
    one.write("b")
    two.write("a")
    assert one.write("c") != two.write("c")
    assert (two.done, two.files) == (["a", "c"], ["a", "c"])


@pytest.mark.parametrize("change", ["more", "another", "less"])
def test_what_somebody_has_done_to_a_home_meanwhile_is_kept(homes: tuple[Home, Home], change: str) -> None:
    one, two = homes
    for home in homes:
        home.write("a")
    one.write("b")
    file = two.folder / "deep" / "a"
    if change == "less":
        file.unlink()
    else:
        (file if change == "another" else file.with_name("own")).write_text("own")
    two.write("b")
    assert two.done == ["b"]
    assert (two.folder / "deep" / "a").exists() == (change != "less")
    two.write("c")
    assert two.done == ["b", "c"]
