"""Wrong settings are named with what they must be."""

import pytest

from agents.errors import SettingsError
from agents.settings import Settings, read_settings, unknown_variables


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("trigger_types", "click,buy", "PROFILESTREAM_TRIGGER_TYPES='buy': .*'purchase'"),
        ("transaction_timeout_ms", "900001", "PROFILESTREAM_TRANSACTION_TIMEOUT_MS.*900000"),
        ("row_neighbours", "25001", "PROFILESTREAM_ROW_NEIGHBOURS.*25000"),
        ("neighbours_published", "1001", "PROFILESTREAM_NEIGHBOURS_PUBLISHED.*1000"),
    ],
)
def test_a_value_beyond_its_limits_is_refused(
    name: str, value: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PROFILESTREAM_{name.upper()}", value)
    with pytest.raises(SettingsError, match=hint):
        read_settings()


@pytest.mark.parametrize(("value", "types"), [("", ()), ("click, search", ("click", "search"))])
def test_triggers_are_a_list_of_event_types(value: str, types: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFILESTREAM_TRIGGER_TYPES", value)
    assert read_settings().trigger_types == types


def test_a_misspelt_variable_is_named_with_what_may_be_meant() -> None:
    there = ["PROFILESTREAM_DIVERSTY", "PROFILESTREAM_DIVERSITY", "PROFILESTREAM_CACHE", "PROFILESTREAM_XYZ", "PATH"]
    assert unknown_variables(there) == [
        "PROFILESTREAM_DIVERSTY is no setting and has no effect; is PROFILESTREAM_DIVERSITY meant?",
        "PROFILESTREAM_XYZ is no setting and has no effect",
    ]


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
