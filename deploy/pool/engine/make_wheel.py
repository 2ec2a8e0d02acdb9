"""Build the engine's wheel, which is also the archive for nodes: for pip, and by `make_wheel.py FOLDER`.

The same sources and the same compiler give the same bytes. Interface: PEP 517, format: PEP 427.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from pixel_engine.build import build
from pixel_engine.errors import IlastikError
from pixel_engine.version import VERSION

_HERE = Path(__file__).resolve().parent
_INFO = f"pixel_engine-{VERSION}.dist-info"
# Earliest time that a zip can hold.
_TIME = (1980, 1, 1, 0, 0, 0)
_METADATA = f"""Metadata-Version: 2.1
Name: pixel-engine
Version: {VERSION}
Summary: ilastik's headless Pixel Classification, re-implemented: the same pixels in a fraction of the time.
License: MIT
Requires-Python: >=3.12
Requires-Dist: h5py
Requires-Dist: numpy
Requires-Dist: tifffile
"""
_ENTRY_POINTS = "[console_scripts]\npixel-engine = pixel_engine.__main__:command\n"


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: str | None = None) -> str:
    """Compile the kernel where that is needed, and write the wheel for this kind of machine; return its name.

    Raises NotBuiltError without a C compiler.
    """
    tag = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
    name = f"pixel_engine-{VERSION}-{tag}.whl"
    library = build()
    files = {path.relative_to(_HERE).as_posix(): path.read_bytes() for path in [*_sources(), library]}
    files |= {
        f"{_INFO}/METADATA": _METADATA.encode(),
        f"{_INFO}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(),
        f"{_INFO}/entry_points.txt": _ENTRY_POINTS.encode(),
    }
    files[f"{_INFO}/RECORD"] = _record(files)
    partial = Path(wheel_directory, f"{name}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            info = zipfile.ZipInfo(path, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o755 if path.endswith(".sh") else 0o644) << 16
            archive.writestr(info, content)
    partial.replace(partial.with_suffix(""))
    return name


def build_sdist(sdist_directory: str, config_settings: object = None) -> str:
    """Pack what a wheel is built from; return the file's name."""
    root = f"pixel_engine-{VERSION}"
    with tarfile.open(Path(sdist_directory, f"{root}.tar.gz"), "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path in [_HERE / "pyproject.toml", _HERE / "make_wheel.py", _HERE / "README.md", *_sources()]:
            archive.add(path, f"{root}/{path.relative_to(_HERE).as_posix()}")
    return f"{root}.tar.gz"


def _sources() -> list[Path]:
    package = _HERE / "pixel_engine"
    return sorted(path for pattern in ("*.py", "*.sh", "native/*.[ch]") for path in package.glob(pattern))


def _record(files: Mapping[str, bytes]) -> bytes:
    def digest(content: bytes) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()

    lines = [f"{path},sha256={digest(content)},{len(content)}" for path, content in files.items()]
    return "\n".join([*lines, f"{_INFO}/RECORD,,", ""]).encode()


if __name__ == "__main__":
    try:
        print(build_wheel(sys.argv[1]))
    except IlastikError as exc:
        sys.exit(str(exc))
