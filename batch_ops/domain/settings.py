"""The app's settings, typed, from one mapping of strings; every fault is reported at once."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from datetime import timedelta
from typing import Annotated, Any, get_args

from batch_ops.domain.budget import NO_BUDGETS, Budgets
from batch_ops.domain.errors import SettingsError
from batch_ops.domain.page_groups import NO_GROUPS, PageGroups
from batch_ops.domain.prices import NO_PRICES, NodePrices
from batch_ops.task.certificate import ENGINES

AZURITE_ACCOUNT = "devstoreaccount1"
_UNITS = {
    "SECONDS": timedelta(seconds=1),
    "MINUTES": timedelta(minutes=1),
    "HOURS": timedelta(hours=1),
    "DAYS": timedelta(days=1),
}
# A number must be at least 1, a duration at least 0.
_LEAST = {
    "SLOT_MEMORY_MB": 500,
    **dict.fromkeys(("BACKFILL_DAILY_LIMIT", "HEAL_NODES_PER_DAY", "NODE_DISK_GB", "LARGE_SLOT_MEMORY_MB"), 0),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set, each with its variable, whose name ends with the unit."""

    batch_endpoint: Annotated[str, "BATCH_ACCOUNT_ENDPOINT"]
    pool_id: Annotated[str, "BATCH_POOL_ID"]
    pool_identity: Annotated[str, "BATCH_POOL_IDENTITY"]
    data_storage: str = "DATA_STORAGE"
    batch_account: Annotated[str, "BATCH_ACCOUNT_NAME"] = ""
    batch_key: Annotated[str, "BATCH_ACCOUNT_KEY"] = ""
    client_id: Annotated[str, "AZURE_CLIENT_ID"] = ""
    input_container: Annotated[str, "INPUT_CONTAINER"] = "input"
    projects_container: Annotated[str, "PROJECTS_CONTAINER"] = "projects"
    frozen_container: Annotated[str, "FROZEN_CONTAINER"] = "frozen"
    staging_container: Annotated[str, "STAGING_CONTAINER"] = "staging"
    results_container: Annotated[str, "RESULTS_CONTAINER"] = "results"
    tools_container: Annotated[str, "TOOLS_CONTAINER"] = "tools"
    dead_letter_container: Annotated[str, "DEAD_LETTER_CONTAINER"] = "dead-letter"
    task_scripts: Annotated[str, "TASK_SCRIPTS"] = "task/"
    blob_created_queue: Annotated[str, "BLOB_CREATED_QUEUE"] = "blob-created"
    collect_queue: Annotated[str, "COLLECT_QUEUE"] = "collect"
    files_table: Annotated[str, "FILES_TABLE"] = "files"
    work_table: Annotated[str, "WORK_TABLE"] = "work"
    job_prefix: Annotated[str, "JOB_PREFIX"] = "ilastik"
    ilastik_version: Annotated[str, "ILASTIK_VERSION"] = "1.4.2"
    export_source: Annotated[str, "EXPORT_SOURCE"] = "Simple Segmentation"
    engine: Annotated[str, "ENGINE"] = "ilastik"
    node_tools: Annotated[str, "NODE_TOOLS"] = ""
    audit_every: Annotated[int, "AUDIT_EVERY_FILES"] = 100
    slots_per_node: Annotated[int, "TASK_SLOTS_PER_NODE"] = 1
    slot_threads: Annotated[int, "SLOT_THREADS"] = 4
    slot_memory_mb: Annotated[int, "SLOT_MEMORY_MB"] = 12_000
    wall_clock: Annotated[timedelta, "TASK_WALL_CLOCK_MINUTES"] = timedelta(hours=4)
    part_time: Annotated[timedelta, "PART_MINUTES"] = timedelta(minutes=10)
    task_retention: Annotated[timedelta, "TASK_RETENTION_HOURS"] = timedelta(days=2)
    grace: Annotated[timedelta, "GRACE_SECONDS"] = timedelta(seconds=60)
    recheck: Annotated[timedelta, "RECHECK_SECONDS"] = timedelta(minutes=10)
    project_poll: Annotated[timedelta, "PROJECT_POLL_SECONDS"] = timedelta(seconds=60)
    lost_after: Annotated[timedelta, "LOST_AFTER_SECONDS"] = timedelta(minutes=2)
    job_idle: Annotated[timedelta, "JOB_IDLE_HOURS"] = timedelta(days=1)
    companion_wait: Annotated[timedelta, "COMPANION_WAIT_SECONDS"] = timedelta(seconds=120)
    copy_poll: Annotated[timedelta, "COPY_POLL_SECONDS"] = timedelta(seconds=10)
    due_per_tick: Annotated[int, "DUE_PER_TICK"] = 200
    sweep_every: Annotated[timedelta, "SWEEP_HOURS"] = timedelta(days=1)
    staging_kept: Annotated[timedelta, "STAGING_KEPT_DAYS"] = timedelta(days=7)
    rerun_finished: Annotated[bool, "RERUN_FINISHED"] = False
    backfill_daily_limit: Annotated[int, "BACKFILL_DAILY_LIMIT"] = 1000
    heal_nodes_per_day: Annotated[int, "HEAL_NODES_PER_DAY"] = 0
    node_disk_gb: Annotated[int, "NODE_DISK_GB"] = 0
    large_pool_id: Annotated[str, "LARGE_POOL_ID"] = ""
    large_slot_memory_mb: Annotated[int, "LARGE_SLOT_MEMORY_MB"] = 0
    check_processes: Annotated[int, "CHECK_PROCESSES"] = 2
    max_image_bytes: Annotated[int, "MAX_IMAGE_BYTES"] = 200_000_000_000
    prices: Annotated[NodePrices, "NODE_PRICES"] = NO_PRICES
    budgets: Annotated[Budgets, "BUDGET_MONTH"] = NO_BUDGETS
    page_groups: Annotated[PageGroups, "PAGE_GROUPS"] = NO_GROUPS
    page_upload: Annotated[bool, "PAGE_UPLOAD"] = False
    signs_in: Annotated[bool, "WEBSITE_AUTH_ENABLED"] = False

    @property
    def queues(self) -> tuple[str, str]:
        """The app's queues; the host keeps a poison queue for each."""
        return self.blob_created_queue, self.collect_queue

    def nodes_have(self, tool: str) -> bool:
        """Return whether the nodes are to install a tool; where nobody says which, they may have any."""
        return not self.node_tools or tool in {name.strip() for name in self.node_tools.split(",")}

    @property
    def uses_batch_key(self) -> bool:
        """Whether to use the Batch account's key instead of an identity."""
        return bool(self.batch_key)


def from_mapping(values: Mapping[str, str]) -> Settings:
    """Read settings from a mapping such as the environment. Raises `SettingsError` with every fault in its text."""
    faults: list[str] = []
    given: dict[str, Any] = {}
    for field in fields(Settings):
        kind, name = get_args(field.type) or (str, None)
        if name is None:
            continue
        if text := values.get(name, "").strip():
            given[field.name] = _parsed(name, text, kind, field.default, faults)
        elif field.default is MISSING:
            faults.append(f"{name} is missing.")
            given[field.name] = ""
    settings = Settings(**given)
    settings = replace(settings, budgets=settings.budgets.of_groups(dict(settings.page_groups.owned)))
    faults += _contradictions(settings, values)
    if faults:
        raise SettingsError("The app's settings need attention: " + " ".join(faults))
    return settings


def _parsed(name: str, text: str, kind: type, default: Any, faults: list[str]) -> Any:
    """Parse the text of a value; add what is wrong with it to the faults."""
    if kind is str:
        return text
    if kind is bool:
        if text.lower() not in {"true", "false"}:
            faults.append(f"{name} is {text.lower()!r}; it must be true or false.")
        return text.lower() == "true"
    if kind in {NodePrices, Budgets, PageGroups}:
        try:
            return kind.parse(text)
        except ValueError as exc:
            faults.append(f"{name}: {exc}.")
            return default
    try:
        number = float(text) if kind is timedelta else int(text)
    except ValueError:
        faults.append(f"{name} is {text!r}; it must be a number.")
        return default
    least = _LEAST.get(name, 0 if kind is timedelta else 1)
    if not least <= number < 10**15:
        faults.append(f"{name} is {text}; it must be at least {least:g}.")
        return default if kind is timedelta else number
    return number * _UNITS[name.rpartition("_")[2]] if kind is timedelta else number


def _contradictions(settings: Settings, values: Mapping[str, str]) -> list[str]:
    faults = []
    if settings.batch_key and not settings.batch_account:
        faults.append("BATCH_ACCOUNT_KEY is given without BATCH_ACCOUNT_NAME.")
    if bool(settings.large_pool_id) != bool(settings.large_slot_memory_mb):
        faults.append("LARGE_POOL_ID and LARGE_SLOT_MEMORY_MB must be given together.")
    for group, projects, _ in settings.budgets.groups:
        if not projects:
            faults.append(f"BUDGET_MONTH names the group {group!r}, which has no projects in PAGE_GROUPS.")
    if settings.engine not in ENGINES:
        faults.append(f"ENGINE is {settings.engine!r}; it must be one of {', '.join(ENGINES)}.")
    if settings.batch_endpoint and not re.match(r"https?://[^/]+", settings.batch_endpoint):
        faults.append(f"BATCH_ACCOUNT_ENDPOINT is {settings.batch_endpoint!r}; it must be a URL.")
    if not re.fullmatch(r"[A-Za-z0-9_-]+/", settings.task_scripts):
        faults.append("TASK_SCRIPTS must be a folder in the tools container: letters, digits, '-', '_', then '/'.")
    connection = values.get(settings.data_storage, "")
    if not connection and not values.get(f"{settings.data_storage}__blobServiceUri"):
        faults.append("DATA_STORAGE (or DATA_STORAGE__blobServiceUri for an identity) is missing.")
    if values.get("WEBSITE_SITE_NAME") and AZURITE_ACCOUNT in connection:
        faults.append("DATA_STORAGE holds the storage emulator's public key; in Azure use an identity.")
    return faults
