"""Scenarios of ours through every generation of the clients, and through Airflow's operator: all operations work."""

import json
import os
from typing import NamedTuple

import pytest

from tests.clients.conftest import FOLDER, output_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PROGRAMS = FOLDER / "programs"
OLD = "3.9,3.10,3.11,3.12,3.13"  # the Pythons of the old clients' days, the oldest that is here


class Generation(NamedTuple):
    """A version of azure-batch, the program that uses it, and the Pythons that may run it."""

    version: str
    program: str
    pythons: str = OLD


PYTHON = [
    *(Generation(f"{version}.0.0", "batch_6_to_14.py") for version in range(6, 15)),
    Generation("15.1.0", "batch_15.py"),
]


@pytest.mark.parametrize("generation", PYTHON, ids=lambda generation: generation.version)
async def test_azure_batch_for_python(generation, made, service, table, tmp_path):
    """Every operation of the scenario does what it says."""
    package = f"azure-batch=={generation.version}"
    python = made("environment.sh", f"python-{generation.version}", generation.pythons, package)
    printed = await output_of(python, PROGRAMS / generation.program, environment=account(service), folder=tmp_path)
    judge("azure-batch (Python)", generation.version, printed, table)


@pytest.mark.parametrize("version", ["8.0.0", "10.2.0"])
async def test_azure_batch_for_javascript(version, made, service, table, tmp_path):
    """Every operation of the scenario does what it says."""
    folder = made("node_environment.sh", "@azure/batch", version)
    environment = {**account(service), "NODE_PATH": str(folder / "node_modules")}
    printed = await output_of("node", PROGRAMS / "batch_8_to_10.cjs", environment=environment, folder=tmp_path)
    judge("@azure/batch (JavaScript)", version, printed, table)


async def test_airflows_operator(made, service, table, tmp_path):
    """It makes pools, runs commands on them, tells success from failure and cleans up."""
    airflow, provider = "2.11.0", "12.10.3"
    python = made(
        *("environment.sh", f"airflow-{airflow}", "3.12,3.11,3.10", f"apache-airflow=={airflow}"),
        *("azure-batch==14.2.0", "azure-identity==1.27.0", "msrestazure==0.6.4.post1"),
        # By its metadata the provider needs thirty clients of other services, by its operator for Batch none of them.
        *("--no-deps", f"apache-airflow-providers-microsoft-azure=={provider}"),
        "apache-airflow-providers-common-compat==1.23.0",
    )
    environment = {**account(service), "AIRFLOW_HOME": str(tmp_path), "HOME": str(tmp_path)}
    printed = await output_of(python, PROGRAMS / "airflow_operator.py", environment=environment, folder=tmp_path)
    judge("AzureBatchOperator", f"Airflow {airflow}, provider {provider}", printed, table)


def account(service):
    """The variables that tell a program of an account."""
    return {
        "PATH": os.environ["PATH"],
        "AZURE_BATCH_ENDPOINT": service.endpoint,
        "AZURE_BATCH_ACCOUNT": service.account,
        "AZURE_BATCH_ACCESS_KEY": service.key,
    }


def judge(client, version, printed, table):
    """Count a program's operations; fail with those that failed."""
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    failed = [f"{line['operation']}: {line['error']}" for line in lines if line["error"]]
    table(client, version, f"{len(lines) - len(failed)} of {len(lines)} operations")
    assert lines, printed
    assert not failed, "\n".join(failed)
