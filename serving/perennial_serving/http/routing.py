"""Which route answers a request. The route tables are the only place where paths are written."""

from collections.abc import Iterable
from typing import TypeVar

from starlette.routing import Match, Route
from starlette.types import Scope

R = TypeVar("R", bound=Route)


def matching(routes: Iterable[R], scope: Scope) -> R | None:
    """The first route with the path of the request, also where it does not accept the method."""
    return next((route for route in routes if route.matches(scope)[0] is not Match.NONE), None)
