#!/bin/sh
# Installs the Azure CLI from PyPI into an environment of its own and prints where its `az` is.
#
#   AZURE_CLI_BIN=$(tests/azure/install_azure_cli.sh [VERSION]) pytest -m slow ...
#
# It is several hundred megabytes and takes minutes; a second call finds it there.
set -eu

version=${1:-2.91.0}
folder=.local_cloud/azure-cli-$version
python=${PYTHON:-.venv/bin/python} # what `make setup` has found

if ! "$python" -c "" > /dev/null; then
    echo "There is no working $python: run 'make setup' or name a Python with PYTHON=..." >&2
    exit 1
fi
# What was interrupted has no mark.
if [ ! -e "$folder/installed" ]; then
    "$python" -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "azure-cli==$version" >&2
    touch "$folder/installed"
fi
echo "$(cd "$folder/bin" && pwd)/az"
