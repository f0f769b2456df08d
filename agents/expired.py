"""A request that was past its deadline before it had a list: one outcome, and one more in the metric."""

from agents.records import Outcome, encode_json
from agents.runtime.transaction import Transaction


def send_expired(
    transaction: Transaction,
    outcomes: str,
    partition: int,
    user_id: str,
    recommendation_id: str,
    request_id: str | None,
    variant: str = "default",
) -> None:
    """Send the outcome to this partition of the topic `outcomes`, instead of a list."""
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
