"""What a function app has of its identity: an address within it that gives tokens, and a process that uses them.

https://learn.microsoft.com/azure/app-service/overview-managed-identity (REST endpoint reference).
"""

import asyncio
import contextlib
import os
import sys
import time

from batch_ops.wiring import opened
from tests.azure.entra import Principal, token
from tests.azure.front import Answer, Request
from tests.azure.world import World

# App Service gives one of this machine, without TLS; here all goes the one way.
HOST = "identity.azurewebsites.net"
SECRET = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a"
ENDPOINT = f"https://{HOST}/msi/token"


class Identities:
    """Answers for `ENDPOINT`."""

    def __init__(self, world: World) -> None:
        self.world = world

    def answer(self, request: Request) -> Answer:
        assert request.headers["x-identity-header"] == SECRET, request
        client_id, resource = request.query["client_id"], request.query["resource"].rstrip("/")
        known = [i["properties"] for i in self.world.of_type("Microsoft.ManagedIdentity/userAssignedIdentities")]
        own = next(ids for ids in known if ids["clientId"] == client_id)
        told = token(Principal(own["principalId"], client_id, is_app=True), resource)
        end = str(int(time.time()) + 3600)
        return Answer(200, {"access_token": told, "expires_on": end, "resource": resource, "token_type": "Bearer"})


async def _handle(body: bytes) -> None:
    async with opened(os.environ) as system:
        await system.inbox.blob_created(body, 1)


if __name__ == "__main__":
    # One message of the queue of events, as the function of that name gets it.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_handle(sys.stdin.buffer.read()))
