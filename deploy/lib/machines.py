"""Sizes of machines for deploy.sh: what Batch offers, how many cores are allowed, and what a node costs.

Azure's answer as JSON on standard input, words or sentences on the output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# Kind of node ("dedicated", "spot") -> US dollars an hour.
Price = Mapping[str, float]

# A size that is in use, or an earlier wish, is still taken if it costs so much more: prices of spot nodes change every
# month, and another size is another pool.
_HARDLY_MORE = 1.1
# Of the list of prices of one size; each has up to a thousand rows.
_MOST_PAGES = 20


def quota(account: Mapping[str, Any], family: str, spot: bool) -> int | None:
    """Cores that a Batch account may use of a family of machines; None where Azure does not say."""
    if spot:
        return _number(account.get("lowPriorityCoreQuota"))
    # The CLI writes `Vm`, Azure's own answer `VM`.
    families = "dedicatedCoreQuotaPerVmFamily", "dedicatedCoreQuotaPerVMFamily"
    if any(account.get(f"{name}Enforced") is False for name in families):
        return _number(account.get("dedicatedCoreQuota"))
    for entry in next((account[name] for name in families if account.get(name)), ()):
        if str(entry["name"]).lower() == family.lower():
            return _number(entry.get("coreQuota"))
    return None


def _number(stated: Any) -> int | None:
    return None if stated is None else int(stated)


def sku(skus: Sequence[Mapping[str, Any]], size: str) -> tuple[int | None, str, bool] | None:
    """(cores, family, whether it can be a spot node) of a size in Batch's list for a region; None if not offered.

    Cores are None where Azure does not tell them. Names of families may have blanks, such as "Standard NCASv3_T4
    Family". Where Azure does not say that a size cannot be a spot node, it can.
    """
    for entry in skus:
        if str(entry["name"]).lower() == size.lower():
            capabilities = {item["name"]: str(item["value"]) for item in entry.get("capabilities") or ()}
            spot = capabilities.get("LowPriorityCapable", "").lower() != "false"
            return _number(capabilities.get("vCPUs")), str(entry["familyName"]), spot
    return None


def prices(answers: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Size in small letters -> price of a Linux node, from answers of the public list of retail prices.

    The list also has the prices of Windows, of Cloud Services, of reservations (whatever its filter says) and of the
    former low-priority nodes. Of several prices it is the highest.
    https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices
    """
    found: dict[str, dict[str, float]] = {}
    for item in (item for answer in answers for item in answer["Items"]):
        product, name = str(item["productName"]).lower(), str(item["skuName"])
        if (item["type"], item["unitOfMeasure"], item["currencyCode"]) != ("Consumption", "1 Hour", "USD"):
            continue
        if "windows" in product or "cloud" in product or name.endswith("Low Priority") or not item["retailPrice"]:
            continue
        kind = "spot" if name.endswith(" Spot") else "dedicated"
        of_size = found.setdefault(str(item["armSkuName"]).lower(), {})
        of_size[kind] = max(of_size.get(kind, 0.0), float(item["retailPrice"]))
    return found


def setting(found: Mapping[str, Price], day: str) -> dict[str, Any]:
    """The app's NODE_PRICES from prices in dollars that were found on a day; {} where none was."""
    return {**found, "currency": "USD", "date": day} if found else {}


def next_page(answer: Mapping[str, Any], pages: int) -> str:
    """The query that gives the next page of such an answer; nothing after the last one, or after so many pages."""
    query = urlsplit(answer["NextPageLink"] or "").query
    return query if query.startswith("$filter=") and pages < _MOST_PAGES else ""


def mean_price(price: Price, most: int, spot: int) -> float | None:
    """Dollars an hour of one of `most` nodes of which `spot` are spot nodes; None where a price is not known."""
    shares = {"spot": min(spot, most) / most, "dedicated": 1 - min(spot, most) / most}
    needed = {kind: share for kind, share in shares.items() if share}
    if not needed.keys() <= price.keys():
        return None
    return sum(price[kind] * share for kind, share in needed.items())


def choose(
    skus: Sequence[Mapping[str, Any]],
    account: Mapping[str, Any] | None,
    known: Mapping[str, Price],
    sizes: Sequence[str],
    most: int,
    spot: int,
    used: str = "",
) -> tuple[str, Sequence[str]]:
    """(the size to take, what is to be said of the choice).

    Of the sizes that Batch offers and whose cores suffice for one node of each kind that is wanted, it is the first
    that costs hardly more than the cheapest; the first of all where a price is not known. The one in use counts as the
    first. Cores that are not known are no reason against a size. Where none will do it is the first one, and whoever
    takes it finds out why.
    """
    said = []
    sizes = sorted(sizes, key=lambda size: size != used)
    fit = []
    for size in sizes:
        reason = _unfit(skus, account, size, most, spot)
        if reason:
            said.append(f"{size} is not taken: {reason}")
        else:
            fit.append(size)
    costs = {size: mean_price(known.get(size.lower(), {}), most, spot) for size in fit}
    unknown = [size for size, cost in costs.items() if cost is None]
    if len(fit) > 1 and unknown:
        return fit[0], [*said, f"The price of a node is not known for {', '.join(unknown)}: the order of wish decides."]
    priced = {size: cost for size, cost in costs.items() if cost is not None}
    cheapest = min(priced.values(), default=0.0)
    taken = next((size for size, cost in priced.items() if cost <= cheapest * _HARDLY_MORE), (fit or sizes)[0])
    for size in fit[: fit.index(taken)] if taken in fit else ():
        said.append(
            f"{size} is not taken: one of its nodes costs {priced[size]:.3f} dollars an hour, and of {taken} "
            f"{priced[taken]:.3f} (list prices)."
        )
    return taken, said


def _unfit(
    skus: Sequence[Mapping[str, Any]], account: Mapping[str, Any] | None, size: str, most: int, spot: int
) -> str:
    """Why not a single node of a size can be had; empty where it may be."""
    found = sku(skus, size)
    if found is None:
        return "Batch does not offer it here."
    cores, family, can_be_spot = found
    if spot and not can_be_spot:
        return "it cannot be a spot node."
    for is_spot in (True,) * (spot > 0) + (False,) * (most > spot):
        allowed = quota(account, family, is_spot) if account else None
        if allowed is not None and cores is not None and allowed < cores:
            kind = "spot" if is_spot else "dedicated"
            return f"{allowed} {kind} cores are allowed of {family}, and a node has {cores}."
    return ""


def _json(path: str) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def main(arguments: Sequence[str]) -> int:
    """Answer one of `sku SIZE`, `quota FAMILY KIND`, `prices FILE...`, `next PAGES`, `setting DAY` and
    `choose SIZES MOST SPOT ACCOUNT PRICES USED`."""
    command, *rest = arguments
    if command == "prices":
        print(json.dumps(prices(map(_json, rest))))
        return 0
    answer = json.loads(sys.stdin.read())
    if command == "next":
        print(next_page(answer, int(rest[0])))
    elif command == "sku":
        if found := sku(answer, rest[0]):
            cores, family, spot = found
            print("unknown" if cores is None else cores, "spot" if spot else "dedicated", family)
    elif command == "quota":
        allowed = quota(answer, rest[0], rest[1] == "spot")
        print("" if allowed is None else allowed)
    elif command == "setting":
        print(json.dumps(setting(answer, rest[0])))
    elif command == "choose":
        sizes, most, spot_nodes, account, known, used = rest
        size, said = choose(answer, _json(account), _json(known), sizes.split(","), int(most), int(spot_nodes), used)
        print("\n".join([size, *said]))
    else:
        raise ValueError(f"There is no command {command}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
