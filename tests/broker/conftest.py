"""Brokers of the broker tests."""

from collections.abc import Iterator

import pytest

from tests.broker.secured import Secured, secured_kafka


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A Kafka with TLS, users and access rights."""
    with secured_kafka(tmp_path_factory.mktemp("secured")) as made:
        yield made
