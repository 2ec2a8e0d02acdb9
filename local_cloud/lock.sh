#!/usr/bin/env bash
# lock.sh          renew the lists of pinned packages with their digests, which alone are installed:
#                    deploy/requirements.lock       what goes to Azure: requirements.txt and all it brings along
#                    local_cloud/requirements.lock  the same, and what the cloud on one machine and the tests need
#                    local_cloud/tools.lock         what this script needs
#                  Versions stay as they are but for what those files now ask; UPGRADE=1 takes the newest of all.
# lock.sh audit    look for known vulnerabilities of what the lists and local_cloud/package-lock.json name; a package
#                  that the index tells nothing of fails it, as "not known" is not "none"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
.venv/bin/python -m venv "$folder/tools"
"$folder/tools/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --require-hashes \
  -r local_cloud/tools.lock

lock() { # lock OUT WORD...: what the requirements files need, with digests
  local out=$1
  shift
  "$folder/tools/bin/uv" pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-annotate \
    --no-emit-index-url --custom-compile-command "make lock" ${UPGRADE:+--upgrade} --output-file "$out" "$@"
}

case "${1:-lock}" in
  lock)
    lock local_cloud/tools.lock local_cloud/tools.txt
    lock local_cloud/requirements.lock requirements.txt local_cloud/requirements.txt tests/requirements.txt
    # The app runs with the very versions that the tests ran with.
    lock deploy/requirements.lock requirements.txt --constraints local_cloud/requirements.lock
    ;;
  audit)
    code=0
    for list in deploy/requirements.lock deploy/pool/node-requirements.txt local_cloud/requirements.lock; do
      "$folder/tools/bin/pip-audit" --strict --disable-pip --require-hashes -r "$list" || code=$?
    done
    npm audit --prefix local_cloud || code=$?
    exit "$code"
    ;;
  *)
    echo "lock.sh takes nothing or 'audit', not '$1'." >&2
    exit 2
    ;;
esac
