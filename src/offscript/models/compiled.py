"""Where compiled training loops are kept between runs (ours)."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any


def keep_compiled() -> None:
    """Let JAX remember compiled training loops in a folder that only the user can write, if there can be one.

    A folder of someone else could carry foreign code, and a read-only home must not stop a fit: then the
    compilation is kept in memory only. A cache that the user has set up stays as it is.
    """
    import jax  # noqa: PLC0415

    settings: Any = jax.config  # its settings are not typed
    if settings.jax_compilation_cache_dir or not hasattr(os, "getuid"):
        return
    home = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = (Path(home) if home else Path.home() / ".cache") / "offscript" / "jax"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except (OSError, RuntimeError):
        return
    private = stat.S_IMODE(found.st_mode) == 0o700 and found.st_uid == os.getuid()
    if private and os.access(folder, os.W_OK):
        settings.update("jax_compilation_cache_dir", str(folder))
        settings.update("jax_persistent_cache_min_compile_time_secs", 0.2)
