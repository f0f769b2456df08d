"""The rights of each kind of client, as a script and as a table of what the code does."""

import shlex
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from agents.access import KINDS, WORKERS, acl_script, grants_of
from agents.cli import app
from agents.errors import SettingsError
from agents.settings import read_settings
from agents.topics import build_topics

SETTINGS = read_settings(topic_prefix="shop.")


def commands(script: str) -> list[list[str]]:
    return [shlex.split(line) for line in script.splitlines() if line.startswith("kafka-acls.sh")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_gives_what_is_granted(kind: str) -> None:
    found = set()
    for words in commands(acl_script(SETTINGS, [kind], "svc-", "--command-config admin.properties")):
        options = dict(pairwise(words[1:]))
        assert options["--allow-principal"] == f"User:svc-{kind}"
        assert options["--command-config"] == "admin.properties"
        prefixed = options.get("--resource-pattern-type") == "prefixed"
        for option, name in pairwise(words):
            if option in {"--topic", "--group", "--transactional-id"}:
                found.add((option[2:], name, options["--operation"], prefixed))
    wanted = {
        (grant.resource, grant.name, operation, grant.prefixed)
        for grant in grants_of(SETTINGS, kind, f"svc-{kind}")
        for operation in grant.operations
    }
    assert found == wanted
    assert all(name.startswith(("shop.", "svc-")) for _, name, _, _ in found)


def test_nobody_may_do_everything() -> None:
    script = acl_script(SETTINGS, KINDS, "svc-")
    assert "--operation All" not in script
    assert "--cluster" not in script
    assert "'*'" not in script


@pytest.mark.parametrize("kind", WORKERS)
def test_workers_write_no_topic_of_the_catalogue_and_read_no_letters(kind: str) -> None:
    topics = build_topics(SETTINGS)
    rights = {grant.name: grant.operations for grant in grants_of(SETTINGS, kind)}
    assert "Write" not in rights.get(topics.items.name, ())
    assert "Read" not in rights[topics.dead_letters.name]


def test_a_profiles_worker_that_makes_lists_has_the_rights_of_a_scorer() -> None:
    topics = build_topics(SETTINGS)
    rights = {
        grant.name: grant.operations
        for grant in grants_of(read_settings(topic_prefix="shop.", lists_by="profiles"), "profiles")
    }
    for grant in grants_of(SETTINGS, "scorer"):
        if grant.resource == "topic" and grant.name != topics.candidates.name:
            assert set(grant.operations) <= set(rights[grant.name])
    assert topics.candidates.name not in rights


def test_only_asked_for_kinds_are_printed() -> None:
    printed = CliRunner().invoke(app, ["acls", "scorer", "--principal-prefix", "p-"])
    assert printed.exit_code == 0
    assert {words[words.index("--allow-principal") + 1] for words in commands(printed.stdout)} == {"User:p-scorer"}


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(SettingsError, match=r"no such kind of client: scorers\n  Kinds: profiles, "):
        CliRunner().invoke(app, ["acls", "scorers"], catch_exceptions=False)
