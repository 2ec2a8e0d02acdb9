"""The environment variables of ilastik that matter here, and one of the engine's own."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from pixel_engine.errors import SettingsError

_MIB = 2**20
# More than this is no faster: what is worked on at a time has to fit into the processor's caches anyway.
_WORK_LIMIT = 160 * _MIB
# The interpreter, its libraries and the buffers of the writers.
_OVERHEAD = 200 * _MIB


@dataclass(frozen=True, slots=True)
class Settings:
    """How many threads to use, how many bytes of images and features to hold at a time, and which level of
    processors to compute for (empty: the best that works here).
    """

    threads: int
    work_bytes: int
    level: str = ""


def read_settings(environment: Mapping[str, str], cores: int) -> Settings:
    """Read LAZYFLOW_THREADS, LAZYFLOW_TOTAL_RAM_MB and PIXEL_ENGINE_LEVEL.

    Defaults: min(cores, 8) threads, memory as needed. Raises SettingsError for text that is no number, and for less
    than 500 MB, which ilastik refuses as well.
    """
    threads = _number(environment, "LAZYFLOW_THREADS")
    total = _number(environment, "LAZYFLOW_TOTAL_RAM_MB") or 0
    if threads is not None and threads < 0:
        raise SettingsError(f"LAZYFLOW_THREADS is {threads}: it must be a number of threads, or be left out.")
    if 0 < total < 500:
        raise SettingsError(
            f"LAZYFLOW_TOTAL_RAM_MB limits the memory to {total} MB; at least 500 are needed (the unit is MB, not GB)."
        )
    work = _WORK_LIMIT if total <= 0 else min(_WORK_LIMIT, max(total * _MIB - _OVERHEAD, 0) // 2)
    return Settings(
        threads=min(cores, 8) if threads is None else max(threads, 1),
        work_bytes=work,
        level=environment.get("PIXEL_ENGINE_LEVEL", ""),
    )


def available_cores() -> int:
    """Return the number of cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{name} is '{text}', which is not a whole number.") from None
