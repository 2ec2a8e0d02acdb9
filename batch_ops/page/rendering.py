"""How handlers make their answers."""

from typing import Protocol

from starlette.responses import Response

from batch_ops.page.visitors import Visitor


class Render(Protocol):
    """Makes an answer from a template."""

    def __call__(self, template: str, visitor: Visitor | None, status: int = 200, **values: object) -> Response: ...
