"""Projects that were segmented once more beside their first results: `results/<project>@<name>/rerun.json` says so.

The images of `<project>@<name>/...` are those of `<project>/...`; nothing may be dropped under that name.
"""

import json
from datetime import UTC, datetime

from attrs import define

from batch_ops.domain import naming
from batch_ops.domain.errors import BlobChanged
from batch_ops.domain.settings import Settings
from batch_ops.ports.services import BlobStore, Fence

RERUN = "rerun.json"


@define(kw_only=True, eq=False)
class Reruns:
    """The notes; a folder without an `@` costs no call."""

    _blobs: BlobStore
    _settings: Settings

    async def has(self, name: str) -> bool:
        """Return whether a file of this name would lie in the folder of a rerun."""
        folder = naming.project_of(name)
        if naming.RERUN_MARK not in folder:
            return False
        return await self._blobs.head(self._settings.results_container, f"{folder}/{RERUN}") is not None

    async def is_free(self, folder: str) -> bool:
        """Return whether nothing was dropped into this folder of the input."""
        async for _ in self._blobs.list(self._settings.input_container, f"{folder}/"):
            return False
        return True

    async def note(self, folder: str, project: str, now: datetime) -> None:
        """Note that this folder is a rerun of a project, if that is not noted yet."""
        if await self.has(f"{folder}/"):
            return
        document = {"project": project, "begun": now.astimezone(UTC).isoformat(timespec="seconds")}
        try:
            await self._blobs.put(
                self._settings.results_container,
                f"{folder}/{RERUN}",
                (json.dumps(document, ensure_ascii=False) + "\n").encode(),
                fence=Fence(None),
                metadata={},
                content_type="application/json",
            )
        except BlobChanged:
            # Somebody else has just noted it; or this was written, and its answer was lost on the way.
            return
