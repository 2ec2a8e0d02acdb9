"""What can go wrong, as the caller of the REST API sees it.

::

    LocalBatchError
    ├── ServiceError        answered to the caller: a code of the Batch service, its status, a sentence
    └── ConfigurationError  the service can't be started like this
"""

from collections.abc import Mapping
from typing import Any

# Code -> (HTTP status, the sentence used when the raiser gives none).
CODES: Mapping[str, tuple[int, str]] = {
    "AuthenticationFailed": (403, "The request could not be authenticated: check the Authorization header."),
    "ConditionNotMet": (412, "A condition of the request's HTTP headers is not met."),
    "FileNotFound": (404, "The named file does not exist."),
    "InternalError": (500, "The service met an error of its own."),
    "InvalidAutoScalingSettings": (400, "The autoscale settings are not valid."),
    "AutoScalingFormulaSyntaxError": (400, "The autoscale formula has a syntax error."),
    "AutoScalingFormulaTooLong": (400, "The autoscale formula is too long."),
    "InvalidHeaderValue": (400, "A header of the request has a value that is not valid."),
    "InvalidInput": (400, "An input of the request is not valid."),
    "InvalidPropertyValue": (400, "A property of the request's body has a value that is not valid."),
    "InvalidQueryParameterValue": (400, "A query parameter of the request has a value that is not valid."),
    "InvalidRange": (416, "The requested range is not valid for this file."),
    "InvalidRequestBody": (400, "The body of the request can't be understood."),
    "InvalidUri": (400, "The requested address names no resource of the Batch service."),
    "JobBeingDeleted": (409, "The job is being deleted."),
    "JobBeingTerminated": (409, "The job is being terminated."),
    "JobCompleted": (409, "The job is already completed."),
    "JobDisabled": (409, "The job is disabled."),
    "JobExists": (409, "A job with this id exists already."),
    "JobNotActive": (409, "The job is not active."),
    "JobNotFound": (404, "The named job does not exist."),
    "JobScheduleNotFound": (404, "The named job schedule does not exist."),
    "MetadataTooLarge": (400, "The metadata is larger than permitted."),
    "MissingRequiredProperty": (400, "A required property is missing from the request's body."),
    "MissingRequiredQueryParameter": (400, "A required query parameter is missing."),
    "MultipleConditionHeadersNotSupported": (400, "These condition headers can't be sent together."),
    "NodeAlreadyInTargetSchedulingState": (409, "The node is already in the wanted scheduling state."),
    "NodeBeingRebooted": (409, "The node is being rebooted."),
    "NodeBeingStarted": (409, "The node is being started."),
    "NodeNotFound": (404, "The named node does not exist."),
    "NodeStateUnusable": (409, "The node is unusable."),
    "NodeUserNotFound": (404, "The named user does not exist on the node."),
    "OperationInvalidForCurrentState": (409, "The resource's state does not permit this operation."),
    "OperationNotValidOnNode": (409, "The operation is not valid on this node."),
    "OperationNotValidOnPool": (409, "The operation is not valid on this pool."),
    "OutOfRangeQueryParameterValue": (400, "A query parameter is out of its range."),
    "PoolBeingDeleted": (409, "The pool is being deleted."),
    "PoolBeingResized": (409, "The pool is being resized."),
    "PoolExists": (409, "A pool with this id exists already."),
    "PoolNotFound": (404, "The named pool does not exist."),
    "RequestBodyTooLarge": (413, "The body of the request is larger than permitted."),
    "ResourceNotFound": (404, "The named resource does not exist."),
    "ApplicationNotFound": (404, "The named application does not exist."),
    "ServerBusy": (503, "The server is busy: try again after a while."),
    "TaskCompleted": (409, "The task is already completed."),
    "TaskExists": (409, "A task with this id exists already."),
    "TaskFilesCleanedup": (409, "The task's files were cleaned up."),
    "TaskFilesUnavailable": (409, "The task's files are not available."),
    "TaskNotCompleted": (409, "The task is not completed."),
    "TaskNotFound": (404, "The named task does not exist."),
    "TaskSucceeded": (409, "The task has completed with success."),
    "TooManyEnableAutoScaleRequests": (503, "Autoscale was enabled less than 30 seconds ago."),
    "TooManyRequests": (429, "Too many requests: try again after a while."),
    "UnsupportedHttpVerb": (405, "The resource does not support this HTTP verb."),
    "UnsupportedProperty": (400, "A property of the request's body is not supported."),
    "UnsupportedQueryParameter": (400, "A query parameter is not supported here."),
    "UnsupportedRequestVersion": (400, "This api-version is not supported."),
}


class LocalBatchError(Exception):
    """Something the local Batch service has to tell."""


class ConfigurationError(LocalBatchError):
    """The service can't be started with these settings."""


class ServiceError(LocalBatchError):
    """An answer that is an error.

    `code` is one of Batch's own; `message` a sentence; `details` go into the answer's `values`.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        **details: object,
    ) -> None:
        self.code = code
        self.status = status or CODES[code][0]
        self.message = message or CODES[code][1]
        self.headers = dict(headers or {})
        self.details = details
        super().__init__(f"{code}: {self.message}")

    def body(self, request_id: str, time: str) -> dict[str, Any]:
        """Write the service's error envelope; there is no outer `error` object."""
        envelope: dict[str, Any] = {
            "odata.metadata": "#Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element",
            "code": self.code,
            "message": {"lang": "en-US", "value": f"{self.message}\nRequestId:{request_id}\nTime:{time}"},
        }
        if self.details:
            envelope["values"] = [{"key": key, "value": str(value)} for key, value in self.details.items()]
        return envelope


def bad_property(name: str, value: object, reason: str, code: str = "InvalidPropertyValue") -> ServiceError:
    """Make the error of a property that can't be taken, with its value and the reason."""
    shown = str(value)
    return ServiceError(
        code,
        f"The property '{name}' can't be taken: {reason}",
        PropertyName=name,
        PropertyValue=shown if len(shown) <= 200 else shown[:200] + "...",
        Reason=reason,
    )
