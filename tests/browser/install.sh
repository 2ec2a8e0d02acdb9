#!/bin/sh
# Installs what drives the browser, by package-lock.json and apart from this project, and prints the folder that has it.
# The browser itself is the system's Chromium (Debian: chromium), or the one that CHROMIUM names.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../clients/locked_npm.sh" browser "$here"
