"""The idiomatic Faust agent: one event at a time, a RocksDB table with a changelog, one record sent for each event.

It keeps an item → weight map and an averaged vector of 50 categories for each user: less work than a profile with
co-counts. Run as `python -m benchmarks.peers.faust_plain worker -l warn`; `PEER_*` variables say where.
"""

import os

import faust

WEIGHT = {"view": 1.0, "click": 2.0, "cart": 3.0, "purchase": 5.0}
MAX_ITEMS, CATEGORIES, ALPHA = 200, 50, 0.9

app = faust.App(
    os.environ.get("PEER_GROUP", "faust-plain"),
    broker=f"kafka://{os.environ.get('PEER_BROKER', '127.0.0.1:9092')}",
    datadir=os.environ.get("PEER_DIR", "faust-plain-data"),
    topic_partitions=4,
    topic_replication_factor=1,
    web_enabled=False,
    store="rocksdb://?driver=rocksdict",
)
events = app.topic(os.environ.get("PEER_IN", "events"), key_type=str, value_serializer="json")
answers = app.topic(os.environ.get("PEER_OUT", "faust-plain-out"), key_type=str, value_serializer="json")
profiles = app.Table("profiles", partitions=4, key_type=str)


@app.agent(events)
async def update(stream: faust.StreamT) -> None:
    async for event in stream:
        user, item = event["user_id"], event["item_id"]
        profile = profiles.get(user) or {"items": {}, "interests": [0.0] * CATEGORIES}
        items, weight = profile["items"], WEIGHT[event["event_type"]]
        items[item] = items.get(item, 0.0) + weight
        if len(items) > MAX_ITEMS:
            del items[min(items, key=items.get)]
        interests = [ALPHA * value for value in profile["interests"]]
        interests[int(item[1:]) % CATEGORIES] += (1 - ALPHA) * weight
        profile["interests"] = interests
        profiles[user] = profile
        await answers.send(
            key=user,
            value={"user_id": user, "n_items": len(items), "top_category": interests.index(max(interests))},
        )


if __name__ == "__main__":
    app.main()
