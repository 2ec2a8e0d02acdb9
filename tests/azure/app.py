"""The function app: its publishing address, and what it does with a file; and the server with ilastik's archive."""

import json
from dataclasses import dataclass, field

from tests.azure.entra import claims
from tests.azure.front import Answer, Request
from tests.azure.world import Document, World

FUNCTIONS = ("blob_created", "collect", "page", "reconcile")


@dataclass
class Publishing:
    """Kudu at APP.scm.azurewebsites.net: https://github.com/projectkudu/kudu/wiki/REST-API, and for Flex Consumption
    the calls of the CLI itself (`appservice/custom.py`: enable_zip_deploy_flex, _check_zip_deployment_status_flex).

    `fresh`: statuses that a fresh app answers first. `states`: what a deployment is in, question by question.
    """

    world: World
    audience: str = "https://appservice.azure.com"
    fresh: list[int] = field(default_factory=lambda: [503, 404])
    states: list[int] = field(default_factory=lambda: [1, 4])
    packages: list[bytes] = field(default_factory=list)
    _asked: int = 0

    def site(self, host: str) -> Document | None:
        found = self.world.of_type("Microsoft.Web/sites")
        return next((site for site in found if host == f"{site['name']}.scm.azurewebsites.net"), None)

    def answer(self, request: Request) -> Answer:
        site = self.site(request.host)
        assert site
        if claims(request).get("aud", "").rstrip("/") != self.audience:
            return Answer(401, b"")
        if self.fresh:
            return Answer(self.fresh.pop(0), b"")
        if (request.method, request.path) == ("POST", "/api/publish"):
            assert request.query["RemoteBuild"] == "false", request.target
            self.packages.append(request.body)
            self._asked = 0
            return Answer(202, json.dumps(self._id()).encode())
        if request.path == f"/api/deployments/{self._id()}":
            state = self.states[min(self._asked, len(self.states) - 1)]
            self._asked += 1
            if state == 4:
                self.start(site)
            return Answer(200, {"id": self._id(), "status": state, "complete": state == 4})
        return Answer(404, b"")

    def _id(self) -> str:
        return f"6c9dff6f-0000-4000-8000-{len(self.packages):012}"

    def start(self, site: Document) -> None:
        """The app has taken up its code."""
        for name in FUNCTIONS:
            number = f"{site['id']}/functions/{name}"
            kind = "Microsoft.Web/sites/functions"
            properties = {"name": name, "config": {}, "isDisabled": False}
            self.world.put({"id": number, "type": kind, "name": f"{site['name']}/{name}", "properties": properties})


@dataclass
class Download:
    """files.ilastik.org: one archive of one version."""

    archive: bytes = b"an archive of ilastik " * 50

    def answer(self, request: Request) -> Answer:
        assert request.method == "GET", request
        return Answer(200, self.archive, {"Content-Type": "application/x-bzip2"})
