#!/bin/bash
# Installs CellProfiler 4.2 for the command line on a node into FOLDER: install.sh FOLDER. Can run again at any time.
#
# It needs Python 3.9, as PYTHON39 names it, or python3.9, or that of pyenv or uv. Debian 12, where it was tried, and
# Ubuntu 24.04, where it was not, have none in their packages: bring one along, such as uv's (uv python install 3.9).
# Packages by their digests (requirements.txt, built.txt); Java's from the distribution, as root.
#
# Leaves FOLDER/bin/cellprofiler, FOLDER/VERSION last. Exit codes: 90 wrong use, 98 a part can't be had, 99 it does not
# work here.
set -euo pipefail

fail() {
    printf '%s\n' "$2" >&2
    exit "$1"
}

[[ $# == 1 && $1 == /* ]] || fail 90 "Usage: install.sh FOLDER, an absolute path."
folder=$1
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
mkdir -p -- "$(dirname -- "$folder")"
# One at a time; what is there and was made in this way is left as it is.
exec 9>"$folder.lock"
flock --wait 1800 9 || fail 98 "Another installation of CellProfiler does not end."
recipe=$(cat -- "$here/requirements.txt" "$here/built.txt" "${BASH_SOURCE[0]}" | sha256sum)
if [[ -f $folder/VERSION && -f $folder/.recipe && $(<"$folder/.recipe") == "$recipe" ]]; then
    printf 'CellProfiler %s is there already\n' "$(<"$folder/VERSION")"
    exit 0
fi

packages=(openjdk-17-jdk-headless gcc libc6-dev)
missing=()
for package in "${packages[@]}"; do
    [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
if ((${#missing[@]})); then
    [[ $(id --user) == 0 ]] || fail 98 "These packages are not installed, and only root can install them: ${missing[*]}."
    export DEBIAN_FRONTEND=noninteractive
    apt_get=(timeout 600 apt-get --quiet --yes -o DPkg::Lock::Timeout=120)
    install=("${apt_get[@]}" install --no-install-recommends "${missing[@]}")
    "${install[@]}" || { "${apt_get[@]}" update && "${install[@]}"; } || fail 98 "apt could not install ${missing[*]}."
fi
JAVA_HOME=$(dirname -- "$(dirname -- "$(readlink -f -- "$(command -v javac)")")")
export JAVA_HOME

is_39() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 9))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in "${PYTHON39:-}" python3.9 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.9.*/bin/python; do
        if [[ -n $candidate ]] && is_39 "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    if command -v uv >/dev/null && candidate=$(uv python find --no-python-downloads 3.9 2>/dev/null); then
        printf '%s\n' "$candidate"
        return
    fi
    fail 98 "CellProfiler needs Python 3.9, and there is none here: name one by PYTHON39, or install it with uv or pyenv."
}

python=$(find_python) || exit 98
rm -rf -- "$folder"
"$python" -m venv "$folder" || fail 98 "'$python -m venv' failed; its own message is above."
pip=("$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes)
"${pip[@]}" --only-binary :all: --requirement "$here/requirements.txt" ||
    fail 98 "The packages of CellProfiler can't be had; pip's own message is above."
"${pip[@]}" --no-build-isolation --requirement "$here/built.txt" ||
    fail 98 "What CellProfiler needs of Java can't be compiled; pip's own message is above."
version=$(cd -- "$folder" && HOME=$folder timeout --kill-after 10 300 bin/cellprofiler --version) ||
    fail 99 "CellProfiler does not start on this node."
printf '%s\n' "$recipe" >"$folder/.recipe"
chmod -R a+rX -- "$folder"
printf '%s\n' "${version##* }" >"$folder/VERSION"
printf 'CellProfiler %s is installed in %s\n' "${version##* }" "$folder"
