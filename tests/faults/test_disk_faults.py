"""Local state deleted, put back from an earlier day, or without room: all stays exact."""

import pytest

from tests.faults.disk_faults import FullDisk, LostDisk, StaleDisk, can_mount
from tests.faults.striking import strike
from tests.faults.world import World

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]

KINDS = ["similarity", pytest.param("profiles", marks=pytest.mark.faults)]


@pytest.mark.parametrize("kind", KINDS)
def test_local_state_deleted(kind: str, world: World) -> None:
    strike(world, LostDisk(kind, "1"))
    assert [path.name for path in world.data_of(kind).iterdir()]


@pytest.mark.faults
@pytest.mark.parametrize("kind", KINDS)
def test_local_state_of_an_earlier_time_put_back(kind: str, world: World) -> None:
    strike(world, StaleDisk(kind, "1", 3.0), count=2_400)


@pytest.mark.faults
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["tmpfs", "limit"])
def test_a_full_disk(way: str, kind: str, world: World) -> None:
    if way == "tmpfs" and not can_mount():
        pytest.skip("a small disk cannot be mounted here: it needs the right to mount (root)")
    worker = world.worker(kind)
    strike(world, FullDisk(kind, "1", "tmpfs" if way == "tmpfs" else "limit"), count=6_000)
    assert worker.codes[-1] == 2
    assert "cannot write the local state" in worker.text()
