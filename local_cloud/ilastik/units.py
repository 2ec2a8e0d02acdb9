"""Physical units in OME metadata, from the unit names that images state."""

_PREFIXES = {
    "yotta": "Y", "zetta": "Z", "exa": "E", "peta": "P", "tera": "T", "giga": "G", "mega": "M", "kilo": "k",
    "hecto": "h", "deca": "da", "": "", "deci": "d", "centi": "c", "milli": "m", "micro": "µ", "nano": "n",
    "pico": "p", "femto": "f", "atto": "a", "zepto": "z", "yocto": "y",
}  # fmt: skip
_LENGTHS = {
    **{f"{name}{word}": f"{symbol}m" for name, symbol in _PREFIXES.items()
       for word in ("meter", "metre", "meters", "metres")},
    **{f"{symbol}m".lower(): f"{symbol}m" for symbol in _PREFIXES.values() if symbol not in "MPYZ" or not symbol},
    "micron": "µm", "microns": "µm", "um": "µm", "μm": "µm", "mm": "mm", "pm": "pm", "ym": "ym", "zm": "zm",
    "ångström": "Å", "ångströms": "Å", "angstrom": "Å", "angstroms": "Å", "å": "Å", "inch": "in", "inches": "in",
    "in": "in", "thou": "thou", "line": "li", "lines": "li", "li": "li", "foot": "ft", "feet": "ft", "ft": "ft",
    "yard": "yd", "yards": "yd", "yd": "yd", "mile": "mi", "miles": "mi", "mi": "mi", "point": "pt", "points": "pt",
    "pt": "pt",
}  # fmt: skip
_TIMES = {
    **{f"{name}{word}": f"{symbol}s" for name, symbol in _PREFIXES.items() for word in ("second", "seconds")},
    **{f"{symbol}s".lower(): f"{symbol}s" for symbol in _PREFIXES.values() if symbol not in "MPYZ" or not symbol},
    "sec": "s", "secs": "s", "us": "µs", "μs": "µs", "ms": "ms", "ps": "ps", "ys": "ys", "zs": "zs", "m": "min",
    "min": "min", "minute": "min", "minutes": "min", "h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "d": "d", "day": "d", "days": "d",
}  # fmt: skip
# Symbols whose meaning depends on the case of the prefix (mega or milli).
_CASED = ("M", "m", "P", "p", "Y", "y", "Z", "z")


def ome_unit(text: str, axis: str) -> str:
    """Return OME's symbol for a unit of an axis: unknown lengths are pixels, unknown times have none ('')."""
    base, table = ("s", _TIMES) if axis == "t" else ("m", _LENGTHS)
    if text in [prefix + base for prefix in _CASED]:
        return text
    return table.get(text.lower(), "" if axis == "t" else "pixel")
