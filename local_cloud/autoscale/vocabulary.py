"""The words of the language: metrics, targets and constants."""

from enum import StrEnum
from typing import Final

from local_cloud.autoscale.values import TICKS_PER_SECOND, DeallocationOption, TimeInterval, Value


class Metric(StrEnum):
    """What the service samples of a pool; read-only in formulas."""

    CPU_PERCENT = "$CPUPercent"
    WALL_CLOCK_SECONDS = "$WallClockSeconds"
    MEMORY_BYTES = "$MemoryBytes"
    DISK_BYTES = "$DiskBytes"
    DISK_READ_BYTES = "$DiskReadBytes"
    DISK_WRITE_BYTES = "$DiskWriteBytes"
    DISK_READ_OPS = "$DiskReadOps"
    DISK_WRITE_OPS = "$DiskWriteOps"
    NETWORK_IN_BYTES = "$NetworkInBytes"
    NETWORK_OUT_BYTES = "$NetworkOutBytes"
    SAMPLE_NODE_COUNT = "$SampleNodeCount"
    ACTIVE_TASKS = "$ActiveTasks"
    RUNNING_TASKS = "$RunningTasks"
    PENDING_TASKS = "$PendingTasks"
    SUCCEEDED_TASKS = "$SucceededTasks"
    FAILED_TASKS = "$FailedTasks"
    TASK_SLOTS_PER_NODE = "$TaskSlotsPerNode"
    CURRENT_DEDICATED_NODES = "$CurrentDedicatedNodes"
    CURRENT_LOW_PRIORITY_NODES = "$CurrentLowPriorityNodes"
    PREEMPTED_NODE_COUNT = "$PreemptedNodeCount"


DEDICATED: Final = "$TargetDedicatedNodes"
LOW_PRIORITY: Final = "$TargetLowPriorityNodes"
DEALLOCATION: Final = "$NodeDeallocationOption"
ALIASES: Final = {"$TargetDedicated": DEDICATED, "$TargetLowPriority": LOW_PRIORITY}
WRITABLE: Final = frozenset({DEDICATED, LOW_PRIORITY, DEALLOCATION, *ALIASES})
METRICS: Final[dict[str, Metric]] = {str(metric): metric for metric in Metric}

_INTERVALS: Final = {
    "Zero": 0,
    "100ns": 1,
    "Microsecond": 10,
    "Millisecond": 10_000,
    "Second": TICKS_PER_SECOND,
    "Minute": 60 * TICKS_PER_SECOND,
    "Hour": 3_600 * TICKS_PER_SECOND,
    "Day": 86_400 * TICKS_PER_SECOND,
    "Week": 7 * 86_400 * TICKS_PER_SECOND,
    "Year": 365 * 86_400 * TICKS_PER_SECOND,
}
CONSTANTS: Final[dict[str, Value]] = {
    **{f"TimeInterval_{name}": TimeInterval(ticks) for name, ticks in _INTERVALS.items()},
    **{str(option): option for option in DeallocationOption},
}

MEMBERS: Final = ("year", "month", "day", "weekday", "hour", "minute", "second")
METHODS: Final = {
    "GetSample": (1, 3),
    "GetSamplePercent": (1, 2),
    "GetSamplePeriod": (0, 0),
    "Count": (0, 0),
    "HistoryBeginTime": (0, 0),
}
MAX_BYTES: Final = 8192
MAX_STATEMENTS: Final = 100
MAX_DEPTH: Final = 64
