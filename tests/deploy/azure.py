"""A subscription of Azure as deploy.sh meets it: knows what exists and refuses what Azure would refuse.

It knows what a test's subscription has; how the Azure CLI tells it is what the real one was recorded to answer
(tests/deploy/answers.py). It also stands in for the web addresses that deploy.sh speaks to by curl.
"""

import base64
import contextlib
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.deploy import answers, recordings
from tests.deploy.answers import Answer, CliError
from tests.deploy.az_cli import Call
from tests.deploy.azure_registrations import Registrations
from tests.deploy.azure_state import PERSON, TOKEN, azure_takes, claims
from tests.deploy.azure_storage import Storage
from tests.deploy.azure_templates import Templates

CHANGING = {
    *("group create", "provider register", "deployment group create", "resource delete"),
    *("role assignment create", "role assignment delete"),
    *("storage blob upload", "storage blob delete", "storage blob delete-batch"),
}


def _tell(output: Path, text: str, status: str) -> tuple[int, str, str]:
    output.write_text(text)
    return 0, status, ""


def _told(pool: Any) -> Any:
    """A pool without what only tests know of it."""
    return pool and {name: value for name, value in pool.items() if name != "values"}


def _token_for(audience: str, is_app: bool) -> str:
    """The recorded access token, for somebody else."""
    head, _, end = TOKEN.split(".")
    payload = json.dumps(claims(TOKEN) | {"aud": audience} | ({"idtyp": "app"} if is_app else {}))
    return f"{head}.{base64.urlsafe_b64encode(payload.encode()).decode().rstrip('=')}.{end}"


def _plain(resource: dict[str, Any]) -> dict[str, Any]:
    """What every resource has."""
    return {name: resource[name] for name in ("id", "type", "name", "location", "tags")}


class Azure(Storage, Templates, Registrations):
    """The subscription as the command line and curl reach it."""

    # The command line

    def handle(self, call: Call) -> Answer:
        """Answer one command of the CLI."""
        with self._lock:
            self.calls.append(call)
            if not self.logged_in and call.command not in {"version", "account set"}:
                raise answers.refusal("account show", "az login")
            method = call.get("--method").lower()
            changing = call.command in CHANGING or method in {"patch", "put", "post", "delete"}
            # Of addresses, what they lead to as well.
            what = f"rest {method} {recordings.thing(call.arguments)}" if method else call.command
            answer: Answer = self._perhaps(what, changing, lambda: self._answer(call))
            return answer

    def _perhaps(self, what: str, changing: bool, effect: Callable[[], Any]) -> Any:
        self.asked.append(what)
        if changing:
            self.changes.append(what)
        if self.break_at != len(self.asked):
            return effect()
        if self.break_after_effect:
            # A refusal would not come through either.
            with contextlib.suppress(CliError):
                effect()
        raise CliError("The connection was reset by peer.")

    def _answer(self, call: Call) -> Answer:
        """The recorded answer with what is so here: a handler tells that, and where there is none nothing differs."""
        if call.command in self.refused:
            raise self.refused[call.command]
        handler = getattr(self, f"_{re.sub(r'[ -]', '_', call.command)}", None)
        own = handler(call) if handler else None
        if call.command == "bicep build-params":
            return answers.as_printed(call.arguments, str(own))
        return answers.of(call.arguments, self.told.get(call.command, own))

    def _version(self, call: Call) -> Any:
        return {"azure-cli": self.version}

    def _account_set(self, call: Call) -> Any:
        if call["--subscription"] != "The lab's":
            raise answers.refusal("account set", "doesn't exist", nobody=call["--subscription"])

    def _account_get_access_token(self, call: Call) -> Any:
        return {"accessToken": _token_for(call.get("--resource", self.arm), self.login_is_app)}

    def _cloud_show(self, call: Call) -> Any:
        return {"endpoints": {"resourceManager": f"{self.arm}/"}}

    def _group_show(self, call: Call) -> Any:
        return {"name": call["--name"], "location": self.group(call["--name"])}

    def _group_create(self, call: Call) -> Any:
        self.groups[call["--name"]] = call["--location"]

    def _provider_list(self, call: Call) -> Any:
        told = [{"namespace": name, "registrationState": state} for name, state in self.providers.items()]
        # Once it was seen to take a while, it is done.
        self.providers.update({name: "Registered" for name, state in self.providers.items() if state == "Registering"})
        return told

    def _monitor_log_analytics_workspace_list_deleted_workspaces(self, call: Call) -> Any:
        return []

    def _provider_register(self, call: Call) -> Any:
        self.providers[call["--namespace"]] = "Registering"

    def _resource_list(self, call: Call) -> Any:
        self.group(call["--resource-group"])
        return [_plain(found) for found in self.resources if found["group"] == call["--resource-group"]]

    def _resource_show(self, call: Call) -> Any:
        found = self.by_id(call)
        return _plain(found) | {"identity": {"principalId": found["principalId"]}}

    def _identity_show(self, call: Call) -> Any:
        found = self.by_id(call)
        return _plain(found) | {"principalId": found["principalId"]}

    def _resource_delete(self, call: Call) -> Any:
        found = self.by_id(call)
        uses = {"Microsoft.Web/serverfarms": "Microsoft.Web/sites"}.get(found["type"])
        azure_takes(not uses or self.resource(uses) is None, "The plan has an app.")
        self.not_locked(found["id"])
        self.resources.remove(found)
        self.role_assignments[:] = [r for r in self.role_assignments if not r["scope"].startswith(found["id"])]

    def _role_assignment_list(self, call: Call) -> Any:
        scope = call.get("--scope")
        mine = [r for r in self.role_assignments if r["principalId"] == call["--assignee-object-id"]]
        return [r for r in mine if not scope or r["scope"] == scope]

    def _role_assignment_create(self, call: Call) -> Any:
        scope, role = call["--scope"], call["--role"]
        azure_takes(any(found["id"] == scope for found in self.resources), f"There is no {scope}.")
        who, kind = call["--assignee-object-id"], call["--assignee-principal-type"]
        assert (who == PERSON) == (kind == "User")
        more = "" if who == PERSON else f"-of-{who}"
        entry = {"id": f"{scope}/{role}{more}", "scope": scope, "principalId": who, "roleDefinitionId": f"/x/{role}"}
        if entry not in self.role_assignments:
            self.role_assignments.append(entry)
            self.roles_spread_in = self.roles_to_spread

    def _role_assignment_delete(self, call: Call) -> Any:
        self.not_locked(call["--ids"])
        self.role_assignments[:] = [r for r in self.role_assignments if r["id"] != call["--ids"]]

    # Machines

    def _batch_location_list_skus(self, call: Call) -> Any:
        self.registered("Microsoft.Batch")
        return [
            {"name": name, "familyName": f"{name}Family", "capabilities": [{"name": "vCPUs", "value": str(cores)}]}
            for name, cores in self.vm_sizes.items()
        ]

    def _batch_location_quotas_show(self, call: Call) -> Any:
        return {"accountQuota": self.batch_accounts_allowed}

    def _batch_account_show(self, call: Call) -> Any:
        azure_takes(self.resource("Microsoft.Batch/batchAccounts", call["--name"]) is not None, "There is no account.")
        families = [{"name": f"{name}Family", "coreQuota": self.cores} for name in self.vm_sizes]
        return {
            "dedicatedCoreQuota": self.cores,
            "dedicatedCoreQuotaPerVmFamily": families,
            "lowPriorityCoreQuota": self.spot_cores,
        }

    def _vm_image_show(self, call: Call) -> Any:
        self.registered("Microsoft.Compute")

    # The app

    def _functionapp_function_list(self, call: Call) -> Any:
        if not self.published:
            raise answers.refusal("functionapp function list", "ServiceUnavailable")

    def _functionapp_list_flexconsumption_runtimes(self, call: Call) -> Any:
        return [{"version": version} for version in self.python_versions]

    def _functionapp_config_appsettings_list(self, call: Call) -> Any:
        return [{"name": name, "value": value} for name, value in self.app_settings.items()]

    # Addresses

    def _rest(self, call: Call) -> Any:
        url = urlsplit(call["--uri"])
        method = call["--method"].lower()
        path = url.path
        if url.netloc == "graph.microsoft.com":
            return self.entra(method, unquote(url.path + "?" + url.query), call)
        azure_takes(url.netloc.endswith(".batch.azure.com") or f"https://{url.netloc}" == self.arm, "No such host.")
        if path.endswith("/providers/Microsoft.Authorization/permissions"):
            return {"value": self.permissions}
        if url.netloc.endswith(".batch.azure.com") and path == "/jobs":
            azure_takes(call["--resource"] == "https://batch.core.windows.net/", "The token is for somebody else.")
            return {"value": self.jobs}
        if found := re.search(r"/Microsoft\.Consumption/budgets/([\w-]+)$", path):
            if found[1] not in self.budgets:
                raise answers.refusal("rest", "Budget not found")
            if method == "delete":
                del self.budgets[found[1]]
                return None
            return {"name": found[1], "properties": {"timePeriod": {"startDate": self.budgets[found[1]]}}}
        if found := re.search(r"/systemTopics/([\w-]+)/eventSubscriptions/([\w-]+)$", path):
            return self.subscriptions_removed.append(found[2])
        if found := re.search(r"/roleDefinitions(?:/([\w-]+))?$", path):
            if method == "delete":
                del self.role_definitions[found[1]]
                return None
            return {
                "value": [
                    {"name": key, "properties": {"roleName": name}} for key, name in self.role_definitions.items()
                ]
            }
        if found := re.search(r"^(.+/providers/Microsoft\.Authorization/locks)(/[\w-]+)?$", path):
            return self._change_lock(method, path) if found[2] else {"value": [{"id": lock} for lock in self.locks]}
        if found := re.search(r"/batchAccounts/[\w-]+/pools(?:/([\w-]+))?$", path):
            if found[1] is None:
                return {"value": [_told(pool) for pool in self.pools.values()]}
            return _told(self._pool(method, found[1], call))
        raise AssertionError(f"This stand-in does not know {method} {path}.")

    def _change_lock(self, method: str, path: str) -> Any:
        if method == "delete":
            self.locks.remove(path)
        elif path not in self.locks:
            self.locks.append(path)

    def _pool(self, method: str, name: str, call: Call) -> Any:
        if name not in self.pools:
            raise answers.refusal("rest", "PoolNotFound")
        if method == "delete":
            del self.pools[name]
        elif method == "patch":
            body = json.loads(Path(call["--body"].removeprefix("@")).read_text())
            self.pools[name]["properties"]["scaleSettings"] = body["properties"]["scaleSettings"]
        return self.pools.get(name)

    # curl

    def curl(self, arguments: list[str]) -> tuple[int, str, str]:
        """(exit code, standard output, standard error) of a call of curl; `--config` holds the file's content."""
        with self._lock:
            answers.must_be_recorded(("curl", *arguments))
            value = dict(itertools.pairwise(arguments))
            self.curl_words += [word for word in arguments if word != value.get("--config")]
            url = urlsplit(arguments[-1])
            output = Path(value["--output"])
            if url.netloc == "files.ilastik.org":
                return self._curled("download", False, lambda: self._download(output))
            if url.netloc == "prices.azure.com":
                return self._curled("prices", False, lambda: self._prices(value["--data-urlencode"], output))
            token = re.fullmatch(r'header = "Authorization: Bearer (\S+)"', value["--config"].strip())
            app = self.resource("Microsoft.Web/sites")
            assert token
            assert app
            assert url.netloc == f"{app['name']}.scm.azurewebsites.net"
            if claims(token[1])["aud"] != self.publishing_audience:
                return _tell(output, "", "401")
            if self.fresh_app:
                first = self.fresh_app.pop(0)
                return _tell(output, "", str(first)) if first > 99 else (first, "", "curl: (6) Could not resolve host")
            if url.path == f"/api/deployments/{self._deployment_id()}":
                return self._curled("published?", False, lambda: self._deployment(arguments, output))
            assert url.path == "/api/publish", url.path
            package = Path(value["--data-binary"].removeprefix("@"))
            return self._curled("publish", True, lambda: self._publish(arguments, package, output))

    def _curled(self, what: str, changing: bool, effect: Callable[[], tuple[int, str, str]]) -> tuple[int, str, str]:
        try:
            answer: tuple[int, str, str] = self._perhaps(what, changing, effect)
            return answer
        except CliError as fault:
            return 56, "", f"curl: {fault}"

    def _publish(self, arguments: list[str], package: Path, output: Path) -> tuple[int, str, str]:
        self.published.append(package.read_bytes())
        told = answers.of(("curl", *arguments), self._deployment_id())
        return _tell(output, json.dumps(told.document), "202")

    def _deployment_id(self) -> str:
        return f"6c9dff6f-{len(self.published)}"

    def _deployment(self, arguments: list[str], output: Path) -> tuple[int, str, str]:
        """What the publishing address knows of the last deployment."""
        state = self.deployment_states[0]
        self.deployment_states = self.deployment_states[1:] or [state]
        if len(state) == 3:
            return _tell(output, "", state)
        told = answers.of(("curl", *arguments), {"id": self._deployment_id(), "status": int(state)})
        return _tell(output, json.dumps(told.document), "200")

    def _prices(self, filtered: str, output: Path) -> tuple[int, str, str]:
        """The list of retail prices: rows as it was seen to answer, for the sizes that have a price here."""
        size = re.findall(
            r"^\$filter=.* and armRegionName eq 'westeurope' and armSkuName eq '([\w-]+)' and ", filtered
        )[0]
        answer = json.loads(Path(__file__).with_name("retail_prices.json").read_text())
        if size not in self.retail_prices:
            refused = answers.refusal("curl", "curl: (22)")
            return refused.code, "", str(refused)
        price = self.retail_prices[size]
        dedicated = answer["Items"][1] | {"armSkuName": size, "retailPrice": price}
        answer["Items"] = [dedicated, dedicated | {"skuName": "X Spot", "retailPrice": price / 5}]
        return _tell(output, json.dumps(answer), "")

    def _download(self, target: Path) -> tuple[int, str, str]:
        begun = target.read_bytes() if target.exists() else b""
        if not self.archive.startswith(begun):
            return 33, "", "curl: the range does not fit"
        if self.archive_cut_at is not None and len(begun) < self.archive_cut_at:
            target.write_bytes(self.archive[: self.archive_cut_at])
            return 18, "", "curl: transfer closed with bytes remaining to read"
        target.write_bytes(self.archive)
        return 0, "", ""
