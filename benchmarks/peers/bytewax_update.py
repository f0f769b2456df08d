"""The benchmark `update` with Bytewax: state in memory, snapshots of it in SQLite every ten seconds, no changelog.

Runs in the peers' environment: `python -m bytewax.recovery FOLDER 1`, then
`python -m bytewax.run benchmarks.peers.bytewax_update:flow -r FOLDER -s 10 -b 0`. Ends with the topic.
"""

from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow

from benchmarks.peers.profile_update import ANSWERS, BROKER, SOURCE, Answer, update

BATCH = 1_000


def read(message: KafkaSourceMessage) -> tuple[str, dict[str, Any]]:
    """(user, event)."""
    return message.key.decode(), orjson.loads(message.value)


def written(answer: tuple[str, Answer]) -> KafkaSinkMessage:
    """An answer as a record."""
    user, found = answer
    return KafkaSinkMessage(user.encode(), orjson.dumps(found))


flow = Dataflow("update")
_source = kafka.input("source", flow, brokers=[BROKER], topics=[SOURCE], tail=False, batch_size=BATCH)
_events = op.map("read", _source.oks, read)
_answers = op.stateful_map("update", _events, update)
kafka.output("answers", op.map("write", _answers, written), brokers=[BROKER], topic=ANSWERS)
