"""Compile the kernel (native/*.c) with the system's C compiler: `python -m local_cloud.ilastik.build [--portable]`.

Done once at set-up, so that no run ever waits for a compiler. Up to date means: a library for this source, these
flags and this kind of processor exists. Running it twice at once is harmless: each writes a file of its own and
renames it. `--portable` makes a library that runs on every processor of this kind, with AVX2 or without (slower): for
a folder that several machines share. It is used where no other fits, and gives the same pixels.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from local_cloud.ilastik.errors import IlastikError, NotBuiltError

_SOURCE = Path(__file__).resolve().parent / "native"
_COMPILERS = ("cc", "gcc", "clang")
# No flag may let the compiler reorder or fuse floating-point operations: pixels depend on the last bit.
_FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
_AVX2_FLAGS = ("-mavx2", "-mfma")


def library_path(source: Path = _SOURCE, *, portable: bool = False) -> Path:
    """Return where the library for this source and this processor, or any processor of its kind, belongs."""
    digest = hashlib.sha256(" ".join(_flags(portable)).encode())
    for file in _sources(source):
        digest.update(file.name.encode() + file.read_bytes())
    return source / "build" / f"pixels-{platform.machine()}-{digest.hexdigest()[:16]}.so"


def build(compiler: str | None = None, source: Path = _SOURCE, *, portable: bool = False) -> Path:
    """Make the library unless it is there; return its path.

    Raises NotBuiltError where there is no compiler, or it fails.
    """
    target = library_path(source, portable=portable)
    if target.exists():
        return target
    compiler = compiler or next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise NotBuiltError(
            "The ilastik stand-in needs a C compiler once, at set-up, and none was found "
            f"({', '.join(_COMPILERS)}). Install one (Debian and Ubuntu: 'apt install gcc'; macOS: 'xcode-select "
            "--install') and run 'make' again."
        )
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sources = [str(file) for file in _sources(source) if file.suffix == ".c"]
        done = subprocess.run(
            [compiler, *_flags(portable), *sources, "-o", str(temporary), "-lm"],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode != 0:
            raise NotBuiltError(f"'{compiler}' could not compile {source}:\n{done.stderr.strip()}")
        temporary.replace(target)
    except OSError as exc:
        raise NotBuiltError(f"The compiled kernel cannot be written to '{target.parent}': {exc}.") from exc
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return target


def _sources(source: Path) -> list[Path]:
    return sorted(file for file in source.iterdir() if file.suffix in (".c", ".h"))


def _flags(portable: bool) -> tuple[str, ...]:
    return (*_FLAGS, *_AVX2_FLAGS) if not portable and _has_avx2() else _FLAGS


def _has_avx2() -> bool:
    """Say whether this processor has AVX2 and FMA; without them the kernel is right, but slow."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    return "avx2" in flags and "fma" in flags


if __name__ == "__main__":
    try:
        print(build(portable="--portable" in sys.argv[1:]))
    except IlastikError as exc:
        sys.exit(str(exc))
