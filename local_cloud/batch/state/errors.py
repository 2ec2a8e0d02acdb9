"""What can go wrong, as the caller of the REST API sees it.

::

    LocalBatchError
    ├── ServiceError        answered to the caller: a code of the Batch service, its status, a sentence
    └── ConfigurationError  the service can't be started like this
"""

from collections.abc import Mapping
from typing import Any

# Code -> (HTTP status, the service's own sentence for it).
CODES: Mapping[str, tuple[int, str]] = {
    "AuthenticationFailed": (
        403,
        "Server failed to authenticate the request. Make sure the value of Authorization header is "
        "formed correctly including the signature.",
    ),
    "ConditionNotMet": (412, "The condition specified using HTTP conditional header(s) is not met."),
    "FileNotFound": (404, "The specified file does not exist."),
    "InternalError": (500, "Server encountered an internal error. Please try again after some time."),
    "InvalidAutoScalingSettings": (400, "The specified auto-scaling settings are not valid."),
    "AutoScalingFormulaSyntaxError": (400, "The specified auto-scaling formula has a syntax error."),
    "AutoScalingFormulaTooLong": (400, "The specified auto-scaling formula exceeds lengths limit."),
    "InvalidHeaderValue": (400, "The value for one of the HTTP headers is not in the correct format."),
    "InvalidInput": (400, "One of the request inputs is not valid."),
    "InvalidPropertyValue": (400, "The value provided for one of the properties in the request body is invalid."),
    "InvalidQueryParameterValue": (
        400,
        "Value for one of the query parameters specified in the request URI is invalid.",
    ),
    "InvalidRange": (416, "The range specified is invalid for the current size of the resource."),
    "InvalidRequestBody": (400, "The specified Request Body is not syntactically valid."),
    "InvalidUri": (400, "The requested URI does not represent any resource on the server."),
    "JobBeingDeleted": (409, "The specified job has been marked for deletion and is being garbage collected."),
    "JobBeingTerminated": (409, "The specified job is being terminated."),
    "JobCompleted": (409, "The specified job is already in a completed state."),
    "JobDisabled": (409, "The specified job is disabled."),
    "JobExists": (409, "The specified job already exists."),
    "JobNotActive": (409, "The specified job is not in active state."),
    "JobNotFound": (404, "The specified job does not exist."),
    "JobPreparationTaskNotSpecified": (409, "The specified job does not have job preparation task."),
    "JobScheduleNotFound": (404, "The specified job schedule does not exist."),
    "MetadataTooLarge": (400, "The size of the specified metadata exceeds the maximum size permitted."),
    "MissingRequiredProperty": (400, "A required property was not specified in the request body."),
    "MissingRequiredQueryParameter": (400, "A query parameter that's mandatory for this request is not specified."),
    "MultipleConditionHeadersNotSupported": (400, "Multiple condition headers are not supported."),
    "NodeAlreadyInTargetSchedulingState": (409, "The specified node is already in the target scheduling state."),
    "NodeBeingCreated": (409, "The specified node is being created."),
    "NodeBeingRebooted": (409, "The specified node is being rebooted."),
    "NodeBeingStarted": (409, "The specified node is being started."),
    "NodeNotFound": (404, "The specified node does not exist."),
    "NodeStateUnusable": (409, "The state of the specified node is unusable."),
    "NodeUserNotFound": (404, "The specified node user does not exist."),
    "OperationInvalidForCurrentState": (
        409,
        "The specified operation is not valid for the current state of the resource.",
    ),
    "OperationNotValidOnNode": (409, "The specified operation is not valid on the node."),
    "OperationNotValidOnPool": (409, "The specified operation is not valid on the pool."),
    "OutOfRangeQueryParameterValue": (
        400,
        "One of the query parameters specified in the request URI is outside the permissible range.",
    ),
    "PoolBeingDeleted": (409, "The specified pool has been marked for deletion and is being reclaimed."),
    "PoolBeingResized": (409, "The specified pool is being resized."),
    "PoolExists": (409, "The specified pool already exists."),
    "PoolNotFound": (404, "The specified pool does not exist."),
    "RequestBodyTooLarge": (413, "The size of the request body exceeds the maximum size permitted."),
    "ResourceNotFound": (404, "The specified resource does not exist."),
    "ApplicationNotFound": (404, "The specified application does not exist."),
    "ServerBusy": (503, "The server is currently unable to receive requests. Please retry your request."),
    "TaskCompleted": (409, "The specified task is already in a completed state."),
    "TaskExists": (409, "The specified task already exists."),
    "TaskFilesCleanedup": (409, "The files of the specified task are cleaned up."),
    "TaskFilesUnavailable": (409, "The files of the specified task are unavailable."),
    "TaskNotCompleted": (
        409,
        "The specified task is not in a completed state, and the requested operation can be "
        "performed only on completed tasks.",
    ),
    "TaskNotFound": (404, "The specified task does not exist."),
    "TaskSucceeded": (
        409,
        "The specified task has already completed successfully, and the requested operation cannot be "
        "performed on successful tasks.",
    ),
    "TooManyEnableAutoScaleRequests": (503, "Too many Enable Pool AutoScale requests are issued on the pool."),
    "TooManyRequests": (429, "Too many requests: try again after a while."),
    "CertificateNotFound": (404, "The specified certificate does not exist."),
    "NodeUserExists": (409, "The specified node user already exists."),
    "TaskDependenciesNotSpecifiedOnJob": (
        400,
        "A task was specified as depending on other tasks, but the job did not specify that it would "
        "use task dependencies.",
    ),
    "TaskDependencyListTooLong": (
        400,
        "A task was specified as depending on other tasks, but the list of dependencies was too long to be stored.",
    ),
    "TaskIdSameAsJobPreparationTask": (409, "The specified task id is same as the job preparation task."),
    "TaskIdSameAsJobReleaseTask": (409, "The specified task id is same as the job release task."),
    "UnsupportedHttpVerb": (405, "The resource doesn't support the specified HTTP verb."),
    "UnsupportedProperty": (400, "One of the properties specified in the request body is not supported."),
    "UnsupportedQueryParameter": (400, "One of the query parameters specified in the request URI is not supported."),
    "UnsupportedRequestVersion": (400, "The specified request version is not supported."),
}


_REASONS = {"AuthenticationFailed": "AuthenticationErrorDetail"}  # where the reason is not called that


class LocalBatchError(Exception):
    """Something the local Batch service has to tell."""


class ConfigurationError(LocalBatchError):
    """The service can't be started with these settings."""


class ServiceError(LocalBatchError):
    """An answer that is an error.

    `code` is one of Batch's own and decides the message; `reason`, a sentence about this case, and `details` go
    into the answer's `values`.
    """

    def __init__(
        self,
        code: str,
        reason: str | None = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        **details: object,
    ) -> None:
        self.code = code
        self.status = status or CODES[code][0]
        self.message = CODES[code][1]
        self.headers = dict(headers or {})
        self.details = details
        if reason is not None:
            self.details.setdefault(_REASONS.get(code, "Reason"), reason)
        super().__init__(f"{code}: {reason or self.message}")

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
        PropertyName=name,
        PropertyValue=shown if len(shown) <= 200 else shown[:200] + "...",
        Reason=reason,
    )
