"""Operations that the local service does not do: each answers as Batch would without the thing asked for."""

from local_cloud.batch.rest.calls import Call, Reply, empty_listing
from local_cloud.batch.rest.fields import Support
from local_cloud.batch.rest.operations import (
    EXPAND,
    FILTERED,
    FORCE,
    LIST,
    NODE,
    NOTHING,
    SELECT,
    Handler,
    Operation,
    Routes,
)
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.errors import ServiceError

ROUTES = Routes()


def _check_parts(service: BatchService, call: Call) -> None:
    """Refuse a request for a node or a job that is not there."""
    if "nodeId" in call.parts:
        service.account.node(call.parts["poolId"], call.parts["nodeId"])
    if "jobId" in call.parts:
        service.account.job(call.parts["jobId"])


def _refusal(code: str, message: str | None = None) -> Handler:
    def refuse(service: BatchService, call: Call) -> Reply:
        _check_parts(service, call)
        raise ServiceError(code, message)

    return refuse


def _nothing(kind: str) -> Handler:
    def answer(service: BatchService, call: Call) -> Reply:
        _check_parts(service, call)
        return empty_listing(call, kind)

    return answer


_SCHEDULE = "/jobschedules/{jobScheduleId}"
_NO_MACHINE = _refusal(
    "OperationNotValidOnNode", "A node is a folder of this machine: the local Batch service does not do this."
)
_NO_SCHEDULE = _refusal("JobScheduleNotFound")
_NO_SCHEDULES = _refusal("OperationInvalidForCurrentState", "The local Batch service does not do job schedules.")
_NO_EXTENSION = _refusal("ResourceNotFound", "The node has no VM extension.")

ROUTES.add("GET", "/applications", LIST)(_nothing("applications"))
ROUTES.add("GET", "/applications/{applicationId}")(_refusal("ApplicationNotFound"))
_UNDONE: tuple[tuple[str, str, Handler, frozenset[str]], ...] = (
    ("POST", NODE + "/start", _NO_MACHINE, NOTHING),
    ("POST", NODE + "/reimage", _NO_MACHINE, NOTHING),
    ("POST", NODE + "/deallocate", _NO_MACHINE, NOTHING),
    ("GET", NODE + "/extensions", _nothing("nodevmextensions"), LIST | SELECT),
    ("GET", NODE + "/extensions/{extensionName}", _NO_EXTENSION, SELECT),
    ("GET", "/jobschedules", _nothing("jobschedules"), FILTERED | EXPAND),
    ("POST", "/jobschedules", _NO_SCHEDULES, NOTHING),
    ("GET", _SCHEDULE, _NO_SCHEDULE, EXPAND),
    ("HEAD", _SCHEDULE, _NO_SCHEDULE, NOTHING),
    ("PATCH", _SCHEDULE, _NO_SCHEDULE, NOTHING),
    ("PUT", _SCHEDULE, _NO_SCHEDULE, NOTHING),
    ("DELETE", _SCHEDULE, _NO_SCHEDULE, FORCE),
    ("POST", _SCHEDULE + "/disable", _NO_SCHEDULE, NOTHING),
    ("POST", _SCHEDULE + "/enable", _NO_SCHEDULE, NOTHING),
    ("POST", _SCHEDULE + "/terminate", _NO_SCHEDULE, FORCE),
    ("GET", _SCHEDULE + "/jobs", _NO_SCHEDULE, FILTERED | EXPAND),
)
_REASONS = {  # by what a path has in it
    "jobschedules": "nothing starts jobs by the clock",
    "extensions": "a node is a folder, which has no VM extensions",
    "nodeId": "a node is a folder of this machine, which has no machine of its own",
    "": "the local service does not do it",
}
OPERATIONS = (
    *ROUTES,
    *(
        Operation(method, path, answer, query, support=Support.REFUSED, reason=reason)
        for method, path, answer, query in _UNDONE
        for reason in [next(reason for part, reason in _REASONS.items() if part in path)]
    ),
)
