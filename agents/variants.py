"""Variants of an experiment as the settings describe them: who is in which, and what each changes.

`PROFILESTREAM_VARIANTS` is JSON: name → its share of the users and the settings that differ, such as
`{"variety": {"share": 0.1, "diversity": 0.3}}`. Everybody else is in the variant `default`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from models.experiment import DEFAULT, Assignment

if TYPE_CHECKING:
    from agents.settings import Settings

Variants = dict[str, dict[str, int | float]]
"""Variant → `share` and the settings that it changes."""

SHARE = "share"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,50}")
_WEIGHT = "weight_"
_VARIED_PREFIXES = (_WEIGHT, "candidates_")
_VARIED = (
    "diversity",
    "calibration",
    "category_cap",
    "recency_power",
    "ridge_recency_power",
    "pause_recency_power",
    "pause_popular",
    "pause_ridge",
)
_ROUNDING = 1e-9


def varied_settings(fields: Mapping[str, FieldInfo]) -> list[str]:
    """The settings that a variant may change: those by which candidates are chosen and lists are ranked."""
    return [name for name in fields if name.startswith(_VARIED_PREFIXES) or name in _VARIED]


def read_variants(value: object, fields: Mapping[str, FieldInfo]) -> Variants:
    """The variants in a setting's text, or as they are. `fields` are all settings, with their limits.

    Raises `ValueError` that says what is wrong.
    """
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value) if value.strip() else {}
        except msgspec.DecodeError as exc:
            raise ValueError(f"is no JSON ({exc}): " + _EXAMPLE) from exc
    if not isinstance(value, Mapping) or not all(isinstance(one, Mapping) for one in value.values()):
        raise ValueError("must be an object with an object for each variant: " + _EXAMPLE)
    variants = {name: _read_variant(name, one, fields) for name, one in value.items()}
    total = sum(one[SHARE] for one in variants.values())
    if total > 1 + _ROUNDING:
        raise ValueError(f"the shares add up to {total:g}, more than 1")
    return variants


_EXAMPLE = 'write {"variety": {"share": 0.1, "diversity": 0.3}}'


def _read_variant(
    name: object, described: Mapping[Any, Any], fields: Mapping[str, FieldInfo]
) -> dict[str, int | float]:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a variant: up to 50 letters, digits, dots, - and _")
    if name == DEFAULT:
        raise ValueError(f"{DEFAULT} is the variant of all other users, with the settings of its own")
    share = described.get(SHARE)
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1:
        raise ValueError(f"variant {name} needs a share of the users between 0 and 1, not {share!r}")
    may = varied_settings(fields)
    changed = {setting: value for setting, value in described.items() if setting != SHARE}
    if refused := [str(setting) for setting in changed if setting not in may]:
        raise ValueError(f"variant {name} cannot change {', '.join(refused)}; it may change {', '.join(may)}")
    return {SHARE: float(share), **{setting: _checked(name, setting, changed[setting], fields) for setting in changed}}


def _checked(name: str, setting: str, value: object, fields: Mapping[str, FieldInfo]) -> int | float:
    """A changed setting's value, within the limits that the setting has for everybody."""
    field = fields[setting]
    kind: Any = Annotated[field.annotation, *field.metadata]
    try:
        checked: int | float = TypeAdapter(kind).validate_python(value)
    except ValidationError as exc:
        raise ValueError(f"variant {name}: {setting}={value!r}: {exc.errors()[0]['msg']}") from exc
    return checked


def assignment(settings: "Settings") -> Assignment:
    """Who is in which variant under these settings: the same on every worker, and after a restart."""
    return Assignment(settings.experiment, {name: one[SHARE] for name, one in settings.variants.items()})


def with_own_weights(settings: "Settings") -> frozenset[str]:
    """The variants that set weights of the blend themselves: they keep them, whatever was learned."""
    return frozenset(name for name, one in settings.variants.items() if any(key.startswith(_WEIGHT) for key in one))


def by_variant(settings: "Settings") -> Iterator[tuple[str, "Settings"]]:
    """(variant, the settings as it changes them), the default first."""
    yield DEFAULT, settings
    for name, one in settings.variants.items():
        yield name, settings.model_copy(update={setting: one[setting] for setting in one if setting != SHARE})
