import pytest

from sonoplane.frames.archive import Archive
from tests.training.tiny_archive import write_archive


@pytest.fixture(scope="session")
def tiny_archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Six recordings of twelve frames."""
    return write_archive(tmp_path_factory.mktemp("tiny") / "archive")
