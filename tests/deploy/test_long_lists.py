"""Lists of Azure that come in pages; tests/azure/test_further_runs.py reads some through the real CLI."""

import json
import subprocess
import sys

import pytest

from tests.deploy.test_bicep import DEPLOY

HERE = "https://management.azure.com/a?api-version=1"
_ASK = """work=$1 here=$2 python=$3
source "$here/lib/common.sh"
az() { cat "$work/$((++asked))"; }
read_list "$work/all" "$4"
"""


def read(folder, *pages):
    for number, page in enumerate(pages, 1):
        (folder / str(number)).write_text(json.dumps(page))
    words = ["bash", "-c", _ASK, "bash", folder, DEPLOY, sys.executable, HERE]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("link", ["nextLink", "odata.nextLink"])
def test_a_list_is_read_to_its_end(tmp_path, link):
    """Azure Resource Manager and Batch call the way to the next page differently."""
    done = read(tmp_path, {"value": [1, 2], link: f"{HERE}&$skiptoken=2"}, {"value": [3], link: None})
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "all").read_text()) == {"value": [1, 2, 3]}


@pytest.mark.parametrize("elsewhere", ["https://management.azure.com.example/a", "http://management.azure.com/a"])
def test_a_list_leads_nowhere_else(tmp_path, elsewhere):
    """The token of whoever asks goes along."""
    done = read(tmp_path, {"value": [1], "nextLink": elsewhere}, {"value": [2]})
    assert done.returncode == 1
    assert f"goes on elsewhere: after 1 pages at {elsewhere}" in done.stderr
