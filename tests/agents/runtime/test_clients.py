"""Clients can be made with every setting that is accepted."""

import pytest

from agents.runtime.clients import transactional_producer
from agents.settings import read_settings


@pytest.mark.parametrize("timeout_ms", [1_000, 10_000])
def test_every_accepted_transaction_timeout_makes_a_producer(timeout_ms: int) -> None:
    settings = read_settings(bootstrap_servers="127.0.0.1:1", transaction_timeout_ms=timeout_ms)
    transactional_producer(settings, "some id")
