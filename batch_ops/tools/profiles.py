"""The profiles that ship with the code: one file for each tool, read once."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from batch_ops.task.read_tool import read_profile
from batch_ops.task.tool import ToolProfile
from batch_ops.task.tool_values import ToolProfileError

_SHIPPED = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools besides ilastik, in the order of their names. Of those with one suffix the first is taken."""

    profiles: tuple[ToolProfile, ...] = ()

    def __post_init__(self) -> None:
        """Refuse two of one name."""
        names = [profile.name for profile in self.profiles]
        for name in names:
            if names.count(name) > 1:
                raise ToolProfileError(f"There are two profiles of the tool '{name}'.")

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffixes of projects, each once."""
        return tuple(dict.fromkeys(profile.suffix for profile in self.profiles))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(profile.name for profile in self.profiles)

    def for_blob(self, blob: str, name: str | None = None) -> ToolProfile | None:
        """Return the tool of a project's blob, the one of this name where several have its suffix; None for none.

        `name`: as the project's configuration gives it.
        """
        fit = [profile for profile in self.profiles if blob.lower().endswith(profile.suffix)]
        return next((one for one in fit if name == one.name or (name is None and not one.by_name)), None)


def load(files: Iterable[Path]) -> Tools:
    """Read profiles. Raises ToolProfileError, which names the file."""
    profiles = []
    for file in sorted(files):
        try:
            found = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise ToolProfileError(f"The profile {file.name} is no TOML: {exc}.") from exc
        profiles.append(read_profile(found, f"The profile {file.name}"))
    return Tools(tuple(sorted(profiles, key=lambda profile: profile.name)))


@cache
def shipped() -> Tools:
    """Read the profiles beside this module."""
    return load(_SHIPPED.glob("*.toml"))
