"""The media engine to test with: what OFFHOOK_MEDIA_BINARY names, else the one built here and now by cargo."""

import functools
import os
import subprocess
from pathlib import Path

NATIVE = Path(__file__).parents[2] / "native"


@functools.cache
def engine_binary() -> Path:
    """Path of a binary of this tree. Building is quick when nothing changed."""
    named = os.environ.get("OFFHOOK_MEDIA_BINARY")
    if named:
        return Path(named)
    subprocess.run(["cargo", "build", "--release", "--quiet", "--bin", "offhook-media"], cwd=NATIVE, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", NATIVE / "target")) / "release" / "offhook-media"
