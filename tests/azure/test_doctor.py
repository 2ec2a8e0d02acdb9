"""deploy.sh ends with the real doctor, who asks by the real CLI, Azure's libraries, and the app."""

import re
import shutil
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_PRODUCT = Path(__file__).parents[2] / "batch_ops"


def deploy(lab, *options):
    """Run deploy.sh with the doctor as it is; gives its exit code and the doctor's lines."""
    shutil.copytree(_PRODUCT, lab.clone / "batch_ops", dirs_exist_ok=True)
    done = lab.deploy("--no-smoke-test", *options)
    found = re.findall(r"^   ((?:ok|note|warn|fail) +.*)$", done.stdout, re.MULTILINE)
    print(done.stdout, done.stderr)
    return done.returncode, found


def test_the_doctor_finds_a_deployment_healthy(deployed):
    """Nothing fails or warns: the app's identity, which tries it itself, has what it needs, and no more."""
    code, found = deploy(deployed)
    assert (code, [line for line in found if line.startswith(("fail", "warn"))]) == (0, []), found
    told = "\n".join(found)
    assert "With the app's identity the tables files and work can be written to." in told
    assert "With the app's identity the pool and a single node can be looked at." in told
    assert "The app's identity can't write to input, projects and tools, as intended." in told
    assert "The app's identity has every role that it needs." in told


def test_wider_roles_where_azure_wants_them(deployed):
    """Whether a role on one table suffices for a transaction, and that of submitters for a node, shows in the very
    call: the doctor names the option, with which all is well."""
    deployed.world.wider = {"transactions", "nodes"}
    code, found = deploy(deployed)
    faults = [line for line in found if line.startswith(("fail", "warn"))]
    assert code == 1
    assert len(faults) == 3
    assert all("--wide-roles true" in line for line in faults), faults
    code, found = deploy(deployed, "--wide-roles", "true")
    assert (code, [line for line in found if line.startswith(("fail", "warn"))]) == (0, []), found
