"""Which services make up the cloud, with which arguments and settings. Pure, but for a look at ilastik's version."""

import contextlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from local_cloud.azurite.server import Endpoints
from local_cloud.cloud.folder import CloudIdentity, DataFolder
from local_cloud.cloud.services import Program
from local_cloud.events import Subscription

REPOSITORY = Path(__file__).resolve().parents[2]
STAND_IN = REPOSITORY / "local_cloud/ilastik"
ENGINE = REPOSITORY / "deploy/pool/engine"
# Installed by set-up as on a node of Azure, once for all nodes.
NODE_PYTHON = Path(sys.prefix) / "node-python"
# Tools besides ilastik, a folder each, installed by the scripts that nodes of Azure run.
TOOLS = Path(os.environ.get("TOOLS_HOME") or Path(sys.prefix) / "tools")
POOL_ID = "ilastik"
# A resource id as a user-assigned identity has it; locally it is granted to the pool by name alone.
POOL_IDENTITY = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ilastik-pool"
)
# What a Zarr has once, at its top.
_OF_A_ZARR = (".zgroup", ".zarray", ".zattrs", "zarr.json")
SUBSCRIPTIONS = (
    Subscription(container="input", suffix="", queue="blob-created", lacks=".zarr/"),
    *(Subscription(container="input", suffix=f".zarr/{name}", queue="blob-created") for name in _OF_A_ZARR),
    *(
        Subscription(container="projects", suffix=suffix, queue="blob-created")
        for suffix in (".ilp", ".json", ".ijm", ".cppipe", ".py")
    ),
)
# What runs when the cloud is ended may go on for so long; what is left is taken up at the next start.
_SECONDS_FOR_RUNNING_FUNCTIONS = 6.0


@dataclass(frozen=True, slots=True)
class CloudOptions:
    """What a person may choose for one local cloud."""

    nodes: int = 2
    app: Path = REPOSITORY
    ilastik_home: Path = STAND_IN
    app_settings: Mapping[str, str] = field(default_factory=dict)


def connection_string(identity: CloudIdentity) -> str:
    """What opens the storage account of this cloud."""
    ports = identity.ports
    return Endpoints.here(ports.blob, ports.queue, ports.table, identity.storage_key).connection_string


def page_url(identity: CloudIdentity, token: str) -> str:
    """Return the link that signs somebody in and leads to the app's page; good until the cloud ends."""
    query = urlencode({"token": token, "post_login_redirect_uri": "/page/"})
    return f"{functions_url(identity)}/.auth/login/local?{query}"


def exports(identity: CloudIdentity, token: str) -> dict[str, str]:
    """Return what other tools need to talk to this cloud; the Azure CLI reads the same names.

    `token`: with which people sign in.
    """
    return {
        "AZURE_STORAGE_CONNECTION_STRING": connection_string(identity),
        "AZURE_BATCH_ACCOUNT": identity.batch_account,
        "AZURE_BATCH_ENDPOINT": batch_endpoint(identity),
        "AZURE_BATCH_ACCESS_KEY": identity.batch_key,
        "FUNCTIONS_URL": functions_url(identity),
        "FUNCTIONS_KEY": identity.functions_key,
        "PAGE_URL": page_url(identity, token),
    }


def app_settings(identity: CloudIdentity, options: CloudOptions) -> dict[str, str]:
    """Return the function app's settings, as in local.settings.json; `options` override all others."""
    return {
        "AzureWebJobsStorage": connection_string(identity),
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "PYTHON_ISOLATE_WORKER_DEPENDENCIES": "1",
        "DATA_STORAGE": connection_string(identity),
        "BATCH_ACCOUNT_ENDPOINT": batch_endpoint(identity),
        "BATCH_ACCOUNT_NAME": identity.batch_account,
        "BATCH_ACCOUNT_KEY": identity.batch_key,
        "BATCH_POOL_ID": POOL_ID,
        "BATCH_POOL_IDENTITY": POOL_IDENTITY,
        "BLOB_CREATED_QUEUE": "blob-created",
        "COLLECT_QUEUE": "collect",
        "RECONCILE_SCHEDULE": "*/2 * * * * *",
        # Part of what makes two runs different: another ilastik is not this one.
        "ILASTIK_VERSION": "stand-in" if options.ilastik_home == STAND_IN else installed_version(options.ilastik_home),
        "SLOT_THREADS": "1",
        "SLOT_MEMORY_MB": "2000",
        "GRACE_SECONDS": "20",
        "PROJECT_POLL_SECONDS": "2",
        "COPY_POLL_SECONDS": "1",
        "PAGE_UPLOAD": "true",
        **options.app_settings,
    }


def installed_version(home: Path) -> str:
    """Return the version of an installation of ilastik, as its own records say it; else the name of its folder."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return (home / "VERSION").read_text().strip()
    records = [*home.glob("conda-meta/ilastik-*.json"), *home.glob("lib/python3*/site-packages/ilastik-*.dist-info")]
    for name in (*sorted(record.name for record in records), home.name):
        if match := re.match(r"ilastik(?:-core)?-([0-9][0-9A-Za-z.+]*?)(?:-|\.dist-info|$)", name):
            return match[1]
    return home.name


def batch_endpoint(identity: CloudIdentity) -> str:
    return f"http://127.0.0.1:{identity.ports.batch}"


def functions_url(identity: CloudIdentity) -> str:
    return f"http://127.0.0.1:{identity.ports.functions}"


def batch_program(folder: DataFolder, identity: CloudIdentity) -> Program:
    """Describe the service, without a pool: that is made through the API. Secrets travel in the environment."""
    return Program(
        name="The Batch service",
        command=(
            *(sys.executable, "-m", "local_cloud.batch"),
            *("--port", str(identity.ports.batch), "--data", str(folder.batch)),
            *("--account", identity.batch_account, "--key-env", "LOCAL_BATCH_KEY"),
            *("--storage-connection-string-env", "AZURE_STORAGE_CONNECTION_STRING"),
            *("--pool-identity", POOL_IDENTITY),
        ),
        env={
            "LOCAL_BATCH_KEY": identity.batch_key,
            "AZURE_STORAGE_CONNECTION_STRING": connection_string(identity),
        },
        log=folder.log("batch"),
        ready_url=f"{batch_endpoint(identity)}/_local/ready",
    )


def functions_program(folder: DataFolder, identity: CloudIdentity, options: CloudOptions, token: str) -> Program:
    return Program(
        name="The function host",
        command=(
            *(sys.executable, "-m", "local_cloud.functions"),
            *("--app", str(options.app), "--settings", str(folder.app_settings)),
            *("--port", str(identity.ports.functions), "--state", str(folder.functions)),
            *("--stop-seconds", f"{_SECONDS_FOR_RUNNING_FUNCTIONS:g}", "--key-env", "LOCAL_FUNCTIONS_KEY"),
            *("--sign-in-env", "LOCAL_SIGN_IN"),
        ),
        env={"LOCAL_FUNCTIONS_KEY": identity.functions_key, "LOCAL_SIGN_IN": token},
        log=folder.log("functions"),
        ready_url=f"{functions_url(identity)}/",
        seconds_to_stop=_SECONDS_FOR_RUNNING_FUNCTIONS + 4,
    )
