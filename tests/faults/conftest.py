"""Three nodes for all tests of faults, and one world that goes on from test to test as long as it is exact."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.nodes import Nodes, running_nodes
from tests.faults.world import World, living_world


class Worlds:
    """Keeps a world until a test spoils it: starting its workers takes longer than most faults."""

    def __init__(self, nodes: Nodes, folder: Path) -> None:
        self._nodes, self._folder = nodes, folder
        self._stack = ExitStack()
        self._world: World | None = None

    def take(self) -> World:
        """The world, or a new one."""
        if self._world is None:
            name = f"faults-{uuid.uuid4().hex[:8]}"
            folder = self._folder / name
            folder.mkdir()
            self._world = self._stack.enter_context(living_world(self._nodes, f"{name}-", folder))
        return self._world

    def end(self) -> list[str]:
        """End the world; returns where the local rows of its workers differ from the changelog."""
        found = self._world.end() if self._world is not None else []
        self._world = None
        self._stack.close()
        return found


@pytest.fixture(scope="package")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with running_nodes(tmp_path_factory.mktemp("nodes")) as made:
        yield made


@pytest.fixture(scope="package")
def worlds(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    made = Worlds(nodes, tmp_path_factory.mktemp("worlds"))
    yield made
    assert made.end() == []


@pytest.fixture
def world(worlds: Worlds) -> Iterator[World]:
    taken = worlds.take()
    taken.exact = False
    yield taken
    if not taken.exact:
        worlds.end()
