"""The packed history against a dictionary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import RecordError
from agents.packed import PROFILE
from models.history import History
from models.profile import Profile

ITEMS = st.sampled_from(["a", "b", "aa", "ab", "ba", "商品", "", "a b"])
CONTACTS = st.integers(-(2**63), 2**63 - 1)
STEPS = st.lists(st.tuples(ITEMS, CONTACTS) | st.integers(0, 3), max_size=30)


@given(STEPS, st.integers(0, 9))
def test_it_is_an_ordered_dictionary_whose_oldest_can_go(steps: list[tuple[str, int] | int], most: int) -> None:
    history, plain = History(), dict[str, int]()
    for step in steps:
        if isinstance(step, int):
            gone = [(item, plain.pop(item)) for item in [*plain][:step]]
            assert history.drop(step) == gone
        else:
            item, contact = step
            history[item] = plain[item] = contact
            assert history[item] == contact
    assert [*history.items()] == [*plain.items()]
    assert [*history] == history.ids() == [*plain]
    assert history.contacts().tolist() == [*plain.values()]
    assert (len(history), bool(history)) == (len(plain), bool(plain))
    for place, item in enumerate(plain):
        assert history.place(item) == place
        assert item in history
    ids, contacts = history.newest(most)
    assert [*zip(ids, contacts.tolist(), strict=True)] == [*reversed(plain.items())][:most]
    assert history == History.of(plain)
    assert PROFILE.read(PROFILE.write(Profile(history))).contacts == history


def test_what_is_not_in_it_is_not_found() -> None:
    history = History.of({"ab": 1, "b": 2})
    for item in ("a", "", "ab\0b", "\0"):
        assert item not in history
        assert history.place(item) == -1
        assert history.get(item) is None
    with pytest.raises(KeyError, match="nothing"):
        history["nothing"]
    with pytest.raises(ValueError, match="holds NUL"):
        history["ab\0b"] = 1
    with pytest.raises(ValueError, match="holds NUL"):
        history.pack({"ab\0b": 1})
    assert dict(history.items()) == {"ab": 1, "b": 2}


@pytest.mark.parametrize(
    ("joined", "packed"),
    [("", b""), ("\0a\0", b""), ("\0", b"\0" * 8), ("a\0b\0", b"\0" * 8), ("\0a\0", b"\0" * 9), ("\0a\0b", b"\0" * 8)],
)
def test_a_row_whose_ids_and_contacts_do_not_fit_is_refused(joined: str, packed: bytes) -> None:
    profile = Profile()
    profile.contacts.joined, profile.contacts.packed = joined, packed
    with pytest.raises(RecordError, match="bad_packed: Profile: ids and contacts"):
        PROFILE.read(PROFILE.write(profile))
