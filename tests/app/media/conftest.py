"""A store in a folder of the test's own."""

import pytest

from app.media import MediaStore
from app.settings import Settings


@pytest.fixture
def store(settings: Settings) -> MediaStore:
    return MediaStore(settings)
