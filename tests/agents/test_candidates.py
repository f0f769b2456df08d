"""What candidates say of a history, whatever was done: it is whole, and nothing of it is proposed."""

from collections import defaultdict
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
        touched, disliked = defaultdict[str, dict[str, None]](dict), defaultdict[str, dict[str, None]](dict)
        for batch in batches:
            asked = len(played.log.all("candidates"))
            played.absorb("events", *((user, Event(user, kind, f"i{item}")) for user, kind, item in batch))
            for user, kind, item in batch:
                if kind == "dislike":
                    disliked[user][f"i{item}"] = None
                elif kind != "impression":
                    touched[user].setdefault(f"i{item}")
            for record in played.log.all("candidates")[asked:]:
                candidates = CANDIDATES.read(record.value or b"")
                history, user = ids_of(candidates.history), candidates.user_id
                assert (history, candidates.seen) == (list(touched[user]), list(disliked[user]))
                assert not {*history, *candidates.seen} & {*candidates.items}
                assert candidates.history_length == len(history)
        played.worker.close()
