"""A check of images that reads its verdict in the image."""

from dataclasses import replace

from batch_ops.domain.errors import ServiceFault
from batch_ops.image.facts import (
    Accepted,
    CheckLimits,
    HasCompanion,
    ImageOptions,
    ProjectFacts,
    Refused,
    Unchecked,
    Verdict,
)
from batch_ops.image.image_rules import judge_image
from batch_ops.image.readings import Dataset
from batch_ops.ports.services import RangeReader
from batch_ops.task.run_plan import ImageDescription
from tests.fakes.cloud import Cloud, call

# Two TIFFs of 8 pages come of it.
IMAGE = ImageDescription("exported_data", "tzyx", True, (2, 8, 64, 64), "uint8")
PROJECT = ProjectFacts(
    ilastik_version="1.4.2",
    workflow="Pixel Classification",
    axes="zyxc",
    channels=1,
    spatial_dimensions=3,
    classes=("cell", "background"),
    sigma_3d=3.5,
    sigma_2d=0.0,
    chooses_2d=True,
    scalar_features=3,
    eigen_2d=0,
    eigen_3d=1,
    columns=6,
)
_READ = 4096
SETUPS_XML = b"""<SpimData><SequenceDescription><ViewSetups><ViewSetup><id>0</id>
<voxelSize><unit>um</unit><size>0.2 0.3 1.5</size></voxelSize>
</ViewSetup></ViewSetups></SequenceDescription></SpimData>"""
_SETUP = Dataset(
    "t{t:05d}/s00/0/cells",
    (2, 20, 64, 64),
    "uint16",
    2,
    None,
    (),
    None,
    True,
    True,
    axes="tzyx",
    scene="s00",
    reader="bigdataviewer",
)
_UNSAID = Dataset("data", (20, 64, 64), "uint8", 1, None, (), None, True, True)


class FakeCheck:
    """Port `ImageCheck`: content that starts with `REFUSE` or `UNSURE` gets that verdict, its text the sentence.

    Content that starts with `SETUPS` has more of it in a file beside it (SETUPS_XML).
    Content that starts with `SEVERAL` holds two images alike, of which a configured path names one. Content that
    starts with `UNSAID` is an image of 20 x 64 x 64 that does not say its axes.
    """

    service = "check"

    def __init__(self, cloud: Cloud | None = None, project: ProjectFacts = PROJECT) -> None:
        self.cloud = cloud or Cloud()
        self.project = project

    def describe(self, content: bytes) -> ImageDescription:
        """Return what an image with this content is."""
        return IMAGE

    async def check_image(
        self,
        name: str,
        reader: RangeReader,
        project: ProjectFacts,
        options: ImageOptions,
        limits: CheckLimits,
        *,
        head: bytes = b"",
    ) -> Verdict | HasCompanion:
        beginning = head or await reader.read(0, _READ)
        if beginning.startswith(b"SETUPS"):
            return HasCompanion(_SETUP)
        try:
            return await self._check_image(name, beginning, project, options)
        except ServiceFault:
            # What disturbs the parser says nothing about the file.
            return Unchecked("It was not checked: the parser was stopped twice.", passing=True)

    @call(cost=0)
    def _check_image(self, name: str, head: bytes, project: ProjectFacts, options: ImageOptions) -> Verdict:
        if head.startswith(b"UNSURE"):
            return Unchecked(_sentence(head))
        if head.startswith(b"UNSAID"):
            return judge_image(name, len(head), _UNSAID, project, ImageOptions(), CheckLimits())
        image = self.describe(head)
        if head.startswith(b"SEVERAL") and not options.internal_path:
            return Accepted(replace(image, folder="s00"), (), (replace(image, folder="s01"),))
        return _refused(head) or Accepted(image)

    async def inspect_project(self, name: str, source: RangeReader | bytes) -> ProjectFacts | Refused:
        return await self._inspect_project(name, source if isinstance(source, bytes) else await source.read(0, _READ))

    @call(cost=0)
    def _inspect_project(self, name: str, head: bytes) -> ProjectFacts | Refused:
        return _refused(head) or self.project


def _refused(head: bytes) -> Refused | None:
    return Refused(_sentence(head)) if head.startswith(b"REFUSE") else None


def _sentence(head: bytes) -> str:
    return head[6:].decode(errors="replace").strip() or "The image is not what it should be."
