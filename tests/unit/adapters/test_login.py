"""Who is logged in, by the access token."""

import base64
import json

import pytest
from azure.core.exceptions import ClientAuthenticationError

from batch_ops.adapters.login import AzureLogin
from batch_ops.domain.errors import ServiceFault
from tests.unit.adapters.credential import Credential


def token(**claims):
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{payload}.signature"


@pytest.mark.parametrize(
    ("text", "application_id"),
    [(token(appid="app-1"), "app-1"), (token(), ""), ("no token", ""), ("a.%%%.b", ""), ("a.W10.b", "")],
)
async def test_the_application_is_read_off_the_token(text, application_id):
    """One that can't be read names none."""
    assert await AzureLogin(Credential(text)).application_id() == application_id


async def test_without_a_login_it_says_so():
    """With the kind of the error, as its text is long."""
    with pytest.raises(ServiceFault, match=r"Nobody is logged in to Azure here.*\(ClientAuthenticationError\)"):
        await AzureLogin(Credential(ClientAuthenticationError("no"))).application_id()
