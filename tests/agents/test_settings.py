"""Wrong settings are named with what they must be."""

import pytest

from agents.errors import SettingsError
from agents.settings import Settings, read_settings, unknown_variables
from agents.variants import by_variant


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


def test_a_variant_changes_settings_for_its_share_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PROFILESTREAM_VARIANTS",
        '{"variety": {"share": 0.1, "diversity": 0.3}, "wide": {"share": 0, "category_cap": 2}}',
    )
    varied = dict(by_variant(read_settings()))
    assert [*varied] == ["default", "variety", "wide"]
    assert [one.diversity for one in varied.values()] == [0.05, 0.3, 0.05]
    assert [one.category_cap for one in varied.values()] == [0, 0, 2]
    monkeypatch.setenv("PROFILESTREAM_VARIANTS", "")
    assert read_settings().variants == {}


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("{", 'is no JSON .*: write {"variety"'),
        ("[]", "must be an object with an object for each variant"),
        ('{"a": 1}', "must be an object with an object for each variant"),
        ('{"a": {"diversity": 0.3}}', "variant a needs a share of the users between 0 and 1, not None"),
        ('{"a": {"share": 1.5}}', "variant a needs a share .* not 1.5"),
        ('{"a": {"share": true}}', "variant a needs a share"),
        ('{"a": {"share": 0.6}, "b": {"share": 0.5}}', "the shares add up to 1.1, more than 1"),
        ('{"default": {"share": 0.1}}', "default is the variant of all other users"),
        ('{"a b": {"share": 0.1}}', "'a b' is no name of a variant"),
        (
            '{"a": {"share": 0.1, "history_size": 9}}',
            "variant a cannot change history_size; it may change recency_power, ",
        ),
        ('{"a": {"share": 0.1, "diversity": 2}}', "variant a: diversity=2: Input should be less than or equal to 1"),
        ('{"a": {"share": 0.1, "category_cap": 0.5}}', "variant a: category_cap=0.5: Input should be a valid integer"),
    ],
)
def test_wrong_variants_are_refused_by_name(value: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFILESTREAM_VARIANTS", value)
    with pytest.raises(SettingsError, match=f"PROFILESTREAM_VARIANTS=(.|\n)*{hint}"):
        read_settings()
