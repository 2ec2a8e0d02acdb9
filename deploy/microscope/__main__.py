"""Send the files of a microscope's folder to the container `input`, each when it is whole, and move what was sent.

    python -m microscope D:/finished https://DATA.blob.core.windows.net/input/nuclei/microscope-1

It runs until it is ended (Ctrl-C, or the service's end); --once ends when everything was tried. Ended or restarted at
any moment it loses nothing and sends nothing twice. Needs Python 3.9 and `pip install azure-storage-blob
azure-identity`. Who it is: the environment (AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_CLIENT_CERTIFICATE_PATH), a managed
identity, or a signature in UPLOAD_SAS.

Exit codes: 0 all was sent; 1 some files could not be sent (--once); 2 wrong usage; 130 ended by Ctrl-C.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from urllib.parse import unquote, urlsplit

from azure.identity import DefaultAzureCredential
from azure.storage.blob import ContainerClient

from .folders import NOTES, SUFFIXES, Watched
from .transfer import Transfer
from .uploader import Uploader, log


def arguments() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description="Send the files of a folder to a container, each when it is whole.")
    parser.add_argument("folder", type=Path, help="the folder into which finished files come; folders in it are kept")
    parser.add_argument("target", help="URL of the container, and the folder in it: https://.../input/PROJECT/...")
    parser.add_argument("--sent", type=Path, help="where files go that were sent (FOLDER-sent; the same disk)")
    parser.add_argument("--failed", type=Path, help="where files go that can't be sent (FOLDER-failed; the same disk)")
    parser.add_argument("--suffix", action="append", help=f"which files ({', '.join(SUFFIXES)}); may be repeated")
    help_ = "a file is whole when it was not changed for so long"
    parser.add_argument("--settle", type=float, default=30, metavar="SECONDS", help=f"{help_} (30)")
    parser.add_argument("--every", type=float, default=5, metavar="SECONDS", help="how often to look (5)")
    parser.add_argument("--once", action="store_true", help="end when every file was sent or has to wait")
    return parser


def connect(target: str) -> tuple[ContainerClient, str]:
    """Return the container of a URL, and the prefix of the names in it."""
    address = urlsplit(target)
    if address.query:
        raise _usage("Put the signature into the variable UPLOAD_SAS: everybody can read a command line.")
    # An emulator has the account's name first.
    steps = [step for step in unquote(address.path).split("/") if step]
    is_emulator = "." not in address.netloc or re.fullmatch(r"[0-9.]+(:[0-9]+)?", address.netloc)
    account = steps[:1] if is_emulator else []
    container, *folders = steps[len(account) :] or [""]
    if not container:
        raise _usage(f"{target} names no container.")
    signature = os.environ.get("UPLOAD_SAS", "").lstrip("?")
    credential = signature or DefaultAzureCredential()
    url = "/".join([f"{address.scheme}://{address.netloc}", *account])
    client = ContainerClient(url, container, credential=credential, retry_total=3)
    return client, "".join(f"{folder}/" for folder in folders)


def main() -> int:
    """Run the command."""
    args = arguments().parse_args()
    root = args.folder.resolve()
    if not root.is_dir():
        raise _usage(f"There is no folder {root}.")
    set_up_log(root)
    container, prefix = connect(args.target)
    sent, failed = (
        (given or root.with_name(f"{root.name}-{what}")).resolve()
        for given, what in ((args.sent, "sent"), (args.failed, "failed"))
    )
    for place in (sent, failed):
        if root in (place, *place.parents):
            raise _usage(f"{place} lies in {root}, where it would be sent again.")
    watched = Watched(root, tuple(suffix.lower() for suffix in args.suffix or SUFFIXES))
    uploader = Uploader(root, prefix, sent, failed, Transfer(container), watched)
    try:
        while True:
            settling, waiting = uploader.look(time.monotonic(), args.settle)
            if args.once and not settling:
                return 1 if waiting or uploader.failures else 0
            time.sleep(args.every)
    except KeyboardInterrupt:
        return 130


def _usage(text: str) -> SystemExit:
    print(text, file=sys.stderr)
    return SystemExit(2)


def set_up_log(root: Path) -> None:
    """Write to the screen and, where that can be written, to a file among the notes."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    logging.getLogger("azure").setLevel(logging.WARNING)
    try:
        (root / NOTES).mkdir(exist_ok=True)
        handler = RotatingFileHandler(root / NOTES / "upload.log", maxBytes=2**20, backupCount=3, encoding="utf-8")
    except OSError as exc:
        log.warning("No log is kept in %s (%s).", root, exc.strerror or exc)
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)


if __name__ == "__main__":
    sys.exit(main())
