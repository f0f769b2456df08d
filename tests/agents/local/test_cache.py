"""Where the cache folder is."""

from pathlib import Path

import pytest

from agents.local.cache import cache_folder


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"PROFILESTREAM_CACHE": "/chosen", "XDG_CACHE_HOME": "/xdg"}, Path("/chosen")),
        ({"XDG_CACHE_HOME": "/xdg"}, Path("/xdg/profilestream")),
        ({}, Path.home() / ".cache" / "profilestream"),
    ],
)
def test_the_more_specific_setting_wins(environ: dict[str, str], folder: Path) -> None:
    assert cache_folder(environ) == folder
