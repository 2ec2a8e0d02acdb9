"""Who may ask: Shared Key signatures of the account, and bearer tokens of the local issuer."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import product
from urllib.parse import parse_qs, unquote

from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.times import parse_moment
from local_cloud.batch.state.tokens import AUDIENCE, TokenRefused, Tokens

_SIGNED = (
    "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
    "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
)  # fmt: skip
_SKEW = timedelta(minutes=15)  # by which a request's date may differ from ours


class Authenticator:
    """Checks the Authorization header of requests."""

    def __init__(self, account: str, key: str, issuer: str = "local-batch") -> None:
        self.account = account
        self._key = base64.b64decode(key, validate=True)
        self._tokens = Tokens(key, issuer)

    def check(self, method: str, path: str, query: str, headers: Mapping[str, str], now: datetime) -> None:
        """Raise ServiceError unless the request may pass.

        `path` is as it was sent, still encoded; `headers` have lower-case names.
        """
        scheme, _, credential = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "sharedkey" and ":" in credential:
            self._check_signature(method, path, query, headers, credential.strip(), now)
        elif scheme.lower() == "bearer":
            self._check_token(credential.strip(), path, now)
        else:
            raise _refuse("The Authorization header is missing or malformed.", status=401)

    def check_key(self, given: str) -> None:
        """Raise ServiceError unless this is the account's key."""
        if not hmac.compare_digest(base64.b64encode(self._key), given.encode()):
            raise _refuse("These routes ask for the account's key in the header 'x-local-key'.", status=401)

    def _check_signature(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        credential: str,
        now: datetime,
    ) -> None:
        account, _, signature = credential.partition(":")
        if account.lower() != self.account.lower():
            raise _refuse(f"This endpoint serves the account '{self.account}', not '{account}'.")
        dated = headers.get("ocp-date") or headers.get("date")
        try:
            fresh = dated is not None and abs(parse_moment(dated) - now) <= _SKEW
        except ValueError:
            fresh = False
        if not fresh:
            raise _refuse("The request's date is missing or more than 15 minutes from the service's time.")
        for names_lowered, empty_length in product((False, True), ("0", "")):
            wanted = self.sign(string_to_sign(method, path, query, headers, account, names_lowered, empty_length))
            if hmac.compare_digest(wanted.encode(), signature.encode()):
                return
        raise _refuse(
            "The MAC signature found in the HTTP request is not the same as any"
            " computed signature. The server used the following string to sign: "
            + repr(string_to_sign(method, path, query, headers, account, True)),
        )

    def sign(self, text: str) -> str:
        """Sign `text` with the account's key."""
        return base64.b64encode(hmac.new(self._key, text.encode(), hashlib.sha256).digest()).decode()

    def issue(self, now: datetime, lifetime: timedelta = timedelta(hours=1)) -> tuple[str, datetime]:
        """Issue a bearer token, and say when it expires."""
        return self._tokens.issue(now, lifetime)

    def _check_token(self, token: str, path: str, now: datetime) -> None:
        try:
            job = self._tokens.job_of(token, now)
        except TokenRefused as exc:
            raise _refuse(str(exc), status=401) from exc
        own = ["jobs", None if job is None else job.lower()]
        if job is not None and [unquote(part).lower() for part in path.strip("/").split("/")[:2]] != own:
            raise _refuse(f"This token opens what belongs to the job '{job}' only.")


def string_to_sign(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    account: str,
    names_lowered: bool,
    empty_length: str = "0",
) -> str:
    """Make the text that a Shared Key signature signs.

    A request that could have a body and has none signs its length as `empty_length`: 0, or in JavaScript nothing.
    """
    lines = [method]
    for name in _SIGNED:
        value = headers.get(name, "")
        if name == "content-length":
            value = "" if method in ("GET", "HEAD") else value if value.strip("0") else empty_length
        lines.append(value)
    lines += [f"{name}:{value}" for name, value in sorted(headers.items()) if "ocp-" in name and value]
    lines.append(f"/{account}{path}")
    parameters = {name.lower() if names_lowered else name: values[0] for name, values in parse_qs(query).items()}
    lines += [f"{name}:{parameters[name]}" for name in sorted(parameters) if parameters[name]]
    return "\n".join(lines)


def _refuse(message: str, status: int = 403, **details: object) -> ServiceError:
    headers = {"WWW-Authenticate": f'Bearer authorization_uri="local", resource="{AUDIENCE}"'}
    return ServiceError(
        "AuthenticationFailed", message, status=status, headers=headers if status == 401 else None, **details
    )
