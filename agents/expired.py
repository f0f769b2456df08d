"""What came too late for a list: one outcome, and more in the metric."""

from collections.abc import Sequence

from agents.records import Outcome, encode_json
from agents.runtime.agent import TransactionLike


def send_expired(
    transaction: TransactionLike,
    outcomes: str,
    partition: int,
    user_id: str,
    recommendation_id: str,
    request_id: str | None,
    variant: str = "default",
) -> None:
    """A request was past its deadline: send the outcome to this partition of the topic `outcomes`."""
    outcome = Outcome(
        user_id=user_id,
        recommendation_id=recommendation_id,
        outcome="expired",
        timestamp=transaction.now_ms / 1000,
        request_id=request_id,
        variant=variant,
    )
    transaction.send(outcomes, partition, user_id.encode(), encode_json(outcome))
    transaction.count("expired_total")


def send_stale(
    transaction: TransactionLike,
    outcomes: str,
    partition: int,
    user_id: str,
    triggers: Sequence[str],
    variant: str = "default",
) -> None:
    """Events were older than `trigger_max_age_s`: send the outcome that names them to this partition of `outcomes`."""
    outcome = Outcome(
        user_id=user_id,
        recommendation_id=triggers[-1],
        outcome="stale",
        timestamp=transaction.now_ms / 1000,
        variant=variant,
        triggers=list(triggers),
    )
    transaction.send(outcomes, partition, user_id.encode(), encode_json(outcome))
    transaction.count("stale_total", len(triggers))
