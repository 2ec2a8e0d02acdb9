#!/bin/sh
# Installs what drives the browser, by package-lock.json and apart from this project, and prints the folder that has it.
# The browser itself is the system's Chromium (Debian: chromium), or the one that CHROMIUM names.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
digest=$(cat "$here/package-lock.json" | sha256sum | cut -c 1-12)
folder=${CLIENTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ilastik-batch/clients}/browser-$digest

if [ ! -e "$folder/installed" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$here/package.json" "$here/package-lock.json" "$folder"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent >&2
    touch "$folder/installed" # what was interrupted lacks it
fi
echo "$folder"
