"""Which rules hold when."""

from models.rules.rule import RuleBook, ShopRule


def names(book: RuleBook, now_s: float) -> list[str]:
    return [rule.name for rule in book.in_force(now_s)]


def test_a_rule_holds_from_its_begin_to_before_its_end() -> None:
    book = RuleBook()
    book.update([("b", ShopRule("b", "block", from_s=10.0, until_s=20.0)), ("a", ShopRule("a", "block"))])
    assert [names(book, now_s) for now_s in (9.9, 10.0, 19.9, 20.0)] == [["a"], ["a", "b"], ["a", "b"], ["a"]]


def test_it_is_due_when_a_rule_changes_begins_or_ends() -> None:
    book = RuleBook()
    assert not book.due(0.0)
    book.update([("a", ShopRule("a", "block", from_s=10.0, until_s=20.0))])
    assert book.due(0.0)
    for now_s, next_s in ((0.0, 10.0), (10.0, 20.0), (20.0, float("inf"))):
        book.in_force(now_s)
        assert not book.due(min(next_s - 0.1, 1e9))
        assert book.due(next_s)
    book.update([("a", None)])
    assert book.due(0.0)
    assert names(book, 15.0) == []
    assert len(book) == 0
