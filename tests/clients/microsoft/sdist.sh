#!/bin/sh
# Downloads the source package of azure-batch in a version and prints the folder with Microsoft's tests in it.
#
#   tests=$(tests/clients/microsoft/sdist.sh VERSION SHA256)
set -eu

version=$1 digest=$2
folder=${CLIENTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ilastik-batch/clients}/sdist-$version
python=${PYTHON:-.venv/bin/python}

if [ ! -e "$folder/unpacked" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    echo "azure-batch==$version --hash=sha256:$digest" > "$folder/requirements.txt"
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary azure-batch --require-hashes \
        --dest "$folder" --requirement "$folder/requirements.txt" >&2
    tar -xzf "$folder"/*.tar.gz -C "$folder"
    touch "$folder/unpacked" # what was interrupted has no such mark
fi
echo "$folder"/azure?batch-"$version"/tests
