"""Cross-encoders are loaded beside the one at work; what cannot be loaded is tried again."""

import time
from collections.abc import Callable, Sequence
from threading import Event

import numpy as np

from agents.cross_models import CROSS
from agents.records import ModelVersion, NamedModel
from agents.scoring.versions import Follower, Versions
from models.bert.contract import Floats
from models.second_stage import Pair, SecondStage


class Even:
    """Finds everything equally likely."""

    def __init__(self, version: str) -> None:
        self.version = version

    def chances(self, pairs: Sequence[Pair]) -> Floats:
        return np.full(len(pairs), 0.5, np.float32)


def load(path: str) -> SecondStage:
    return SecondStage(Even(path.removeprefix("/models/")), 5, time.monotonic)


def model(version: str) -> NamedModel:
    return NamedModel(version, f"/models/{version}")


def told(version: str, shadow: str = "") -> list[tuple[bytes, ModelVersion | None]]:
    record = ModelVersion("cross-encoder", version, f"/models/{version}", shadow=model(shadow) if shadow else None)
    return [(b"ranker", None), (CROSS, record)]


def wait_for(take: Callable[[], SecondStage | None]) -> str:
    """The version that comes."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        if (found := take()) is not None:
            return found.scorer.version
        time.sleep(0.001)
    raise AssertionError("no model came")


def wait_for_the_end(follower: Follower) -> None:
    ends = time.monotonic() + 20
    while follower.loading and time.monotonic() < ends:
        time.sleep(0.001)


def test_a_model_is_given_once_when_it_is_there() -> None:
    ready = Event()

    def slowly(path: str) -> SecondStage:
        ready.wait()
        return load(path)

    follower = Follower("cross-encoder", slowly)
    follower.want(model("b"))
    assert follower.take() is None
    assert (follower.loading, follower.still) == (True, "loading cross-encoder b")
    ready.set()
    assert wait_for(follower.take) == "b"
    assert follower.take() is None
    assert (follower.loading, follower.still) == (False, "")


def test_the_model_that_is_wanted_last_is_given() -> None:
    first = Event()

    def by_name(path: str) -> SecondStage:
        if path.endswith("/b"):
            first.wait()
        return load(path)

    follower = Follower("cross-encoder", by_name)
    follower.want(model("b"))
    follower.want(model("c"))
    assert wait_for(follower.take) == "c"
    first.set()
    assert follower.take() is None


def test_what_could_not_be_loaded_is_tried_again() -> None:
    failures = ["a folder that is not there yet", "and not yet"]

    def later(path: str) -> SecondStage:
        if failures:
            raise OSError(failures.pop())
        return load(path)

    follower = Follower("cross-encoder", later, retry_s=0)
    follower.want(model("b"))
    assert wait_for(follower.take) == "b"
    assert failures == []


def test_a_failure_is_told_and_no_reason_to_wait() -> None:
    def never(_: str) -> SecondStage:
        raise OSError("no such folder")

    follower = Follower("shadow", never)
    follower.want(model("b"))
    wait_for_the_end(follower)
    assert follower.still == "shadow b: no such folder"
    assert follower.take() is None


def test_the_version_at_work_is_not_loaded_again() -> None:
    versions = Versions(load)
    versions.follow(told("a"), used="a")
    assert (versions.loading, versions.compares) == (False, False)
    versions.follow(told("b", shadow="c"), used="a")
    assert wait_for(versions.next) == "b"
    assert wait_for(versions.shadow) == "c"
    assert versions.compares
    versions.follow(told("b"), used="b")
    assert (versions.loading, versions.compares, versions.still()) == (False, False, ())


def test_a_folder_that_holds_another_version_by_now_is_not_used() -> None:
    follower = Follower("cross-encoder", lambda _: load("/models/other"))
    follower.want(model("b"))
    wait_for_the_end(follower)
    assert follower.still == "cross-encoder b: /models/b holds other by now: announce it anew"


def test_what_is_withdrawn_is_followed_by_the_model_of_the_settings() -> None:
    with_own, without = Versions(load, own="/models/own"), Versions(load)
    for versions in (with_own, without):
        versions.follow(told("b"), used="own")
        assert wait_for(versions.next) == "b"
        versions.follow([(CROSS, None)], used="b")
    assert wait_for(with_own.next) == "own"
    assert (with_own.withdrawn, without.withdrawn, without.loading) == (False, True, False)


def test_a_shadow_alone_leaves_the_model_of_the_settings_at_work() -> None:
    versions = Versions(load, own="/models/own")
    versions.follow([(CROSS, ModelVersion("cross-encoder", "", shadow=model("c")))], used="own")
    assert wait_for(versions.shadow) == "c"
    assert (versions.loading, versions.next()) == (False, None)
