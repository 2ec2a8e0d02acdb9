"""What can go wrong with the local cloud as a whole.

CloudError
├── FolderInUseError      another `up` works in this folder
├── PortTakenError        a port that this folder's cloud has used is another program's now
└── ServiceEndedError     a service ended, or never became ready
"""


class CloudError(Exception):
    """The local cloud cannot run; the message is a sentence for the person who started it."""


class FolderInUseError(CloudError):
    """Another `up` works in this folder."""


class PortTakenError(CloudError):
    """A port that this folder's cloud has used belongs to another program now."""


class ServiceEndedError(CloudError):
    """A service ended, or never became ready."""
