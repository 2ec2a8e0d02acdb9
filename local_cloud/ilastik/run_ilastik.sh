#!/bin/sh
# ilastik's entry point, by ilastik's stand-in. Works from any directory and through symbolic links.
here=$(dirname "$(readlink -f "$0")")
exec "$here/bin/python" -m local_cloud.ilastik "$@"
