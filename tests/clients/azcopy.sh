#!/bin/sh
# Installs the AzCopy of azcopy/package-lock.json, apart from this project, and prints the folder that has `azcopy` in it.
# Needs Linux on x86-64, npm, and the system's library libsecret-1 (Debian: libsecret-1-0).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$("$here/locked_npm.sh" azcopy "$here/azcopy")
program=$folder/node_modules/@azure-tools/azcopy-linux/dist/bin/azcopy_linux_amd64
chmod +x "$program"
ln -sf "$program" "$folder/azcopy"
"$folder/azcopy" --version >&2
echo "$folder"
