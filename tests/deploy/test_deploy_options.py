"""Options of deploy.sh are checked before anything is made; the later value wins."""

import re
from pathlib import Path

import pytest

from deploy.lib import parameters
from tests.deploy import bicep_text

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--max-nodes", "many"), "--max-nodes is 'many'; it must be a whole number."),
        (("--ilastik-sha256", "12"), "64 hexadecimal digits"),
        (("--upgrade-ilastik", "1.4.3"), "There is nothing to upgrade in 'lab' yet"),
        (("--private",), "--private needs --allowed-addresses"),
        (("--allowed-addresses", "10.1.2.3"), "has '10.1.2.3'; only public addresses count"),
        (("--allowed-addresses", "203.0.113.0/31"), "has '203.0.113.0/31'; only public addresses count"),
        (("--allowed-addresses", "everybody"), "has 'everybody'; it must be an address or a range"),
        (("--network-addresses", "10.1.0.0/24"), "it must look like 10.62.0.0/20."),
        (("--max-nodes",), "--max-nodes needs a value"),
        (("now",), "'now' is no option"),
        (("--location", "mars"), "There is no region 'mars'"),
        (("--location", "West Europe'"), "is no region"),
    ],
)
def test_an_impossible_option_is_refused(empty, options, sentence):
    """Every faulty option is named with what it must be, before anything is made."""
    done = empty.run("--location", "westeurope", *options)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert empty.azure.changes == []


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("maxNodes=0", "--max-nodes is 0; it must be at least 1."),
        ("maxNodes=true", "--max-nodes is 'true'; it must be a whole number."),
        ("exportSource=Everything", "it must be one of Simple Segmentation"),
        ("prefix=Lab;rm", "it must be lower-case letters and digits"),
        ("prefix=laboratory", "--prefix is 'laboratory'; it must be at most 8 long."),
        ("poolId=mine", "There is no option --pool-id"),
        ("colour=red", "There is no option --colour"),
        ("vmSizes=a, b", "no blanks"),
        ("operatorsGroup=us", "must be the object id of a group in Entra"),
        ("pageClientId=ours", "must be the application (client) id of an app registration in Entra"),
        ('moreSettings={"WEBSITE_AUTH_ENABLED": "True"}', "App Service alone decides who may come in"),
        ("alertMail=a b@c", "it must be a mail address"),
        ("monthlyBudget=5", "--monthly-budget needs --alert-mail"),
        ("budgetMonth=lots", "--budget is 'lots'; it must be an amount"),
        ('budgetMonth={"embryos": 5}', "it must be an amount"),
        ('budgetMonth={"projects": {"embryos": -5}}', "it must be an amount"),
        ('nodePrices={"d4": 0.27}', "--node-prices has 'd4': 0.27; it must look like"),
        ('nodePrices={"d4": {"low": 0.27}}', "--node-prices has 'd4'"),
        ("minNodesWorkingHours=50", "is more than --max-nodes"),
        ("vmSize=$(id)", "it must look like Standard_D4ds_v5"),
        ("ilastikVersion=../1", "it must look like 1.4.2"),
        ('moreSettings={"BATCH_ACCOUNT_KEY": "x"}', "no secret goes into its settings"),
        ('moreSettings={"a b": "x"}', "a setting is a name of A-Z, 0-9 and _, and a text"),
        ('moreSettings={"X": null}', "--more-settings has 'X': None"),
        ("rerunFinished=yes", "--rerun-finished is 'yes'; it must be true or false."),
        ("backfillDailyLimit=-1", "--backfill-daily-limit is -1; it must be at least 0."),
        ("tags=[]", "--tags is '[]'; it must be a JSON object."),
    ],
)
def test_a_value_that_does_not_fit_is_refused(option, sentence):
    """The template's own limits, and what no single parameter shows, are checked before Azure is asked."""
    template = bicep_text.template(DEPLOY / "main.bicep")
    with pytest.raises(parameters.ParameterError, match=re.escape(sentence)):
        parameters.effective(template, {}, {}, [option], [])


def test_the_later_value_wins():
    """Defaults, then the lab's file, then options of earlier runs, then options of this one; only options are kept."""
    template = bicep_text.template(DEPLOY / "main.bicep")
    in_file = {"maxNodes": {"value": 2}, "spotNodes": {"value": 2}, "keepMinutes": {"value": 2}}
    earlier = {"spotNodes": 3, "keepMinutes": 3, "gone": 1}
    values, kept = parameters.effective(template, in_file, earlier, ["keepMinutes=4"], ['poolId="p"'])
    assert (values["maxNodes"], values["spotNodes"], values["keepMinutes"]) == (2, 3, 4)
    assert kept == values["options"] == {"spotNodes": 3, "keepMinutes": 4}
    assert values["poolId"] == "p"
    assert parameters.defaults(template, values)["slotThreads"] == 4
