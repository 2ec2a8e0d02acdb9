"""Compile the kernel (native/*.c) with the system's C compiler: `python -m pixel_engine.build`.

Done once, at set-up or when an archive or a wheel is made, so that no run ever waits for a compiler. One library holds
the kernel for every level of this kind of processor: which level works is found out when it is loaded, and all give
the same pixels. Up to date means: a library of this source and these flags exists. Running it twice at once is
harmless: each writes a file of its own and renames it.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pixel_engine.errors import IlastikError, NotBuiltError

_SOURCE = Path(__file__).resolve().parent / "native"
_COMPILERS = ("cc", "gcc", "clang")
# No flag may let the compiler reorder or fuse floating-point operations: pixels depend on the last bit.
_FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
_AVX2 = ("-mavx2", "-mfma")
# More registers and masks; vectors stay as long as they are written, so that nothing is computed otherwise.
_AVX512 = ("-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq", "-mprefer-vector-width=256")
LEVELS = {"portable": (), "avx2": _AVX2, "avx512": (*_AVX2, *_AVX512)}
"""Flags of each level, the slowest first; level.c counts in this order."""
# What knows of no level: compiled once.
_COMMON = "level.c"


def levels() -> tuple[str, ...]:
    """Return the levels that are compiled for this kind of processor."""
    return tuple(LEVELS) if platform.machine() == "x86_64" else ("portable",)


def library_path(source: Path = _SOURCE) -> Path:
    """Return where the library of this source for this kind of processor belongs."""
    digest = hashlib.sha256(repr((_FLAGS, [(level, LEVELS[level]) for level in levels()])).encode())
    for file in sorted(file for file in source.iterdir() if file.suffix in (".c", ".h")):
        digest.update(file.name.encode() + file.read_bytes())
    return source / "build" / f"pixels-{platform.machine()}-{digest.hexdigest()[:16]}.so"


def build(compiler: str | None = None, source: Path = _SOURCE) -> Path:
    """Make the library unless it is there; return its path.

    Raises NotBuiltError where there is no compiler, or it fails.
    """
    target = library_path(source)
    if target.exists():
        return target
    compiler = compiler or next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise NotBuiltError(
            f"The pixel engine needs a C compiler once, at set-up, and none was found ({', '.join(_COMPILERS)}). "
            "Install one (Debian and Ubuntu: 'apt install gcc'; macOS: 'xcode-select --install') and try again."
        )
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            _link(compiler, _compile(compiler, source, Path(folder)), temporary)
        temporary.replace(target)
    except OSError as exc:
        raise NotBuiltError(f"The compiled kernel cannot be written to '{target.parent}': {exc}.") from exc
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return target


def _compile(compiler: str, source: Path, folder: Path) -> list[str]:
    """Compile each file for each level, on all cores; return the objects."""

    def compiled(level: str, file: Path) -> str:
        made = str(folder / f"{file.stem}-{level}.o")
        # By its bare name: no folder of this machine gets into the library.
        _call(compiler, *_FLAGS, *LEVELS[level], f"-DLEVEL={level}", "-c", file.name, "-o", made, directory=source)
        return made

    files = sorted(source.glob("*.c"))
    wanted = [(level, file) for level in levels() for file in files if file.name != _COMMON or level == "portable"]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(lambda pair: compiled(*pair), wanted))


def _link(compiler: str, objects: list[str], target: Path) -> None:
    _call(compiler, "-shared", *objects, "-o", str(target.absolute()), "-lm", directory=target.parent)


def _call(*command: str, directory: Path) -> None:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise NotBuiltError(f"'{command[0]}' could not compile {directory}:\n{done.stderr.strip()}")


if __name__ == "__main__":
    try:
        print(build())
    except IlastikError as exc:
        sys.exit(str(exc))
