# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# The doctor (python -m batch_ops.doctor) looks at what was deployed, as whoever is logged in. Sourced by deploy.sh.

# Azure CLI is Python too: it must not find the doctor's libraries, so they are not put into its environment. The login
# is named, as in Cloud Shell the libraries would else take that machine's own identity.
run_doctor() { # libraries, settings
  AZURE_TOKEN_CREDENTIALS=AzureCliCredential "$python" -Ic '
import runpy, sys
sys.path[:0] = [sys.argv.pop(1), sys.argv.pop(1)]
runpy.run_module("batch_ops.doctor", run_name="__main__", alter_sys=True)' \
    "$here/.." "$1" --settings "$2"
}

# Sets libraries to a folder with what the doctor imports, for the Python that is here; empty where there is none.
doctor_libraries() {
  local made
  libraries=
  if ! "$python" -ISc 'import sys; sys.exit(sys.version_info < (3, 12))'; then
    say "   the doctor needs Python 3.12 or later; here is $("$python" -ISc 'import platform; print(platform.python_version())')"
    return
  fi
  made=$(cache_folder)/doctor-$(digest libraries)
  if [[ ! -d $made ]]; then
    say "   brings its libraries together, once (about a minute)"
    rm -rf -- "$made.partial"
    "$python" "$here/package.py" --libraries "$made.partial" || return 0
    mv -- "$made.partial" "$made"
  fi
  libraries=$made
}

# Sets doctor_says to its exit code: 0 all is well, 1 something needs attention, 2 something does not work; empty where
# it could not be asked. With new roles it is asked again for some minutes.
examine() { # most tries
  local libraries tries=0 code=2
  step "Has the doctor look at everything"
  doctor_says=
  doctor_libraries
  if [[ -z $libraries ]]; then
    say "   The doctor was not asked. With Python 3.13: make setup; az functionapp config appsettings list -g $group -n $app >app.json; .venv/bin/python -m batch_ops.doctor --settings app.json"
    return
  fi
  fetch "$work/app-settings.json" functionapp config appsettings list --resource-group "$group" --name "$app"
  while ((code == 2 && tries++ < $1)); do
    ((tries != 2)) || say "   something does not work yet; new roles take minutes to spread, so it is asked again for a while"
    ((tries < 4 || tries % 2 != 0)) || say "   something does not work yet; the doctor is asked for the ${tries}th time"
    ((tries == 1)) || sleep "$PAUSE"
    code=0
    run_doctor "$libraries" "$work/app-settings.json" >"$work/doctor" || code=$?
    # A program that breaks ends with 1 too.
    if [[ ! -s $work/doctor ]]; then
      say "   The doctor could not be run; the message is above."
      return
    fi
  done
  sed 's/^/   /' "$work/doctor"
  doctor_says=$code
}
