"""One registry for the tests of the room."""

import pytest

from tests.model.shelf import Shelf


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A registry on sqlite, and a folder for private copies; its path has a space in it."""
    return Shelf(tmp_path_factory.mktemp("the shelf"))
