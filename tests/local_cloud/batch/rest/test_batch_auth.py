"""Who is let in."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from azure.batch.aio import BatchClient
from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy

from local_cloud.batch.rest.auth import Authenticator, string_to_sign
from local_cloud.batch.state.clock import SystemClock
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.times import http_date
from local_cloud.doors import new_key
from tests.local_cloud.batch.running import refused, shell

NOW = SystemClock().now


async def test_a_wrong_key_is_refused(service):
    """A signature with another key is 403 AuthenticationFailed, and says what was signed."""
    wrong = base64.b64encode(b"another key").decode()
    async with BatchClient(service.endpoint, AzureNamedKeyCredential(service.account, wrong)) as client:
        with refused("AuthenticationFailed", 403):
            await client.get_pool("ilastik")


async def test_another_account_is_refused(service):
    """The right key under another account's name is 403."""
    async with BatchClient(service.endpoint, AzureNamedKeyCredential("other", service.key)) as client:
        with refused("AuthenticationFailed", 403):
            await client.get_pool("ilastik")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Basic abc", 401),
        ("SharedKey", 401),
        ("SharedKey localbatch", 401),
        ("Bearer abc.def.ghi", 401),
        ("Bearer é", 401),
        ("SharedKey localbatch:", 403),
        ("SharedKey localbatch:ÿÿ", 403),
    ],
)
async def test_a_malformed_authorization_is_refused(raw, authorization, status):
    """Nothing, or something that is no credential, is AuthenticationFailed."""
    headers = {"authorization": authorization} if authorization else {}

    answer = await raw.send("GET", "/pools", headers=headers, signed=False)

    assert (answer.status, answer.code) == (status, "AuthenticationFailed")
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_an_old_request_is_refused(raw):
    """A date more than 15 minutes off is refused, however well it is signed."""
    old = http_date(NOW() - timedelta(minutes=16))

    answer = await raw.send("GET", "/pools", headers={"ocp-date": old})

    assert (answer.status, answer.code) == (403, "AuthenticationFailed")


@pytest.mark.parametrize("length", ["0", None])
async def test_an_empty_body_may_be_signed_as_nothing(length):
    """A DELETE whose signature has 0 for its length passes, and so does the empty line of all JavaScript clients."""
    door, now = Authenticator("acct", new_key()), NOW()
    headers = {"ocp-date": http_date(now)} | ({} if length is None else {"content-length": "0"})
    for signed in ("0", ""):
        text = string_to_sign("DELETE", "/jobs/j", "api-version=1", headers, "acct", False, signed)
        credential = {"authorization": f"SharedKey acct:{door.sign(text)}"}

        door.check("DELETE", "/jobs/j", "api-version=1", headers | credential, now)


@pytest.mark.parametrize("changed", ["path", "query", "method", "header"])
async def test_a_signature_holds_for_one_request_only(changed):
    """A signature for one path, query, method or set of headers does not open another."""
    door = Authenticator("acct", new_key())
    date = http_date(NOW())
    sent = {"ocp-date": date, "if-match": '"a"'}
    request = {"method": "GET", "path": "/jobs/a%20b", "query": "api-version=1&$filter=x%20eq%201", "headers": sent}
    text = "\n".join(
        ["GET", *[""] * 7, '"a"', "", "", "", f"ocp-date:{date}", "/acct/jobs/a%20b", "$filter:x eq 1", "api-version:1"]
    )
    signed = {**sent, "authorization": f"SharedKey acct:{door.sign(text)}"}

    def enter(**changes: Any) -> None:
        door.check(**{**request, "headers": signed, **changes}, now=NOW())

    enter()
    others: dict[str, dict[str, Any]] = {
        "path": {"path": "/jobs/c"},
        "query": {"query": "api-version=2"},
        "method": {"method": "DELETE"},
        "header": {"headers": {**signed, "if-match": '"b"'}},
    }

    with pytest.raises(ServiceError, match="AuthenticationFailed"):
        enter(**others[changed])


class LocalToken:
    """A credential that asks the local issuer."""

    def __init__(self, service):
        self._service = service

    async def get_token(self, *scopes, **options):
        answer = await self._service.local("POST", "token")
        return AccessToken(answer["access_token"], int(NOW().timestamp()) + 3600)

    async def close(self):
        return None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        return None


class OverHttp(AsyncBearerTokenCredentialPolicy[Any, Any]):
    """Tokens over plain http, on this machine only."""

    async def on_request(self, request):
        request.context.options["enforce_https"] = False
        await super().on_request(request)


async def test_a_token_of_the_local_issuer_opens(service):
    """The SDK gets in with a token that /_local/token has issued."""
    credential = LocalToken(service)
    policy = OverHttp(credential, "https://batch.core.windows.net/.default")
    async with BatchClient(service.endpoint, credential, authentication_policy=policy) as client:
        assert (await client.get_pool("ilastik")).id == "ilastik"


@pytest.mark.shows("BatchTaskCreateOptions.authenticationTokenSettings")
async def test_a_task_may_get_a_token_for_its_job(raw, client):
    """To older api-versions a task can have a token in its environment: it opens its own job and nothing else."""
    old = {"query": "api-version=2024-02-01.19.0"}
    token = {"authenticationTokenSettings": {"access": ["job"]}}
    task = {"id": "t", "commandLine": shell("echo $AZ_BATCH_AUTHENTICATION_TOKEN"), **token}
    await client.new_job()
    assert (await raw.send("POST", "/jobs/j/tasks", task)).code == "UnsupportedProperty"
    wrong = {**task, "authenticationTokenSettings": {"access": ["account"]}}
    assert (await raw.send("POST", "/jobs/j/tasks", wrong, **old)).code == "InvalidPropertyValue"
    assert (await raw.send("POST", "/jobs/j/tasks", task, **old)).status == 201
    await client.finished()
    bearer = {"authorization": f"Bearer {(await client.text_of('t')).strip()}"}

    answers = [await raw.send("GET", path, headers=bearer) for path in ("/jobs/J", "/jobs/j/tasks", "/jobs", "/jobs/k")]

    assert [answer.status for answer in answers] == [200, 200, 403, 403]
    shown = [(await raw.send("GET", "/jobs/j/tasks/t", **version)).body for version in (old, {})]
    assert ["authenticationTokenSettings" in task for task in shown] == [True, False]


def test_a_token_expires_and_cannot_be_altered():
    """A token opens until its time is over, for the issuer's key only, and as it was issued."""
    door, now = Authenticator("acct", new_key()), NOW()
    token, expires = door.issue(now, timedelta(minutes=5))
    head, body, signature = token.split(".")
    request = {"method": "GET", "path": "/", "query": ""}

    door.check(**request, headers={"authorization": f"Bearer {token}"}, now=now)
    for wrong, moment in (
        (token, expires + timedelta(seconds=1)),
        (f"{head}.{body}.{signature[:-4]}AAAA", now),
        (f"{head}.{body[:-4]}AAAA.{signature}", now),
    ):
        with pytest.raises(ServiceError, match="AuthenticationFailed"):
            door.check(**request, headers={"authorization": f"Bearer {wrong}"}, now=moment)


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}])
@pytest.mark.parametrize("path", ["/_local/identities", "/jobs", "/_local/ready"])
async def test_web_pages_of_other_hosts_stay_out(raw, headers, path):
    """A request that a browser sends for a page is refused, even if it has the key: its name may point anywhere."""
    answer = await raw.send("POST", path, {"resourceId": "x"}, headers=headers | {"x-local-key": raw.key})

    assert (answer.status, answer.code) == (403, "AuthenticationFailed")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "calls"),
        ("GET", "identities"),
        ("POST", "identities"),
        ("POST", "token"),
        ("POST", "faults"),
        ("GET", "x"),
    ],
)
@pytest.mark.parametrize("key", ["", "bm8=", "\N{SNOWMAN}"])
async def test_the_local_routes_ask_for_the_key(raw, method, path, key):
    """Another user of the machine gets nothing there, and grants itself nothing."""
    answer = await raw.send(method, f"/_local/{path}", headers={"x-local-key": key}, signed=False)

    assert (answer.status, answer.code) == (401, "AuthenticationFailed")
