"""The idiomatic Faust agent: one event at a time, a RocksDB table with a changelog, one record sent for each event.

It keeps an item → weight map and an averaged vector of 50 categories for each user: less work than a profile with
co-counts. Run as `python -m benchmarks.peers.faust_plain worker -l warn`; `PEER_*` variables say where.
"""

import faust

from benchmarks.peers.profile_update import ANSWERS, BROKER, FOLDER, GROUP, SOURCE
from benchmarks.peers.profile_update import update as updated

app = faust.App(
    GROUP,
    broker=f"kafka://{BROKER}",
    datadir=FOLDER,
    topic_partitions=4,
    topic_replication_factor=1,
    web_enabled=False,
    store="rocksdb://?driver=rocksdict",
)
events = app.topic(SOURCE, key_type=str, value_serializer="json")
answers = app.topic(ANSWERS, key_type=str, value_serializer="json")
profiles = app.Table("profiles", partitions=4, key_type=str)


@app.agent(events)
async def update(stream: faust.StreamT) -> None:
    async for event in stream:
        user = event["user_id"]
        profiles[user], answer = updated(profiles.get(user), event)
        await answers.send(key=user, value=answer)


if __name__ == "__main__":
    app.main()
