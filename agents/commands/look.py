"""`profilestream watch`, `profile` and `similar`: what goes out, and what is held."""

import json
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def watch(
    user: Annotated[str | None, typer.Argument(help="Only this user's lists.")] = None,
    count: Annotated[int, typer.Option(min=0, help="End after so many lists; 0: go on until Ctrl-C.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print lists as they are sent.

    Example: profilestream watch c17850
    """
    from rich.console import Console

    from agents.admin import check_topics
    from agents.commands.show import list_table
    from agents.pseudonyms import naming
    from agents.runtime.clients import committed_consumer
    from agents.settings import read_settings
    from agents.topics import app_id, build_topics

    settings = read_settings()
    key = None if user is None else naming(settings)(user).encode()
    topic = build_topics(settings).recommendations
    check_topics(settings, [topic.name])
    from confluent_kafka import TopicPartition

    consumer = committed_consumer(settings, app_id(settings, "watch"), **{"fetch.wait.max.ms": 50})
    ends = [consumer.get_watermark_offsets(TopicPartition(topic.name, p), 10.0)[1] for p in range(topic.partitions)]
    consumer.assign([TopicPartition(topic.name, partition, end) for partition, end in enumerate(ends)])
    console, shown = Console(), 0
    try:
        while not count or shown < count:
            message = consumer.poll(0.5)
            if message is None or message.error() is not None:
                continue
            if key is not None and message.key() != key:
                continue
            text = (message.value() or b"{}").decode()
            if as_json:
                typer.echo(text)
            else:
                console.print(list_table(json.loads(text)))
            shown += 1
    finally:
        consumer.close()


def profile(
    user: Annotated[str, typer.Argument(help="The user's id.")],
    as_json: AsJson = False,
) -> None:
    """Print what is held about a user; exit code 1 if that is nothing.

    Example: profilestream profile c17850
    """
    import msgspec
    from rich.console import Console

    from agents.admin import check_topics
    from agents.commands.show import profile_tables
    from agents.lookup import newest, titles
    from agents.packed import PROFILE
    from agents.pseudonyms import naming
    from agents.records import read_item
    from agents.settings import read_settings
    from agents.topics import build_topics

    settings = read_settings()
    topics = build_topics(settings)
    check_topics(settings, [topics.profiles_changelog.name, topics.items.name])
    user = naming(settings)(user)
    row = newest(settings, topics.profiles_changelog, user.encode())
    if row is None:
        typer.echo("nothing is held about this user", err=True)
        raise typer.Exit(1)
    found = PROFILE.read(row)
    if as_json:
        fields = {name: getattr(found, name) for name in found.__struct_fields__}
        fields["contacts"] = found.contacts.unpacked()
        typer.echo(msgspec.json.encode(fields).decode())
        return
    names = titles(settings, topics.items, set(found.contacts), lambda value: read_item(value).title)
    console = Console()
    for table in profile_tables(user, found, names):
        console.print(table)


def similar(
    item: Annotated[str, typer.Argument(help="The item's id.")],
    k: Annotated[int, typer.Option("--k", min=1, help="Neighbours printed.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Print the items most similar to an item; exit code 1 if there are none yet.

    Example: profilestream similar 85123A --k 5
    """
    from rich.console import Console
    from rich.table import Table

    from agents.admin import check_topics
    from agents.checks import read_neighbours
    from agents.lookup import newest, titles
    from agents.packed import unpack_floats, unpack_ints
    from agents.records import read_item
    from agents.settings import read_settings
    from agents.topics import build_topics

    settings = read_settings()
    topics = build_topics(settings)
    check_topics(settings, [topics.neighbours.name, topics.items.name])
    value = newest(settings, topics.neighbours, item.encode())
    if value is None:
        typer.echo("no neighbours are known for this item (yet: they follow its events within seconds)", err=True)
        raise typer.Exit(1)
    row = read_neighbours(value)
    weights, users = unpack_floats(row.weights).tolist()[:k], unpack_ints(row.g).tolist()[:k]
    names = titles(settings, topics.items, {item, *row.ids[:k]}, lambda entry: read_item(entry).title)
    rows = [
        {"item_id": other, "title": names.get(other, ""), "weight": round(weight, 6), "users": together}
        for other, weight, together in zip(row.ids[:k], weights, users, strict=True)
    ]
    if as_json:
        typer.echo(json.dumps({"item_id": item, "users": row.users, "neighbours": rows}, ensure_ascii=False))
        return
    table = Table(title=f"{names.get(item, item)}: {row.users} users", title_justify="left")
    for column in ("item", "title", "weight", "users of both"):
        table.add_column(column)
    for one in rows:
        table.add_row(str(one["item_id"]), str(one["title"]), f"{one['weight']:.4f}", str(one["users"]))
    Console().print(table)
