#!/bin/sh
# Installs the Azure CLI from PyPI into an environment of its own and prints where its `az` is.
#
#   AZURE_CLI_BIN=$(tests/local_cloud/batch/install_azure_cli.sh [FOLDER]) pytest -m slow ...
#
# It is several hundred megabytes; a second call with the same folder finds it there.
set -eu

version=2.91.0
folder=${1:-.local_cloud/azure-cli}
python=${PYTHON:-.venv/bin/python} # what `make setup` has found

if ! "$python" -c "" > /dev/null; then
    echo "There is no working $python: run 'make setup' or name a Python with PYTHON=..." >&2
    exit 1
fi
if [ ! -x "$folder/bin/az" ]; then
    "$python" -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "azure-cli==$version" >&2
fi
echo "$(cd "$folder/bin" && pwd)/az"
