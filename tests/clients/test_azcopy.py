"""The real AzCopy uploads as deploy/README.md says, with the rights that it says, and with fewer it does not."""

import hashlib
import json
import os
import re
import shlex
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from tests.clients.conftest import REPOSITORY, output_of
from tests.deploy import rbac
from tests.deploy.recorder import Recorder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
README = (REPOSITORY / "deploy/README.md").read_text()
BLOCK = 8 << 20
IMAGES = {"a.h5": b"a" * 1000, "week 1/b.h5": b"b" * (2 * BLOCK + 1)}
MICROSCOPE = "ilastik-batch image writer"


def documented_line():
    """The words of the microscope's command."""
    [line] = re.findall(r"^azcopy copy .*--include-pattern.*$", README, re.MULTILINE)
    return shlex.split(line.replace("\\", "/"))


def documented_guest():
    """The permissions of a guest's signature, as `az` takes them."""
    [permissions] = re.findall(r"generate-sas .*--permissions (\w+)", README)
    return permissions


@pytest.fixture
def container(azurite, unique):
    """An empty container, and `signed(permissions)`: the query that permits this much."""
    service = BlobServiceClient.from_connection_string(azurite)
    container = service.create_container(unique("input"))
    assert service.account_name is not None
    account = service.account_name

    def signed(permissions):
        return generate_container_sas(
            account,
            container.container_name,
            account_key=service.credential.account_key,
            permission=ContainerSasPermissions.from_string(permissions),
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )

    yield container, signed
    container.delete_container()
    service.close()


@pytest.fixture
def finished(tmp_path):
    """A folder with a small image, a large one in a folder of its own, and what is no image."""
    folder = tmp_path / "finished"
    for name, content in {**IMAGES, "notes.txt": b"no image"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def upload(made, container, finished, tmp_path):
    """`await upload(permissions, codes)`: run the documented line with a signature; the requests that it makes."""
    blobs, signed = container
    azcopy = made("azcopy.sh") / "azcopy"

    async def run(permissions, *codes):
        address = urlsplit(blobs.url)
        with Recorder({"blob": address.port}).running() as recorder:
            target = (
                f"http://127.0.0.1:{recorder.ports['blob']}{address.path}/nuclei/microscope-1/?{signed(permissions)}"
            )
            words = [
                str(finished / "*") if word.endswith("/*") else target if word.startswith("https:") else word
                for word in documented_line()[1:]
            ]
            environment = {
                "PATH": os.environ["PATH"],
                "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
                "HOME": str(tmp_path),
                "AZCOPY_LOG_LOCATION": str(tmp_path / "logs"),
                "AZCOPY_JOB_PLAN_LOCATION": str(tmp_path / "plans"),
                "AZCOPY_DISABLE_SYSLOG": "true",
            }
            # The emulator's address does not say what it is, as Azure's does.
            await output_of(
                azcopy, *words, "--from-to", "LocalBlob", environment=environment, folder=tmp_path, codes=codes
            )
            return recorder.requests

    return run


async def test_the_documented_line_uploads(upload, container, finished, table):
    """A microscope's role and a guest's signature suffice for small and large images, each with its MD5; again, too."""
    blobs, _ = container
    role = json.loads(re.findall(r"<<END\n(.*?)\nEND", README, re.DOTALL)[0].replace("$(", "("))
    assert role["Name"] == MICROSCOPE
    permitted = {action.rpartition("blobServices/containers/blobs/")[2] for action in role["DataActions"]}
    for permissions in ("w", documented_guest(), "w"):
        requests = await upload(permissions, 0)
        needed = {need.action for need in rbac.needs_of("microscope", requests)}
        assert needed == {f"blob.{action}" for action in permitted}
    found = {blob.name.removeprefix("nuclei/microscope-1/"): blob for blob in blobs.list_blobs()}
    assert found.keys() == IMAGES.keys()
    for name, content in IMAGES.items():
        assert found[name].size == len(content)
        assert found[name].content_settings.content_md5 == hashlib.md5(content, usedforsecurity=False).digest()
    table("AzCopy", "azcopy/package-lock.json", f"{len(requests)} calls for two images")


async def test_create_alone_uploads_no_large_image(upload, container):
    """Why the role is not the one to create only: AzCopy cancels the job."""
    await upload("c", 1)
    assert [blob.name for blob in container[0].list_blobs()] in ([], ["nuclei/microscope-1/a.h5"])
