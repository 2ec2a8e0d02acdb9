"""The environment of a task's process: the node's, the service's variables and the caller's settings."""

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
) -> dict[str, str]:
    """Make the environment of one task; nothing replaces the service's own variables.

    `preparation` are the folders of the task that prepared the node for the job.
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
    if preparation is not None:
        service["AZ_BATCH_JOB_PREP_DIR"] = str(preparation.root)
        service["AZ_BATCH_JOB_PREP_WORKING_DIR"] = str(preparation.working)
    return {**node, **common, **own, **service}
