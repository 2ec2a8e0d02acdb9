"""The commands of the Azure CLI that speak to storage."""

import re
from pathlib import Path
from typing import Any

from tests.deploy import answers
from tests.deploy.az_cli import Call
from tests.deploy.azure_state import PERSON, State, azure_takes


class Storage(State):
    """Accounts, blobs and the rows of a table."""

    def _storage_account_check_name(self, call: Call) -> Any:
        self.registered("Microsoft.Storage")
        name = call["--name"]
        taken = self.names_are_taken or self.resource("Microsoft.Storage/storageAccounts", name) is not None
        if not taken:
            return {"nameAvailable": True}
        message = f"The storage account named {name} is already taken."
        return {"nameAvailable": False, "message": message, "reason": "AlreadyExists"}

    def _storage_account_show(self, call: Call) -> Any:
        found = self.resource("Microsoft.Storage/storageAccounts", call["--name"])
        if found is None:
            raise answers.refusal("storage account show", "ResourceNotFound", ilastikhost7a79c679=call["--name"])
        return {name: found[name] for name in ("id", "name", "location", "tags")}

    def _data(self, call: Call) -> None:
        azure_takes(call.get("--auth-mode") == "login", "KeyBasedAuthenticationNotPermitted")
        account = self.resource("Microsoft.Storage/storageAccounts", call["--account-name"])
        if account is None or self.names_spread_in:
            self.names_spread_in = max(0, self.names_spread_in - 1)
            raise answers.refusal("storage blob list", "Failed to resolve")
        if not any(r["principalId"] == PERSON and r["scope"] == account["id"] for r in self.role_assignments):
            raise answers.refusal("storage blob list", "do not have the required permissions")
        self.roles_spread_in = max(0, self.roles_spread_in - 1)
        if self.roles_spread_in % 2:
            raise answers.refusal("storage blob list", "do not have the required permissions")

    def _storage_blob_list(self, call: Call) -> Any:
        self._data(call)
        names = [blob for container, blob in self.blobs if container == call["--container-name"]]
        return [{"name": name} for name in names if name.startswith(call.get("--prefix"))]

    def _storage_blob_show(self, call: Call) -> Any:
        self._data(call)
        blob = self.blobs.get((call["--container-name"], call["--name"]))
        if blob is None:
            raise answers.refusal("storage blob show", "BlobNotFound")
        return {"name": call["--name"], "metadata": blob["metadata"]}

    def _storage_blob_upload(self, call: Call) -> Any:
        self._data(call)
        metadata = dict([call["--metadata"].split("=", 1)]) if call.get("--metadata") else {}
        content = Path(call["--file"]).read_bytes()
        self.blobs[call["--container-name"], call["--name"]] = {"metadata": metadata, "content": content.hex()}

    def _storage_blob_delete(self, call: Call) -> Any:
        self._data(call)
        del self.blobs[call["--container-name"], call["--name"]]

    def _storage_blob_delete_batch(self, call: Call) -> Any:
        prefix = call["--pattern"].removesuffix("*")
        for key in [k for k in self.blobs if k[0] == call["--source"] and k[1].startswith(prefix)]:
            del self.blobs[key]

    def _storage_entity_query(self, call: Call) -> Any:
        found = re.fullmatch(
            r"PartitionKey eq '([\w-]+)' and name eq '([\w./-]+)' and is_file eq true", call["--filter"]
        )
        assert found, f"Azure would refuse the filter {call['--filter']}."
        name = found[2]
        if ("input", name) not in self.blobs:
            return {"items": []}
        if self.states_of_files:
            return {"items": [{"state": self.states_of_files.pop(0), "reason": ""}]}
        if self.end_of_files == "SUCCEEDED":
            self.blobs["results", f"{name}/tiny.tiff"] = {"metadata": {}, "content": ""}
        return {"items": [{"state": self.end_of_files, "reason": "So it is." if self.end_of_files == "FAILED" else ""}]}
