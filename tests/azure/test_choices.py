"""deploy.sh with the real Azure CLI and the real curl: which size of machine it takes."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_offer_cores_and_price_decide(empty):
    """What Batch does not offer is out at once, what has no cores as soon as the account exists and tells; of the rest
    the cheaper one is taken. The list of prices comes in pages, with those of other things in between."""
    empty.prices.known["Standard_NC4as_T4_v3"] = (0.1, 0.02)
    empty.prices.page = 3
    wishes = "Standard_D4s_v9,Standard_NC4as_T4_v3,Standard_E8ds_v5,Standard_D4ds_v5"
    done = empty.deploy("--location", "westeurope", "--vm-sizes", wishes, "--spot-nodes", "5", "--no-smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    (pool,) = empty.world.of_type("Microsoft.Batch/batchAccounts/pools")
    assert pool["properties"]["vmSize"] == "Standard_D4ds_v5"
    for said in (
        "Standard_D4s_v9 is not taken: Batch does not offer it here.",
        "Standard_NC4as_T4_v3 is not taken: 0 dedicated cores are allowed of Standard NCASv3_T4 Family",
        "Standard_E8ds_v5 is not taken: one of its nodes costs 0.420 dollars an hour, and of Standard_D4ds_v5 0.180",
    ):
        assert said in done.stdout
    # Each list once, in five pages.
    assert len([call for call in empty.calls() if "prices.azure.com" in call.words[-1]]) == 1 + 3 * 5
