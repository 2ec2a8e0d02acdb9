#!/bin/sh
# Installs an npm package apart from this project and prints the folder that has it in its node_modules.
#
#   folder=$(tests/clients/node_environment.sh PACKAGE VERSION)
set -eu

package=$1 version=$2
name=$(echo "$package" | tr -d @ | tr / -)
folder=${CLIENTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ilastik-batch/clients}/node-$name-$version

if [ ! -e "$folder/installed" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-audit --no-fund --silent "$package@$version" >&2
    touch "$folder/installed" # what was interrupted has no such mark
fi
echo "$folder"
