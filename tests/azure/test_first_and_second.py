"""deploy.sh with the real Azure CLI: from an empty subscription to a running system, and again."""

import pytest

from tests.azure.lab import log_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# What answers "there is none", which deploy.sh asks for on purpose.
_MISSING = ("ResourceGroupNotFound", "ResourceNotFound", "BlobNotFound", "PoolNotFound", "ServiceUnavailable", "404")


def changes(lab, since=0):
    """The requests that changed something, each kind once in its order: method and last words of the path."""
    found = []
    for request, status in lab.front.log[since:]:
        asks = request.method in {"GET", "HEAD"} or request.path.endswith(
            ("/validate", "/list", "/checkNameAvailability", "/token", "/devicecode")
        )
        if not asks and status < 300:
            found.append(f"{request.method} {request.host.partition('.')[2]} {request.path}")
    return found


def test_the_first_run_ends_ready(first):
    """Every call of the CLI and of curl was answered, and what failed asked for something that is not there yet."""
    faults = [call for call in first.calls() if call.code and not any(word in call.err for word in _MISSING)]
    assert faults == [], log_of(first)
    assert "Microsoft.Storage" in first.world.registered
    assert len(first.publishing.packages) == 1


def test_the_first_run_makes_what_the_template_says(first):
    """Accounts, topic, app and pool are there, and the pool came after what its nodes fetch."""
    (pool,) = first.world.of_type("Microsoft.Batch/batchAccounts/pools")
    fetched = [file["httpUrl"] for file in pool["properties"]["startTask"]["resourceFiles"]]
    tools = first.storage.blobs(first.data_account(), "tools")
    assert fetched
    assert {url.partition("/tools/")[2] for url in fetched} <= tools.keys()


def test_the_second_run_changes_nothing(deployed):
    """It deploys the template once more, and that is all."""
    since = len(deployed.front.log)
    done = deployed.deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "== Ready" in done.stdout
    assert [change.split("/")[-1] for change in changes(deployed, since)] == ["ilastik-batch"]
