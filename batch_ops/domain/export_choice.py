"""What ilastik is asked to export, and what becomes of an image: by the project, its configuration and the settings.

Pure. What can be stored in a project is in `task/stored_export.py`, how TIFFs are laid out in `task/export_plan.py`.
"""

from batch_ops.domain.project import Project
from batch_ops.domain.settings import Settings
from batch_ops.task.export_plan import ExportPlan, export_plan, exported
from batch_ops.task.run_plan import ImageDescription
from batch_ops.task.stored_export import NOTHING_STORED, StoredExport


def export_source(project: Project, settings: Settings) -> str:
    """Return what ilastik exports: the project's own choice, else the system's."""
    return project.config.export_source or settings.export_source


def kept_export(project: Project) -> StoredExport:
    """Return what the project stores of its export, as far as its configuration wants it used."""
    return project.facts.export if project.config.keep_export_settings else NOTHING_STORED


def exported_values(project: Project, settings: Settings) -> tuple[int, int]:
    """Return the channels of what is exported, and the bytes of each of its values."""
    return exported(export_source(project, settings), len(project.facts.classes))


def planned_export(image: ImageDescription, project: Project, settings: Settings) -> ExportPlan:
    """Return the TIFFs that an image becomes."""
    channels, bytes_per_value = exported_values(project, settings)
    stored = kept_export(project).ordered_as(image.exported_as)
    return export_plan(image.axes, image.shape, channels=channels, bytes_per_value=bytes_per_value, stored=stored)


def tiff_bytes(image: ImageDescription, project: Project, settings: Settings) -> int:
    """Return how large these TIFFs are together."""
    plan = planned_export(image, project, settings)
    return plan.files * plan.bytes_per_file
