"""What exists in a subscription of Azure, for the commands that ask for it and change it."""

import base64
import copy
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deploy import answers, recordings
from tests.deploy.az_cli import Call


def claims(token: str) -> dict[str, Any]:
    """What an access token says of whoever has it, and for whom it is."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


TOKEN: str = recordings.document("account get-access-token")["accessToken"]
SUBSCRIPTION: str = recordings.document("account show")["id"]
# The person whose answers were recorded.
PERSON: str = claims(TOKEN)["oid"]
PROVIDERS = (
    *("Microsoft.Batch", "Microsoft.Compute", "Microsoft.Consumption", "Microsoft.EventGrid", "Microsoft.Insights"),
    *("Microsoft.ManagedIdentity", "Microsoft.OperationalInsights", "Microsoft.Storage", "Microsoft.Web"),
)
# What a first run made, as the CLI listed it then.
MADE: list[dict[str, Any]] = recordings.document("resource list", '"ilastik-batch-part"].[')
_STATE = (
    *("providers", "groups", "resources", "deployments", "blobs"),
    *(
        "pools",
        "published",
        "role_assignments",
        "budgets",
        "app_settings",
        "role_definitions",
        "locks",
        "registrations",
    ),
)


@dataclass
class State:
    """What exists. Fields may be set by a test before or between runs."""

    deploy: Path
    logged_in: bool = True
    # Whether a service principal is logged in, as in a pipeline.
    login_is_app: bool = False
    version: str = "2.91.0"
    arm: str = "https://management.azure.com"
    providers: dict[str, str] = field(default_factory=lambda: dict.fromkeys(PROVIDERS, "Registered"))
    permissions: list[dict[str, Any]] = field(default_factory=lambda: [{"actions": ["*"], "notActions": []}])
    cores: int = 100
    spot_cores: int = 100
    batch_accounts_allowed: int = 3
    names_are_taken: bool = False
    python_versions: tuple[str, ...] = ("3.12", "3.13")
    vm_sizes: dict[str, int] = field(default_factory=lambda: {"Standard_D4ds_v5": 4, "Standard_E8ds_v5": 8})
    # Dollars an hour of a dedicated node of a size, in the public list; a spot node costs a fifth.
    retail_prices: dict[str, float] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)
    blobs: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    published: list[bytes] = field(default_factory=list)
    # Data calls until a new account's name, or a new role, is known everywhere; until then every second one knows
    # a role.
    names_spread_in: int = 0
    roles_spread_in: int = 0
    roles_to_spread: int = 3
    # What the publishing address of a fresh app answers first: exit codes of curl, or statuses.
    fresh_app: list[int] = field(default_factory=lambda: [6, 503, 404])
    # Its answers on a deployment: statuses (as text: of HTTP) one after the other, the last one for ever.
    deployment_states: list[str] = field(default_factory=lambda: ["404", "1", "4"])
    publishing_audience: str = "https://appservice.azure.com"
    # Pools whose nodes found nothing when they started.
    pools_without_files: list[str] = field(default_factory=list)
    budgets: dict[str, str] = field(default_factory=dict)
    app_settings: dict[str, str] = field(default_factory=dict)
    subscriptions_removed: list[str] = field(default_factory=list)
    # Roles of somebody's own: id -> name.
    role_definitions: dict[str, str] = field(default_factory=dict)
    # Registrations in Entra, by their ids: what they were made of, with "credentials" and what "principals" were made.
    registrations: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Ids of locks.
    locks: list[str] = field(default_factory=list)
    end_of_files: str = "SUCCEEDED"
    # In what states a file is seen before it has ended.
    states_of_files: list[str] = field(default_factory=list)
    # What the archive's server has, and how many bytes of it come through at a time.
    archive: bytes = b"an archive of ilastik " * 50
    archive_cut_at: int | None = None
    calls: list[Call] = field(default_factory=list)
    curl_words: list[str] = field(default_factory=list)
    # What a test puts into the recorded answer to a command, in place of what exists here.
    told: dict[str, Any] = field(default_factory=dict)
    # Commands that fail, as the real one was recorded to: `refuse`.
    refused: dict[str, answers.CliError] = field(default_factory=dict)
    # Makes the n-th call of all (counted from 1) fail, before or after its effect.
    break_at: int | None = None
    break_after_effect: bool = False
    # What was called: all of it, and what changes something.
    asked: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    role_assignments: list[dict[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refuse(self, command: str, word: str, **names: str) -> None:
        """Have a command fail from now on, as the real one was recorded to, with this word in its message."""
        self.refused[command] = answers.refusal(command, word, **names)

    def state(self) -> str:
        """All that exists, as text; names of smoke tests, which tell the time, are left out."""
        blobs = sorted(key for key in self.blobs if "smoke" not in key[1])
        return repr({name: getattr(self, name) for name in _STATE if name != "blobs"} | {"blobs": blobs})

    def take_over(self, other: "State") -> None:
        """Be in the state of another one, without its history."""
        for name in _STATE:
            setattr(self, name, copy.deepcopy(getattr(other, name)))

    def resource(self, kind: str, name: str | None = None) -> dict[str, Any] | None:
        """A resource by its type, and by its name where one is given."""
        return next((r for r in self.resources if r["type"] == kind and name in {None, r["name"]}), None)

    def group(self, name: str) -> str:
        if name not in self.groups:
            raise answers.refusal("group show", "ResourceGroupNotFound", lab=name)
        return self.groups[name]

    def registered(self, provider: str) -> None:
        azure_takes(self.providers[provider] == "Registered", f"The subscription is not registered to use {provider}.")

    def not_locked(self, scope: str) -> None:
        """Fail the test over a removal of what has a lock, or is above or below something that has one."""
        at = [f"{lock.partition('/providers/Microsoft.Authorization/')[0]}/" for lock in self.locks]
        azure_takes(not any(f"{scope}/".startswith(a) or a.startswith(f"{scope}/") for a in at), f"{scope} is locked.")

    def by_id(self, call: Call) -> dict[str, Any]:
        found = next((r for r in self.resources if r["id"] == call["--ids"]), None)
        azure_takes(found is not None, f"There is no {call['--ids']}.")
        assert found
        return found

    def put(self, made: dict[str, Any], group: str, location: str, tags: dict[str, str]) -> None:
        """Make a resource as it was recorded, or give an existing one its tags."""
        existing = self.resource(made["type"], made["name"])
        if existing is not None:
            azure_takes(existing["location"] == location, f"{made['name']} already exists in another location.")
            existing["tags"] = tags
            return
        self.resources.append(made | {"location": location, "tags": tags, "group": group})


def azure_takes(it_does: bool, sentence: str) -> None:
    """Fail the test over what Azure would refuse, where deploy.sh must not ask for it: so no refusal was recorded."""
    assert it_does, f"Azure would refuse that: {sentence}"
