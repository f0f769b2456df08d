"""With which code a worker ends, and what it says."""

import pytest
from aiokafka.errors import KafkaConnectionError
from confluent_kafka import KafkaError, KafkaException

from agents.errors import FencedError
from agents.runtime.process import exit_code_of


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (FencedError("another worker took over"), 3, "another worker took over"),
        (KafkaConnectionError("Unable to bootstrap"), 4, "the broker is away or refuses: KafkaConnectionError: Unable"),
        (KafkaException(KafkaError(KafkaError._TRANSPORT)), 4, "the broker is away or refuses"),
    ],
)
def test_a_known_error_has_its_code_and_no_traceback(
    error: Exception, code: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert exit_code_of(error) == code
    assert said in caplog.text
    assert "Traceback" not in caplog.text


def test_an_unexpected_error_has_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    assert exit_code_of(ValueError("a fault of ours")) == 1
    assert "ValueError: a fault of ours" in caplog.text
