"""`compare`: what a rerun has changed, file by file and in all: numbers of objects, Dice of each class, overlays."""

import csv
import html
import json
import shutil
import tempfile
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attrs import define, field

from batch_ops.domain import naming
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.foreground import what_was_counted
from batch_ops.domain.local_names import local_path
from batch_ops.domain.selection import Selection
from batch_ops.files.console import Console
from batch_ops.files.overlap import Agreement, CannotCompare, agreement
from batch_ops.task.objects import ClassCount
from batch_ops.task.outputs import Role
from batch_ops.task.pictures import OVERLAY
from batch_ops.task.plain_text import cell, plain
from batch_ops.use_cases.fetching import Fetching
from batch_ops.use_cases.steering import Steering
from batch_ops.wiring import local_folder

_COLUMNS = (
    "file",
    "t",
    "class",
    "class_name",
    "objects_before",
    "objects_after",
    "difference",
    "dice",
    "image",
    "objects_are",
)
_IN_ALL = "all files"


async def run(args: Namespace, steering: Steering, fetching: Fetching, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`."""
    folder = f"{args.project}{naming.RERUN_MARK}{args.name}"
    comparison = _Comparison(fetching, args.to)
    table = csv.writer(console.out, lineterminator="\n")
    if not args.json:
        table.writerow(_COLUMNS)

    def write(lines: Iterator[tuple[Any, ...]]) -> None:
        for line in lines:
            if args.json:
                console.say_json(dict(zip(_COLUMNS, line, strict=True)))
            else:
                table.writerow([cell(value) if isinstance(value, str) else value for value in line])

    known = 0
    async for after in steering.select(Selection(project=folder, prefix=args.prefix)):
        known += 1
        found = [record async for record in steering.select(Selection(names=(after.source,)))] if after.source else []
        try:
            write(await comparison.of(found[0] if found else None, after))
        except CannotCompare as why:
            comparison.left += 1
            console.complain(f"'{plain(after.name)}' is left out: {why}.")
    if not known:
        console.complain(f"Nothing is known about a rerun '{plain(folder)}'.")
        return 1
    write(comparison.in_all())
    comparison.write_page()
    return 1 if comparison.left else 0


@define(eq=False)
class _Comparison:
    """Compares pair after pair. `to`: a folder for their overlays, None for none."""

    _fetching: Fetching
    _to: Path | None
    left: int = field(default=0, init=False)
    _sums: dict[tuple[int, str], list[Any]] = field(
        factory=lambda: defaultdict(lambda: [0, 0, Agreement()]), init=False
    )
    _shown: list[tuple[str, str, str]] = field(factory=list, init=False)

    async def of(self, before: FileRecord | None, after: FileRecord) -> Iterator[tuple[Any, ...]]:
        """Compare one pair: a line for each class at each time point of each image. Raises `CannotCompare`."""
        if before is None:
            raise CannotCompare("its first results are not known")
        for record in (before, after):
            if record.state is not State.SUCCEEDED:
                raise CannotCompare(f"'{plain(record.name)}' is {record.state}")
        if before.image.etag != after.image.etag and (before.image.md5 is None or before.image.md5 != after.image.md5):
            raise CannotCompare("they are of two versions of the image")
        folders, others = ([image.folder for image in record.plan.images] for record in (before, after))
        if folders != others:
            raise CannotCompare(f"the first results are of {_named(folders)}, the others of {_named(others)}")
        with tempfile.TemporaryDirectory() as scratch:
            places = [await self._fetched(record, Path(scratch) / str(n)) for n, record in enumerate((before, after))]
            found = []
            for folder in folders:
                old, new = (_segmentation(place, folder) for place in places)
                try:
                    found.append(agreement(old, new, _times(before, after, folder)))
                except ImportError as exc:
                    raise CannotCompare(f"this Python lacks {exc.name}") from exc
            for folder in folders:
                if self._to:
                    self._keep(self._to, after.name, folder, places)
        # All of them or none: what is left out of a file is not in the sums either.
        return (
            line
            for folder, of_image in zip(folders, found, strict=True)
            for line in self._lines(before, after, folder, of_image)
        )

    async def _fetched(self, record: FileRecord, folder: Path) -> Path:
        done = await self._fetching.fetch(record, local_folder(folder))
        if done.left:
            raise CannotCompare(f"of '{plain(record.name)}', {done.left}")
        return folder.joinpath(*local_path(naming.results_folder(record.name).removesuffix("/")))

    def _lines(
        self, before: FileRecord, after: FileRecord, folder: str, found: list[dict[int, Agreement]]
    ) -> Iterator[tuple[Any, ...]]:
        old, new = _classes(before, folder), _classes(after, folder)
        are = _what_objects_are(before, after, folder)
        for t, agreements in enumerate(found):
            for label in sorted({*agreements, *old, *new}):
                one, other = old.get(label), new.get(label)
                named = other or one
                name = named.name if named else ""
                numbers = [_at(of_class, t) for of_class in (one, other)]
                agreed = agreements.get(label, Agreement())
                sums = self._sums[label, name]
                sums[2] += agreed
                for index, number in enumerate(numbers):
                    unknown = number is None or sums[index] is None or len(found) > 1
                    sums[index] = None if unknown else sums[index] + number
                yield after.source, t, label, name, *numbers, _difference(*numbers), agreed.dice, folder or None, are

    def in_all(self) -> Iterator[tuple[Any, ...]]:
        """Sum up all pairs: a line for each class. Objects of several time points are not summed up."""
        for (label, name), (before, after, agreed) in sorted(self._sums.items()):
            yield _IN_ALL, None, label, name, before, after, _difference(before, after), agreed.dice, None, None

    def _keep(self, to: Path, name: str, folder: str, places: list[Path]) -> None:
        """Keep both overlays of an image, where there are any."""
        kept = {}
        for place, leaf in zip(places, ("before.png", "after.png"), strict=True):
            if (place / folder / OVERLAY).is_file():
                target = to.joinpath(*local_path(name), folder, leaf)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(place / folder / OVERLAY, target)
                kept[leaf] = target.relative_to(to).as_posix()
        title = f"{name} {folder}" if folder else name
        self._shown.append((title, kept.get("before.png", ""), kept.get("after.png", "")))

    def write_page(self) -> None:
        """Write `index.html`, which shows the overlays side by side."""
        if not self._to:
            return
        rows = "\n".join(
            f"<tr><td>{html.escape(plain(name, 1024))}</td>{_picture(before)}{_picture(after)}</tr>"
            for name, before, after in self._shown
        )
        self._to.mkdir(parents=True, exist_ok=True)
        page = f'<!doctype html><meta charset="utf-8"><title>Before and after</title><table>{rows}</table>\n'
        (self._to / "index.html").write_text(page, encoding="utf-8")


def _picture(path: str) -> str:
    return f'<td><img src="{html.escape(quote(path))}" loading="lazy"></td>' if path else "<td>no overlay</td>"


def _times(before: FileRecord, after: FileRecord, folder: str) -> int:
    """Return the number of time points: of the image, or of what was counted."""
    for image in (*before.plan.images, *after.plan.images):
        if image.is_known and image.folder == folder:
            return dict(zip(image.axes, image.shape, strict=True)).get("t", 1)
    counted = [*_classes(before, folder).values(), *_classes(after, folder).values()]
    return len(counted[0].objects) if counted else 1


def _classes(record: FileRecord, folder: str) -> dict[int, ClassCount]:
    counts = (one.counts for one in record.published.all_counts if one.folder == folder)
    return {one.label: one for of_image in counts for one in of_image.classes}


def _what_objects_are(before: FileRecord, after: FileRecord, folder: str) -> str | None:
    """Say what was counted as an object, and of which size: of both apart where it is not the same."""
    each = [
        what_was_counted(one.counts, record.plan)
        for record in (before, after)
        for one in record.published.all_counts
        if one.folder == folder
    ]
    return each[0] if len(set(each)) == 1 else "before: {}; after: {}".format(*each) if each else None


def _named(folders: list[str]) -> str:
    return f"the images {', '.join(folders)}" if any(folders) else "a single image"


def _at(counts: ClassCount | None, t: int) -> int | None:
    return counts.objects[t] if counts and t < len(counts.objects) else None


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _segmentation(place: Path, folder: str) -> list[tuple[Path, int]]:
    """Find the TIFFs of an image's segmentation in fetched results, with their pages."""
    document = json.loads((place / "provenance.json").read_bytes())
    named = [
        (str(one["path"]), int(one["pages"]))
        for one in document.get("outputs", ())
        if one["role"] == Role.SEGMENTATION and str(one["path"]).startswith(f"{folder}/" if folder else "")
    ]
    if not named:
        raise CannotCompare(f"there is no segmentation{f' of {folder}' if folder else ''}")
    return [(place.joinpath(*local_path(path)), pages) for path, pages in named]
