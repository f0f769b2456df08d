"""What is said of a restore while it runs."""

import pytest

from agents.runtime.metrics import Metrics
from agents.runtime.progress import TELL_S, Progress


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_progress_is_shown_logged_and_measured_each_few_seconds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    clock, metrics, shown = Clock(), Metrics(), list[str]()
    progress = Progress(1_000, metrics, shown.append, clock)
    progress.add(100, 1_000_000, 900, heard=True)
    assert shown == ["0 %"]
    clock.now += TELL_S * 2
    progress.add(300, 3_000_000, 600, heard=True)
    assert shown == ["0 %", "40 %"]
    assert "restoring: 40 %, 400 records, 100/s, 1.0 MB/s, 600 left" in caplog.text
    assert metrics.registry.get_sample_value("profilestream_restore_left_records") == 600
    assert metrics.registry.get_sample_value("profilestream_restored_rows_total") == 400
    assert metrics.registry.get_sample_value("profilestream_restored_bytes_total") == 4_000_000
    progress.done()
    assert shown[-1] == "100 %"


def test_a_silent_broker_is_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    clock = Clock()
    progress = Progress(10, Metrics(), lambda _: None, clock)
    clock.now += TELL_S * 2
    progress.add(0, 0, 10, heard=False)
    assert progress.silent_s == TELL_S * 2
    assert "an open transaction is waited for" in caplog.text


def test_nothing_to_read_is_all_of_it() -> None:
    shown: list[str] = []
    Progress(0, Metrics(), shown.append)
    assert shown == ["100 %"]
