"""How far two orders agree."""

import numpy as np
import pytest

from models.agreement import agreement


def test_the_same_order_its_reverse_and_half_of_it() -> None:
    chances = np.array([0.1, 0.2, 0.3])
    assert agreement(chances, chances * 2) == 1
    assert agreement(chances, -chances) == 0
    assert agreement(chances, np.array([0.1, 0.3, 0.2])) == pytest.approx(2 / 3)
