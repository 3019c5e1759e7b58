"""Where the tests find the program: DASHHOST, as for users."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashhost_langgraph import DashhostSaver

if not os.environ.get("DASHHOST"):
    raise pytest.UsageError("DASHHOST: not set; make langgraph builds the program and sets it")


@pytest.fixture
def savers(tmp_path: Path) -> Iterator[Callable[..., DashhostSaver]]:
    """Makes savers over one folder, which are closed with the test."""
    made: list[DashhostSaver] = []

    def make(**options: object) -> DashhostSaver:
        options = {"store": str(tmp_path / "store"), **options}
        made.append(DashhostSaver(**options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for saver in made:
        saver.close()


@pytest.fixture
def saver(savers: Callable[..., DashhostSaver]) -> DashhostSaver:
    return savers()
