"""The app's settings, typed, from one mapping of strings; every fault is reported at once."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from batch_ops.domain.errors import SettingsError

AZURITE_ACCOUNT = "devstoreaccount1"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may choose. `from_mapping` names the variable of each."""

    batch_endpoint: str
    pool_id: str
    pool_identity: str
    data_storage: str = "DATA_STORAGE"
    batch_account: str = ""
    batch_key: str = ""
    client_id: str = ""
    input_container: str = "input"
    projects_container: str = "projects"
    frozen_container: str = "frozen"
    staging_container: str = "staging"
    results_container: str = "results"
    tools_container: str = "tools"
    dead_letter_container: str = "dead-letter"
    task_scripts: str = "task/"
    blob_created_queue: str = "blob-created"
    collect_queue: str = "collect"
    files_table: str = "files"
    work_table: str = "work"
    job_prefix: str = "ilastik"
    ilastik_version: str = "1.4.2"
    export_source: str = "Simple Segmentation"
    slots_per_node: int = 1
    slot_threads: int = 4
    slot_memory_mb: int = 12_000
    wall_clock: timedelta = timedelta(hours=4)
    task_retention: timedelta = timedelta(days=2)
    grace: timedelta = timedelta(seconds=60)
    recheck: timedelta = timedelta(minutes=10)
    project_poll: timedelta = timedelta(seconds=60)
    lost_after: timedelta = timedelta(minutes=2)
    job_idle: timedelta = timedelta(days=1)
    copy_poll: timedelta = timedelta(seconds=10)
    due_per_tick: int = 200
    sweep_every: timedelta = timedelta(days=1)
    staging_kept: timedelta = timedelta(days=7)
    rerun_finished: bool = False
    backfill_daily_limit: int = 1000
    node_disk_gb: int = 0
    large_pool_id: str = ""
    large_slot_memory_mb: int = 0
    check_processes: int = 2
    max_image_bytes: int = 200_000_000_000

    @property
    def uses_batch_key(self) -> bool:
        """Whether Batch is spoken to with the account's key instead of an identity."""
        return bool(self.batch_key)


class _Reader:
    """Reads values one by one and gathers what is wrong with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.faults: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        value = self._values.get(name, "").strip()
        if value:
            return value
        if default is None:
            self.faults.append(f"{name} is missing.")
            return ""
        return default

    def whole(self, name: str, default: int, least: int = 1) -> int:
        return int(self._number(name, default, least, int))

    def flag(self, name: str, default: bool) -> bool:
        value = self._values.get(name, "").strip().lower()
        if value not in {"", "true", "false"}:
            self.faults.append(f"{name} is {value!r}; it must be true or false.")
        return default if not value else value == "true"

    def seconds(self, name: str, default: timedelta, unit: timedelta = timedelta(seconds=1)) -> timedelta:
        return self._number(name, default / unit, 0, float) * unit

    def _number(self, name: str, default: float, least: float, kind: Callable[[str], float]) -> float:
        value = self._values.get(name, "").strip()
        if not value:
            return default
        try:
            number = kind(value)
        except ValueError:
            self.faults.append(f"{name} is {value!r}; a number is needed.")
            return default
        if not least <= number < 10**15:
            self.faults.append(f"{name} is {value}; it must be at least {least:g}.")
        return number


def from_mapping(values: Mapping[str, str]) -> Settings:
    """The settings in a mapping such as the environment. Raises `SettingsError` with every fault in its text."""
    read = _Reader(values)
    default = Settings("", "", "")
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    settings = Settings(
        batch_endpoint=read.text("BATCH_ACCOUNT_ENDPOINT"),
        pool_id=read.text("BATCH_POOL_ID"),
        pool_identity=read.text("BATCH_POOL_IDENTITY"),
        batch_account=read.text("BATCH_ACCOUNT_NAME", ""),
        batch_key=read.text("BATCH_ACCOUNT_KEY", ""),
        client_id=read.text("AZURE_CLIENT_ID", ""),
        input_container=read.text("INPUT_CONTAINER", default.input_container),
        projects_container=read.text("PROJECTS_CONTAINER", default.projects_container),
        frozen_container=read.text("FROZEN_CONTAINER", default.frozen_container),
        staging_container=read.text("STAGING_CONTAINER", default.staging_container),
        results_container=read.text("RESULTS_CONTAINER", default.results_container),
        tools_container=read.text("TOOLS_CONTAINER", default.tools_container),
        dead_letter_container=read.text("DEAD_LETTER_CONTAINER", default.dead_letter_container),
        task_scripts=read.text("TASK_SCRIPTS", default.task_scripts),
        blob_created_queue=read.text("BLOB_CREATED_QUEUE", default.blob_created_queue),
        collect_queue=read.text("COLLECT_QUEUE", default.collect_queue),
        files_table=read.text("FILES_TABLE", default.files_table),
        work_table=read.text("WORK_TABLE", default.work_table),
        job_prefix=read.text("JOB_PREFIX", default.job_prefix),
        ilastik_version=read.text("ILASTIK_VERSION", default.ilastik_version),
        export_source=read.text("EXPORT_SOURCE", default.export_source),
        slots_per_node=read.whole("TASK_SLOTS_PER_NODE", default.slots_per_node),
        slot_threads=read.whole("SLOT_THREADS", default.slot_threads),
        slot_memory_mb=read.whole("SLOT_MEMORY_MB", default.slot_memory_mb, 500),
        wall_clock=read.seconds("TASK_WALL_CLOCK_MINUTES", default.wall_clock, minute),
        task_retention=read.seconds("TASK_RETENTION_HOURS", default.task_retention, hour),
        grace=read.seconds("GRACE_SECONDS", default.grace),
        recheck=read.seconds("RECHECK_SECONDS", default.recheck),
        project_poll=read.seconds("PROJECT_POLL_SECONDS", default.project_poll),
        lost_after=read.seconds("LOST_AFTER_SECONDS", default.lost_after),
        job_idle=read.seconds("JOB_IDLE_HOURS", default.job_idle, hour),
        copy_poll=read.seconds("COPY_POLL_SECONDS", default.copy_poll),
        due_per_tick=read.whole("DUE_PER_TICK", default.due_per_tick),
        sweep_every=read.seconds("SWEEP_HOURS", default.sweep_every, hour),
        staging_kept=read.seconds("STAGING_KEPT_DAYS", default.staging_kept, 24 * hour),
        rerun_finished=read.flag("RERUN_FINISHED", default.rerun_finished),
        backfill_daily_limit=read.whole("BACKFILL_DAILY_LIMIT", default.backfill_daily_limit, 0),
        node_disk_gb=read.whole("NODE_DISK_GB", default.node_disk_gb, 0),
        large_pool_id=read.text("LARGE_POOL_ID", default.large_pool_id),
        large_slot_memory_mb=read.whole("LARGE_SLOT_MEMORY_MB", default.large_slot_memory_mb, 0),
        check_processes=read.whole("CHECK_PROCESSES", default.check_processes),
        max_image_bytes=read.whole("MAX_IMAGE_BYTES", default.max_image_bytes),
    )
    faults = read.faults + _contradictions(settings, values)
    if faults:
        raise SettingsError("The app's settings need attention: " + " ".join(faults))
    return settings


def _contradictions(settings: Settings, values: Mapping[str, str]) -> list[str]:
    faults = []
    if settings.batch_key and not settings.batch_account:
        faults.append("BATCH_ACCOUNT_KEY is given without BATCH_ACCOUNT_NAME.")
    if bool(settings.large_pool_id) != bool(settings.large_slot_memory_mb):
        faults.append("LARGE_POOL_ID and LARGE_SLOT_MEMORY_MB go together.")
    if settings.batch_endpoint and not re.match(r"https?://[^/]+", settings.batch_endpoint):
        faults.append(f"BATCH_ACCOUNT_ENDPOINT is {settings.batch_endpoint!r}; it must be a URL.")
    if not re.fullmatch(r"[A-Za-z0-9_-]+/", settings.task_scripts):
        faults.append("TASK_SCRIPTS is a folder in the tools container: letters, digits, '-', '_', then '/'.")
    connection = values.get(settings.data_storage, "")
    if not connection and not values.get(f"{settings.data_storage}__blobServiceUri"):
        faults.append("DATA_STORAGE (or DATA_STORAGE__blobServiceUri for an identity) is missing.")
    if values.get("WEBSITE_SITE_NAME") and AZURITE_ACCOUNT in connection:
        faults.append("DATA_STORAGE holds the storage emulator's public key; in Azure use an identity.")
    return faults
