"""Which size of machine deploy.sh takes, and what a node of it costs."""

import json
from pathlib import Path

import pytest

from batch_ops.domain.prices import NodeKind, NodePrices
from deploy.lib import machines

# Rows as the public list of retail prices gave them.
RETAIL = json.loads(Path(__file__).with_name("retail_prices.json").read_text())
ROW = RETAIL["Items"][1]


def sku(name, cores=4, spot=None):
    capabilities = [{"name": "vCPUs", "value": str(cores)}]
    if spot is not None:
        capabilities.append({"name": "LowPriorityCapable", "value": str(spot)})
    return {"name": name, "familyName": f"{name} Family", "capabilities": capabilities}


def account(spot=100, **cores):
    families = [{"name": f"{name} Family", "coreQuota": number} for name, number in cores.items()]
    return {"dedicatedCoreQuotaPerVmFamily": families, "lowPriorityCoreQuota": spot}


def test_only_the_price_of_an_hour_of_a_linux_node_counts():
    """Reservations are priced for their whole term, though their unit is said to be an hour."""
    assert machines.prices([RETAIL]) == {"standard_d8_v4": {"dedicated": 0.46}}


@pytest.mark.parametrize(
    ("change", "price"),
    [
        ({"skuName": "D8 v4 Spot", "retailPrice": 0.09}, {"spot": 0.09}),
        ({"skuName": "D8 v4 Low Priority", "retailPrice": 0.09}, {}),
        ({"productName": "Virtual Machines Dv4 Series Windows", "retailPrice": 0.83}, {}),
        ({"productName": "Dv4 Series Cloud Services", "retailPrice": 0.83}, {}),
        ({"currencyCode": "EUR", "retailPrice": 0.83}, {}),
        ({"retailPrice": 0.0}, {}),
        ({"retailPrice": 0.47}, {"dedicated": 0.47}),
    ],
)
def test_rows_of_other_things_are_left_out(change, price):
    """Spot nodes have rows of their own; of two prices for one thing the higher one is believed."""
    found = machines.prices([{"Items": [ROW, ROW | change]}])
    assert found == {"standard_d8_v4": {"dedicated": 0.46} | price}


def test_the_app_is_told_the_prices_with_currency_and_day():
    """As its setting, in the list's own currency; nothing where none is known."""
    found = machines.prices([RETAIL])
    told = NodePrices.parse(json.dumps(machines.setting(found, "2026-11-29")))
    assert (told.of("Standard_D8_v4", NodeKind.DEDICATED), told.currency, str(told.day)) == (
        460_000,
        "USD",
        "2026-11-29",
    )
    assert machines.setting({}, "2026-11-29") == {}


@pytest.mark.parametrize(
    "told",
    [
        {"dedicatedCoreQuotaPerVmFamily": None, "dedicatedCoreQuotaPerVmFamilyEnforced": None},
        {"dedicatedCoreQuotaPerVmFamily": [{"name": "A Family", "coreQuota": None}]},
        {"dedicatedCoreQuotaPerVmFamilyEnforced": False, "dedicatedCoreQuota": None},
        {"dedicatedCoreQuotaPerVmFamilyEnforced": None, "dedicatedCoreQuota": 8},
        {},
    ],
)
def test_what_azure_does_not_tell_is_no_number(told):
    """Neither none nor enough."""
    assert machines.quota(told, "A Family", spot=False) is None
    assert machines.quota({"lowPriorityCoreQuota": None}, "A Family", spot=True) is None


def test_a_size_whose_cores_are_not_told_may_be_had():
    """Nothing is against it but that nobody knows."""
    size = {"name": "A", "familyName": "A Family", "capabilities": None}
    assert machines.sku([size], "A") == (None, "A Family", True)
    assert machines.choose([size], account(A=0), {}, ["A"], 1, 0) == ("A", [])


@pytest.mark.parametrize(
    ("link", "pages", "query"),
    [
        (None, 1, ""),
        (
            "https://prices.azure.com:443/api/retail/prices?$filter=a%20eq%20'b'&$skip=1000",
            1,
            "$filter=a%20eq%20'b'&$skip=1000",
        ),
        ("https://prices.azure.com:443/api/retail/prices?$filter=a%20eq%20'b'&$skip=1000", 20, ""),
        ("https://elsewhere.example/?@/etc/passwd", 1, ""),
    ],
)
def test_the_list_goes_on_at_its_own_address(link, pages, query):
    """Only the query of the next page is taken over, and only one such as ours; a list without an end is no list."""
    assert machines.next_page({"NextPageLink": link}, pages) == query


def test_a_pool_of_both_kinds_costs_what_both_cost():
    """What is not known of a kind that is wanted is not known of the pool; of another kind it does not matter."""
    assert machines.mean_price({"dedicated": 1.0, "spot": 0.2}, 10, 5) == pytest.approx(0.6)
    assert machines.mean_price({"spot": 0.2}, 10, 10) == pytest.approx(0.2)
    assert machines.mean_price({"spot": 0.2}, 10, 9) is None


@pytest.mark.parametrize(
    ("skus", "cores", "most", "spot", "taken", "said"),
    [
        ([sku("A"), sku("B")], account(A=0, B=8), 10, 0, "B", "A is not taken: 0 dedicated cores are allowed"),
        ([sku("A"), sku("B")], account(A=0, B=8), 10, 4, "B", "A is not taken: 0 dedicated cores are allowed"),
        ([sku("A"), sku("B", 2)], account(spot=2, A=8, B=8), 4, 4, "B", "A is not taken: 2 spot cores are allowed"),
        ([sku("A", spot=False), sku("B", spot=True)], None, 10, 10, "B", "A is not taken: it cannot be a spot node."),
        ([sku("A", spot=False), sku("B", spot=True)], None, 10, 0, "A", ""),
        ([sku("B")], account(), 10, 0, "B", "A is not taken: Batch does not offer it here."),
        ([], None, 10, 0, "A", "B is not taken: Batch does not offer it here."),
    ],
)
def test_a_size_that_cannot_be_had_is_passed_over(skus, cores, most, spot, taken, said):
    """Offer, cores of each kind that is wanted, and whether it can be a spot node; where none will do, the first."""
    known = {"a": {"dedicated": 1.0, "spot": 1.0}, "b": {"dedicated": 1.0, "spot": 1.0}}
    size, reasons = machines.choose(skus, cores, known, ["A", "B"], most, spot)
    assert (size, said in "\n".join(reasons)) == (taken, True)


@pytest.mark.parametrize(
    ("prices", "used", "taken"),
    [
        ({"a": 1.09, "b": 1.0}, "", "A"),
        ({"a": 1.11, "b": 1.0}, "A", "B"),
        ({"a": 1.09, "b": 1.0}, "B", "B"),
        ({"a": 0.8, "b": 1.0}, "B", "A"),
        ({"a": 1.0}, "B", "B"),
        ({}, "C", "A"),
    ],
)
def test_a_size_in_use_stays_while_it_costs_hardly_more(prices, used, taken):
    """Another size is another pool: neither a small change of prices nor a list that can't be had makes one."""
    known = {size: {"dedicated": price} for size, price in prices.items()}
    size, _ = machines.choose([sku("A"), sku("B")], None, known, ["A", "B"], 10, 0, used)
    assert size == taken


def test_the_first_size_that_is_to_be_had_is_taken(empty):
    """One that Batch does not offer is passed over with its reason; one without cores as soon as that is known."""
    empty.azure.vm_sizes |= {"Standard_D4as_v5": 4}
    wishes = "Standard_D4s_v9,Standard_D4ds_v5,Standard_D4as_v5"
    done = empty.up("--vm-sizes", wishes, "--spot-nodes", "0", "--no-smoke-test")
    assert "Standard_D4s_v9 is not taken: Batch does not offer it here." in done.stdout
    (pool,) = empty.azure.pools.values()
    assert pool["values"]["vmSize"] == "Standard_D4ds_v5"
    families = [{"name": "Standard_D4ds_v5Family", "coreQuota": 0}, {"name": "Standard_D4as_v5Family", "coreQuota": 8}]
    empty.azure.told["batch account show"] = {"dedicatedCoreQuotaPerVmFamily": families}
    assert "Standard_D4ds_v5 is not taken: 0 dedicated cores are allowed" in empty.up("--no-smoke-test").stdout
    assert [pool["values"]["vmSize"] for pool in empty.azure.pools.values()] == ["Standard_D4as_v5"]


@pytest.mark.parametrize(
    ("prices", "taken", "said"),
    [
        (
            {"Standard_D4ds_v5": 0.27, "Standard_D4as_v5": 0.2},
            "Standard_D4as_v5",
            "Standard_D4ds_v5 is not taken: one of its nodes costs 0.054",
        ),
        ({"Standard_D4ds_v5": 0.27, "Standard_D4as_v5": 0.26}, "Standard_D4ds_v5", ""),
        (
            {"Standard_D4ds_v5": 0.27},
            "Standard_D4ds_v5",
            "is not known for Standard_D4as_v5: the order of wish decides.",
        ),
    ],
)
def test_the_price_of_a_node_decides_among_the_sizes_that_are_to_be_had(empty, prices, taken, said):
    """One that costs clearly less is taken; what the public list does not tell is not guessed. All is said once."""
    empty.azure.vm_sizes |= {"Standard_D4as_v5": 4}
    empty.azure.retail_prices = prices
    done = empty.up("--vm-sizes", "Standard_D4ds_v5,Standard_D4as_v5", "--no-smoke-test")
    assert [pool["values"]["vmSize"] for pool in empty.azure.pools.values()] == [taken]
    assert done.stdout.count(said or "is not taken") == (said != "")
    assert ("could not be asked for Standard_D4as_v5: curl: (22)" in done.stderr) == (len(prices) == 1)
    assert empty.azure.asked.count("prices") == 2


def test_prices_are_found_given_or_kept(empty):
    """What the list does not tell any more stays as it was; what the user says goes before it."""
    empty.azure.retail_prices = {"Standard_D4ds_v5": 0.27}

    def told(*options: str) -> NodePrices:
        empty.up(*options, "--no-smoke-test")
        return NodePrices.parse(empty.azure.app_settings["NODE_PRICES"])

    first = told("--budget", "200")
    assert first.prices == (
        ("standard_d4ds_v5", NodeKind.DEDICATED, 270_000),
        ("standard_d4ds_v5", NodeKind.SPOT, 54_000),
    )
    assert empty.azure.app_settings["BUDGET_MONTH"] == "200"
    empty.azure.retail_prices = {}
    assert told() == first
    assert told("--node-prices", '{"d4": {"spot": 0.04}, "currency": "EUR"}').currency == "EUR"
    assert told("--node-prices", "{}", "--budget", "") == first
    assert "BUDGET_MONTH" not in empty.azure.app_settings


def test_a_budget_without_any_price_is_refused(empty):
    """Before anything is made: with it no file would ever begin."""
    done = empty.run("--location", "westeurope", "--budget", "200")
    assert "--budget needs the price of a node" in done.stderr
    assert empty.azure.changes == []
