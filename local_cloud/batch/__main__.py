"""`python -m local_cloud.batch`."""

import sys

from local_cloud.batch.cli import main

if __name__ == "__main__":
    sys.exit(main())
