"""Reasons speak of their source and say no more than is known."""

import pytest

from models.reasons import LONGEST_TITLE, Grounds, reason


@pytest.mark.parametrize(
    ("source", "grounds", "sentence"),
    [
        ("item_cf", Grounds("Red mug", "bought"), "because you bought Red mug"),
        ("item_cf", Grounds("Red mug", "looked at"), "because you looked at Red mug"),
        ("item_cf", Grounds("Red mug"), "goes with Red mug"),
        ("item_cf", Grounds(), "goes with what you chose before"),
        ("popular", Grounds("Red mug", "bought"), "popular right now"),
        ("segment", Grounds(), "popular with people like you"),
        ("interest", Grounds(category="mugs"), "matches your interest in mugs"),
        ("interest", Grounds(), "matches your interests"),
        ("fresh", Grounds(category="mugs"), "new in mugs"),
        ("fresh", Grounds(), "new in the catalogue"),
        ("content", Grounds("Red mug", "bought"), "similar to what you looked at"),
        ("content", Grounds(query="tea pot"), "matches your search for tea pot"),
        ("unheard_of", Grounds("Red mug", "bought"), "chosen for you"),
    ],
)
def test_each_source_has_its_sentence(source: str, grounds: Grounds, sentence: str) -> None:
    assert reason(source, grounds) == sentence


def test_long_titles_are_cut_and_stay_on_one_line() -> None:
    sentence = reason("item_cf", Grounds("very\n long " * 50, "bought"))
    assert sentence.startswith("because you bought very long very long")
    assert sentence.endswith("…")
    assert len(sentence) <= len("because you bought ") + LONGEST_TITLE
