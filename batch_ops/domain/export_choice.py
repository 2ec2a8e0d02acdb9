"""What ilastik is asked to export, and what becomes of an image: by the project, its configuration and the settings.

Pure. What can be stored in a project is in `task/stored_export.py`, how TIFFs are laid out in `task/export_plan.py`.
"""

from dataclasses import replace

from batch_ops.domain.project import Project
from batch_ops.domain.settings import Settings
from batch_ops.task.export_plan import SEGMENTATION, ExportPlan, export_plan, exported
from batch_ops.task.result_form import ResultForm
from batch_ops.task.run_plan import ImageDescription
from batch_ops.task.stored_export import NOTHING_STORED, StoredExport

_BYTES_OF_A_LABEL = 4


def export_source(project: Project, settings: Settings) -> str:
    """Return what ilastik exports: the project's own choice, else the system's; of another tool it says nothing."""
    if project.tool:
        return SEGMENTATION
    return project.config.export_source or settings.export_source


def kept_export(project: Project) -> StoredExport:
    """Return what the project stores of its export, as far as its configuration wants it used."""
    return project.facts.export if project.config.keep_export_settings else NOTHING_STORED


def result_form(project: Project, settings: Settings) -> ResultForm:
    """Return in which form people get it: colours only where values are those of classes."""
    form, export = project.config.form, kept_export(project)
    classes = export_source(project, settings) == SEGMENTATION and not export.has_range
    return replace(form, palette=form.palette and classes and export.dtype in ("", "uint8"))


def exported_values(project: Project, settings: Settings) -> tuple[int, int]:
    """Return the channels of what is exported, and the bytes of each of its values; of another tool a guess."""
    if project.tool:
        return 1, _BYTES_OF_A_LABEL
    return exported(export_source(project, settings), len(project.facts.classes))


def planned_export(image: ImageDescription, project: Project, settings: Settings) -> ExportPlan:
    """Return the TIFFs that an image becomes."""
    channels, bytes_per_value = exported_values(project, settings)
    stored = kept_export(project).ordered_as(image.exported_as)
    return export_plan(
        image.axes,
        image.shape,
        channels=channels,
        bytes_per_value=bytes_per_value,
        stored=stored,
        one_file=image.has_joined_planes,
    )


def tiff_bytes(image: ImageDescription, project: Project, settings: Settings) -> int:
    """Return how large these TIFFs are together, as ilastik writes them."""
    plan = planned_export(image, project, settings)
    return plan.files * plan.bytes_per_file


def bytes_between(image: ImageDescription, project: Project, settings: Settings) -> int:
    """Return how large a file is that ilastik writes for them where it can't write them itself; else 0."""
    return planned_export(image, project, settings).bytes_between
