#!/bin/sh
# Installs the npm packages of a lock file apart from this project, and prints the folder that has them in its
# node_modules.
#
#   folder=$(tests/clients/locked_npm.sh NAME FOLDER_OF_THE_LOCK)
set -eu

name=$1 lock=$2
digest=$(sha256sum <"$lock/package-lock.json" | cut -c 1-12)
folder=${CLIENTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ilastik-batch/clients}/$name-$digest

if [ ! -e "$folder/installed" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$lock/package.json" "$lock/package-lock.json" "$folder"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent >&2
    touch "$folder/installed" # what was interrupted lacks it
fi
echo "$folder"
