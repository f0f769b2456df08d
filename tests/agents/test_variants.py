"""Variants: what their setting may say, who is in which, and what each does to candidates and lists."""

import json
import logging
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from faust.types import TP

from agents.errors import SettingsError
from agents.evaluation.pipeline import evaluation_settings
from agents.packed import CANDIDATES, NEIGHBOURS, Candidates, Neighbours, pack_floats, pack_ints
from agents.profiles import ProfilesAgent
from agents.runtime.batch import Batch
from agents.runtime.metrics import Metrics
from agents.runtime.transaction import Transaction
from agents.scoring.scorer import Scorer
from agents.settings import read_settings
from agents.variants import assignment, by_variant
from models.experiment import Assignment
from tests.agents.in_memory import Log, Worker
from tests.agents.runtime.test_positions import Rec
from tests.agents.scorer_support import make_candidates
from tests.agents.test_intake import NOW_MS, Sent

USERS = [f"u{number}" for number in range(60)]


def test_a_variant_changes_settings_for_its_share_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PROFILESTREAM_VARIANTS",
        '{"variety": {"share": 0.1, "diversity": 0.3}, "wide": {"share": 0, "category_cap": 2}}',
    )
    varied = dict(by_variant(read_settings()))
    assert [*varied] == ["default", "variety", "wide"]
    plain = read_settings().diversity
    assert [one.diversity for one in varied.values()] == [plain, 0.3, plain]
    assert [one.category_cap for one in varied.values()] == [0, 0, 2]
    assert {type(one.category_cap) for one in varied.values()} == {int}
    monkeypatch.setenv("PROFILESTREAM_VARIANTS", "")
    assert read_settings().variants == {}


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("{", 'is no JSON .*: write {"variety"'),
        ("[]", "must be an object with an object for each variant"),
        ('{"a": 1}', "must be an object with an object for each variant"),
        ('{"a": {"diversity": 0.3}}', "variant a needs a share of the users between 0 and 1, not None"),
        ('{"a": {"share": 1.5}}', "variant a needs a share .* not 1.5"),
        ('{"a": {"share": true}}', "variant a needs a share"),
        ('{"a": {"share": 0.6}, "b": {"share": 0.5}}', "the shares add up to 1.1, more than 1"),
        ('{"default": {"share": 0.1}}', "default is the variant of all other users"),
        ('{"a b": {"share": 0.1}}', "'a b' is no name of a variant"),
        (
            '{"a": {"share": 0.1, "history_size": 9}}',
            "variant a cannot change history_size; it may change recency_power, ",
        ),
        ('{"a": {"share": 0.1, "diversity": 2}}', "variant a: diversity=2: Input should be less than or equal to 1"),
        ('{"a": {"share": 0.1, "category_cap": 0.5}}', "variant a: category_cap=0.5: Input should be a valid integer"),
    ],
)
def test_wrong_variants_are_refused_by_name(value: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFILESTREAM_VARIANTS", value)
    with pytest.raises(SettingsError, match=f"PROFILESTREAM_VARIANTS=(.|\n)*{hint}"):
        read_settings()


def asked(folder: Path, **options: object) -> dict[str, Candidates]:
    """Candidates of every user who viewed item i0, whose neighbours are i1 … i5; i6 … i9 are popular."""
    settings = read_settings(
        user_partitions=1, item_partitions=1, data_dir=folder, trigger_types="view", trigger_max_age_s=0, **options
    )
    agent, log = ProfilesAgent(settings, Metrics()), Log(now_ms=NOW_MS)
    for number in range(10):
        near = [f"i{other}" for other in range(1, 6)] if number == 0 else []
        ones = pack_ints(np.ones(len(near), np.int64))
        value = Neighbours(near, pack_floats(np.ones(len(near))), ones, ones, 1, 1, float(number), 0.0)
        agent.knowledge.neighbours.put(f"i{number}".encode(), NEIGHBOURS.write(value))
    worker = Worker(settings, folder, "profiles", agent, log)
    records = [
        Rec(
            "events",
            0,
            number,
            NOW_MS,
            user.encode(),
            json.dumps({"user_id": user, "item_id": "i0", "event_type": "view"}).encode(),
        )
        for number, user in enumerate(USERS)
    ]
    worker.absorb("events", records)
    worker.close()
    made = [CANDIDATES.read(record.value or b"") for record in log.all("candidates")]
    assert [one.user_id for one in made] == USERS
    return {one.user_id: one for one in made}


def test_candidates_are_those_of_the_user_s_variant(tmp_path: Path) -> None:
    variants = {"few": {"share": 0.4, "candidates_item_cf": 0, "candidates_popular": 3}, "same": {"share": 0.3}}
    made = asked(tmp_path, variants=variants)
    dealt = assignment(read_settings(variants=variants))
    assert {user: one.variant for user, one in made.items()} == {user: dealt.of(user) for user in USERS}
    assert {one.variant for one in made.values()} == {"default", "few", "same"}
    for one in made.values():
        assert one.items == ["i9", "i8", "i7"] if one.variant == "few" else set(one.items) > {"i1", "i9"}


def test_another_worker_and_another_start_deal_out_the_same(tmp_path: Path) -> None:
    one, other = (asked(tmp_path / name, variants={"a": {"share": 0.5}}, experiment="e") for name in ("one", "other"))
    assert {user: made.variant for user, made in one.items()} == {user: made.variant for user, made in other.items()}
    assert {made.variant for made in asked(tmp_path / "none").values()} == {"default"}
    assert assignment(read_settings(experiment="e")).of("u1") == Assignment("e", {}).of("u1")


def test_a_request_that_expired_names_the_variant(tmp_path: Path) -> None:
    settings = read_settings(user_partitions=1, item_partitions=1, data_dir=tmp_path, variants={"all": {"share": 1}})
    log = Log(now_ms=NOW_MS)
    worker = Worker(settings, tmp_path, "profiles", ProfilesAgent(settings, Metrics()), log)
    worker.absorb("requests", [Rec("requests", 0, 0, 1, b"u", b'{"user_id": "u", "deadline_ms": 1}')])
    worker.close()
    (outcome,) = log.all("outcomes")
    assert json.loads(outcome.value or b"")["variant"] == "all"


def test_lists_of_unknown_variants_are_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    metrics, sent = Metrics(), Sent()
    producer: Any = sent
    scorer = Scorer(read_settings(variants={"known": {"share": 0.1, "diversity": 1.0}}), None, None, metrics)
    names = ["known", "gone", "default", "gone", "older"]
    records = [
        Rec(
            "candidates",
            0,
            number,
            NOW_MS,
            b"u1",
            CANDIDATES.write(msgspec.structs.replace(make_candidates(), variant=name)),
        )
        for number, name in enumerate(names)
    ]
    transaction = Transaction(producer, None, ("dead-letters", 4), metrics, NOW_MS)
    with caplog.at_level(logging.WARNING):
        scorer.absorb(Batch({TP("candidates", 0): records}), transaction)
        scorer.absorb(Batch({TP("candidates", 0): records}), transaction)
    lists = [
        json.loads(value or b"")["variant"] for topic, _, _, value, _ in sent.records if topic == "recommendations"
    ]
    assert lists == ["known", "default", "default", "default", "default"] * 2
    assert metrics.registry.get_sample_value("profilestream_unknown_variants_total") == 6
    assert [record.getMessage().split()[3] for record in caplog.records] == ["gone", "older"]


def test_an_evaluation_of_old_events_has_no_variants() -> None:
    settings = evaluation_settings(read_settings(variants={"a": {"share": 1.0, "diversity": 1.0}}))
    assert [name for name, _ in by_variant(settings)] == ["default"]
