#!/usr/bin/env bash
# Prepares a fresh clone: .venv, the Python for tasks, Azurite and the compiled pixel engine.
# Safe to run any number of times; a part whose inputs did not change is skipped.
#
# PYTHON=/path/to/python3.13 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly VENV=.venv
readonly NODE_PYTHON=$VENV/node-python # in .venv, so that it goes with the Python it is of
readonly NODE_MODULES=local_cloud/node_modules
readonly LOCK=local_cloud/requirements.lock # of all three, with digests; renewed by `make lock`
readonly NODE_AT_LEAST=20 # what Azurite's own locked packages ask for

say() { printf 'set-up: %s\n' "$*"; }
fail() { printf 'set-up: %s\n' "$*" >&2; exit 1; }

digest_of() { # of files' contents and names, and of one more word
  { printf '%s\n' "$1"; shift; cksum "$@"; } | cksum
}

is_python_313() {
  "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null
}

find_python() {
  local candidate
  if [[ -n "${PYTHON:-}" ]]; then
    is_python_313 "$PYTHON" || fail "PYTHON names '$PYTHON', which is not a working Python 3.13."
    echo "$PYTHON"
    return
  fi
  # A pyenv shim stands in the PATH even where pyenv has chosen another version: each one is tried.
  for candidate in python3.13 python3; do
    if is_python_313 "$candidate"; then command -v "$candidate"; return; fi
  done
  if command -v pyenv >/dev/null; then
    # Last listed is newest; free-threaded builds (3.13t) have no wheels for every requirement.
    candidate=$(pyenv versions --bare 2>/dev/null | grep -E '^3\.13\.[0-9]+$' | tail -n 1 || true)
    if [[ -n "$candidate" ]]; then
      candidate=$(PYENV_VERSION=$candidate pyenv which python)
      if is_python_313 "$candidate"; then echo "$candidate"; return; fi
    fi
  fi
  if command -v uv >/dev/null; then
    candidate=$(uv python find --no-python-downloads 3.13 2>/dev/null || true)
    if [[ -n "$candidate" ]] && is_python_313 "$candidate"; then echo "$candidate"; return; fi
  fi
  fail "Python 3.13 is needed and was not found as python3.13, in pyenv or in uv." \
    "Install it, for example with 'uv python install 3.13' or 'pyenv install 3.13'," \
    "or name it: PYTHON=/path/to/python3.13 make setup"
}

check_node() {
  if ! { command -v node && command -v npm; } >/dev/null; then
    fail "Node.js $NODE_AT_LEAST or newer with npm is needed (it runs Azurite, Microsoft's storage emulator)" \
      "and was not found. Install the packages 'nodejs' and 'npm' of your system, or from nodejs.org."
  fi
  local version
  version=$(node --version)
  version=${version#v}
  ((${version%%.*} >= NODE_AT_LEAST)) ||
    fail "Node.js $NODE_AT_LEAST or newer is needed for Azurite, but 'node' is $version. Install a newer one."
}

python_is_current() {
  [[ -x $VENV/bin/python && -f $VENV/.set-up ]] || return 1
  [[ "$(cat $VENV/.set-up)" == "$(python_digest)" ]]
}

python_digest() { digest_of "python 2" "$LOCK"; }

set_up_python() {
  local python
  if ! { [[ -x $VENV/bin/python ]] && is_python_313 $VENV/bin/python && $VENV/bin/python -m pip --version >/dev/null 2>&1; }; then
    python=$(find_python)
    say "making $VENV with $("$python" --version) ($python)"
    "$python" -m venv --clear $VENV ||
      fail "'$python -m venv' failed. On Debian and Ubuntu the package python3.13-venv is missing."
  fi
  say "installing the Python requirements (a minute or two the first time)"
  $VENV/bin/python -m pip install -qq --disable-pip-version-check --no-input \
    --no-deps --require-hashes -r "$LOCK" ||
    fail "pip could not install the requirements; its own message is above."
  python_digest >$VENV/.set-up
}

node_python_is_current() {
  [[ -x $NODE_PYTHON/bin/python && -f $NODE_PYTHON/.set-up ]] || return 1
  [[ "$(cat $NODE_PYTHON/.set-up)" == "$(node_python_digest)" ]]
}

node_python_digest() { digest_of "node-python 1" deploy/pool/node-requirements.txt deploy/pool/install_python.py; }

# As on a node of Azure, but once for all nodes and for the Python at hand. The archive stays, for the tests.
set_up_node_python() {
  say "installing the Python for tasks"
  if ! { $VENV/bin/python deploy/package.py --node-python $NODE_PYTHON.tar --this-machine &&
    $VENV/bin/python -I deploy/pool/install_python.py --into $NODE_PYTHON --wheels $NODE_PYTHON.tar; } >/dev/null; then
    fail "the Python for tasks could not be installed; the message is above."
  fi
  node_python_digest >$NODE_PYTHON/.set-up
}

azurite_digest() { digest_of "azurite 1 $(node --version)" local_cloud/package.json local_cloud/package-lock.json; }

azurite_is_current() {
  [[ -x $NODE_MODULES/.bin/azurite && -f $NODE_MODULES/.set-up ]] || return 1
  [[ "$(cat $NODE_MODULES/.set-up)" == "$(azurite_digest)" ]]
}

start_azurite_install() {
  say "installing Azurite"
  npm_log=$(mktemp)
  # Azurite needs no install scripts; the optional database drivers it lists do.
  npm ci --prefix local_cloud --ignore-scripts --no-audit --no-fund --loglevel=error >"$npm_log" 2>&1 &
  npm_pid=$!
}

finish_azurite_install() {
  if ! wait "$npm_pid"; then
    cat "$npm_log" >&2
    npm_pid=
    fail "npm could not install Azurite; its own message is above."
  fi
  npm_pid=
  azurite_digest >$NODE_MODULES/.set-up
}

clean_up() { # an interrupted or failed set-up leaves no npm at work behind it
  [[ -z "$npm_pid" ]] || kill "$npm_pid" 2>/dev/null || true
  [[ -z "$npm_log" ]] || rm -f "$npm_log"
}

# Knows by itself when there is nothing to do, and the right answer depends on the processor.
build_engine() {
  PYTHONPATH=deploy/pool/engine $VENV/bin/python -m pixel_engine.build >/dev/null ||
    fail "the pixel engine could not be compiled; the message is above."
}

npm_pid=
npm_log=
trap clean_up EXIT
trap 'exit 130' INT TERM

# Two set-ups at once (two terminals, parallel make targets) would spoil each other's work.
if command -v flock >/dev/null; then
  exec 9<local_cloud/setup.sh
  flock 9
fi

check_node
azurite_is_current || start_azurite_install
python_is_current || set_up_python
node_python_is_current || set_up_node_python
[[ -z "$npm_pid" ]] || finish_azurite_install
build_engine
