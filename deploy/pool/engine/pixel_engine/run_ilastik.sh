#!/bin/sh
# ilastik's command line, by this package. Works from any directory and through symbolic links.
# Its Python, with h5py, numpy and tifffile, is PIXEL_ENGINE_PYTHON or, on a node, the one that tasks run in.
here=$(dirname "$(readlink -f "$0")")
# The linear algebra of NumPy is not used: its threads would only cost memory.
export OPENBLAS_NUM_THREADS=1
export PYTHONPATH="$here/.."
# -P: modules in the folder where it is started are none of its business.
exec "${PIXEL_ENGINE_PYTHON:-$here/../../python/bin/python}" -P -m pixel_engine "$@"
