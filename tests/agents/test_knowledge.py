"""What a profiles worker takes over from its views."""

import math
from pathlib import Path

import numpy as np
import pytest

from agents.knowledge import Knowledge
from agents.packed import NEIGHBOURS, Neighbours, pack_floats, pack_ints
from agents.settings import read_settings


def test_the_ratings_of_an_item_come_and_go_with_its_row(tmp_path: Path) -> None:
    knowledge = Knowledge(read_settings(data_dir=tmp_path))
    ratings, nothing = knowledge.table.ratings, pack_ints(np.zeros(0, np.int64))
    row = Neighbours([], pack_floats(np.zeros(0)), nothing, nothing, 2, 0, 0.0, 0.0, rating_sum=9_000, raters=2)
    knowledge.neighbours.put(b"i", NEIGHBOURS.write(row))
    knowledge.refresh()
    assert ratings.mean == pytest.approx(4.5)
    assert ratings.means(knowledge.items.numbers(["i"])).tolist() == [4.5]
    knowledge.neighbours.put(b"i", None)
    knowledge.refresh()
    assert math.isnan(ratings.mean)
