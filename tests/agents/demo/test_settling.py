"""The demo waits for what was learned, as the workers' counts tell it."""

from agents.demo.settling import STILL_S, Stillness


def test_it_is_settled_when_all_is_absorbed_and_nothing_more_was_published_for_a_while() -> None:
    stillness = Stillness(0.0)
    assert not stillness.settled(1.0, sent=10, absorbed=10, published=4)
    assert not stillness.settled(1.0 + STILL_S - 0.01, sent=10, absorbed=10, published=4)
    assert stillness.settled(1.0 + STILL_S, sent=10, absorbed=10, published=4)


def test_publishing_and_missing_changes_begin_the_wait_anew() -> None:
    stillness = Stillness(0.0)
    assert not stillness.settled(STILL_S, sent=10, absorbed=10, published=4)
    assert not stillness.settled(2 * STILL_S, sent=10, absorbed=10, published=5), "published more"
    assert not stillness.settled(3 * STILL_S, sent=11, absorbed=10, published=5), "a change is still to come"
    assert not stillness.settled(4 * STILL_S - 0.01, sent=11, absorbed=11, published=5)
    assert stillness.settled(4 * STILL_S, sent=11, absorbed=11, published=5)
