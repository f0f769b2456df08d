"""Who may do what on the broker: the rights that each kind of worker, and each application around them, needs.

`profilestream acls` prints them as commands, a worker compares them at its start with what it may do, and the tests run
every worker with these rights alone. Names come from `agents.topics`.

Read and Write let a client describe what it reads and writes (Kafka implies Describe), so Describe stands alone only
where nothing else is needed. A worker's groups for views and restores are never joined: they are asked for only.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from agents.settings import Settings
from agents.topics import Topic, Topics, app_id, build_topics, view_group
from agents.variants import explores

Resource = Literal["topic", "group", "transactional-id"]

READ, WRITE, DESCRIBE, CONFIGS, CREATE = "Read", "Write", "Describe", "DescribeConfigs", "Create"


@dataclass(frozen=True)
class Grant:
    """Operations on one resource, or on all whose name begins with `name`."""

    resource: Resource
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False


@dataclass(frozen=True)
class _Kind:
    """A kind of client: who it is, and its rights from (settings, topics, name of its principal)."""

    about: str
    grants: Callable[[Settings, Topics, str], Iterable[Grant]]


def _worker(
    settings: Settings,
    name: str,
    *,
    reads: Iterable[Topic],
    writes: Iterable[Topic],
    asks: Iterable[str] = (),
    views: bool = True,
) -> Iterator[Grant]:
    """A worker: its topics with their settings, its group, its transactions; groups that it only asks for (`asks`)."""
    read, write = list(reads), list(writes)
    for topic in dict.fromkeys([*read, *write]):
        used = [operation for operation, topics in ((READ, read), (WRITE, write)) if topic in topics]
        yield Grant("topic", topic.name, (*used, CONFIGS))
    group = app_id(settings, name)
    yield Grant("group", group, (READ,))
    copied = [view_group(settings)] if views else []
    for other in (*copied, *(f"{group}-{use}" for use in asks)):
        yield Grant("group", other, (DESCRIBE,))
    yield Grant("transactional-id", f"{group}-", (WRITE,), prefixed=True)


def _for_lists(settings: Settings, topics: Topics) -> tuple[Topic, ...]:
    """What is read to make lists."""
    return (topics.items, topics.rules, topics.models, *((topics.neighbours,) if explores(settings) else ()))


def _profiles(settings: Settings, topics: Topics, _: str) -> Iterator[Grant]:
    sources = (topics.events, topics.users, topics.requests)
    own_lists = settings.lists_by == "profiles"
    return _worker(
        settings,
        "profiles",
        reads=(
            *sources,
            topics.recommendations,
            topics.neighbours,
            topics.items,
            topics.rules,
            topics.profiles_changelog,
            *(_for_lists(settings, topics) if own_lists else ()),
        ),
        writes=(  # sources: what came to the wrong partition is sent on
            *sources,
            topics.profiles_changelog,
            topics.cooccurrence,
            topics.recommendations if own_lists else topics.candidates,
            topics.outcomes,
            topics.dead_letters,
        ),
        asks=("restore", "standby"),
    )


def _similarity(settings: Settings, topics: Topics, _: str) -> Iterator[Grant]:
    return _worker(
        settings,
        "similarity",
        reads=(topics.cooccurrence, topics.neighbours, topics.item_rows_changelog),
        writes=(topics.item_rows_changelog, topics.neighbours, topics.dead_letters),
        asks=("restore", "standby"),
    )


def _scorer(settings: Settings, topics: Topics, _: str) -> Iterator[Grant]:
    return _worker(
        settings,
        "scorer",
        reads=(topics.candidates, *_for_lists(settings, topics)),
        writes=(topics.recommendations, topics.outcomes, topics.dead_letters),
    )


def _learner(settings: Settings, topics: Topics, _: str) -> Iterator[Grant]:
    return _worker(
        settings, "learner", reads=(topics.outcomes, topics.models), writes=(topics.models, topics.dead_letters)
    )


def _evaluation(settings: Settings, topics: Topics, _: str) -> Iterator[Grant]:
    return _worker(
        settings,
        "evaluation",
        reads=(topics.events, topics.users, topics.recommendations, topics.outcomes, topics.live_changelog),
        writes=(topics.live_changelog, topics.dead_letters),
        asks=("restore", "standby"),
        views=False,
    )


def _operator(settings: Settings, topics: Topics, _: str) -> Iterator[Grant]:
    """What the commands need: to look at everything, send what applications do, announce models, retry dead letters."""
    changelogs = (topics.profiles_changelog, topics.item_rows_changelog, topics.live_changelog)
    kept = {topics.neighbours, topics.outcomes, *changelogs}
    for topic in topics.all():
        written = () if topic in kept else (WRITE,)
        yield Grant("topic", topic.name, (CREATE, READ, CONFIGS, *written))
    for name in ("lookup", "watch", "request", "forget", "verify", *WORKERS):
        yield Grant("group", app_id(settings, name), (DESCRIBE,))
    yield Grant("transactional-id", app_id(settings, "dead-letters"), (WRITE,))


def _writer(topic: Callable[[Topics], Topic]) -> Callable[[Settings, Topics, str], Iterator[Grant]]:
    def grants(_: Settings, topics: Topics, __: str) -> Iterator[Grant]:
        yield Grant("topic", topic(topics).name, (WRITE,))

    return grants


def _reader(settings: Settings, topics: Topics, principal: str) -> Iterator[Grant]:
    del settings
    yield Grant("topic", topics.recommendations.name, (READ,))
    yield Grant("group", principal, (READ,), prefixed=True)


def _requester(settings: Settings, topics: Topics, principal: str) -> Iterator[Grant]:
    yield Grant("topic", topics.requests.name, (WRITE,))
    yield Grant("topic", topics.outcomes.name, (READ,))
    yield from _reader(settings, topics, principal)


WORKERS = ("profiles", "similarity", "scorer", "learner", "evaluation")
_KINDS = {
    "profiles": _Kind("the profiles worker", _profiles),
    "similarity": _Kind("the similarity worker", _similarity),
    "scorer": _Kind("the scorer worker", _scorer),
    "learner": _Kind("the learner worker", _learner),
    "evaluation": _Kind("the evaluation worker", _evaluation),
    "operator": _Kind("a person with the commands, all but worker", _operator),
    "events-writer": _Kind("an application that sends events", _writer(lambda topics: topics.events)),
    "catalogue-writer": _Kind("an application that sends the catalogue", _writer(lambda topics: topics.items)),
    "rules-writer": _Kind("an application that sets the rules", _writer(lambda topics: topics.rules)),
    "users-writer": _Kind("an application that declares and erases users", _writer(lambda topics: topics.users)),
    "recommendations-reader": _Kind("an application that shows lists", _reader),
    "requester": _Kind("an application that asks for lists", _requester),
}
KINDS = tuple(_KINDS)


def grants_of(settings: Settings, kind: str, principal: str = "") -> tuple[Grant, ...]:
    """The rights of a kind. A reader's groups must begin with the name of its principal."""
    return tuple(_KINDS[kind].grants(settings, build_topics(settings), principal or kind))


def acl_script(settings: Settings, kinds: Iterable[str], principal_prefix: str, client_options: str = "") -> str:
    """A shell script of `kafka-acls.sh` commands that give each kind its rights, and nothing else.

    `client_options` are options of each command, such as `--command-config admin.properties`.
    """
    command = f"kafka-acls.sh --bootstrap-server {shlex.quote(settings.bootstrap_servers)}"
    if client_options:
        command += f" {client_options}"
    lines = ["#!/bin/sh", "set -eu"]
    for kind in kinds:
        principal = principal_prefix + kind
        lines.append(f"\n# {kind}: {_KINDS[kind].about}")
        for prefixed, operation, resources in _by_operation(grants_of(settings, kind, principal)):
            words = [command, "--add --allow-principal", shlex.quote(f"User:{principal}"), "--operation", operation]
            if prefixed:
                words.append("--resource-pattern-type prefixed")
            words += [f"--{grant.resource} {shlex.quote(grant.name)}" for grant in resources]
            lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def _by_operation(grants: Iterable[Grant]) -> Iterator[tuple[bool, str, list[Grant]]]:
    """(prefixed, operation, resources): one command for each, since a command starts a Java machine."""
    found: dict[tuple[bool, str], list[Grant]] = {}
    for grant in grants:
        for operation in grant.operations:
            found.setdefault((grant.prefixed, operation), []).append(grant)
    for (prefixed, operation), resources in found.items():
        yield prefixed, operation, resources
