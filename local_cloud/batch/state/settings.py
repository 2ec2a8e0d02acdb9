"""What a service is started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# The account everybody may know, as Azurite has its own: it opens nothing but a service on this machine.
DEFAULT_ACCOUNT = "localbatch"
DEFAULT_KEY = "bG9jYWwtYmF0Y2gtZGV2ZWxvcG1lbnQta2V5LW5vdC1hLXNlY3JldC1ub3QtYS1zZWNyZXQtbm90LWEtc2VjcmV0IQ=="

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the service needs to know before it starts.

    `node_environment` stands for what a node's image sets for every process. Times are in seconds.
    `task_memory_bytes` ends a task whose process group grows beyond it (ours: Azure has no such limit).
    """

    data: Path
    account: str = DEFAULT_ACCOUNT
    key: str = DEFAULT_KEY
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
