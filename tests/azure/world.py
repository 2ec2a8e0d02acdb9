"""What exists in a subscription of Azure, as Azure Resource Manager keeps it."""

import copy
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.azure.entra import APP, PERSON, Principal
from tests.azure.front import Refusal

SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
SUBSCRIPTION_NAME = "The lab's"
ROOT = f"/subscriptions/{SUBSCRIPTION}"
PROVIDERS = (
    *("Microsoft.Authorization", "Microsoft.Batch", "Microsoft.Compute", "Microsoft.Consumption"),
    *("Microsoft.EventGrid", "Microsoft.Insights", "Microsoft.ManagedIdentity", "Microsoft.OperationalInsights"),
    *("Microsoft.Resources", "Microsoft.Storage", "Microsoft.Web"),
    # For a network of one's own.
    *("Microsoft.App", "Microsoft.Network"),
)
# Registered with every subscription: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types
ALWAYS = frozenset({"Microsoft.Authorization", "Microsoft.Consumption", "Microsoft.Resources"})

type Document = dict[str, Any]


@dataclass
class World:
    """Fields may be set by a test before or between runs; ids are found in any spelling, as in Azure."""

    registered: set[str] = field(default_factory=lambda: set(PROVIDERS[:-2]))
    # Provider that is being registered -> how often it still says so when it is asked.
    registering: dict[str, int] = field(default_factory=dict)
    groups: dict[str, Document] = field(default_factory=dict)
    # Id in small letters -> the resource; parts of resources and extensions such as roles too.
    resources: dict[str, Document] = field(default_factory=dict)
    deployments: dict[str, Document] = field(default_factory=dict)
    # What Azure keeps of a removed workspace for 14 days: its id in small letters -> it and its parts, by their ids.
    deleted: dict[str, dict[str, Document]] = field(default_factory=dict)
    # What each type was deployed with last: the CLI asks for the versions of a type.
    versions: dict[str, str] = field(default_factory=dict)
    # What the login may do, as Microsoft.Authorization/permissions tells it.
    permissions: list[Document] = field(default_factory=lambda: [{"actions": ["*"], "notActions": []}])
    # Applications in Entra, by their ids: as Graph tells them, with their "credentials"; and their service principals.
    applications: dict[str, Document] = field(default_factory=dict)
    principals: dict[str, Document] = field(default_factory=dict)
    # Whether the login may look at registrations, and make and remove them.
    may_see_applications: bool = True
    may_change_applications: bool = True
    # Names of storage accounts that others in the world have.
    taken: set[str] = field(default_factory=set)
    locations: tuple[str, ...] = ("westeurope", "northeurope")
    # Machine size -> (family, cores); family -> cores that a Batch account may use.
    vm_sizes: dict[str, tuple[str, int]] = field(
        default_factory=lambda: {
            "Standard_D4ds_v5": ("standardDDSv5Family", 4),
            "Standard_E8ds_v5": ("standardEDSv5Family", 8),
            "Standard_NC4as_T4_v3": ("Standard NCASv3_T4 Family", 4),
        }
    )
    family_cores: dict[str, int] = field(
        default_factory=lambda: {
            "standardDDSv5Family": 100,
            "standardEDSv5Family": 100,
            "Standard NCASv3_T4 Family": 0,
        }
    )
    spot_cores: int = 100
    batch_accounts_allowed: int = 3
    # Of the Flex Consumption plan.
    python_versions: tuple[str, ...] = ("3.12", "3.13")
    # Policies of the organisation: resource type that is refused -> name of the policy's assignment.
    policies: dict[str, str] = field(default_factory=dict)
    # The same of policies that look at a resource only when it is made.
    refused_at_put: dict[str, str] = field(default_factory=dict)
    # Whether a front end of storage knows a new role, question by question; then all do.
    spreading: list[bool] = field(default_factory=list)
    pending: dict[str, list[bool]] = field(default_factory=dict)
    # From which all requests to the data of accounts come.
    address: str = "203.0.113.7"
    # For what the documents do not say whether a narrow role suffices, and here it does not: "transactions", "nodes".
    wider: set[str] = field(default_factory=set)
    # By which the data of its accounts are told from those of other worlds.
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def find(self, resource_id: str) -> Document | None:
        return self.resources.get(resource_id.lower())

    def get(self, resource_id: str) -> Document:
        """A resource by its id. Raises `Refusal` as Azure words it."""
        found = self.find(resource_id)
        if found is not None:
            return found
        self.group_of(resource_id)
        _, _, tail = resource_id.partition("/providers/")
        group = resource_id.split("/")[4] if "/resourcegroups/" in resource_id.lower() else ""
        raise Refusal(
            404,
            "ResourceNotFound",
            f"The Resource '{tail}' under resource group '{group}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        )

    def group_of(self, resource_id: str) -> Document | None:
        """The resource group that an id leads through. Raises `Refusal` where there is none of that name."""
        parts = resource_id.split("/")
        if len(parts) < 5 or parts[3].lower() != "resourcegroups":
            return None
        if parts[4].lower() not in self.groups:
            raise Refusal(404, "ResourceGroupNotFound", f"Resource group '{parts[4]}' could not be found.")
        return self.groups[parts[4].lower()]

    def below(self, resource_id: str) -> Iterator[Document]:
        """What belongs to a resource or lies in a group, at any depth."""
        prefix = resource_id.lower() + "/"
        yield from (found for key, found in sorted(self.resources.items()) if key.startswith(prefix))

    def of_type(self, kind: str) -> list[Document]:
        return [found for found in self.resources.values() if found["type"].lower() == kind.lower()]

    def tracked(self) -> list[Document]:
        """What `resources` lists: neither parts of resources nor extensions."""
        return [
            found
            for found in self.resources.values()
            if found["type"].count("/") == 1 and found["id"].lower().count("/providers/") == 1 and found.get("location")
        ]

    def put(self, resource: Document) -> Document:
        self.resources[resource["id"].lower()] = resource
        return resource

    def remove(self, resource_id: str) -> None:
        for found in list(self.below(resource_id)):
            del self.resources[found["id"].lower()]
        self.resources.pop(resource_id.lower(), None)

    def keep(self, resource_id: str) -> None:
        """Remove a resource so that it can come back."""
        found = self.get(resource_id)
        kept = {part["id"].lower(): part for part in (found, *self.below(resource_id))}
        self.deleted[found["id"].lower()] = kept
        self.remove(resource_id)

    def must_be_registered(self, provider: str) -> None:
        if provider.lower() not in {name.lower() for name in self.registered | ALWAYS}:
            raise Refusal(
                409,
                "MissingSubscriptionRegistration",
                f"The subscription is not registered to use namespace '{provider}'. "
                "See https://aka.ms/rps-not-found for how to register subscriptions.",
            )

    def principal(self, object_id: str) -> Principal | None:
        return next((p for p in (PERSON, APP) if p.object_id == object_id), None)

    def roles_of(self, principal_id: str) -> list[Document]:
        """The assignments of roles to somebody."""
        found = self.of_type("Microsoft.Authorization/roleAssignments")
        return [role for role in found if role["properties"]["principalId"] == principal_id]

    def take_over(self, other: "World") -> None:
        """Be in the state of another one, but for the data in its accounts."""
        for name in ("registered", "groups", "resources", "deployments", "versions", "applications", "principals"):
            setattr(self, name, copy.deepcopy(getattr(other, name)))


def new_id(*words: str) -> str:
    """An id that is the same whenever it is asked for."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(words).lower()))
