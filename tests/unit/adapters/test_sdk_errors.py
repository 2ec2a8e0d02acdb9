"""The SDKs' errors become the product's by the service's code."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ServiceRequestError,
    ServiceResponseError,
)

from batch_ops.adapters.sdk_errors import calls, code_of
from batch_ops.domain.errors import Conflict, NotAllowed, RequestRefused, ServiceFault


def answer(status: int, code: str = "", kind: type[HttpResponseError] = HttpResponseError, **headers: str):
    """An error as the storage SDKs raise it."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    error = kind(message="what it said", response=SimpleNamespace(status_code=status, reason="", headers=names))
    error.error_code = code  # type: ignore[attr-defined] # as the SDKs set it
    return error


def raised(error: Exception, **known):
    with pytest.raises(Exception) as caught, calls("Table storage", "read the row", known):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_service_is_a_fault(status):
    """The sentence says which service, what for, and the code."""
    fault = raised(answer(status, "ServerBusy"))
    assert isinstance(fault, ServiceFault)
    assert fault.sentence == "Table storage is busy and could not read the row (ServerBusy)."
    assert fault.retry_after is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry_After": "7"}, timedelta(seconds=7)),
        ({"x_ms_retry_after_ms": "1500"}, timedelta(seconds=1.5)),
        ({"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"Retry_After": "-1"}, None),
    ],
)
def test_the_services_wish_to_wait_is_kept(headers, wait):
    """In seconds or milliseconds; a date needs a clock that both agree on."""
    assert raised(answer(503, "ServerBusy", **headers)).retry_after == wait


@pytest.mark.parametrize(
    "error",
    [ServiceRequestError("refused"), ServiceResponseError("cut"), ConnectionResetError(), TimeoutError(), OSError()],
    ids=lambda error: type(error).__name__,
)
def test_a_service_out_of_reach_is_a_fault(error):
    """Also where the transport's own error comes through."""
    fault = raised(error)
    assert isinstance(fault, ServiceFault)
    assert "could not be reached" in fault.sentence


def test_missing_access_is_a_fault_that_an_operator_mends():
    """Roles take minutes to spread; the row says so meanwhile."""
    fault = raised(answer(403, "AuthorizationFailure"))
    assert isinstance(fault, NotAllowed)
    assert "role assignments" in fault.sentence


def test_a_missing_token_says_nothing_of_roles():
    """The service was not asked: the fault passes, or is one of the login."""
    fault = raised(ClientAuthenticationError("The Azure CLI did not answer in time."))
    assert (type(fault), "there is no token" in fault.sentence) == (ServiceFault, True)


@pytest.mark.parametrize(("status", "code"), [(404, "TableNotFound"), (409, "TableBeingDeleted")])
def test_a_deployment_that_is_not_ready_is_a_fault(status, code):
    """It passes, or an operator mends it."""
    fault = raised(answer(status, code))
    assert isinstance(fault, ServiceFault)
    assert code in fault.sentence


@pytest.mark.parametrize(("status", "code"), [(400, "InvalidInput"), (413, "RequestBodyTooLarge"), (405, "")])
def test_a_wrong_request_is_no_fault_of_the_service(status, code):
    """It would be wrong the next time too: a fault in the code."""
    assert isinstance(raised(answer(status, code)), RequestRefused)


def test_the_code_decides_not_the_type():
    """Types of the SDK say the opposite of each other for one code."""
    conflict = Conflict("changed")
    for kind in (HttpResponseError, ResourceExistsError, ResourceModifiedError):
        assert raised(answer(412, "ConditionNotMet", kind), ConditionNotMet=conflict) is conflict


def test_a_code_may_stand_in_three_places():
    """Storage's attribute, Batch's `error`, or only the header of an answer without a body."""
    assert code_of(answer(404, "BlobNotFound")) == "BlobNotFound"
    assert code_of(answer(404, x_ms_error_code="BlobNotFound")) == "BlobNotFound"
    batch = HttpResponseError("what it said")
    batch.error = SimpleNamespace(code="JobNotFound")  # type: ignore[assignment] # as azure-batch sets it
    assert code_of(batch) == "JobNotFound"
    assert code_of(OSError()) == ""


def test_other_errors_pass_untouched():
    """A fault in our own code is not dressed up as a service's."""
    with pytest.raises(KeyError), calls("Table storage", "read"):
        raise KeyError("a")
