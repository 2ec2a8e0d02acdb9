"""What can go wrong, as sentences for people.

IlastikError                exit code 1, as ilastik's uncaught exceptions
|-- ProjectError            the .ilp cannot be used
|-- InputError              an image cannot be used
|   `-- TooSmallError       ... because a feature's filter is larger than it
|-- ExportError             the output cannot be written as asked
|-- SettingsError           an environment variable makes no sense
|-- NotSupportedError       ilastik can do this, the engine cannot
|-- NotBuiltError           the compiled kernel is missing
`-- UsageError              exit code 2, as ilastik's argument parser
"""


class IlastikError(Exception):
    """A failed run; the message says what happened, to which file, and what to do."""

    exit_code = 1


class ProjectError(IlastikError):
    """The project cannot be used for headless Pixel Classification."""


class InputError(IlastikError):
    """An input image cannot be found, read or interpreted."""


class TooSmallError(InputError):
    """The image is smaller than a selected filter needs."""


class ExportError(IlastikError):
    """The result cannot be written in the way that was asked for."""


class SettingsError(IlastikError):
    """An environment variable has a value that cannot be used."""


class NotSupportedError(IlastikError):
    """ilastik offers this, the engine does not."""


class NotBuiltError(IlastikError):
    """The compiled kernel is missing or does not fit this machine."""


class UsageError(IlastikError):
    """The command line cannot be understood."""

    exit_code = 2
