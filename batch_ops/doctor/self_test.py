"""Can the HDF5 parser start, and read a file?"""

from batch_ops.doctor.findings import Finding, Level
from batch_ops.domain.errors import ServiceFault
from batch_ops.image.facts import Accepted, CheckLimits, HasCompanion, ImageOptions, ProjectFacts, Unchecked, Verdict
from batch_ops.inspection.budget import InMemory
from batch_ops.inspection.parser.sample import sample_image
from batch_ops.ports.services import ImageCheck

# The sample image fits this project.
PROJECT = ProjectFacts(
    ilastik_version="1.4.2",
    workflow="Pixel Classification",
    axes="yxc",
    channels=1,
    spatial_dimensions=2,
    classes=("1", "2"),
    sigma_3d=0.0,
    sigma_2d=0.3,
    chooses_2d=True,
    scalar_features=1,
    eigen_2d=0,
    eigen_3d=0,
    columns=1,
)


async def look(check: ImageCheck) -> Verdict | HasCompanion:
    """Check the sample image."""
    image = InMemory(sample_image())
    try:
        return await check.check_image("the doctor's image", image, PROJECT, ImageOptions(axes="yxc"), CheckLimits())
    except ServiceFault as fault:
        return Unchecked(fault.sentence)


def judge(verdict: Verdict | HasCompanion) -> Finding:
    """Judge the verdict on an image that every working parser accepts."""
    if isinstance(verdict, Accepted):
        return Finding("parser", Level.OK, "The HDF5 parser starts and can read a test file.")
    message = f"The HDF5 parser does not work: {verdict.sentence}"
    return Finding(
        "parser",
        Level.FAIL,
        message,
        "install requirements.txt again, and check that this Python can start processes.",
    )
