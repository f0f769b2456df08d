"""The folder for what can be had again: jars, brokers' data, virtual environments."""

import os
from collections.abc import Mapping
from pathlib import Path


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """`PROFILESTREAM_CACHE`, or `profilestream` in the user's cache folder. Same rule as in `scripts/environment`."""
    if chosen := environ.get("PROFILESTREAM_CACHE"):
        return Path(chosen).expanduser().absolute()
    parent = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(parent).expanduser().absolute() / "profilestream"
