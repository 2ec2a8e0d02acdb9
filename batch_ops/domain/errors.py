"""Everything that can go wrong, as one tree.

    IlastikBatchError
    ├── SettingsError        the app's settings are incomplete or contradict each other
    ├── Conflict             somebody else changed the row first: read again, decide again
    ├── IllegalTransition    a state that the transition table does not allow: a fault in the code
    ├── BlobChanged          the blob is no longer the version that was asked for
    ├── BlobMissing          there is no such blob (any more)
    ├── NewerRun             a newer run of the file has published already
    ├── JobMissing           Batch knows no such job
    ├── JobClosed            the job takes no more tasks
    ├── BadMessage           a queue message that is not what its sender should have written
    ├── RequestRefused       a service calls a request of ours wrong: a fault in the code
    ├── ServiceFault         throttled, unreachable, over quota, paused: try again later
    ├── ConfigError          domain.project_config: the JSON beside a classifier can't be used
    ├── Unfit                inspection.sentences: what is wrong with an image or a project
    ├── AxesError            inspection.axes: why axes can't be used
    ├── DamagedSuperblock    inspection.superblock: an HDF5 file with a beginning that can't be
    ├── BudgetSpent          inspection.budget: the check of a file would cost too much
    ├── OutsideBlob          inspection.budget: a parser asks for bytes that the file does not have
    ├── BadFindings          inspection.findings: a parser reports what no sane one does
    ├── ParserDied           inspection.parser.process: a parser ended without findings
    ├── Broken               inspection.parser.talk: the conversation with a parser broke off
    └── CliFault             doctor.azure_cli: the Azure CLI could not answer

Those that name their module are caught by its nearest callers. What travels to the node stands below this module and
so outside the tree, each a ValueError: `ManifestError`, `PlanError` and `TaskEnvironmentError` (task).

A task that fails is no exception: it is data (`task.failure_kinds`).
"""

from datetime import timedelta


class IlastikBatchError(Exception):
    """Root of the tree; its text is for people: a sentence where its class does not say otherwise, or its docstring."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text or type(self).__doc__)


class SettingsError(IlastikBatchError):
    """The app's settings are incomplete or contradict each other."""


class Conflict(IlastikBatchError):
    """Somebody else changed the row first."""


class IllegalTransition(IlastikBatchError):
    """A row was to be moved along a way that the transition table does not have."""


class BlobChanged(IlastikBatchError):
    """The blob is no longer the version that was asked for."""


class BlobMissing(IlastikBatchError):
    """There is no such blob."""


class NewerRun(IlastikBatchError):
    """A newer run of the file has published its results: ours must not touch them."""


class JobMissing(IlastikBatchError):
    """Batch knows no job of this id."""


class JobClosed(IlastikBatchError):
    """The job is completed or about to be, and takes no more tasks."""


class BadMessage(IlastikBatchError):
    """A queue message is not what its sender should have written."""


class RequestRefused(IlastikBatchError):
    """A service calls a request of ours wrong; to send it again is no use."""


class ServiceFault(IlastikBatchError):
    """A service can't do it now; the sentence says which and why, `retry_after` how long it asks us to wait."""

    def __init__(self, sentence: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after
