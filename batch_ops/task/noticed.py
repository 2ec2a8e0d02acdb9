"""What a failed execution was warned of: `warnings.json`, beside its outcome; a manifest holds those of a good one.

A file of its own, as apps of before refuse an outcome that says more. Pure and stdlib only, for Python 3.9 and newer
(see contract.py). It comes back from a machine that ran other people's data: see strict_json.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from batch_ops.task import strict_json
from batch_ops.task.manifest import MAX_WARNINGS, as_warning, check_warning
from batch_ops.task.run_plan import RunWarning

_SCHEMA = 1


def warnings_to_json(warnings: Sequence[RunWarning]) -> bytes:
    """Write at most MAX_WARNINGS of them."""
    listed = [dataclasses.asdict(as_warning(warning)) for warning in warnings]
    return strict_json.dump({"warnings": listed, "schema": _SCHEMA})


def warnings_from_json(content: bytes) -> tuple[RunWarning, ...]:
    """Read what `warnings_to_json` wrote, of this version or a later one that adds to it. Raises `ManifestError`."""
    data = strict_json.load(content, "what was noticed")
    listed = strict_json.listed(data.get("warnings"), MAX_WARNINGS)
    warnings = tuple(RunWarning(**strict_json.fields(RunWarning, one, "a warning")) for one in listed)
    for warning in warnings:
        check_warning(warning)
    return warnings
