"""The environment of a task's process: the node's, the service's variables and the caller's settings.

Where a container is asked for, the host takes its place.
"""

from collections.abc import Iterable, Mapping

from local_cloud.batch.node.node_paths import NodePaths, TaskPaths
from local_cloud.batch.node.process import ROOT_VARIABLE
from local_cloud.batch.state.model import Json


def settings_of(settings: Iterable[Json]) -> dict[str, str]:
    """Turn a body's environment settings into a mapping."""
    return {setting["name"]: setting.get("value", "") for setting in settings}


def node_environment(
    base: Mapping[str, str], *, account: str, url: str, pool: str, node: str, dedicated: bool, paths: NodePaths
) -> dict[str, str]:
    """Make the environment of every process on a node; nothing of the service's own is in it."""
    return {
        "HOME": str(paths.home),
        **base,
        "AZ_BATCH_ACCOUNT_NAME": account,
        "AZ_BATCH_ACCOUNT_URL": url,
        "AZ_BATCH_POOL_ID": pool,
        "AZ_BATCH_NODE_ID": node,
        "AZ_BATCH_NODE_IS_DEDICATED": "true" if dedicated else "false",
        ROOT_VARIABLE: str(paths.root),
        "AZ_BATCH_NODE_SHARED_DIR": str(paths.shared),
        "AZ_BATCH_NODE_STARTUP_DIR": str(paths.startup),
        "AZ_BATCH_NODE_MOUNTS_DIR": str(paths.root / "fsmounts"),
    }


def task_environment(
    node: Mapping[str, str],
    *,
    job: str | None,
    task: str | None,
    paths: TaskPaths,
    common: Mapping[str, str],
    own: Mapping[str, str],
    preparation: TaskPaths | None = None,
    token: str | None = None,
) -> dict[str, str]:
    """Make the environment of one task; nothing replaces the service's own variables.

    `preparation` are the folders of the task that prepared the node for the job, `token` opens the job to the task.
    """
    service = {name: text for name, text in node.items() if name.startswith("AZ_BATCH_")}
    service |= {
        "AZ_BATCH_TASK_DIR": str(paths.root),
        "AZ_BATCH_TASK_WORKING_DIR": str(paths.working),
    }
    if job is not None:
        service["AZ_BATCH_JOB_ID"] = job
    if task is not None:
        service["AZ_BATCH_TASK_ID"] = task
    if token is not None:
        service["AZ_BATCH_AUTHENTICATION_TOKEN"] = token
    if preparation is not None:
        service["AZ_BATCH_JOB_PREP_DIR"] = str(preparation.root)
        service["AZ_BATCH_JOB_PREP_WORKING_DIR"] = str(preparation.working)
    return {**node, **common, **own, **service}


def host_notice(body: Json) -> str:
    """Warn that a task which asks for a container gets none; empty for any other."""
    if "containerSettings" not in body:
        return ""
    image = body["containerSettings"]["imageName"]
    if not body["commandLine"].strip():
        return f"The local Batch service has no containers: the program of {image} is not here, so nothing was run.\n"
    return f"The local Batch service has no containers: this command runs on the host instead of in {image}.\n"
