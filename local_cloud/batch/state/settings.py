"""What a service is started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_cloud.doors import new_key

DEFAULT_ACCOUNT = "localbatch"

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the service needs to know before it starts.

    Whoever has `key` (base64) can run commands as this user, so the default is one that nobody else knows.
    `node_environment` stands for what a node's image sets for every process. Times are in seconds.
    `containers_on_host` runs the commands of tasks with a container on this machine, with a warning.
    `task_memory_bytes` ends a task whose process group grows beyond it (ours: Azure has no such limit).
    """

    data: Path
    account: str = DEFAULT_ACCOUNT
    key: str = field(default_factory=new_key, repr=False)
    port: int = 0
    host: str = "127.0.0.1"
    nodes: int = 0
    pool: str = "ilastik"
    task_slots: int = 1
    latency: float = 0.0
    storage_connection_string: str | None = None
    pool_identities: tuple[str, ...] = ()
    node_environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": DEFAULT_PATH})
    allocation_time: float = 0.05
    boot_time: float = 0.05
    kill_grace: float = 2.0
    task_memory_bytes: int | None = None
    memory_interval: float = 0.5
    containers_on_host: bool = False
