"""The Bicep files: checked as far as that goes without the compiler, and beside what the app reads."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from batch_ops.domain import settings
from local_cloud.cloud import provision
from tests.deploy import bicep_text
from tests.deploy.app_settings import deployed, expressions, host_expressions

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
SHARED = REPOSITORY / "../shared"
BICEP = sorted(DEPLOY.rglob("*.bicep"))


def test_bicepcheck_finds_nothing():
    """No error and no warning in any Bicep file."""
    checker = SHARED / "tools/bicepcheck/bicepcheck.py"
    if not SHARED.exists():
        pytest.skip("../shared with the Bicep checker is not beside this repository")
    if not checker.exists() and not os.environ.get("CI"):
        pytest.skip("../shared has no Bicep checker")
    done = subprocess.run([sys.executable, checker, DEPLOY], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", BICEP, ids=lambda path: path.stem)
def test_every_parameter_is_described(path):
    """A parameter without a description is a riddle for whoever deploys."""
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("param "):
            above = lines[max(0, number - 5) : number]
            last_blank = max((i for i, text in enumerate(above) if not text.strip()), default=-1)
            assert any(text.startswith("@description(") for text in above[last_blank + 1 :]), line


def test_every_parameter_has_a_default():
    """The template alone can be deployed into a resource group: only values that are asked for need an answer."""
    for name, entry in bicep_text.template(DEPLOY / "main.bicep")["parameters"].items():
        assert "defaultValue" in entry, name


def test_no_key_and_no_secret():
    """Nothing lists keys, and no setting or parameter holds one."""
    for path in BICEP:
        text = path.read_text()
        assert not re.search(r"list(Keys|AccountSas|ServiceSas|Credentials|Secrets)\(|AccountKey=|@secure", text), path
    given = expressions(DEPLOY) | host_expressions(DEPLOY)
    assert [name for name in given if re.search(r"(?i)key|secret|password|sas", name)] == []
    assert "AzureWebJobsStorage" not in given
    for setting in (
        *("FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "WEBSITE_RUN_FROM_PACKAGE"),
        *("ENABLE_ORYX_BUILD", "SCM_DO_BUILD_DURING_DEPLOYMENT"),
    ):
        assert setting not in given


@pytest.mark.parametrize("account", ["data", "host"])
def test_shared_keys_are_off(account):
    """Both storage accounts take identities only, over TLS 1.2, and show nothing to the public."""
    text = (DEPLOY / "modules/storage.bicep").read_text()
    assert re.search(rf"resource {account} 'Microsoft.Storage(?s:.)*?properties: union\(secured,", text)
    secured = bicep_text.mapping(DEPLOY / "modules/storage.bicep", "secured")
    assert secured["allowSharedKeyAccess"] == secured["allowBlobPublicAccess"] == "false"
    assert secured["minimumTlsVersion"] == "'TLS1_2'"


def test_the_app_accepts_its_settings():
    """The settings of the template are complete, and each is one that the app or the host reads."""
    parameters = bicep_text.template(DEPLOY / "main.bicep")["parameters"]
    source = (REPOSITORY / "batch_ops/domain/settings.py").read_text()
    defaults = {name: entry["defaultValue"] for name, entry in parameters.items()}
    values = deployed(DEPLOY, defaults, defaultdict(lambda: "https://somewhere/"))
    for name in values:
        if not re.match(r"DATA_STORAGE__|RECONCILE_SCHEDULE$", name):
            assert f'"{name}"' in source, name
    found = settings.from_mapping(values | {"WEBSITE_SITE_NAME": "app"})
    assert not found.uses_batch_key
    assert (found.blob_created_queue, found.collect_queue) == ("blob-created", "collect")


def resources(kind):
    """The properties of all resources of a kind when everything is turned on, as `bicep snapshot` works them out."""
    found = json.loads((REPOSITORY / "tests/deploy/snapshots/everything.json").read_text())["predictedResources"]
    return [resource["properties"] for resource in found if resource["type"] == kind]


def test_saved_queries_can_be_deployed_again():
    """Azure refuses a saved search that exists (409) unless its properties have this etag."""
    saved = resources("Microsoft.OperationalInsights/workspaces/savedSearches")
    assert saved
    assert {query.get("etag") for query in saved} == {"*"}


def test_metrics_are_summed():
    """Batch publishes its node counts as sums of a sample a minute: an hour's idle node is 60."""
    criteria = [rule["criteria"]["allOf"][0] for rule in resources("Microsoft.Insights/metricAlerts")]
    assert {criterion["timeAggregation"] for criterion in criteria} == {"Total"}
    (idle,) = (c for c in criteria if c["metricName"] == "IdleNodeCount")
    assert (idle["operator"], idle["threshold"]) == ("GreaterThan", 60)


def test_names_are_the_defaults_of_the_app_and_of_the_local_cloud():
    """Containers, queues and tables are called the same here, in the app and in the cloud on one machine."""
    names = DEPLOY / "modules/names.bicep"
    assert set(bicep_text.words(names, "containers")) == set(provision.CONTAINERS)
    queues = set(bicep_text.words(names, "queues"))
    assert queues == {name + end for name in provision.QUEUES for end in ("", "-poison")}
    assert set(bicep_text.words(names, "tables")) == set(provision.TABLES)
    default = settings.Settings("", "", "")
    assert {default.files_table, default.work_table} == set(provision.TABLES)


def test_nodes_get_the_same_scripts_as_in_the_local_cloud():
    """What is tried here is what Azure gets."""
    command = [sys.executable, str(DEPLOY / "lib/digests.py"), "tools"]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    uploaded = {tuple(re.split(r"\ttask-\w+/|\t", row)[:2]) for row in rows if "\ttask-" in row}
    here = {(str(tool.path), tool.blob.removeprefix("task/")) for tool in provision.task_tools(REPOSITORY)}
    assert uploaded == here


def test_the_formula_takes_the_numbers_of_the_deployment():
    """Each number of the template is a parameter of the formula, and put in place of the marker it wins."""
    formula = (DEPLOY / "pool/autoscale.formula").read_text()
    marker = "// ---- end of parameters ----"
    assert f"'{marker}'" in (DEPLOY / "modules/formula.bicep").read_text()
    head, _, _ = formula.partition(marker)
    numbers = bicep_text.mapping(DEPLOY / "main.bicep", "scaling")
    assert numbers
    for name in numbers:
        assert re.search(rf"(?m)^{name} = ", head), name


def test_names_that_deploy_sh_expects_are_those_of_the_template():
    """Name checks beforehand would be worthless for other names."""
    main, preflight = (DEPLOY / "main.bicep").read_text(), (DEPLOY / "lib/preflight.sh").read_text()
    for kind in ("data", "host"):
        assert f"'${{prefix}}{kind}${{suffix}}'" in main
        assert f'"${{prefix}}{kind}$suffix"' in preflight
    assert "name: '${prefix}-budget'" in main
    assert "budgets/$1-budget" in (DEPLOY / "lib/common.sh").read_text()


def test_the_image_that_is_looked_for_is_the_pool_s():
    """deploy.sh asks for the image that pool.bicep names."""
    pool = (DEPLOY / "modules/pool.bicep").read_text()
    words = [re.findall(rf"{key}: '([\w.-]+)'", pool)[0] for key in ("publisher", "offer", "sku", "version")]
    assert f"readonly IMAGE={':'.join(words)}" in (DEPLOY / "lib/machines.sh").read_text()


@pytest.mark.parametrize("path", [DEPLOY / "deploy.sh", *sorted((DEPLOY / "lib").glob("*.sh"))], ids=lambda p: p.name)
def test_shell_scripts_are_clean(path):
    """shellcheck has nothing to say."""
    program = Path(sys.executable).with_name("shellcheck")
    command = [program, "-x", path] if path.name == "deploy.sh" else [program, path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_functions_doctor_finds_nothing(tmp_path_factory):
    """The app as it is deployed, with the settings that it is given, meets Microsoft's conventions."""
    app = tmp_path_factory.mktemp("app")
    for name in ("function_app.py", "host.json", "requirements.txt", ".funcignore"):
        shutil.copy(REPOSITORY / name, app)
    shutil.copytree(REPOSITORY / "batch_ops", app / "batch_ops", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(DEPLOY / "modules", app / "infra")
    values = {name: text.strip("'") for name, text in (expressions(DEPLOY) | host_expressions(DEPLOY)).items()}
    (app / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    program = Path(sys.executable).with_name("azure-functions-doctor")
    options = ("--path", app, "--profile", "deploy", "--target-python", "3.13", "--format", "json")
    done = subprocess.run([program, "doctor", *options], capture_output=True, text=True, timeout=60, cwd=app)
    items = [item for result in json.loads(done.stdout)["results"] for item in result["items"]]
    assert len(items) > 5
    # The one looks for decorators of functions that are not asynchronous; of the other the copy knows nothing.
    blind = {"check_programming_model_v2", "check_local_settings_git_tracked"}
    found = [item for item in items if item["status"] in {"fail", "warn"} and item["rule_id"] not in blind]
    assert found == [], found
    assert done.returncode == 0
