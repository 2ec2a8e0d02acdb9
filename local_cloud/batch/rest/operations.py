"""How an operation of the REST API is declared: beside its handler, with the parameters and the body that it takes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from local_cloud.batch.rest.calls import Call, Reply
from local_cloud.batch.rest.fields import Record, Support
from local_cloud.batch.service import BatchService

type Handler = Callable[[BatchService, Call], Reply | Awaitable[Reply]]

POOL = "/pools/{poolId}"
NODE = POOL + "/nodes/{nodeId}"
JOB = "/jobs/{jobId}"
TASK = JOB + "/tasks/{taskId}"
NOTHING: frozenset[str] = frozenset()
LIST = frozenset({"maxresults", "$skiptoken"})
FILTERED = LIST | {"$filter"}
SELECT = frozenset({"$select"})
EXPAND = frozenset({"$select", "$expand"})
FORCE = frozenset({"force"})
RECURSIVE = frozenset({"recursive"})


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; `query` are the parameters it takes beside `api-version` and `timeout`.

    One that is gone from the API is answered to api-versions `before` that date only.
    """

    method: str
    path: str
    handler: Handler
    query: frozenset[str] = NOTHING
    body: Record | None = None
    optional: bool = False  # whether the body may be absent
    support: Support = Support.DONE
    before: str | None = None
    reason: str = ""  # why it is refused

    @property
    def published_path(self) -> str:
        """The path as the API's documents write it."""
        return self.path.replace(":path}", "}")


class Routes(list[Operation]):
    """The operations of a module."""

    def add[H: Handler](
        self,
        method: str,
        path: str,
        query: frozenset[str] = NOTHING,
        body: Record | None = None,
        *,
        optional: bool = False,
        before: str | None = None,
    ) -> Callable[[H], H]:
        """Declare that the function below answers this operation."""

        def declare(handler: H) -> H:
            self.append(Operation(method, path, handler, query, body, optional, before=before))
            return handler

        return declare
