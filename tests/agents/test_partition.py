"""Partitions equal those of Kafka's Java producer."""

import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from agents.partition import partition_of, partitions_of


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 64))
def test_many_keys_equal_the_reference_one_by_one(keys: list[bytes], count: int) -> None:
    assert partitions_of(keys, count).tolist() == [(murmur2(key) & 0x7FFFFFFF) % count for key in keys]


@pytest.mark.parametrize(
    ("key", "hashed"),
    # From the tests of Kafka's Java client (UtilsTest.testMurmur2, Apache-2.0).
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)],
)
def test_known_hashes_of_the_java_client(key: bytes, hashed: int) -> None:
    assert partition_of(key, 1_000_003) == (hashed & 0x7FFFFFFF) % 1_000_003
