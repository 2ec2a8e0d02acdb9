"""The optional `<project>.json` beside a classifier: how its images are read and its results exported. Pure."""

import json
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import TypeGuard

from batch_ops.domain.errors import IlastikBatchError
from batch_ops.domain.name_pattern import NamePattern, PatternError
from batch_ops.image.channels import wanted_channels
from batch_ops.image.patterns import repeated_axis
from batch_ops.task.certificate import ENGINES
from batch_ops.task.export_plan import AXES, EXPORT_SOURCES, SEGMENTATION
from batch_ops.task.objects import DISTANCE
from batch_ops.task.parts import MOST_PARTS
from batch_ops.task.plain_text import plain
from batch_ops.task.result_form import AS_EXPORTED, FORMATS, HDF5, TIFF, ResultForm

LARGEST_CONFIG = 64 * 1024
_LONGEST_MINUTES = 7 * 24 * 60
_LONGEST_SETTLE_SECONDS = 24 * 3600
_KEYS = (
    *("internal_path", "axes", "export_source", "wall_clock_minutes", "per_plane"),
    *("objects", "pixel_size_um", "pictures", "name_pattern", "keep_export_settings"),
    *("engine", "output", "palette", "settle_seconds", "tool", "parts", "channels"),
)
_OBJECT_KEYS = ("classes", "min_size", "split", "label_image")
_MOST_CLASSES = 255
_LARGEST = 1e12


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """`internal_path`: the dataset to segment, or a pattern of its path. `axes`: letters for files without
    axistags. `export_source`: ilastik's name. `wall_clock`: a limit of its own. `per_plane`: a classifier
    trained in 2D segments the planes of a stack one by one. `object_classes`: names or values of the classes whose
    objects are counted, None where it does not say. `min_object_size`: smaller objects do not count; in um3 or um2
    where the size of a pixel is known, else in pixels. `pixel_size_um`: that along z, y and x in micrometres, () where
    the image has to say it. `pictures`: whether there are any of its images. `name_pattern`: what the names of its
    images say (see `name_pattern.NamePattern`), None where they say nothing. `keep_export_settings`: what the project
    itself stores of its export is used. `split`: how touching objects are parted, "" where they are not.
    `label_image`: results have images of the objects' ids.
    `engine`: which programs may compute it, None where it does not say. `form`: in which form its results are.
    `settle`: for so long a file has to be left alone before it starts. `channels`: numbers or names of those that are
    segmented, () for all. `tool`: by its name, where several have projects of this suffix. `parts`: in how many parts
    its images are computed, None where it does not say."""

    internal_path: str | None = None
    axes: str | None = None
    export_source: str | None = None
    wall_clock: timedelta | None = None
    per_plane: bool = False
    object_classes: tuple[str | int, ...] | None = None
    min_object_size: float = 0.0
    pixel_size_um: tuple[float, ...] = ()
    pictures: bool = True
    name_pattern: str | None = None
    split: str = ""
    label_image: bool = False
    keep_export_settings: bool = False
    engine: str | None = None
    form: ResultForm = AS_EXPORTED
    settle: timedelta = timedelta()
    channels: tuple[int | str, ...] = ()
    tool: str | None = None
    parts: int | None = None


class ConfigError(IlastikBatchError):
    """The configuration can't be used; the text says why and what is allowed."""


def parse(name: str, data: bytes) -> ProjectConfig:
    """Read the configuration in a JSON text. Raises `ConfigError`."""
    where = f"The configuration '{plain(name)}'"
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{where} is not JSON.") from exc
    values = _table(where, values, _KEYS)
    objects = values.get("objects")
    per_plane, keep_export = (_flag(where, values, key, default=False) for key in ("per_plane", "keep_export_settings"))
    if per_plane and keep_export:
        raise ConfigError(f"{where} can't have both per_plane and keep_export_settings: a stored region is no planes'.")
    of_objects = _table(f"{where}, in objects,", {} if objects is None else objects, _OBJECT_KEYS)
    return ProjectConfig(
        internal_path=_path(where, values),
        axes=_axes(where, values),
        export_source=_export_source(where, values),
        wall_clock=_wall_clock(where, values),
        per_plane=per_plane,
        object_classes=_classes(where, of_objects),
        min_object_size=_least(where, of_objects),
        pixel_size_um=_pixel_size(where, values),
        pictures=_flag(where, values, "pictures", default=True),
        name_pattern=_name_pattern(where, values),
        split=_split(where, of_objects),
        label_image=_flag(f"{where}, in objects,", of_objects, "label_image", default=False),
        keep_export_settings=keep_export,
        engine=_engine(where, values),
        form=_form(where, values),
        settle=_settle(where, values),
        channels=_channels(where, values),
        tool=_text(where, values, "tool"),
        parts=_parts(where, values),
    )


def _table(where: str, values: object, known: tuple[str, ...]) -> dict[str, object]:
    if not isinstance(values, dict):
        raise ConfigError(f"{where} must be a JSON object with any of {', '.join(known)}.")
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(f"{where} has an unknown key '{plain(unknown[0])}'; the known keys are {', '.join(known)}.")
    return values


def _text(where: str, values: dict[str, object], key: str) -> str | None:
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > 500 or not value.isprintable():
        raise ConfigError(f"{where} must give {key} as a short text.")
    return value


def _path(where: str, values: dict[str, object]) -> str | None:
    path = _text(where, values, "internal_path")
    if path is not None and (axis := repeated_axis(path)):
        raise ConfigError(f"{where} must give {{{axis}}} only once in internal_path.")
    return path.strip("/") if path is not None else None


def _axes(where: str, values: dict[str, object]) -> str | None:
    axes = _text(where, values, "axes")
    if axes is not None and (set(axes) - set(AXES) or len(set(axes)) != len(axes)):
        raise ConfigError(f"{where} must give axes as different letters out of '{AXES}'.")
    return axes


def _name_pattern(where: str, values: dict[str, object]) -> str | None:
    pattern = _text(where, values, "name_pattern")
    try:
        if pattern is not None:
            NamePattern(pattern)
    except PatternError as exc:
        raise ConfigError(f"{where} has a name_pattern that {exc}, such as {{plate}}/{{well}}_s{{site}}.") from exc
    return pattern


def _export_source(where: str, values: dict[str, object]) -> str | None:
    source = _text(where, values, "export_source")
    if source is not None and source not in EXPORT_SOURCES:
        raise ConfigError(f"{where} must give export_source as one of {', '.join(EXPORT_SOURCES)}.")
    return source


def _engine(where: str, values: dict[str, object]) -> str | None:
    engine = _text(where, values, "engine")
    if engine is not None and engine not in ENGINES:
        raise ConfigError(f"{where} must give engine as one of {', '.join(ENGINES)}.")
    return engine


def _form(where: str, values: dict[str, object]) -> ResultForm:
    form, palette = _text(where, values, "output") or TIFF, _flag(where, values, "palette", default=False)
    if form not in FORMATS:
        raise ConfigError(f"{where} must give output as one of {', '.join(FORMATS)}.")
    if palette and _export_source(where, values) not in (None, SEGMENTATION):
        raise ConfigError(f"{where} can't have a palette: only the values of a {SEGMENTATION} are classes.")
    if palette and form == HDF5:
        raise ConfigError(f"{where} can't have a palette: only TIFFs have one, and its output is {HDF5}.")
    return ResultForm(form, palette)


def _flag(where: str, values: dict[str, object], key: str, *, default: bool) -> bool:
    value = values.get(key)
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{where} must give {key} as true or false.")
    return default if value is None else value


def _wall_clock(where: str, values: dict[str, object]) -> timedelta | None:
    minutes = values.get("wall_clock_minutes")
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)) or not 0 < minutes <= _LONGEST_MINUTES:
        raise ConfigError(f"{where} must give wall_clock_minutes as a number above 0, at most {_LONGEST_MINUTES}.")
    return timedelta(minutes=minutes)


def _settle(where: str, values: dict[str, object]) -> timedelta:
    seconds = values.get("settle_seconds")
    if seconds is None:
        return timedelta()
    if not _is_number(seconds) or not 0 <= seconds <= _LONGEST_SETTLE_SECONDS:
        raise ConfigError(f"{where} must give settle_seconds as a number from 0 to {_LONGEST_SETTLE_SECONDS}.")
    return timedelta(seconds=seconds)


def _parts(where: str, values: dict[str, object]) -> int | None:
    parts = values.get("parts")
    if parts is None:
        return None
    if isinstance(parts, bool) or not isinstance(parts, int) or not 1 <= parts <= MOST_PARTS:
        raise ConfigError(f"{where} must give parts as a whole number from 1 to {MOST_PARTS}.")
    return parts


def _classes(where: str, values: dict[str, object]) -> tuple[str | int, ...] | None:
    classes = values.get("classes")
    if classes is None:
        return None
    if not isinstance(classes, list) or len(classes) > _MOST_CLASSES or not all(map(_is_class, classes)):
        raise ConfigError(
            f"{where} must give objects.classes as a list of names or numbers of the classifier's classes."
        )
    return tuple(classes)


def _channels(where: str, values: dict[str, object]) -> tuple[int | str, ...]:
    try:
        return wanted_channels(values.get("channels"))
    except ValueError as reason:
        raise ConfigError(f"{where} must give channels as {reason}.") from reason


def _is_class(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= 200 and value.isprintable()
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_CLASSES


def _split(where: str, values: dict[str, object]) -> str:
    split = values.get("split")
    if split not in (None, DISTANCE):
        raise ConfigError(f'{where} must give objects.split as "{DISTANCE}", or not at all.')
    return DISTANCE if split else ""


def _least(where: str, values: dict[str, object]) -> float:
    least = values.get("min_size", 0)
    if not _is_number(least) or least < 0:
        raise ConfigError(f"{where} must give objects.min_size as a number from 0.")
    return float(least)


def _pixel_size(where: str, values: dict[str, object]) -> tuple[float, ...]:
    sizes = values.get("pixel_size_um")
    if sizes is None:
        return ()
    if (
        not isinstance(sizes, list)
        or len(sizes) != len("zyx")
        or not all(_is_number(size) and size > 0 for size in sizes)
    ):
        raise ConfigError(f"{where} must give pixel_size_um as three numbers above 0: those of z, y and x.")
    return tuple(map(float, sizes))


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and abs(value) <= _LARGEST
