"""What the topic of rules holds: rules, and records that are none."""

from agents.records import Rule, encode_json
from agents.rule_changes import sorted_out

RULE = Rule("spring", "block", items=["a"])


def test_what_is_no_rule_keeps_the_key_that_deletes_it() -> None:
    good = encode_json(RULE)
    rules, bad = sorted_out({b"spring": good, b"\xff": good, b"\xfe": b"{", b"broken": b"{", b"gone": None})
    assert rules == {"spring": RULE}
    assert bad == {r"\xff": b"\xff", r"\xfe": b"\xfe", "broken": b"broken"}
