"""The template's parameters of one run of deploy.sh: put together, checked against the template, written as JSON.

The later of these wins: defaults of main.bicep, main.bicepparam, options that earlier runs were given, options of
this run, and what deploy.sh itself decides.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# deploy.sh decides these itself: see there.
INTERNAL = (
    *("suffix", "operators", "topicName", "topicIsOurs", "topicTags", "budgetStart", "options", "poolId", "createPool"),
    *("ilastikArchive", "ilastikSha256", "taskScripts", "startTaskBlob", "engineBlob", "toolsBlob"),
)

_ID = "([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?"
# What the text of a parameter must look like.
_FORMS = {
    "prefix": (r"[a-z][a-z0-9]*", "be lower-case letters and digits, a letter first"),
    "ilastikVersion": (r"[0-9][0-9A-Za-z.-]*", "look like 1.4.2"),
    "vmSize": (r"[A-Za-z0-9_-]+", "look like Standard_D4ds_v5"),
    "vmSizes": (r"([A-Za-z0-9_-]+(,[A-Za-z0-9_-]+)*)?", "look like Standard_D4ds_v5,Standard_D4as_v5: no blanks"),
    "alertMail": (r"([^@\s]+@[^@\s]+\.[^@\s]+)?", "be a mail address"),
    "operatorsGroup": (_ID, "be the object id of a group in Entra"),
    "pageClientId": (_ID, "be the application (client) id of an app registration in Entra"),
}

# Which nobody in the internet has.
_NOT_PUBLIC = [ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")]


class ParameterError(Exception):
    """A value does not fit; the text is one sentence a fault, on lines of their own."""


def effective(
    template: Mapping[str, Any],
    from_file: Mapping[str, Any],
    remembered: Mapping[str, Any],
    options: Sequence[str],
    internal: Sequence[str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(all values that are passed on, the options that later runs keep).

    `template` is the ARM template, `from_file` the "parameters" object of a parameter file, `remembered` and the
    second result are name -> value, `options` and `internal` are "name=text". Raises `ParameterError`.

    Prices that deploy.sh found are remembered: a size whose price it cannot find this time keeps the last one. So is
    the app registration that it made for the page: "keep" means that one.
    """
    known: Mapping[str, Any] = template["parameters"]
    faults: list[str] = []
    given: dict[str, Any] = {}
    for option in options:
        name, _, text = option.partition("=")
        if name not in known or name in INTERNAL:
            faults.append(f"There is no option {_kebab(name)}; main.bicep lists the parameters.")
            continue
        given[name] = _typed(name, text, known[name], faults)
    if faults:
        raise ParameterError("\n".join(faults))
    kept = {name: value for name, value in remembered.items() if name in known and name not in INTERNAL} | given
    values = {name: entry["value"] for name, entry in from_file.items() if name not in INTERNAL} | kept
    for name, value in values.items():
        faults += _misfits(name, value, known[name])
    faults += _contradictions(values | defaults(template, values))
    if faults:
        raise ParameterError("\n".join(dict.fromkeys(faults)))
    decided = {name: json.loads(text) for name, _, text in (word.partition("=") for word in internal)}
    found = remembered.get("foundPrices", {}) | decided.get("nodePrices", {})
    if "nodePrices" in decided:
        decided["nodePrices"] = found
    made = str(remembered.get("madeClientId", ""))
    if "pageClientId" in decided:
        made = decided["pageClientId"] = made if decided["pageClientId"] == "keep" else decided["pageClientId"]
    own = ({"foundPrices": found} if found else {}) | ({"madeClientId": made} if made else {})
    return values | decided | {"options": kept | own}, kept


def defaults(template: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain defaults of the parameters that have no value; those that are expressions are left out."""
    return {
        name: entry["defaultValue"]
        for name, entry in template["parameters"].items()
        if name not in values and "defaultValue" in entry and not str(entry["defaultValue"]).startswith("[")
    }


def _typed(name: str, text: str, entry: Mapping[str, Any], faults: list[str]) -> Any:
    kind = str(entry["type"]).lower()
    if kind == "string":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    # To Python, true is a number as well.
    if type(value) is {"int": int, "bool": bool, "object": dict, "array": list}[kind]:
        return value
    needed = {"int": "a whole number", "bool": "true or false", "object": "a JSON object", "array": "a JSON list"}
    faults.append(f"{_kebab(name)} is {text!r}; it must be {needed[kind]}.")
    return text


def _misfits(name: str, value: Any, entry: Mapping[str, Any]) -> list[str]:
    """What the template would refuse, before anything is made."""
    if "allowedValues" in entry and value not in entry["allowedValues"]:
        return [f"{_kebab(name)} is {value!r}; it must be one of {', '.join(map(str, entry['allowedValues']))}."]
    size = value if isinstance(value, int) else len(value) if isinstance(value, str) else None
    what = "" if isinstance(value, int) else " long"
    least, most = (entry.get(f"{end}{'Value' if isinstance(value, int) else 'Length'}") for end in ("min", "max"))
    if size is not None and least is not None and size < least:
        return [f"{_kebab(name)} is {value!r}; it must be at least {least}{what}."]
    if size is not None and most is not None and size > most:
        return [f"{_kebab(name)} is {value!r}; it must be at most {most}{what}."]
    return []


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    """What no single parameter shows."""
    faults = [
        f"{_kebab(name)} is {values[name]!r}; it must {what}."
        for name, (form, what) in _FORMS.items()
        if not re.fullmatch(form, str(values[name]))
    ]
    faults += _bad_addresses(values)
    if values["monthlyBudget"] and not values["alertMail"]:
        faults.append("--monthly-budget needs --alert-mail: a budget does nothing but send mails.")
    if values["minNodesWorkingHours"] > values["maxNodes"]:
        faults.append("--min-nodes-working-hours is more than --max-nodes.")
    faults += _bad_amounts(values)
    for name, value in values["moreSettings"].items():
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name) or isinstance(value, (dict, list)) or value is None:
            faults.append(
                f"--more-settings has {name!r}: {value!r}; a setting is a name of A-Z, 0-9 and _, and a text."
            )
        elif name.startswith("WEBSITE_AUTH_") or name == "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID":
            faults.append(
                f"--more-settings has {name}: App Service alone decides who may come in; see --page-client-id."
            )
        elif re.search(r"KEY|SECRET|PASSWORD|SAS|CONNECTION", name):
            faults.append(
                f"--more-settings has {name}: the app acts by its identity, and no secret goes into its settings."
            )
    return faults


def _bad_amounts(values: Mapping[str, Any]) -> list[str]:
    """Budgets and prices that the app would not understand."""
    faults = []
    text = str(values["budgetMonth"])
    try:
        budget = json.loads(text or "0")
    except ValueError:
        budget = None
    parts = budget if isinstance(budget, dict) else {"all": budget}
    amounts = [*(value for name, value in parts.items() if name != "projects")]
    projects = parts.get("projects", {})
    amounts += projects.values() if isinstance(projects, dict) else [None]
    if not parts or parts.keys() - {"all", "projects"} or not all(map(_is_amount, amounts)):
        faults.append(f'--budget is {text!r}; it must be an amount, or {{"all": 200, "projects": {{"embryos": 50}}}}.')
    for size, prices in values["nodePrices"].items():
        if size not in {"currency", "date"} and (
            not isinstance(prices, dict)
            or not prices
            or prices.keys() - {"dedicated", "spot"}
            or not all(map(_is_amount, prices.values()))
        ):
            faults.append(
                f'--node-prices has {size!r}: {prices!r}; it must look like {{"dedicated": 0.27, "spot": 0.054}}.'
            )
    return faults


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1_000_000


def _bad_addresses(values: Mapping[str, Any]) -> list[str]:
    """What the firewalls of storage and Batch would not take, or nobody could come through."""
    faults = []
    allowed = str(values["allowedAddresses"])
    for text in allowed.split(",") if allowed else ():
        try:
            network = ipaddress.IPv4Network(text)
        except ValueError:
            faults.append(f"--allowed-addresses has {text!r}; it must be an address or a range such as 203.0.113.0/24.")
            continue
        if any(map(network.overlaps, _NOT_PUBLIC)) or ("/" in text and network.prefixlen > 30):
            faults.append(f"--allowed-addresses has {text!r}; only public addresses count, and ranges up to /30.")
    if values["private"] and not allowed:
        faults.append("--private needs --allowed-addresses: public ones of the microscopes and of whoever runs this.")
    try:
        fits = ipaddress.IPv4Network(str(values["networkAddresses"])).prefixlen <= 20
    except ValueError:
        fits = False
    if not fits:
        faults.append(f"--network-addresses is {values['networkAddresses']!r}; it must look like 10.62.0.0/20.")
    return faults


def _kebab(name: str) -> str:
    return "--" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--built", type=Path, required=True, help="what `az bicep build-params --stdout` printed")
    parser.add_argument("--remembered", type=Path, required=True, help="options of earlier runs: a JSON object or null")
    for name, form in (("--option", "NAME=TEXT"), ("--internal", "NAME=JSON")):
        parser.add_argument(name, action="append", default=[], metavar=form)
    parser.add_argument("--template", type=Path, required=True, help="the template is written here")
    parser.add_argument("--out", type=Path, required=True, help="the parameters are written here")
    parser.add_argument("--values", type=Path, required=True, help="all plain values, a line each: name, tab, value")
    arguments = parser.parse_args()
    built = _json(arguments.built)
    template = json.loads(built["templateJson"])
    from_file = json.loads(built["parametersJson"])["parameters"]
    remembered = _json(arguments.remembered) or {}
    try:
        values, kept = effective(template, from_file, remembered, arguments.option, arguments.internal)
    except ParameterError as fault:
        print(fault, file=sys.stderr)
        return 1
    arguments.template.write_text(json.dumps(template), encoding="utf-8")
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#"
    document: dict[str, Any] = {"$schema": schema, "contentVersion": "1.0.0.0"}
    document["parameters"] = {name: {"value": value} for name, value in values.items()}
    arguments.out.write_text(json.dumps(document, indent=1), encoding="utf-8")
    plain = defaults(template, values) | values
    lines = [f"{name}\t{' '.join(str(value).split())}\n" for name, value in plain.items()]
    arguments.values.write_text("".join(lines), encoding="utf-8")
    print(", ".join(f"{_kebab(name)[2:]} {value}" for name, value in sorted(kept.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
