"""What candidates say of a history, whatever was done: it is whole, and nothing of it is proposed."""

from collections import defaultdict
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.packed import CANDIDATES
from agents.records import Event, EventType
from models.history import ids_of
from tests.agents.test_own_lists import USERS, Played

KINDS: tuple[EventType, ...] = ("view", "purchase", "dislike", "impression")
DONE = st.tuples(st.sampled_from(USERS), st.sampled_from(KINDS), st.integers(0, 9))


@settings(max_examples=25)
@given(st.lists(st.lists(DONE, min_size=1, max_size=12), min_size=1, max_size=4))
def test_the_history_is_whole_and_nothing_of_it_is_proposed(batches: list[list[tuple[str, EventType, int]]]) -> None:
    with TemporaryDirectory() as folder:
        played = Played(Path(folder))
        with closing(played.worker):
            touched, disliked = defaultdict[str, dict[str, None]](dict), defaultdict[str, dict[str, None]](dict)
            for batch in batches:
                asked = len(played.log.all("candidates"))
                played.absorb("events", *((user, Event(user, kind, f"i{item}")) for user, kind, item in batch))
                for user, kind, item in batch:
                    if kind == "dislike":
                        disliked[user][f"i{item}"] = None
                    elif kind != "impression":
                        touched[user].setdefault(f"i{item}")
                found = [CANDIDATES.read(record.value or b"") for record in played.log.all("candidates")[asked:]]
                assert {one.user_id for one in found} == {user for user, kind, _ in batch if kind == "purchase"}
                for one in found:
                    history = ids_of(one.history)
                    assert (history, one.seen) == (list(touched[one.user_id]), list(disliked[one.user_id]))
                    assert one.history_length == len(history)
                    out = {*history, *one.seen}
                    assert not out & {*one.items}
                    assert one.items or out >= {f"i{number}" for number in range(1, 10)}  # i0 is not popular
