"""What the real Azure CLI says of refusals that no run of deploy.sh meets by itself: for the fast tests.

Each question is one that was recorded before, asked once more while Azure answers with such an error.
"""

import tempfile
from pathlib import Path

from tests.azure.front import Answer, Refusal, Refused
from tests.azure.lab import Lab
from tests.azure.world import ROOT
from tests.deploy import recordings

# https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
_NOT_ALLOWED = Refusal(
    403,
    "AuthorizationFailed",
    "The client 'ada@lab.example' with object id '99999999-0000-4000-8000-000000000001' does not have authorization to "
    "perform this action over the scope or the scope is invalid. If access was recently granted, please refresh your "
    "credentials.",
)
# https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors
_NO_SUBSCRIPTION = Refusal(404, "SubscriptionNotFound", "The subscription '1' could not be found.")
_NO_TYPE = Refusal(
    404, "InvalidResourceType", "The resource type could not be found in the namespace 'Microsoft.EventGrid'."
)
_ACTIVE = Refusal(
    409,
    "DeploymentActive",
    "Unable to edit or replace deployment 'ilastik-batch': previous deployment is still active. Please see "
    "https://aka.ms/arm-deploy for usage details.",
)
_INVALID = {
    "code": "InvalidTemplateDeployment",
    "message": "The template deployment 'ilastik-batch' is not valid according to the validation procedure. See inner "
    "errors for details.",
    "details": [{"code": "SubscriptionIsOverQuotaForSku", "message": "This region has quota of 0 instances."}],
}
_QUOTA = Refused(Answer(400, {"error": _INVALID}))
# https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---assigning-a-role-to-a-new-principal-sometimes-fails
_NO_PRINCIPAL = Refusal(400, "PrincipalNotFound", "Principal 1 does not exist in the directory 2.")

_REFUSED = (
    ("batch location list-skus", "", _NOT_ALLOWED),
    ("batch location quotas show", "", _NOT_ALLOWED),
    ("batch account list", "", _NOT_ALLOWED),
    ("batch account show", "", _NOT_ALLOWED),
    ("vm image show", "", _NOT_ALLOWED),
    ("functionapp list-flexconsumption-runtimes", "", _NOT_ALLOWED),
    ("rest", "get locks", _NOT_ALLOWED),
    ("resource show", "", _NO_SUBSCRIPTION),
    ("resource show", "", _NO_TYPE),
    ("deployment group create", "", _NOT_ALLOWED),
    ("deployment group create", "", _NO_PRINCIPAL),
    ("deployment group create", "", _ACTIVE),
    ("deployment group validate", "", _QUOTA),
)


def ask(lab: Lab) -> None:
    """Ask all of them; the template is the last one that deploy.sh has compiled here."""
    lab.login()
    recorded = [recording.words for recording in recordings.load() if recording.code == 0]
    with tempfile.TemporaryDirectory(prefix="tmp.") as name:
        work = Path(name)
        (work / "template.json").write_text('{"resources": []}')
        (work / "parameters.json").write_text('{"parameters": {}}')
        (work / "offline.bicepparam").write_text("using 'template.json'\n")

        def again(command: str, part: str = "", *before: str) -> None:
            words = next(w for w in recorded if recordings.command(w) == command and part in recordings.shape(w))
            done = lab.run(*before, lab.bin / "az", *(word.replace("{work}", name) for word in words))
            assert done.returncode, f"{words} was not refused: {done.stdout}"

        for command, part, refusal in _REFUSED:
            lab.says = refusal
            again(command, part)
        lab.says = None
        # No Flex Consumption for Python there.
        known, lab.world.python_versions = lab.world.python_versions, ()
        again("functionapp list-flexconsumption-runtimes")
        lab.world.python_versions = known
        # Names are not asked for through the proxy: as those of an account that nobody has.
        again("storage blob list", "", "env", "no_proxy=.core.windows.net", "NO_PROXY=.core.windows.net")
        # The account's firewall does not know the address.
        listed = next(w for w in recorded if recordings.command(w) == "storage blob list")
        account, kind = listed[listed.index("--account-name") + 1], "Microsoft.Storage/storageAccounts"
        closed = {"networkAcls": {"defaultAction": "Deny"}}
        place = f"{ROOT}/resourceGroups/lab/providers/{kind}/{account}"
        lab.world.put({"id": place, "type": kind, "name": account, "properties": closed})
        again("storage blob list")
        # The list of prices can't be asked.
        lab.prices.is_down = True
        curl = next(w for w in recorded if recordings.command(w) == "curl" and w[-1].endswith("retail/prices"))
        done = lab.run(lab.bin / "curl", *(word.replace("{work}", name) for word in curl[1:]))
        assert done.returncode, done.stdout
        lab.prices.is_down = False
        # An older Bicep.
        older = lab.bin / "bicep"
        older.write_text("#!/bin/sh\necho Bicep CLI version 0.30.3 \\(0\\)\n")
        older.chmod(0o755)
        again("bicep snapshot")
        older.unlink()
