"""`python -m local_cloud.autoscale`: the simulator."""

import sys

from local_cloud.autoscale.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
