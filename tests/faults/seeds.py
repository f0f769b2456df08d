"""One seed: a world, its plan of faults, and what came of it."""

import time
import uuid
from collections import Counter
from pathlib import Path
from random import Random

from confluent_kafka import KafkaException

from agents.runtime.clients import admin_client
from agents.settings import Settings
from agents.topics import build_topics
from tests.broker.comparison import count_lists
from tests.broker.ledger import Ledger
from tests.faults.disk_faults import can_mount
from tests.faults.nodes import Nodes
from tests.faults.results import Result, code_hash
from tests.faults.schedule import plan
from tests.faults.striking import RATE
from tests.faults.traffic import records
from tests.faults.world import living_world

TRAFFIC_S = 12.0
"""Events flow for so long; the last fault may last longer, and then all must be absorbed."""
DELETE_TIMEOUT_S = 60.0


def run_seed(seed: int, nodes: Nodes, folder: Path, traffic_s: float = TRAFFIC_S) -> Result:
    """Play a seed. A fault of the pipeline is a difference in the result, not an exception; logs stay in `folder`."""
    began = time.monotonic()
    faults = plan(seed, traffic_s, may_mount=can_mount())
    with living_world(nodes, f"seed-{seed}-{uuid.uuid4().hex[:6]}-", folder) as world:
        ledger, found = Ledger.empty(world.settings), list[str]()
        try:
            world.play(records(world.settings, round(RATE * traffic_s), Random(seed)), RATE, faults)
            ledger = world.settle()
            found = world.differences(ledger)
        except (AssertionError, KafkaException) as exc:
            found = [f"{type(exc).__name__}: {exc}"]
        found += world.end()
        lists, expired = count_lists(world.settings)
        if not found:
            _delete_topics(world.settings)
    workers = [*world.workers.workers, *world.removed]
    return Result(
        seed=seed,
        code=code_hash(),
        traffic_s=traffic_s,
        events=ledger.events,
        requests=len(ledger.requests),
        records={name: len(getattr(ledger, name)) for name in ("absorbed", "bad", "doubles", "misplaced")},
        lists=lists,
        expired=expired,
        faults=dict(Counter(type(fault).__name__ for _, fault in faults)),
        kills=sum(worker.kills for worker in workers),
        restarts=sum(worker.starts - 1 for worker in workers),
        seconds=round(time.monotonic() - began, 1),
        differences=found,
    )


def _delete_topics(settings: Settings) -> None:
    """What a seed leaves would slow the brokers down for the next."""
    admin = admin_client(settings)
    for future in admin.delete_topics([topic.name for topic in build_topics(settings).all()]).values():
        future.result(DELETE_TIMEOUT_S)
