"""The account of the local Batch service that a test has to itself; runs in the environment of the client."""

import base64
import hashlib
import hmac
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

ACCOUNT = os.environ["AZURE_BATCH_ACCOUNT"]
KEY = os.environ["AZURE_BATCH_ACCESS_KEY"]
_VERSION = "2024-07-01.20.0"
_TYPE = "application/json; odata=minimalmetadata"
_endpoints = os.environ["LOCAL_BATCH_ENDPOINTS"].split()
really_sleep = time.sleep


class Account:
    """An account, by its endpoint, and every request that was sent to it since `requests` was emptied."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.requests: list[str] = []

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Send one signed request; the status and the text of the answer."""
        data = json.dumps(body).encode() if body is not None else None
        date = formatdate(usegmt=True)
        length, kind = (str(len(data)), _TYPE) if data else ("", "")
        text = (
            f"{method}\n\n\n{length}\n\n{kind}\n\n\n\n\n\n\nocp-date:{date}\n/{ACCOUNT}{path}\napi-version:{_VERSION}"
        )
        signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()
        url = f"{self.endpoint}{path}?api-version={_VERSION}"
        request = urllib.request.Request(url, data, method=method)  # noqa: S310 - ours
        request.add_header("ocp-date", date)
        request.add_header("Authorization", f"SharedKey {ACCOUNT}:{signature}")
        if data:
            request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - ours
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def until(self, look: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until it is so; TimeoutError if it does not come true."""
        end = time.monotonic() + seconds
        while not look():
            if time.monotonic() > end:
                raise TimeoutError(f"this did not come true in {seconds:g} s")
            really_sleep(0.05)


_accounts: list[Account] = []


def next_account() -> Account:
    """An account that no test has used."""
    _accounts.append(Account(_endpoints.pop(0)))
    return _accounts[-1]


def current() -> Account:
    """The account of the test that runs."""
    return _accounts[-1]
