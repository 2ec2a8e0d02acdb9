"""What the real Azure CLI answers where deploy.sh registers the page in Entra: for the fast tests.

The functions of deploy/lib/sign_in.sh by themselves, over what the template has made; then once more by somebody who
may not register anything.
"""

from tests.azure.entra import PERSON, TENANT
from tests.azure.lab import Lab
from tests.azure.world import ROOT

# What deploy.sh knows by then; `%s` is what it does.
_SCRIPT = """set -euo pipefail
here=$PWD/deploy work=$(mktemp -d) python=$PYTHON mark=ilastik7a79c679 group=lab app=ilastik-app prefix=ilastik
made_client_id={remembered} DEPLOYMENT=none
subscription={subscription} me={person} my_type=User my_tenant={tenant} data_account=known changed=0
declare -A parameter=([pageClientId]= [page]=true)
for part in common sign_in; do source "deploy/lib/$part.sh"; done
{steps}
"""
_MAKE = "find_sign_in; arrange_sign_in; find_sign_in; arrange_sign_in"
_REFUSED = "client_id='' own_sign_in=yes; arrange_sign_in"
_REMOVE = 'read_remembered() { :; }; remove_sign_in "$mark"'


def ask(lab: Lab) -> None:
    """Make a registration, find it complete, remove it; look at it and make it where that is refused."""
    _run(lab, _MAKE)
    (own,) = lab.world.applications.values()
    (credential,) = own["credentials"]
    # The identity was made anew.
    credential["subject"] = "another"
    _run(lab, _MAKE)
    # A later run asks for the one that it remembers.
    _run(lab, _MAKE, own["appId"])
    lab.world.may_change_applications = False
    _run(lab, _REMOVE)
    lab.world.may_change_applications = True
    _run(lab, _REMOVE)
    assert not lab.world.applications
    _run(lab, _MAKE)
    _run(lab, _REMOVE)
    # It is gone.
    _run(lab, _REMOVE, own["appId"])
    for name in ("may_change_applications", "may_see_applications"):
        setattr(lab.world, name, False)
        _run(lab, _REFUSED)
        setattr(lab.world, name, True)


def _run(lab: Lab, steps: str, remembered: str = "''") -> None:
    values = {
        "subscription": ROOT.rpartition("/")[2],
        "person": PERSON.object_id,
        "tenant": TENANT,
        "remembered": remembered,
    }
    done = lab.run("bash", "-c", _SCRIPT.format(steps=steps, **values))
    print(done.stdout, done.stderr, flush=True)
    assert done.returncode == 0, done.stderr
