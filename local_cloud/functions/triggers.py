"""Functions and their triggers as values, parsed from what the worker library indexed. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from local_cloud.functions.app_settings import resolve
from local_cloud.functions.errors import BindingError
from local_cloud.functions.routes import Route, parse_route
from local_cloud.functions.schedule import Schedule

HOST_CONNECTION = "AzureWebJobsStorage"

type Trigger = QueueTrigger | TimerTrigger | HttpTrigger
type _Parser = Callable[[str, Mapping[str, Any], Mapping[str, str]], Trigger]


class AuthLevel(StrEnum):
    """Which key a request needs: none, that of the host, or the master key."""

    ANONYMOUS = "anonymous"
    FUNCTION = "function"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    """`connection` is the name of a setting, not its value."""

    parameter: str
    queue: str
    connection: str


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    parameter: str
    schedule: Schedule
    run_on_startup: bool
    use_monitor: bool


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """`methods` in upper case; none: all. The route has no prefix yet."""

    parameter: str
    template: str
    methods: frozenset[str]
    level: AuthLevel

    def route(self, function: str, prefix: str) -> Route:
        """Return the whole route. Raises BindingError for a template that this host does not know."""
        return parse_route(function, self.template, prefix)


@dataclass(frozen=True, slots=True)
class Retry:
    """@app.retry: `at_most` further tries (-1: no end); delays in seconds, fixed or growing."""

    at_most: int
    fixed: float | None
    least: float = 0.0
    most: float = 0.0

    def delay(self, tries: int) -> float:
        """Return the seconds to wait after the given number of failed tries (1 or more)."""
        if self.fixed is not None:
            return self.fixed
        growing = 2.0 ** min(tries, 30) - 1
        return min(self.most, max(self.least, growing))


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the app; `id` is the worker library's."""

    name: str
    id: str
    trigger: Trigger
    retry: Retry | None = None


def parse_trigger(function: str, bindings: Sequence[Mapping[str, Any]], settings: Mapping[str, str]) -> Trigger:
    """Read the function's one trigger, with %NAME% replaced.

    Raises BindingError for every kind of trigger or binding that this host does not run, SettingsError for
    a setting that is not there.
    """
    kinds: dict[str, _Parser] = {"queuetrigger": _queue, "timertrigger": _timer, "httptrigger": _http}
    types = [str(binding.get("type", "")).lower() for binding in bindings]
    for binding, kind in zip(bindings, types, strict=True):
        if kind not in kinds and not (kind == "http" and "httptrigger" in types):
            raise BindingError(
                f"Function '{function}' has the binding '{binding.get('name')}' of type '{binding.get('type')}'. "
                "This host runs only functions whose one binding is a queueTrigger, a timerTrigger or an "
                "httpTrigger with its answer; for others use Azure Functions Core Tools ('func start')."
            )
    triggers = [binding for binding, kind in zip(bindings, types, strict=True) if kind in kinds]
    if len(triggers) != 1:
        raise BindingError(f"Function '{function}' has {len(triggers)} triggers, but must have exactly one.")
    return kinds[str(triggers[0]["type"]).lower()](function, triggers[0], settings)


def _http(function: str, binding: Mapping[str, Any], settings: Mapping[str, str]) -> HttpTrigger:
    template = resolve(str(binding.get("route") or function), settings, f"The route of function '{function}'")
    level = str(binding.get("authLevel") or AuthLevel.FUNCTION).lower()
    if level not in set(AuthLevel):
        raise BindingError(f"Function '{function}' has the authLevel '{level}', which there is not.")
    methods = frozenset(str(method).upper() for method in binding.get("methods") or ())
    return HttpTrigger(str(binding["name"]), template, methods, AuthLevel(level))


def _queue(function: str, binding: Mapping[str, Any], settings: Mapping[str, str]) -> QueueTrigger:
    name = resolve(str(binding["queueName"]), settings, f"The queue name of function '{function}'")
    return QueueTrigger(str(binding["name"]), name.lower(), str(binding.get("connection") or HOST_CONNECTION))


def _timer(function: str, binding: Mapping[str, Any], settings: Mapping[str, str]) -> TimerTrigger:
    text = resolve(str(binding["schedule"]), settings, f"The schedule of function '{function}'")
    try:
        schedule = Schedule(text)
    except ValueError as exc:
        raise BindingError(f"Function '{function}' has the schedule '{text}': {exc}") from exc
    return TimerTrigger(
        str(binding["name"]),
        schedule,
        run_on_startup=_flag(binding.get("runOnStartup", False)),
        use_monitor=_flag(binding.get("useMonitor", True)) and not schedule.is_under_a_minute(),
    )


def _flag(value: object) -> bool:
    return str(value).lower() == "true"
