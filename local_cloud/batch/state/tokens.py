"""Bearer tokens of the local issuer: for callers of the account, and for tasks that may ask about their job."""

import base64
import hashlib
from datetime import datetime, timedelta

import jwt

_ALGORITHM = "HS256"
AUDIENCE = "https://batch.core.windows.net/"


class TokenRefused(Exception):
    """A token that opens nothing; the message says why."""


class Tokens:
    """Issues and reads tokens, signed with a key that is made of the account's."""

    def __init__(self, key: str, issuer: str = "local-batch") -> None:
        # Another key than that of signatures: neither may stand for the other.
        self._key = hashlib.sha256(b"token." + base64.b64decode(key, validate=True)).digest()
        self._issuer = issuer

    def issue(self, now: datetime, lifetime: timedelta, job: str | None = None) -> tuple[str, datetime]:
        """Issue a token, and say when it expires; with a `job` it opens only what belongs to that."""
        expires = now + lifetime
        claims = {"iss": self._issuer, "aud": AUDIENCE, "exp": int(expires.timestamp())}
        if job is not None:
            claims["job"] = job
        return jwt.encode(claims, self._key, _ALGORITHM), expires

    def job_of(self, token: str, now: datetime) -> str | None:
        """Return the job that a token is limited to, None for the whole account. Raises TokenRefused."""
        try:
            # Whether it has expired is asked of the clock that is given.
            claims = jwt.decode(token, self._key, [_ALGORITHM], {"verify_exp": False}, audience=AUDIENCE)
        except (jwt.InvalidTokenError, UnicodeEncodeError) as exc:
            raise TokenRefused("The bearer token was not issued by the local issuer.") from exc
        if claims["exp"] <= now.timestamp():
            raise TokenRefused("The bearer token has expired.")
        return claims.get("job")
