"""Where compiled code is kept between runs: a folder that only its user can write (ours)."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path


def private_folder(name: str) -> Path | None:
    """Return the user's own cache folder of that name, made if need be; None where there can be none.

    A folder of someone else could carry foreign code, and a read-only home must not stop any work.

    >>> folder = private_folder("example")
    >>> folder is None or folder.name
    'example'
    """
    if not hasattr(os, "getuid"):
        return None
    home = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = (Path(home) if home else Path.home() / ".cache") / "offscript" / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except (OSError, RuntimeError):
        return None
    private = stat.S_IMODE(found.st_mode) == 0o700 and found.st_uid == os.getuid()
    return folder if private and os.access(folder, os.W_OK) else None


def edition_of(folder: Path) -> str:
    """Name the Python sources of a folder as they are now: what was compiled of others is out of date.

    >>> edition_of(Path(__file__).parent) == edition_of(Path(__file__).parent)
    True
    """
    files = sorted(folder.glob("*.py"))
    stated = "\n".join(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files)
    return hashlib.blake2b(f"{folder}\n{stated}".encode(), digest_size=8).hexdigest()
