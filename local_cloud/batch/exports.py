"""What opens a service to its clients: lines for a shell, to be read and to be run."""

import shlex
from pathlib import Path

_NAMES = {"account": "AZURE_BATCH_ACCOUNT", "endpoint": "AZURE_BATCH_ENDPOINT", "key": "AZURE_BATCH_ACCESS_KEY"}
_PYTHON = "BatchClient({0[endpoint]}, AzureNamedKeyCredential({0[account]}, {0[key]}))"
_JAVASCRIPT = "new BatchServiceClient(new BatchSharedKeyCredentials({0[account]}, {0[key]}), {0[endpoint]})"


def exports(account: str, endpoint: str, key: Path | str) -> str:
    """Write the variables that `az batch` reads, and how a client in Python and in JavaScript is made of them.

    `key` says where the key is, the file or the name of the variable, not what it is: this may get into a log. A shell
    can run all of it, as the clients' lines are comments to it.
    """
    found = f"$(cat {shlex.quote(str(key))})" if isinstance(key, Path) else f"${key}"
    python = {part: f'os.environ["{name}"]' for part, name in _NAMES.items()}
    javascript = {part: f"process.env.{name}" for part, name in _NAMES.items()}
    return "\n".join(
        (
            f"export {_NAMES['account']}={shlex.quote(account)} {_NAMES['endpoint']}={endpoint}",
            f'export {_NAMES["key"]}="{found}"',
            "# Azure CLI:   az batch pool list",
            f"# Python:      {_PYTHON.format(python)}",
            f"# JavaScript:  {_JAVASCRIPT.format(javascript)}",
        )
    )
