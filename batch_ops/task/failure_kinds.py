"""Why tasks fail, and what follows from it: one name and one row for each kind of failure.

Pure and stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from types import MappingProxyType

from batch_ops.task import contract


class FailureKind(str, Enum):  # noqa: UP042 - Python 3.9 has no StrEnum
    """The words that rows of the ledger and `outcome.json` use."""

    STAGING_IN = "STAGING_IN"
    NODE = "NODE"
    COMMAND = "COMMAND"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DISK_FULL = "DISK_FULL"
    TIMEOUT = "TIMEOUT"
    STAGING_OUT = "STAGING_OUT"
    NO_OUTPUT = "NO_OUTPUT"
    LOST = "LOST"
    ENDED = "ENDED"

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class FailureRule:
    """What to do and to say about one kind of failure.

    `tries`: how many times a run is tried in total. `delay`: the wait before the second try, doubled each time.
    `alone`: a further try has a node to itself, in the large pool where there is one.
    `exits`: exit codes that mean this kind, each with the sentence to use when the task left none.
    `hopeless_exits`: those of them that no further try can mend.
    `batch_codes`: Batch's own codes for it, in lower case; `in_batch_codes`: what its undocumented codes contain.
    `lead` begins the sentence that ends in Batch's message. `exit_says_more`: a known exit code overrules the code.
    `only_batch_knows`: the task script can't have found the reason.
    `last_words` stand before the sentence of the last try. `remedy`: what the reader of PROBLEM.txt can do.
    """

    tries: int
    remedy: str
    delay: timedelta = timedelta()
    alone: bool = False
    exits: Mapping[int, str] = field(default_factory=dict)
    hopeless_exits: tuple[int, ...] = ()
    batch_codes: tuple[str, ...] = ()
    in_batch_codes: tuple[str, ...] = ()
    lead: str = ""
    exit_says_more: bool = False
    only_batch_knows: bool = False
    last_words: str = ""


_UPLOAD_AGAIN = "Upload the file again. If that does not help, ask whoever runs this system."

RULES: Mapping[FailureKind, FailureRule] = MappingProxyType(
    {
        FailureKind.STAGING_IN: FailureRule(
            tries=5,
            delay=timedelta(seconds=30),
            exits={contract.EXIT_STAGING_IN: "The node did not receive the complete image or project."},
            batch_codes=("blobnotfound", "blobaccessdenied", "blobdownloadmiscerror", "blobdownloadtimedout"),
            lead="The node could not fetch the image or the project",
            remedy=_UPLOAD_AGAIN,
        ),
        FailureKind.NODE: FailureRule(
            tries=4,
            exits={contract.EXIT_NODE: "The node has no working ilastik."},
            batch_codes=(
                *("resourcedirectorycreatefailed", "resourcefilecreatefailed", "resourcefilewritefailed"),
                *("commandprogramnotfound", "commandlaunchfailed"),
                *("maxinternalretrycountreached", "taskschedulingconstraintfailed"),
            ),
            lead="The node could not run the task",
            remedy=_UPLOAD_AGAIN,
        ),
        FailureKind.COMMAND: FailureRule(
            tries=2,
            exits={
                contract.EXIT_BAD_IMAGE: "The node could not use the image.",
                contract.EXIT_BAD_PROJECT: "The node could not use the project.",
                contract.EXIT_UNREAD: "The node could not read the image.",
                contract.EXIT_INTERNAL: f"The task script failed (exit code {contract.EXIT_INTERNAL}).",
            },
            hopeless_exits=(contract.EXIT_BAD_IMAGE, contract.EXIT_BAD_PROJECT),
            remedy="Open the image and the project together in ilastik on your own computer to see what is wrong. "
            "The last lines of its log are below.",
        ),
        FailureKind.OUT_OF_MEMORY: FailureRule(
            tries=2,
            alone=True,
            exits={
                contract.EXIT_KILLED: "ilastik was killed for using more memory than its slot has.",
                contract.EXIT_STALLED: "ilastik stopped working, as it does with too little memory for a page.",
            },
            last_words="It needs more memory than a node has. ",
            remedy="Cut the image into smaller volumes, or ask for larger machines.",
        ),
        FailureKind.DISK_FULL: FailureRule(
            tries=3,
            delay=timedelta(minutes=1),
            alone=True,
            exits={
                contract.EXIT_DISK_FULL: "The node's disk was full.",
                contract.EXIT_DISK_TOO_SMALL: "The node's disk is too small.",
            },
            hopeless_exits=(contract.EXIT_DISK_TOO_SMALL,),
            batch_codes=("diskfull",),
            lead="The node's disk was full",
            remedy="Cut the image into smaller volumes, or ask for machines with larger disks.",
        ),
        FailureKind.TIMEOUT: FailureRule(
            tries=1,
            in_batch_codes=("wallclock",),
            only_batch_knows=True,
            remedy="Cut the image into smaller volumes, or ask for a longer time limit.",
        ),
        FailureKind.STAGING_OUT: FailureRule(
            tries=5,
            delay=timedelta(seconds=30),
            in_batch_codes=("upload",),
            lead="The results could not be stored",
            only_batch_knows=True,
            remedy=_UPLOAD_AGAIN,
        ),
        FailureKind.NO_OUTPUT: FailureRule(
            tries=2,
            exits={contract.EXIT_NO_OUTPUT: "ilastik ended without a complete segmentation."},
            remedy="Open the image and the project together in ilastik on your own computer. The last lines of "
            "ilastik's log are below.",
        ),
        FailureKind.LOST: FailureRule(
            tries=3,
            exits={contract.EXIT_ENDED: "Its node was shut down while the task ran."},
            remedy="Upload the file again.",
        ),
        FailureKind.ENDED: FailureRule(
            tries=1,
            batch_codes=("taskended",),
            lead="Somebody ended the task in Azure Batch",
            exit_says_more=True,
            remedy="Upload the file again if you still want it segmented.",
        ),
    }
)

KIND_OF_EXIT: Mapping[int, FailureKind] = MappingProxyType(
    {code: kind for kind, rule in RULES.items() for code in rule.exits}
)


def kind_of_batch_code(code: str) -> FailureKind | None:
    """Return the kind that one of Batch's codes means, in either case; None for a code without a meaning of its own."""
    lower = code.lower()
    for kind, rule in RULES.items():
        if lower in rule.batch_codes or any(part in lower for part in rule.in_batch_codes):
            return kind
    return None
