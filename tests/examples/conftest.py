"""A server with phones and an application beside it, for each test its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.phones import Stage, stage


@pytest.fixture
async def theatre(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as running:
        yield running
