"""Where compiled training loops are kept between runs (ours)."""

from __future__ import annotations

from typing import Any

from offscript.caches import private_folder


def keep_compiled() -> None:
    """Let JAX remember compiled training loops in the user's own folder, if there can be one.

    Else the compilation is kept in memory only. A cache that the user has set up stays as it is.
    """
    import jax  # noqa: PLC0415

    settings: Any = jax.config  # its settings are not typed
    if settings.jax_compilation_cache_dir:
        return
    folder = private_folder("jax")
    if folder is not None:
        settings.update("jax_compilation_cache_dir", str(folder))
        settings.update("jax_persistent_cache_min_compile_time_secs", 0.2)
