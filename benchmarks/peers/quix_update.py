"""The benchmark `update` with Quix Streams: stateful `apply`, RocksDB, a changelog; at least once, its defaults.

Runs in the peers' environment, as `python -m benchmarks.peers.quix_update`.
"""

from typing import Any

from quixstreams import Application, State

from benchmarks.peers.profile_update import ANSWERS, BROKER, COUNT, FOLDER, GROUP, SOURCE, Answer, update

PROFILE = "profile"


def on_event(event: dict[str, Any], state: State) -> Answer:
    """Fold an event into the profile of its key."""
    profile, answer = update(state.get(PROFILE), event)
    state.set(PROFILE, profile)
    return answer


if __name__ == "__main__":
    app = Application(broker_address=BROKER, consumer_group=GROUP, auto_offset_reset="earliest", state_dir=FOLDER)
    app.dataframe(app.topic(SOURCE)).apply(on_event, stateful=True).to_topic(app.topic(ANSWERS))
    app.run(count=COUNT, collect=False)
