"""Which runs compute the same: an image that was run with a key is not run again for that key. Pure.

Keys of old rows must stay what they are: what is added enters the key only where it is not its default.
"""

import hashlib
import json

from batch_ops.domain.export_choice import export_source, kept_export, result_form
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.node_memory import may_use_engine
from batch_ops.domain.project import Project
from batch_ops.domain.settings import Settings
from batch_ops.task.run_plan import AxesSource, ImageDescription

# In a row of an image whose companion was not there: when it comes, the image is no longer what it was.
NO_COMPANION = "none"


def run_key(
    record: FileRecord,
    project: Project,
    settings: Settings,
    image: ImageDescription | None = None,
    companion: str = "",
) -> str:
    """Compute the digest of what a run computes from: image, classifier, effective settings, ilastik; confirmed axes.

    `companion`: the ETag of the file beside the image that says more of it, where there is one.

    The image is identified by its Content-MD5 if it has one, else by the ETag with which its run began: editing its
    properties changes the ETag, but not the run.
    """
    config, version = project.config, record.image
    effective = (config.internal_path, config.axes, export_source(project, settings))
    content = version.md5 or version.begun_etag or version.etag
    key: list[object] = [record.name, content, project.digest, effective, settings.ilastik_version]
    if image is not None and image.axes_source is AxesSource.CONFIGURATION and not config.axes:
        key.append(image.axes)
    if project.config.per_plane:
        key.append("per_plane")
    if kept_export(project).has_effect:
        key.append("keep_export_settings")
    counting = (config.object_classes, config.min_object_size, config.pixel_size_um)
    if counting != (None, 0, ()):
        # Only then: what was segmented before there were counts is not segmented again for them.
        key.append(counting)
    if config.channels:
        key.append(["channels", config.channels])
    if companion not in ("", NO_COMPANION):
        key.append(["companion", companion])
    if config.split:
        key.append(config.split)
    if config.label_image:
        key.append("label_image")
    if form := str(result_form(project, settings)):
        key.append(["output", form])
    if project.tool:
        key.append(["tool", project.tool.name, project.tool.digest])
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()


def no_room_key(key: str, project: Project, settings: Settings) -> str:
    """Extend the key of a run by all that decides whether it has room: an image rejected for that may have it later.

    Rows of older versions have the plain key, which says nothing of nodes.
    """
    slot = (settings.slot_memory_mb, settings.slots_per_node, settings.large_slot_memory_mb)
    room = [key, may_use_engine(project, settings), slot, settings.node_disk_gb]
    return hashlib.sha256(json.dumps(room).encode()).hexdigest()
