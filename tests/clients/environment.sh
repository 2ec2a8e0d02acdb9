#!/bin/sh
# Makes an environment for a client of Azure Batch, apart from this project's, and prints its python.
#
#   python=$(tests/clients/environment.sh NAME PYTHON_VERSION PACKAGE... [--no-deps PACKAGE...])
#
# PYTHON_VERSION is `3.13` or several in the order of preference, `3.9,3.10`. What was made is found again, below
# $CLIENTS_CACHE, and made anew when the packages are others.
set -eu

name=$1 versions=$2
shift 2
folder=${CLIENTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ilastik-batch/clients}/$name
wanted="$versions $*"

python_of() {
    command="python$1"
    if "$command" -c "" 2> /dev/null; then
        command -v "$command"
    elif command -v pyenv > /dev/null; then
        # A shim stands in the PATH even where pyenv has chosen another version.
        found=$(pyenv versions --bare 2> /dev/null | grep -E "^$(echo "$1" | sed 's/\./\\./')\.[0-9]+$" | tail -n 1)
        [ -n "$found" ] && echo "$(pyenv root)/versions/$found/bin/python"
    elif command -v uv > /dev/null; then
        uv python find --no-python-downloads "$1" 2> /dev/null
    fi
}

install() {
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2
}

if [ "$(cat "$folder/made-of" 2> /dev/null)" != "$wanted" ]; then
    for version in $(echo "$versions" | tr , ' '); do
        python=$(python_of "$version") && [ -n "$python" ] && break
        python=
    done
    if [ -z "$python" ]; then
        echo "No Python $versions was found, as a command or in pyenv or uv: $name needs one." >&2
        exit 1
    fi
    rm -rf "$folder"
    mkdir -p "$folder"
    "$python" -m venv "$folder" >&2
    case " $* " in *" --no-deps "*) alone=${wanted##* --no-deps } ;; *) alone= ;; esac
    whole=${wanted%% --no-deps *}
    # Neither names nor versions of packages have spaces.
    # shellcheck disable=SC2086
    install ${whole#* }
    # shellcheck disable=SC2086
    [ -z "$alone" ] || install --no-deps $alone
    echo "$wanted" > "$folder/made-of" # what was interrupted has no such mark
fi
echo "$folder/bin/python"
