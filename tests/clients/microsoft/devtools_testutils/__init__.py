"""A small shim for `devtools_testutils`, which Microsoft's tests of azure-batch import and no registry has.

What it prepares is made in a local Batch service: the account is the one of a service that was started for this test
alone, a pool comes into being through the data plane, and nothing is recorded or played back.
"""

import asyncio
import functools
import inspect
import json
from types import SimpleNamespace
from typing import Any

import pytest
from local_account import ACCOUNT, KEY, Account, current

from devtools_testutils.helpers import resource_name

FakeResource = SimpleNamespace


class AzureTestError(Exception):
    """What a test needs could not be made."""


class AzureRecordedTestCase:
    """What a test's class inherits; the tests wait for states only when they are live."""

    is_live = True

    def get_resource_name(self, prefix: str) -> str:
        name: str = resource_name(prefix)
        return name

    def get_credential(self, client: type) -> Any:
        """The account's key: the tests say themselves that a token is a way around it."""
        from azure.core.credentials import AzureNamedKeyCredential

        return AzureNamedKeyCredential(ACCOUNT, KEY)


AzureMgmtRecordedTestCase = AzureRecordedTestCase


class AzureMgmtPreparer:
    """Makes something before a test and hands it on by keyword; nothing is removed, the account goes as a whole."""

    is_live = True
    resource_moniker = ""

    def __init__(self, name_prefix: str = "", random_name_length: int = 24, **options: Any) -> None:
        self.name_prefix = name_prefix
        self.moniker = name_prefix
        self.test_class_instance: Any = None

    def create_mgmt_client(self, kind: type, **options: Any) -> Any:
        return Management()

    def create_resource(self, name: str, **kwargs: Any) -> dict[str, Any]:
        return {}

    def __call__(self, test: Any) -> Any:
        @functools.wraps(test)
        def prepared(case: Any, **kwargs: Any) -> None:
            self.test_class_instance = case
            made = self.create_resource(resource_name(self.name_prefix or "r"), **kwargs)
            result = test(case, **{**kwargs, **made})
            if inspect.iscoroutine(result):
                asyncio.run(result)

        del prepared.__wrapped__  # pytest would ask for the arguments of what is inside
        marks = getattr(prepared, "pytestmark", [])
        names = [mark.args[0] for mark in marks if mark.name == "parametrize"]
        parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("self", *names)]
        prepared.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return prepared


class ResourceGroupPreparer(AzureMgmtPreparer):
    def __init__(self, **options: Any) -> None:
        super().__init__("group")

    def create_resource(self, name: str, **kwargs: Any) -> dict[str, Any]:
        return {"resource_group": SimpleNamespace(name=name)}


CachedResourceGroupPreparer = ResourceGroupPreparer


class StorageAccountPreparer(AzureMgmtPreparer):
    """Gives none: the local account has no auto-storage, and so no application packages."""

    def __init__(self, **options: Any) -> None:
        super().__init__("storage")


class EnvironmentVariableLoader(AzureMgmtPreparer):
    """Hands on the values that a recording would have."""

    def __init__(self, directory: str, **values: str) -> None:
        super().__init__(directory)
        self.values = values

    def create_resource(self, name: str, **kwargs: Any) -> dict[str, Any]:
        return {"resource_group": SimpleNamespace(name=name), **self.values}


class Management:
    """The few calls of the management plane by which the tests' preparers make accounts and pools."""

    def __init__(self) -> None:
        self.batch_account = self.pool = self

    def begin_create(self, group: str, name: str, parameters: Any) -> Any:
        return SimpleNamespace(result=lambda: self.account())

    def account(self) -> Any:
        return SimpleNamespace(name=ACCOUNT, account_endpoint=f"{ACCOUNT}.local.batch.azure.com")

    def get_keys(self, group: str, name: str) -> Any:
        return SimpleNamespace(account_name=ACCOUNT, primary=KEY)

    def get(self, group: str, name: str) -> Any:
        return self.account()

    def create(self, group: str, account: str, name: str, parameters: Any) -> Any:
        wanted = parameters.serialize()["properties"]
        body = {
            "id": name,
            "vmSize": wanted["vmSize"],
            "displayName": wanted["displayName"],
            "userAccounts": [
                {**user, "elevationLevel": user["elevationLevel"].lower()} for user in wanted["userAccounts"]
            ],
            **wanted["deploymentConfiguration"],
            "targetDedicatedNodes": wanted["scaleSettings"]["fixedScale"]["targetDedicatedNodes"],
        }
        if "networkConfiguration" in wanted:
            # The planes spell it differently.
            pools = wanted["networkConfiguration"]["endpointConfiguration"]["inboundNatPools"]
            endpoints = [{**pool, "protocol": pool["protocol"].lower()} for pool in pools]
            body["networkConfiguration"] = {"endpointConfiguration": {"inboundNATPools": endpoints}}
        here: Account = current()
        status, text = here.send("POST", "/pools", body)
        if status != 201:
            raise AzureTestError(f"POST /pools answered {status}: {text}")
        here.until(lambda: json.loads(here.send("GET", f"/pools/{name}")[1])["allocationState"] == "steady")
        return SimpleNamespace(name=name, id=name, allocation_state="Steady", current_dedicated_nodes=99)


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Do nothing: recordings have no place here."""


set_custom_default_matcher = remove_batch_sanitizers = add_general_regex_sanitizer = _nothing


def recorded_by_proxy(test: Any) -> Any:
    return test


def trim_kwargs_from_test_function(test: Any, kwargs: dict[str, Any]) -> None:
    """Leave all of them: every test takes `**kwargs`."""


@pytest.fixture(scope="session")
def test_proxy() -> None:
    """Stand for the proxy that is not there."""
