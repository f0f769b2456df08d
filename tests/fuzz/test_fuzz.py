"""A short run of the fuzzer, and that it would notice something."""

import os

import pytest

from agents.records import read_event
from tests.fuzz import limits
from tests.fuzz.decoders import DECODERS
from tests.fuzz.running import run
from tests.fuzz.taking import Decoder

INPUTS = int(os.environ.get("PROFILESTREAM_FUZZ_INPUTS", "20000"))


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_valid_records_are_accepted(decoder: Decoder) -> None:
    assert all(decoder.take(seed) for seed in decoder.seeds)


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_inputs_are_refused_or_right(decoder: Decoder) -> None:
    result = run(decoder, INPUTS, seed=1)
    assert result.findings == []
    assert 0 < result.accepted < result.inputs


def test_a_careless_decoder_is_found_out() -> None:
    def take(value: bytes) -> bool:
        limits.event(read_event(value))
        return True

    careless = Decoder("careless", DECODERS[0].seeds, False, take)
    result = run(careless, 2_000, seed=1)
    assert result.wrong
    assert "RecordError" in {what.split(":")[0] for _, what in result.findings}
