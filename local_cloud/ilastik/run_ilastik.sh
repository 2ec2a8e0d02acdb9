#!/bin/sh
# ilastik's entry point, by ilastik's stand-in. Works from any directory and through symbolic links.
# The linear algebra of NumPy is not used: its threads would only cost memory.
export OPENBLAS_NUM_THREADS=1
here=$(dirname "$(readlink -f "$0")")
# -P: modules in the folder where it is started are none of its business.
exec "$here/bin/python" -P -m local_cloud.ilastik "$@"
