"""Who is logged in (port `Login`), read from an access token of Entra ID."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from attrs import define
from azure.core.credentials_async import AsyncTokenCredential

from batch_ops.adapters.sdk_errors import SDK_ERRORS
from batch_ops.domain.errors import ServiceFault

_SCOPE = "https://storage.azure.com/.default"


@define(eq=False)
class AzureLogin:
    """The identity behind a credential."""

    _credential: AsyncTokenCredential

    async def application_id(self) -> str:
        try:
            token = (await self._credential.get_token(_SCOPE)).token
        except SDK_ERRORS as exc:
            raise ServiceFault(
                f"Nobody is logged in to Azure here, so nothing can be examined ({type(exc).__name__})."
            ) from exc
        return str(_claims(token).get("appid", ""))


def _claims(token: str) -> Mapping[str, Any]:
    # Read without verification: it only chooses what to test.
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
