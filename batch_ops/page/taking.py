"""What can be taken from the page: pictures, results, and parts of images to train on."""

from dataclasses import dataclass
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from batch_ops.domain import naming
from batch_ops.domain.errors import CannotCut, CannotUnpack, TooManyCuts
from batch_ops.image.boxes import BoxError, parse_box
from batch_ops.page import words
from batch_ops.page.rendering import Render
from batch_ops.page.visitors import Visitor
from batch_ops.system import System

_LARGEST_PICTURE = 4 * 2**20
# The host holds an answer in memory as a whole, and twice.
LARGEST_DOWNLOAD = 64 * 2**20
LARGEST_CROP = 32 * 2**20
_RETRY_SECONDS = 20
_TYPES = {
    ".tiff": "image/tiff",
    ".tif": "image/tiff",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".h5": "application/x-hdf5",
}


@dataclass(frozen=True, slots=True)
class Taking:
    """The handlers."""

    render: Render

    async def picture(self, request: Request, system: System, visitor: Visitor) -> Response:
        """A picture; its address names the run and its end, so that it may be kept."""
        name = name_of(request, visitor)
        content = await system.published.picture(name, request.query_params.get("path", ""), _LARGEST_PICTURE)
        return Response(content, media_type="image/png", headers={"Cache-Control": "private, max-age=86400, immutable"})

    async def crop(self, request: Request, system: System, visitor: Visitor) -> Response:
        """A part of the image, as a file to train on."""
        name = name_of(request, visitor)
        runs = await system.steering.show(name)
        if not runs:
            raise HTTPException(404)
        try:
            wanted = parse_box(request.query_params.get("box", ""))
            scene = request.query_params.get("image", "")
            crop, data = await system.cropping.one(runs[-1], wanted, scene, LARGEST_CROP)
        except TooManyCuts as why:
            answer = self._refused(visitor, 429, str(why), words.CROP_LATER)
            answer.headers["Retry-After"] = str(_RETRY_SECONDS)
            return answer
        except CannotCut as why:
            return self._refused(
                visitor, 422, str(why), words.CROP_UNPACK if isinstance(why, CannotUnpack) else words.CROP_COMMAND
            )
        except BoxError as why:
            return self._refused(visitor, 422, str(why), "")
        return _kept(data, f"{leaf_of(name)}_{leaf_of(crop.path)}", _TYPES[".h5"])

    def _refused(self, visitor: Visitor, status: int, why: str, advice: str) -> Response:
        text = f"{words.CROP_REFUSED.format(why.rstrip('.'))} {advice}".rstrip()
        return self.render("message.html", visitor, status, title=words.CROP, text=text)

    async def result(self, request: Request, system: System, visitor: Visitor) -> Response:
        """A file of the results, to be kept: never shown in place."""
        name, path = name_of(request, visitor), request.query_params.get("path", "")
        content = await system.published.content(name, path, LARGEST_DOWNLOAD)
        if content is None:
            return self.render("message.html", visitor, 413, title=words.DOWNLOADS, text=words.LARGE)
        leaf = leaf_of(path)
        return _kept(content, leaf, _TYPES.get(f".{leaf.rpartition('.')[2].lower()}", "application/octet-stream"))


def name_of(request: Request, visitor: Visitor) -> str:
    """Return the file that is asked for. What is not the visitor's own is answered as what is not there."""
    name = request.query_params.get("name", "")
    if not name or naming.fault_of(name) or not naming.is_possible(name):
        raise HTTPException(404)
    if not visitor.sees(naming.project_of(name)):
        raise HTTPException(404)
    return name


def leaf_of(path: str) -> str:
    """Return the last part of a path."""
    return path.rpartition("/")[2]


def _kept(content: bytes, leaf: str, kind: str) -> Response:
    """Answer with a file that the browser keeps and never shows."""
    disposition = f"attachment; filename*=UTF-8''{quote(leaf, safe='')}"
    return Response(content, media_type=kind, headers={"Content-Disposition": disposition})
