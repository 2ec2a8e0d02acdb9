"""Which engine this is, to whoever asks: its version, the digest of all that computes, and the level of processors."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from pixel_engine.build import library_path
from pixel_engine.native import load
from pixel_engine.version import VERSION

WITNESS = "PIXEL_ENGINE_WITNESS"
"""Names a file that the engine creates when it starts: whoever runs an ilastik learns so whether it is one."""


def identity(level: str = "") -> dict[str, str]:
    """Return `version`, with the digest of modules and library, and `level`: a given one, or the best that works here.

    Raises NotBuiltError and SettingsError as `native.load` does.
    """
    digest = hashlib.sha256()
    for file in [*sorted(Path(__file__).resolve().parent.glob("*.py")), library_path()]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return {"version": f"{VERSION}+{digest.hexdigest()[:16]}", "level": load(level).level}


def as_json(environment: Mapping[str, str]) -> str:
    """Return the identity under an environment as one line of JSON."""
    return json.dumps(identity(environment.get("PIXEL_ENGINE_LEVEL", "")))


def bear_witness(environment: Mapping[str, str]) -> None:
    """Create the file that the environment names, if it does."""
    if name := environment.get(WITNESS):
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT))
