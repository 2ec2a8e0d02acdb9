"""Images from the browser, by blocks through the app: the form, what is known of a file, its blocks, and its end.

Only where the app was given the right to write images (`PAGE_UPLOAD`). The script sends each block with the word of
this browser's forms; what broke off is taken up where it was, by whoever drops the same file again.
"""

import logging
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from batch_ops.domain import naming
from batch_ops.domain.errors import BlobChanged, BlobMissing
from batch_ops.domain.file_kinds import accepted
from batch_ops.domain.uploads import BLOCK_BYTES, Upload, is_upload_id
from batch_ops.page import words
from batch_ops.page.rendering import Render
from batch_ops.page.steering import Form, insist_on_page
from batch_ops.page.visitors import Visitor
from batch_ops.system import System

log = logging.getLogger("batch_ops")

WORD = "x-page-word"
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Drops:
    """The handlers."""

    render: Render

    async def page(self, request: Request, system: System, visitor: Visitor) -> Response:
        """The place to drop files on."""
        if not visitor.steers_some:
            raise HTTPException(404)
        asked = request.query_params.get("project", "")
        known = await system.steering.projects() if system.settings.page_upload else ()
        return self.render(
            "drop.html",
            visitor,
            is_open=system.settings.page_upload,
            project=asked if naming.is_possible(asked) else "",
            projects=sorted(name for name in known if visitor.steers(name) and naming.RERUN_MARK not in name),
            block=BLOCK_BYTES,
            kinds=words.DROP_KINDS.format(accepted(), system.settings.max_image_bytes / 1e9),
        )

    async def look(self, request: Request, system: System, visitor: Visitor) -> Response:
        """Tell what speaks against a file, and which of its blocks are there."""
        found = await system.uploading.look(_upload(request, system, visitor))
        answer = {"objection": found.objection, "exists": found.exists, "done": found.is_done, "staged": found.staged}
        return JSONResponse(answer)

    async def block(self, request: Request, system: System, visitor: Visitor) -> Response:
        """Take a block."""
        insist_on_page(request, request.headers.get(WORD, ""))
        upload = _upload(request, system, visitor)
        number = _number(request.query_params.get("number", ""))
        # Who lies about the length is not read to the end.
        if _number(request.headers.get("content-length", "0")) > BLOCK_BYTES:
            raise HTTPException(413)
        try:
            is_taken = await system.uploading.block(upload, number, await request.body())
        except BlobChanged:
            return JSONResponse({"why": "other-program"}, 409)
        if not is_taken:
            raise HTTPException(400)
        return Response(status_code=204)

    async def finish(self, request: Request, system: System, visitor: Visitor) -> Response:
        """Have the file appear, once all of it has come."""
        form = await Form.of(request)
        upload = _upload(request, system, visitor)
        try:
            await system.uploading.finish(upload, visitor.label, replaces=bool(form.one("replaces")))
        except BlobMissing:
            return JSONResponse({"why": "broken"}, 409)
        except BlobChanged:
            return JSONResponse({"why": "exists"}, 409)
        log.info("%s: dropped %s.", visitor.label, upload.name)
        return JSONResponse({"why": ""})


def _upload(request: Request, system: System, visitor: Visitor) -> Upload:
    """Read which file is meant. What is not the visitor's own is answered as what is not there."""
    asked = request.query_params
    name, length, upload = asked.get("name", ""), _number(asked.get("length", "")), asked.get("upload", "")
    # The name of a file in a folder of this very project: none is put beside all projects.
    project, slash, _ = name.partition("/")
    is_theirs = bool(slash) and bool(project) and visitor.steers(project)
    if not system.settings.page_upload or not is_theirs or not is_upload_id(upload):
        raise HTTPException(404)
    return Upload(name, length, upload)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise HTTPException(400)
    return int(text)
