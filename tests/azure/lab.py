"""Somebody with a clone of the repository, the real Azure CLI, the real curl, and a subscription of the stand-in."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azure.data.tables import TableClient

from local_cloud.azurite.server import Azurite
from tests.azure import arm, batch, entra, identity, prices, questions, storage, subscriptions, warm_cli  # noqa: F401 - some have routes
from tests.azure.app import Download, Publishing
from tests.azure.arm import ResourceManager
from tests.azure.authority import Authority
from tests.azure.batch import Batch
from tests.azure.entra import Entra
from tests.azure.front import Dropped, Front, Refusal, Refused, Request
from tests.azure.graph import HOST as GRAPH
from tests.azure.graph import Graph
from tests.azure.prices import Prices
from tests.azure.storage import Storage
from tests.azure.world import World

# Each call has a folder with its words, what it printed and how it ended; the proxy's user name says which call asks.
_WRAPPER = r"""#!/bin/bash
exec 9>>{calls}/lock
flock 9
number=$(($(cat {calls}/number) + 1))
printf '%s' "$number" >{calls}/number
exec 9>&-
folder={calls}/$(printf '%04d' "$number")-{name}
mkdir "$folder"
printf '%s\0' "$@" >"$folder/words"
export HTTPS_PROXY=http://$number:x@127.0.0.1:{port} https_proxy=http://$number:x@127.0.0.1:{port}
{program} "$@" >"$folder/out" 2>"$folder/err"
code=$?
printf '%s' "$code" >"$folder/code"
{then}
cat "$folder/out"
cat "$folder/err" >&2
exit "$code"
"""

# What a query was put to: the same question once more without one. For questions only. Of curl: what came, if JSON.
_DOCUMENT = r"""
if [[ {name} == az && $code == 0 && " $* " == *" --query "* ]]; then
  words=() before=
  for word in "$@"; do
    [[ $before == --query || $word == --query ]] || words+=("${word/#tsv/json}")
    before=$word
  done
  {program} "${words[@]}" >"$folder/document" 2>/dev/null
fi
if [[ {name} == curl && $code == 0 && " $* " == *" --output "* ]]; then
  for word in "$@"; do
    [[ ${before:-} != --output || $(head -c 1 "$word") != [{\"] ]] || cp "$word" "$folder/document"
    before=$word
  done
fi"""

# What a service says that can't answer now. Of Azure Resource Manager:
# https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling.
_SAID = {
    429: ("SubscriptionRequestsThrottled", "Number of requests for subscription exceeded the limit for this interval."),
    500: ("InternalServerError", "The server encountered an internal error."),
    503: ("ServiceUnavailable", "The service is unavailable."),
}


@dataclass(frozen=True)
class Call:
    """One call of a program."""

    number: int
    program: str
    words: tuple[str, ...]
    out: str
    err: str
    code: int
    document: Any = None

    @property
    def command(self) -> str:
        """The words of the CLI before its options."""
        first = next((n for n, word in enumerate(self.words) if word.startswith("-")), len(self.words))
        return " ".join(self.words[:first])


@dataclass
class Lab:
    """`fail`: number of a call -> the status that each of its requests gets, and those of calls with the same words
    after it; 0 drops the connection. `after_effect`: they are served, and only the answer is lost. `at_first`: what
    every request gets the first time that it is made. `says`: what Azure Resource Manager answers to everything.
    `documents`: whether calls are kept with what their queries were
    put to."""

    folder: Path
    clone: Path
    azure_cli: Path
    azurite: Azurite
    world: World = field(default_factory=World)
    fail: dict[int, int] = field(default_factory=dict)
    after_effect: bool = False
    at_first: int | None = None
    says: Refused | None = None
    end_of_files: str = "SUCCEEDED"
    documents: bool = False

    def __post_init__(self) -> None:
        self.calls_folder = self.folder / "calls"
        self.bin = self.folder / "bin"
        for made in (self.calls_folder, self.bin, self.folder / "authority"):
            made.mkdir(parents=True)
        (self.calls_folder / "number").write_text("0")
        self.entra = Entra()
        self.arm = ResourceManager(self.world)
        self.publishing = Publishing(self.world)
        self.download = Download()
        self.prices = Prices()
        self.batch = Batch(self.world, lambda: self.arm.page)
        self.storage = Storage(self.world, self.azurite.endpoints, self._uploaded, self._sent)
        self.front = Front(
            Authority(self.folder / "authority"), disturb=self._disturb, lose=self._lose, knows=self._knows
        )
        self._apps: list[subprocess.Popen[bytes]] = []
        self._made_before: set[tuple[str, ...]] = set()
        self.front.sites = {
            entra.HOST: self.entra.answer,
            arm.HOST: self.arm.answer,
            GRAPH: Graph(self.world).answer,
            **{f"{service}.core.windows.net": self.storage.answer for service in ("blob", "queue", "table")},
            "scm.azurewebsites.net": self.publishing.answer,
            batch.HOST: self.batch.answer,
            identity.HOST: identity.Identities(self.world).answer,
            "files.ilastik.org": self.download.answer,
            prices.HOST: self.prices.answer,
        }

    @contextlib.contextmanager
    def running(self) -> Iterator["Lab"]:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.front.running())
            azure_cli = self.azure_cli
            if os.environ.get("AZURE_CLI_WARM"):
                azure_cli = stack.enter_context(warm_cli.running(azure_cli, self.folder, self.environment))
            for name, program in (("az", azure_cli), ("curl", Path(shutil.which("curl") or "curl"))):
                path = self.bin / name
                values = {"calls": self.calls_folder, "name": name, "port": self.front.port, "program": program}
                then = _DOCUMENT.replace("{name}", name).replace("{program}", str(program)) if self.documents else ""
                path.write_text(_WRAPPER.format(**values, then=then))
                path.chmod(0o755)
            stack.callback(self._end_apps)
            yield self

    @property
    def environment(self) -> dict[str, str]:
        """What a shell of this person has."""
        trusted = str(self.front.authority.certificate)
        return {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "AZURE_CONFIG_DIR": str(self.folder / "azure"),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
            "AZURE_BICEP_USE_BINARY_FROM_PATH": "true",
            "AZURE_BICEP_CHECK_VERSION": "false",
            # One that finds nothing of the tests' own libraries.
            "PYTHON": sys.executable,
            "ILASTIK_BATCH_PAUSE": "0",
            "ILASTIK_BATCH_TRIES": "8",
            # For what asks by itself, such as the doctor; calls of the programs have names of their own.
            **self._way(),
            **dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), trusted),
        }

    def _way(self) -> dict[str, str]:
        return dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://0:x@127.0.0.1:{self.front.port}")

    def run(self, *words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program in the clone; a fault of the stand-in itself is one of the test."""
        done = subprocess.run(
            words, capture_output=True, text=True, input=stdin, timeout=900, cwd=self.clone, env=self.environment
        )
        assert not self.front.faults, "\n".join([*self.front.faults, done.stdout, done.stderr])
        return done

    def take_over(self, other: "Lab") -> None:
        """Have the subscription that another one left."""
        self.world.take_over(other.world)
        self.storage.take_over(other.storage, self.data_account())
        self.publishing.packages = list(other.publishing.packages)
        self.publishing.fresh = []
        shutil.copytree(other.folder / ".cache", self.folder / ".cache")

    def data_account(self) -> str:
        """The name of the account with the images."""
        accounts = self.world.of_type("Microsoft.Storage/storageAccounts")
        return next(str(a["name"]) for a in accounts if a["tags"].get("ilastik-batch-part") == "data")

    def deploy(self, *options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run deploy.sh for the group `lab`."""
        return self.run("bash", self.clone / "deploy/deploy.sh", "--resource-group", "lab", *options, stdin=stdin)

    def login(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Log in as a person by a code on another device, or as these words say."""
        return self.run("az", "login", *(words or ("--use-device-code", "--tenant", entra.TENANT)))

    def calls(self) -> list[Call]:
        """Every call of a program so far."""
        found = []
        for folder in sorted(path for path in self.calls_folder.iterdir() if path.is_dir()):
            number, _, program = folder.name.partition("-")
            words = (folder / "words").read_text(errors="surrogateescape").split("\0")[:-1]
            out, err = ((folder / name).read_text(errors="replace") for name in ("out", "err"))
            code = int((folder / "code").read_text()) if (folder / "code").exists() else -1
            asked = (folder / "document").read_text() if (folder / "document").exists() else ""
            found.append(Call(int(number), program, tuple(words), out, err, code, json.loads(asked or "null")))
        return found

    def _knows(self, host: str) -> bool:
        if host.endswith(".core.windows.net"):
            return self.storage.account(host) is not None
        if host.endswith(".scm.azurewebsites.net"):
            return self.publishing.site(host) is not None
        return True

    def _disturb(self, request: Request) -> None:
        if self.says and request.host == arm.HOST:
            raise self.says
        if not self.after_effect:
            self._fail(request, self._fault(request))
        known = (request.method, request.host, request.target, request.body.decode(errors="replace"))
        if self.at_first is not None and known not in self._made_before:
            self._made_before.add(known)
            self._fail(request, self.at_first)

    def _lose(self, request: Request) -> None:
        if self.after_effect:
            self._fail(request, self._fault(request))

    def _fault(self, request: Request) -> int | None:
        words = self._words(int(request.caller or 0))
        return next((status for number, status in self.fail.items() if words and words == self._words(number)), None)

    def _words(self, number: int) -> str:
        found = next(self.calls_folder.glob(f"{number:04}-*"), None)
        return (found / "words").read_text(errors="surrogateescape") if found else ""

    def _fail(self, request: Request, status: int | None) -> None:
        """End the connection (0), or have the service say with such a status that it can't answer now."""
        if status == 0:
            raise Dropped
        if status is None:
            return
        if request.host == entra.HOST:
            raise Refused(entra.unable(status))
        if request.host.endswith(".core.windows.net"):
            raise Refused(storage.unable(status))
        code, text = _SAID[status]
        raise Refusal(status, code, text, {"Retry-After": "0"})

    def _sent(self, queue: str, text: bytes) -> None:
        """The app: what comes into the queue of events is handled by its own code, with its own identity."""
        if queue != "blob-created" or not self.publishing.packages:
            return
        (site,) = self.world.of_type("Microsoft.Web/sites")
        settings = self.world.get(f"{site['id']}/config/appsettings")["properties"]
        own = {"IDENTITY_ENDPOINT": identity.ENDPOINT, "IDENTITY_HEADER": identity.SECRET}
        own |= {"SSL_CERT_FILE": str(self.front.authority.certificate), "PATH": os.environ["PATH"], **self._way()}
        command = [sys.executable, "-m", identity.__name__]
        folder = Path(__file__).parents[2]
        app = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=folder, env={**settings, **own})
        self._apps.append(app)
        assert app.stdin
        with app.stdin:
            app.stdin.write(text)

    def _end_apps(self) -> None:
        for app in self._apps:
            app.kill()
            app.wait()

    def _uploaded(self, container: str, name: str) -> None:
        """The app: a file in `input` gets its row, and its result if it ends well."""
        if container != "input" or not self.publishing.packages:
            return
        account = self.data_account()
        row = {
            "PartitionKey": name.partition("/")[0],
            "RowKey": name.replace("/", ":"),
            "name": name,
            "is_file": True,
            "state": self.end_of_files,
            "reason": "",
        }
        table = self.storage.name(account, "table", "files")
        with TableClient.from_connection_string(self.azurite.connection_string, table) as client:
            with contextlib.suppress(Exception):
                client.create_table()
            client.upsert_entity(row)
        if self.end_of_files == "SUCCEEDED":
            self.storage.store(account, "results", f"{name}/tiny.tiff", b"II*")


def log_of(lab: Lab) -> str:
    """Every request, a line each, for whoever looks into a test that failed."""
    return "\n".join(
        f"{request.caller:>4} {status} {request.method} {request.host}{urlsplit(request.target).path} "
        f"{json.dumps(request.query) if request.query else ''}"
        for request, status in lab.front.log
    )
