"""What keeps the host from running an app; each text is a sentence that names the fault and the remedy.

HostError
├── SettingsError     an app setting, local.settings.json or host.json
├── AppError          function_app.py cannot be imported or indexed
└── BindingError      a trigger or binding that this host does not run
"""


class HostError(Exception):
    """The host cannot run this app as it is."""


class SettingsError(HostError):
    """A setting is missing or has no meaning."""


class AppError(HostError):
    """The worker library refused the app."""


class BindingError(HostError):
    """A function's binding is not one that this host runs."""
