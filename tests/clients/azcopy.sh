#!/bin/sh
# Installs the AzCopy of azcopy/package-lock.json, apart from this project, and prints the folder that has `azcopy` in it.
# Needs Linux on x86-64, npm, and the system's library libsecret-1 (Debian: libsecret-1-0).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
digest=$(cat "$here/azcopy/package-lock.json" | sha256sum | cut -c 1-12)
folder=${CLIENTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ilastik-batch/clients}/azcopy-$digest

if [ ! -e "$folder/azcopy" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$here/azcopy/package.json" "$here/azcopy/package-lock.json" "$folder"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent >&2
    program=$folder/node_modules/@azure-tools/azcopy-linux/dist/bin/azcopy_linux_amd64
    chmod +x "$program"
    ln -s "$program" "$folder/azcopy" # last: what was interrupted lacks it
fi
"$folder/azcopy" --version >&2
echo "$folder"
