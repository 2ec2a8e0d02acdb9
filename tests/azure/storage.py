"""The data side of storage accounts: Azurite's blobs, queues and tables, behind tokens and roles.

A request with a token is passed on to Azurite with a signature of its own. What a role allows is documented at
https://learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory; the answers to those who lack
one at https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes.
"""

import base64
import hashlib
import http.client
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from azure.storage.blob import AccountSasPermissions, ContainerClient, ResourceTypes, Services, generate_account_sas

from local_cloud.azurite.server import ACCOUNT, Endpoints
from tests.azure.entra import claims
from tests.azure.front import Answer, Request
from tests.azure.world import Document, World

AUDIENCE = "https://storage.azure.com"
# Built-in roles: id -> (service, whether it may write).
_ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": ("blob", True),
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": ("blob", True),
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": ("blob", False),
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": ("queue", True),
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": ("table", True),
}
_PARTS = {
    "blob": "blobServices/default/containers",
    "queue": "queueServices/default/queues",
    "table": "tableServices/default/tables",
}
_NOT_FOUND = {"blob": "ContainerNotFound", "queue": "QueueNotFound", "table": "TableNotFound"}
_DROPPED = {"host", "authorization", "proxy-authorization", "proxy-connection", "connection", "transfer-encoding"}


@dataclass
class Storage:
    """`uploaded` is called with the container and name of every blob that was written, `sent` with the name of a queue
    and what a message says that can be read at once."""

    world: World
    azurite: Endpoints
    uploaded: Callable[[str, str], None] = lambda container, name: None
    sent: Callable[[str, bytes], None] = lambda queue, text: None
    _made: set[str] = field(default_factory=set)

    def account(self, host: str) -> Document | None:
        """The account whose host this is; until there is one, nobody knows the name."""
        name, service, *_ = host.split(".")
        found = self.world.of_type("Microsoft.Storage/storageAccounts")
        return next((account for account in found if account["name"] == name and service in _PARTS), None)

    def answer(self, request: Request) -> Answer:
        account = self.account(request.host)
        assert account
        service = request.host.split(".")[1]
        container, _, rest = request.path.lstrip("/").partition("/")
        plain = container.partition("(")[0]
        if container == "$batch":
            return self._transaction(request, account)
        if refusal := self._refused(request, account, service, plain):
            return refusal
        if self.world.find(f"{account['id']}/{_PARTS[service]}/{plain}") is None:
            return _error(404, _NOT_FOUND[service], "The specified resource does not exist.")
        inner = self.name(account["name"], service, plain)
        self._make(service, inner)
        answer = self._pass_on(request, service, f"/{inner}{container[len(plain) :]}{'/' + rest if rest else ''}")
        if (
            service == "blob"
            and request.method == "PUT"
            and answer.status == 201
            and "comp=block&" not in request.target
        ):
            self.uploaded(container, rest)
        if service == "queue" and (request.method, answer.status) == ("POST", 201):
            text = re.search(b"<MessageText>(.*)</MessageText>", request.body)
            if text and request.query.get("visibilitytimeout", "0") == "0":
                self.sent(plain, base64.b64decode(text[1]))
        return answer

    def _transaction(self, request: Request, account: Document) -> Answer:
        """All of one table: https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions."""
        address = f"https://{request.host}/".encode()
        (table,) = {found.decode() for found in re.findall(re.escape(address) + rb"(\w+)", request.body)}
        if refusal := self._refused(request, account, "table", "" if "transactions" in self.world.wider else table):
            return refusal
        inner = self.name(account["name"], "table", table)
        self._make("table", inner)
        body = request.body.replace(address + table.encode(), f"{self.azurite.table}/{inner}".encode())
        headers = {name: value for name, value in request.headers.items() if name not in {*_DROPPED, "content-length"}}
        return self._send("POST", "table", "/$batch", headers, body)

    def name(self, account: str, service: str, plain: str) -> str:
        """The name in Azurite, which has one account for all of ours."""
        mark = hashlib.sha256(f"{self.world.mark}/{account}".encode()).hexdigest()[:10]
        return f"t{mark}{plain}" if service == "table" else f"{mark}-{plain}"

    def store(self, account: str, container: str, name: str, content: bytes) -> None:
        """Put a blob as somebody who needs no role, such as the function app."""
        inner = self.name(account, "blob", container)
        self._make("blob", inner)
        self._send("PUT", "blob", quote(f"/{inner}/{name}"), {"x-ms-blob-type": "BlockBlob"}, content)

    def blobs(self, account: str, container: str) -> dict[str, bytes]:
        """The blobs of a container: name -> content."""
        inner = self.name(account, "blob", container)
        self._make("blob", inner)
        with ContainerClient.from_connection_string(self.azurite.connection_string, inner) as client:
            return {name: client.download_blob(name).readall() for name in client.list_blob_names()}

    def take_over(self, other: "Storage", account: str) -> None:
        """Have the blobs that another one's account has, with what is written at them."""
        for container in ("tools", "projects"):
            names = [storage.name(account, "blob", container) for storage in (other, self)]
            for storage, name in zip((other, self), names, strict=True):
                storage._make("blob", name)
            clients = [ContainerClient.from_connection_string(self.azurite.connection_string, name) for name in names]
            with clients[0] as source, clients[1] as target:
                for blob in source.list_blobs(include=["metadata"]):
                    content = source.download_blob(blob.name).readall()
                    target.upload_blob(blob.name, content, metadata=blob.metadata)

    def _refused(self, request: Request, account: Document, service: str, part: str) -> Answer | None:
        if not self._lets_in(account["properties"]):
            return _error(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")
        token = claims(request)
        if not token:
            if account["properties"].get("allowSharedKeyAccess") is False:
                return _error(403, "KeyBasedAuthenticationNotPermitted", "Key based authentication is not permitted.")
            return _error(401, "NoAuthenticationInformation", "Server failed to authenticate the request.")
        if token["aud"].rstrip("/") != AUDIENCE:
            return _error(401, "InvalidAuthenticationInfo", "Audience validation failed.")
        pending = self.world.pending.get(token["oid"])
        knows = pending.pop(0) if pending else True
        writes = request.method not in {"GET", "HEAD"}
        where = f"{account['id']}/{_PARTS[service]}/{part}".lower().rstrip("/")
        for role in self.world.roles_of(token["oid"]) if knows else ():
            scope = role["properties"]["scope"].lower()
            kind, may_write = _ROLES.get(role["properties"]["roleDefinitionId"].rpartition("/")[2], ("", False))
            if kind == service and (where == scope or where.startswith(f"{scope}/")) and (may_write or not writes):
                return None
        text = "This request is not authorized to perform this operation using this permission."
        return _error(403, "AuthorizationPermissionMismatch", text)

    def _lets_in(self, properties: Document) -> bool:
        """The account's firewall: https://learn.microsoft.com/azure/storage/common/storage-network-security."""
        rules = properties.get("networkAcls") or {}
        known = [ipaddress.ip_network(rule["value"]) for rule in rules.get("ipRules") or ()]
        is_known = any(ipaddress.ip_address(self.world.address) in network for network in known)
        return properties.get("publicNetworkAccess") != "Disabled" and (
            is_known or rules.get("defaultAction") != "Deny"
        )

    def _make(self, service: str, name: str) -> None:
        if name in self._made:
            return
        body = f'{{"TableName": "{name}"}}'.encode() if service == "table" else b""
        path = "/Tables" if service == "table" else f"/{name}?restype=container" if service == "blob" else f"/{name}"
        headers = {"content-type": "application/json", "accept": "application/json"} if body else {}
        method = "POST" if service == "table" else "PUT"
        answer = self._send(method, service, path, headers, body)
        assert answer.status in {201, 204, 409}, answer
        self._made.add(name)

    def _pass_on(self, request: Request, service: str, path: str) -> Answer:
        query = urlsplit(request.target).query
        headers = {name: value for name, value in request.headers.items() if name not in _DROPPED}
        return self._send(request.method, service, f"{quote(path)}?{query}", headers, request.body)

    def _send(self, method: str, service: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        base = urlsplit(getattr(self.azurite, service))
        connection = http.client.HTTPConnection(base.hostname or "", base.port, timeout=60)
        joint = "&" if "?" in target else "?"
        connection.request(method, f"/{ACCOUNT}{target}{joint}{_signature(self.azurite.key)}", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        unwanted = {*_DROPPED, "keep-alive"} if method == "HEAD" else {*_DROPPED, "keep-alive", "content-length"}
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in unwanted}
        connection.close()
        return Answer(answer.status, content, kept)


def _signature(key: str) -> str:
    return generate_account_sas(
        ACCOUNT,
        key,
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(
            read=True, write=True, delete=True, list=True, add=True, create=True, update=True, process=True
        ),
        datetime.now(UTC) + timedelta(hours=1),
        services=Services.from_string("bqt"),
    )


def unable(status: int) -> Answer:
    """What it says when it can't answer now; busy, it answers 503, never 429:
    https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes."""
    if status == 500:
        return _error(500, "InternalError", "The server encountered an internal error. Please retry the request.")
    return _error(503, "ServerBusy", "The server is currently unable to receive requests. Please retry your request.")


def _error(status: int, code: str, message: str) -> Answer:
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status, text.encode(), {"x-ms-error-code": code, "Content-Type": "application/xml"})
