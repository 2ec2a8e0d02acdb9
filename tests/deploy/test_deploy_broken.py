"""A run of deploy.sh that breaks, at whatever call, can be repeated."""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.deploy.azure import CHANGING
from tests.deploy.conftest import Deployer

HERE = ("--location", "westeurope")
SIZES = "Standard_D4ds_v5,Standard_E8ds_v5"
TOLD = ("--alert-mail", "lab@example.org", "--monthly-budget", "50")
GROUP = ("--operators-group", "00000000-1111-4222-8333-444444444444")
CLOSED = ("--private", "--allowed-addresses", "203.0.113.7")
# Looks and tidying whose failure ends no run, with what is said of it.
NOTED = {
    **{
        f"rest {what}": "app registration"
        for what in (
            *("get applications(appId=", "get owners", "get appRoleAssignedTo"),
            *("get applications", "post applications", "delete applications/", "get federatedIdentityCredentials"),
            *("post federatedIdentityCredentials", "get servicePrincipals", "post servicePrincipals"),
        )
    },
    "rest post appRoleAssignedTo": "You could not be made an admin of the page",
    "storage blob delete": "is left over",
    "storage blob delete-batch": "is left over",
    "functionapp list-flexconsumption-runtimes": "It is not known whether function apps can be made",
    "prices": "The list of retail prices could not be asked",
    # Asked by --what-if, which goes on without it.
    "storage blob show": "It is not known whether ilastik's archive",
    "rest get budgets/": "Azure does not tell whether there is a budget",
    "rest get roleDefinitions": "Azure does not tell whether there is a custom role",
}
# What only tells more of a fault.
TELLS_MORE = {"bicep build-params": ["bicep version"]}


def unregistered(lab: Deployer) -> None:
    """A subscription that has made no web app yet."""
    lab.azure.providers["Microsoft.Web"] = "NotRegistered"


def priced(lab: Deployer) -> None:
    """The prices of both sizes are known."""
    lab.azure.retail_prices = dict.fromkeys(SIZES.split(","), 0.2)


def everything(lab: Deployer) -> None:
    """A deployment with a budget and a role that heals, whose topic somebody else made."""
    lab.azure.budgets["ilastik-budget"] = "2026-11-01"
    lab.azure.role_definitions["healer"] = "ilastik-batch pool healer ilastik7a79c679"
    topic = lab.azure.resource("Microsoft.EventGrid/systemTopics")
    assert topic
    topic["tags"] = {"by": "Defender"}


def locked(lab: Deployer) -> None:
    """The same, with the lock of --delete-lock."""
    everything(lab)
    account = lab.azure.resource("Microsoft.Storage/storageAccounts")
    assert account
    lab.azure.locks.append(f"{account['id']}/providers/Microsoft.Authorization/locks/ilastik-batch-keep")
    lab.azure.deployments["ilastik-batch"]["parameters"]["deleteLock"] = {"value": True}


@dataclass(frozen=True)
class Scene:
    """A run over an empty subscription, or over what a first run made."""

    options: Sequence[str]
    over: str = "deployed"
    prepare: Callable[[Deployer], None] = lambda lab: None


SCENES = {
    "first": Scene(HERE, "empty", unregistered),
    "sizes": Scene((*HERE, "--vm-sizes", SIZES), "empty", priced),
    "changed": Scene(("--vm-size", "Standard_E8ds_v5", "--heal", *CLOSED, *TOLD, *GROUP)),
    "scale": Scene(("--max-nodes", "3")),
    "what-if": Scene(("--what-if",)),
    "teardown": Scene(("--teardown", "--yes"), prepare=locked),
    "removal": Scene(("--teardown", "--yes", "--delete-results"), prepare=everything),
}


# What changes something, by the first of the quick scenes that does it.
NEW = {
    "first": {"provider register", "group create", "deployment group create", "role assignment create"}
    | {"storage blob upload", "publish"},
    "teardown": {"rest delete eventSubscriptions/", "role assignment delete", "resource delete"}
    | {"rest delete budgets/", "rest delete roleDefinitions/", "rest delete locks/", "rest put locks/"},
}


@pytest.mark.parametrize(
    ("name", "everywhere"),
    [
        *((name, False) for name in ("first", "teardown")),
        # Hundreds of runs in all.
        *(pytest.param(name, True, marks=[pytest.mark.slow, pytest.mark.timeout(1200)]) for name in SCENES),
    ],
)
def test_a_run_that_broke_anywhere_can_be_repeated(deployed, make_empty, name, everywhere):
    """Whatever call breaks, before or after its effect: the run ends there, and the next ends as an unbroken one.

    At every call of a first run and at the first and last of each kind in other scenes; or after the effect of the
    first of each kind that changes something and that no scene before has.
    """
    scene = SCENES[name]
    followed: set[str] = set()

    def begin(lab):
        if scene.over == "deployed":
            lab.azure.take_over(deployed)
            lab.cached_archive().parent.mkdir(parents=True)
            lab.cached_archive().write_bytes(deployed.archive)
        scene.prepare(lab)

    def go_on(lab):
        done = lab.run(*scene.options, *([] if "--teardown" in scene.options else ["--no-smoke-test"]))
        assert done.returncode == 0, done.stdout + done.stderr

    if name == "first":
        asked, end = deployed.asked, state(deployed)
    else:
        with make_empty() as unbroken:
            begin(unbroken)
            assert unbroken.run(*scene.options).returncode == 0
            asked, end = unbroken.azure.asked, state(unbroken.azure)

    def break_at(number, after_effect):
        what = asked[number - 1]
        with make_empty() as broken:
            begin(broken)
            broken.azure.break_at, broken.azure.break_after_effect = number, after_effect
            done = broken.run(*scene.options)
            message = f"{what}, call {number}: {done.stdout}{done.stderr}"
            if done.returncode == 0:
                assert NOTED[what] in done.stderr, message
                return
            assert done.returncode == 1, message
            assert broken.azure.asked == asked[:number] + TELLS_MORE.get(what, []), message
            assert re.search(r"\nStopped: .{30,}\n$", done.stderr), message
            assert what not in CHANGING or "run this again" in done.stderr, message
            # What a run does follows from what exists: from the same again nothing else follows.
            left = broken.azure.state() + str(broken.cached_archive().exists())
            if left not in followed:
                followed.add(left)
                broken.azure.break_at = None
                go_on(broken)
                assert state(broken.azure) == end, message

    if everywhere:
        firsts = {what: number for number, what in reversed([*enumerate(asked, 1)])}
        lasts = {what: number for number, what in enumerate(asked, 1)}
        numbers = range(1, len(asked) + 1) if name == "first" else sorted({*firsts.values(), *lasts.values()})
        calls = [(number, False) for number in numbers]
        calls += [(number, True) for number in numbers if has_effect(asked[number - 1])]
    else:
        firsts = {what: number for number, what in reversed([*enumerate(asked, 1)]) if has_effect(what)}
        calls = [(number, True) for what, number in firsts.items() if what in NEW[name]]
        assert firsts.keys() & NEW[name] == NEW[name]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda call: break_at(*call), calls))


def has_effect(what):
    """Whether a call changes something that must not be half-done."""
    changes = what in CHANGING or what == "publish" or what.startswith(("rest delete", "rest patch", "rest put"))
    return changes and what not in NOTED


def state(azure):
    """What exists, without what is left of smoke tests."""
    blobs = {key for key in azure.blobs if "smoke" not in key[1]}
    names = sorted(r["name"] for r in azure.resources)
    roles = {(role["principalId"], role["scope"]) for role in azure.role_assignments}
    held = azure.budgets, azure.role_definitions, azure.locks
    return names, set(azure.pools), blobs, len(set(azure.published)), roles, held
