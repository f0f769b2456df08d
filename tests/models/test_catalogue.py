"""The catalogue by words, availability and age."""

from models.catalogue import Catalogue, Entry
from models.interning import Interner


def test_replacing_an_entry_takes_its_old_words_away() -> None:
    catalogue = Catalogue(Interner())
    catalogue.put("cup", Entry(("kitchen",), ("white", "kitchen")))
    assert list(catalogue.words_of("cup")) == ["kitchen", "white"]
    catalogue.put("cup", Entry(("garden",)))
    assert catalogue.with_word("kitchen").tolist() == []
    assert catalogue.with_word("garden").tolist() == [0]


def test_a_deleted_or_unavailable_item_is_not_to_be_offered_and_an_unknown_one_is() -> None:
    catalogue = Catalogue(Interner())
    catalogue.put("gone", None)
    catalogue.put("sold out", Entry(available=False))
    catalogue.put("here", Entry())
    assert sorted(catalogue.unavailable().tolist()) == [0, 1]
    catalogue.put("sold out", Entry())
    assert catalogue.unavailable().tolist() == [0]
    assert list(catalogue.words_of("unknown")) == []


def test_newest_leaves_out_items_without_a_date_and_filters_are_for_categories_not_tags() -> None:
    catalogue = Catalogue(Interner())
    catalogue.put("old", Entry(("tea",), (), True, 1.0))
    catalogue.put("new", Entry(("tea",), (), True, 2.0))
    catalogue.put("undated", Entry(("tea",)))
    catalogue.put("tagged", Entry((), ("tea",)))
    everything = catalogue.with_word("tea")
    assert catalogue.newest(everything, 5).tolist() == [1, 0]
    assert catalogue.in_categories(["tea", "none"], 5).tolist() == [True, True, True, False, False]
