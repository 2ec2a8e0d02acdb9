#!/bin/sh
# ilastik's entry point on a machine without ilastik: hands over to the pixel engine, which computes ilastik's pixels.
here=$(dirname "$(readlink -f "$0")")
PIXEL_ENGINE_PYTHON="$here/bin/python" exec "$here/../../deploy/pool/engine/pixel_engine/run_ilastik.sh" "$@"
