"""The message classes that Microsoft's worker library builds and reads, as plain Python.

In Azure these are protobuf classes of the FunctionRpc service. The library takes them as an argument and
only sets and reads attributes, so that plain objects of the same shape do, without gRPC. An attribute that
was not set reads as None, as an unset message field does.
"""

import json
from types import SimpleNamespace
from typing import Any


class Message(SimpleNamespace):
    def __getattr__(self, name: str) -> Any:
        # The library probes for the class attribute TypedData to tell a wrapper from the data itself.
        if name == "TypedData" or name.startswith("__"):
            raise AttributeError(name)
        return None


class TypedData(Message):
    """One value: exactly one of string, json, bytes, http, ... is set."""

    def WhichOneof(self, _group: str) -> str | None:
        return next(iter(self.__dict__), None)


NO_DATA = TypedData()


def text(value: str) -> TypedData:
    return TypedData(string=value)


def as_json(value: object) -> TypedData:
    return TypedData(json=json.dumps(value))


class ParameterBinding(Message):
    """A named parameter's value."""

    def WhichOneof(self, _group: str) -> str | None:
        return "data" if self.__dict__.get("data") is not None else None


class StatusResult(Message):
    Failure = 0
    Success = 1
    Cancelled = 2


class BindingInfo(Message):
    undefined = 0
    out = 1
    inout = 2


setattr(BindingInfo, "in", 0)  # a keyword, so not writable in the class body


class RpcHttpCookie(Message):
    """A cookie that a function sets; how it goes to other sites is a number, as in the service's definition."""

    SameSite = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


_PLAIN = (
    "NullableBool",
    "NullableDouble",
    "NullableString",
    "NullableTimestamp",
    "RpcHttp",
    "Timestamp",
    "WorkerInitResponse",
    "WorkerMetadata",
    "FunctionMetadataResponse",
    "RpcFunctionMetadata",
    "FunctionLoadResponse",
    "FunctionEnvironmentReloadResponse",
    "InvocationResponse",
    "RpcException",
    "RpcRetryOptions",
)

PROTOS = SimpleNamespace(
    **{name: type(name, (Message,), {}) for name in _PLAIN},
    TypedData=TypedData,
    ParameterBinding=ParameterBinding,
    StatusResult=StatusResult,
    BindingInfo=BindingInfo,
    RpcHttpCookie=RpcHttpCookie,
)
