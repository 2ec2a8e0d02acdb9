#!/bin/bash
# Finds ilastik and the Python for tasks on this node, and hands over to run_task.py.
# Exit code 86: this node has no usable ilastik, or no such Python (contract.EXIT_NODE).
set -u
later=

not_this_node() {
    printf '%s\n' "$1" >&2
    exit 86
}

shared="${AZ_BATCH_NODE_SHARED_DIR:-}"
home="${ILASTIK_HOME:-}"
# A task of another tool needs no ilastik on its node: its profile says what it needs.
if [ -n "${ILASTIK_TASK_TOOL:-}" ]; then
    home="${home:-$shared/ilastik}"
elif [ -z "$home" ]; then
    [ -n "$shared" ] ||
        not_this_node "Neither ILASTIK_HOME nor AZ_BATCH_NODE_SHARED_DIR is set, so ilastik can't be found."
    home="$shared/ilastik"
    # A node whose images the pixel engine computes gets ilastik when a task needs it, from the task script.
    if ! [ -d "$home" ] && [ -f "$shared/later/install.sh" ]; then
        home="$shared/later/installed/ilastik"
        later=yes
    fi
fi
[ -n "${ILASTIK_TASK_TOOL:-}$later" ] || [ -d "$home" ] ||
    not_this_node "There is no ilastik in $home: the pool's start task has not unpacked it there."
[ -n "${ILASTIK_TASK_TOOL:-}$later" ] || [ -f "$home/run_ilastik.sh" ] ||
    not_this_node "There is no run_ilastik.sh in $home: the archive of ilastik is incomplete or another one."

python="$shared/python/bin/python"
# A run that was claimed for an older pool stays there: its nodes have only the Python that ships with ilastik.
[ -x "$python" ] || python="$home/bin/python"
[ -x "$python" ] ||
    not_this_node "There is no Python for tasks in $shared/python: the pool's start task has not installed it there."

export ILASTIK_HOME="$home"
# No settings and no packages of whoever the task runs as. UTF-8 whatever the node's locale is: names of images are
# Unicode.
exec "$python" -E -s -X utf8 -u "$(dirname "${BASH_SOURCE[0]}")/run_task.py"
