"""Everything that can go wrong, as one tree.

    IlastikBatchError
    ├── SettingsError        the app's settings are incomplete or contradict each other
    ├── Conflict             somebody else changed the row first: read and decide again
    ├── IllegalTransition    a state that the transition table does not allow: a fault in the code
    ├── BlobChanged          the blob is no longer the version that was asked for
    ├── BlobMissing          there is no such blob (any more)
    ├── NewerRun             a newer run of the file has already published its results
    ├── JobMissing           Batch has no such job
    ├── JobClosed            the job takes no more tasks
    ├── BadMessage           a queue message that is not what its sender should have written
    ├── RequestRefused       a service refuses a request as invalid: a fault in the code
    ├── FolderFault          a folder of this machine can't be read or written
    ├── WrongContent         what came over the network is not what it should be
    ├── ServiceFault         throttled, unreachable, over quota, paused: try again later
    │   └── NotAllowed       the app's roles do not allow the call: what it asks for is unknown
    ├── ConfigError          domain.project_config: the JSON beside a classifier can't be used
    ├── CannotConfirm        use_cases.confirming: these can't be the axes of that file, or it does not ask for them
    ├── CannotRerun          use_cases.rerunning: a project can't be segmented once more under that name
    ├── PatternError         domain.name_pattern: this is no pattern of names
    ├── DamagedSuperblock    inspection.superblock: an HDF5 file with an impossible beginning
    ├── BudgetSpent          inspection.budget: the check of a file would cost too much
    ├── OutsideBlob          inspection.budget: a parser asks for bytes that the file does not have
    ├── ParserDied           inspection.parser.process: a parser ended without findings
    ├── Broken               inspection.parser.talk: the connection to a parser broke off
    ├── CannotCut            why no crop can be cut out of an image, as half a sentence
    │   ├── CannotUnpack     this machine lacks what unpacks its pixels
    │   └── TooManyCuts      others are being cut out at this moment: try again
    ├── CannotCompare        files.overlap: why two segmentations can't be compared, as half a sentence
    └── CliFault             doctor.azure_cli: the Azure CLI could not answer

Those that name their module are caught by its direct callers. The errors of modules that travel to the node stand
outside the tree as ValueErrors: `ManifestError`, `PlanError`, `StoredExportError`, `ObjectsError`, `PicturesError`,
`PartsError`, `RunPlanError`, `ResultFormError`, `TaskEnvironmentError`, `ToolProfileError` (task), `Unfit`, `Open`,
`Unclear`, `AxesError`, `CompanionError`, `BoxError`, `OmeError`, `ElsewhereError`, `Foreign` and `BadFindings` (image).

A failed task is data, not an exception (`task.failure_kinds`).
"""

from datetime import timedelta


class IlastikBatchError(Exception):
    """Root of the tree; its text is for people: a sentence unless its class says otherwise."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text or type(self).__doc__)


class SettingsError(IlastikBatchError):
    """The app's settings are incomplete or contradict each other."""


class Conflict(IlastikBatchError):
    """Somebody else changed the row first."""


class IllegalTransition(IlastikBatchError):
    """The transition table does not allow this change of state."""


class BlobChanged(IlastikBatchError):
    """The blob is no longer the version that was asked for."""


class BlobMissing(IlastikBatchError):
    """There is no such blob."""


class NewerRun(IlastikBatchError):
    """A newer run of the file has published its results: ours must not touch them."""


class JobMissing(IlastikBatchError):
    """Batch has no job of this id."""


class JobClosed(IlastikBatchError):
    """The job is completed or about to be, and takes no more tasks."""


class BadMessage(IlastikBatchError):
    """A queue message is not what its sender should have written."""


class RequestRefused(IlastikBatchError):
    """A service refuses a request as invalid; sending it again is useless."""


class FolderFault(IlastikBatchError):
    """A folder of this machine can't be read or written; the sentence says which and why."""


class WrongContent(IlastikBatchError):
    """What came over the network is not what it should be."""


class CannotCut(IlastikBatchError):
    """No crop can be cut out of the image; the text is the reason, as half a sentence."""


class CannotUnpack(CannotCut):
    """The pixels are compressed in a way that this machine can't unpack."""


class TooManyCuts(CannotCut):
    """As many crops as the app has room for are being cut out at this moment."""


class ServiceFault(IlastikBatchError):
    """A service can't do it now; the sentence says which and why, `retry_after` how long to wait."""

    def __init__(self, sentence: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after


class NotAllowed(ServiceFault):
    """The app's roles do not allow it: what was asked is unknown until somebody gives the role."""
