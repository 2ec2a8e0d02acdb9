#!/bin/bash
# Finds ilastik on this node and hands over to run_task.py, run by the Python that ships with ilastik.
# Exit code 86: this node has no usable ilastik (contract.EXIT_NODE).
set -u

no_ilastik() {
    printf '%s\n' "$1" >&2
    exit 86
}

home="${ILASTIK_HOME:-}"
if [ -z "$home" ]; then
    [ -n "${AZ_BATCH_NODE_SHARED_DIR:-}" ] ||
        no_ilastik "Neither ILASTIK_HOME nor AZ_BATCH_NODE_SHARED_DIR is set, so ilastik can't be found."
    home="$AZ_BATCH_NODE_SHARED_DIR/ilastik"
fi
[ -d "$home" ] ||
    no_ilastik "There is no ilastik in $home: the pool's start task has not unpacked it there."
[ -f "$home/run_ilastik.sh" ] ||
    no_ilastik "There is no run_ilastik.sh in $home: the archive of ilastik is incomplete or another one."
[ -x "$home/bin/python" ] ||
    no_ilastik "There is no Python in $home/bin: the archive of ilastik is incomplete or another one."

# Settings of another Python must not reach the one that ships with ilastik.
unset PYTHONPATH PYTHONHOME
export ILASTIK_HOME="$home"
# UTF-8 whatever the node's locale is: names of images are Unicode.
exec "$home/bin/python" -X utf8 -u "$(dirname "${BASH_SOURCE[0]}")/run_task.py"
