"""`profilestream request`."""

import json
import time
import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from confluent_kafka import Consumer

    from agents.settings import Settings


def request(
    user: Annotated[str, typer.Argument(help="The user's id.")],
    k: Annotated[int, typer.Option("--k", min=1, max=100, help="Items wanted.")] = 10,
    item: Annotated[str | None, typer.Option(help="The item on the user's page.")] = None,
    query: Annotated[str | None, typer.Option(help="What the user searches for.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only these categories; may be repeated.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Not these items; may be repeated.")] = None,
    exclude_category: Annotated[
        list[str] | None, typer.Option(help="None of these categories; may be repeated.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Rank these items alone; may be repeated.")] = None,
    deadline_ms: Annotated[int | None, typer.Option(min=1, help="After so long the list is of no use.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer.")] = 15.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list's JSON.")] = False,
) -> None:
    """Ask for a list for a user, and print it.

    Example: profilestream request c17850 --k 5 --query "red mug"
    """
    from rich.console import Console

    from agents.pseudonyms import naming
    from agents.records import Context, Filters, Request
    from agents.settings import read_settings

    settings = read_settings()
    wanted = Request(
        user_id=naming(settings)(user),
        request_id=uuid.uuid4().hex,
        k=k,
        context=Context(item, query),
        filters=Filters(category or [], exclude or [], exclude_category or [], only or []),
        deadline_ms=deadline_ms,
    )
    answer = _ask(settings, wanted, timeout)
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False))
    elif answer.get("outcome") == "expired":
        typer.echo("the deadline passed before there was a list", err=True)
    else:
        from agents.commands.show import list_table

        Console().print(list_table(answer))
    raise typer.Exit(1 if "outcome" in answer else 0)


def _ask(settings: "Settings", wanted: Any, timeout_s: float) -> dict[str, Any]:
    """Send the request; the list or the outcome that answers it. Raises `BrokerError` when none comes in time."""
    from agents.admin import check_topics
    from agents.errors import BrokerError
    from agents.partition import partition_of
    from agents.records import encode_json
    from agents.replay import Sender
    from agents.topics import build_topics

    topics = build_topics(settings)
    check_topics(settings, [topics.requests.name, topics.recommendations.name, topics.outcomes.name])
    key = wanted.user_id.encode()
    partition = partition_of(key, topics.requests.partitions)
    consumer = _at_the_end(settings, [topics.recommendations.name, topics.outcomes.name], partition)
    try:
        sender = Sender(settings, topics.requests, "user_id")
        sender.send([json.loads(encode_json(wanted))])
        sender.wait()
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            message = consumer.poll(min(left, 0.5))
            if message is None or message.error() is not None or message.key() != key:
                continue
            answer: dict[str, Any] = json.loads(message.value() or b"{}")
            if answer.get("request_id") == wanted.request_id:
                return answer
    finally:
        consumer.close()
    raise BrokerError(
        f"no answer within {timeout_s:g} s\n  Do a profiles and, unless that makes the lists, a scorer worker run "
        "(profilestream worker …)? Their logs say what they wait for."
    )


def _at_the_end(settings: "Settings", names: list[str], partition: int) -> "Consumer":
    """A consumer that sees what is sent from now on."""
    from confluent_kafka import KafkaException, TopicPartition

    from agents.runtime.clients import committed_consumer
    from agents.runtime.refusal import no_answer
    from agents.topics import app_id

    consumer = committed_consumer(settings, app_id(settings, "request"), **{"fetch.wait.max.ms": 20})
    try:
        ends = [consumer.get_watermark_offsets(TopicPartition(name, partition), 10.0)[1] for name in names]
    except KafkaException as exc:
        consumer.close()
        raise no_answer(settings, exc) from exc
    consumer.assign([TopicPartition(name, partition, end) for name, end in zip(names, ends, strict=True)])
    return consumer
