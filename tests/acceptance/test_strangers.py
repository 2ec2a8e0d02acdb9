"""What another user of the machine, or a page in a browser, can do to a cloud: nothing."""

import http.client
import json
import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

# Tried as somebody else: prints what could be read or was answered with anything but a refusal.
STRANGER = """
import encodings.idna, http.client, json, os, sys, urllib.error, urllib.request  # before it is somebody else
from pathlib import Path

given = json.load(sys.stdin)
os.setgroups([]), os.setgid(65534), os.setuid(65534)
for path in given["paths"]:
    try:
        Path(path).read_bytes() if not path.endswith("/") else os.listdir(path)
        print("could read", path)
    except PermissionError:
        pass
for method, url, headers, body in given["requests"]:
    try:
        request = urllib.request.Request(url, body.encode() if body else None, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            print("was answered", method, url, answer.status)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        if refusal.code not in (400, 401, 403):
            print("was answered", method, url, refusal.code)
"""


def requests_of(lab, headers):
    """Requests that would read data, run a command or start a function: (method, URL, headers, body)."""
    exports, json_type = lab.exports, {"Content-Type": "text/plain"}
    storage = dict(part.split("=", 1) for part in exports["AZURE_STORAGE_CONNECTION_STRING"].strip(";").split(";"))
    batch, functions = exports["AZURE_BATCH_ENDPOINT"], exports["FUNCTIONS_URL"]
    version = "api-version=2024-07-01.20.0"
    asked = [
        ("GET", f"{storage['BlobEndpoint']}?comp=list", None),
        ("GET", f"{storage['TableEndpoint']}/Tables", None),
        ("PUT", f"{storage['BlobEndpoint']}/input/default/x.h5", "x"),
        ("POST", f"{storage['QueueEndpoint']}/blob-created/messages", "<QueueMessage/>"),
        ("GET", f"{batch}/jobs?{version}", None),
        ("POST", f"{batch}/jobs?{version}", json.dumps({"id": "x", "poolInfo": {"poolId": "ilastik"}})),
        ("POST", f"{batch}/_local/token", "{}"),
        ("POST", f"{batch}/_local/identities", json.dumps({"resourceId": "x"})),
        ("POST", f"{batch}/_local/faults", json.dumps({"kind": "drop"})),
        ("GET", f"{batch}/_local/calls", None),
        ("GET", f"{functions}/admin/functions", None),
        ("POST", f"{functions}/admin/functions/reconcile", "{}"),
    ]
    return [(method, url, json_type | headers, body) for method, url, body in asked]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_another_user_of_the_machine(lab):
    """It reads no file and no environment of the cloud, and is refused by every server."""
    root = lab.folder.root
    pids = [lab.process(module).pid for module in ("local_cloud.functions", "local_cloud.batch")]
    paths = [f"{root}/", *(str(root / name) for name in ("env", "cloud.json", "local.settings.json", "logs/batch.log"))]
    paths += [f"/proc/{pid}/environ" for pid in pids]
    given = {"paths": paths, "requests": requests_of(lab, {})}
    done = subprocess.run(
        # The interpreter of the system: ours may lie where only its owner may look.
        ["/usr/bin/env", "-i", sys.executable, "-I", "-c", STRANGER],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_another_machine(lab):
    """Every server listens at 127.0.0.1, and at none of the machine's other addresses."""
    for _, url, _, _ in requests_of(lab, {}):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", urlsplit(url).port), timeout=10)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}])
def test_a_page_in_a_browser(lab, headers):
    """Even with every key in its hands a foreign page is refused, by its Origin or the name that it asked for."""
    keys = {
        "x-local-key": lab.exports["AZURE_BATCH_ACCESS_KEY"],
        "x-functions-key": lab.exports["FUNCTIONS_KEY"],
    }
    for method, url, sent, body in requests_of(lab, keys | headers):
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        connection.request(method, f"{parts.path}?{parts.query}", body, sent)
        assert connection.getresponse().status == 403, url
        connection.close()
