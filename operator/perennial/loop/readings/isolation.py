"""Whether a PromQL query stays in one namespace. Pure; what can't be shown to stay is refused."""

from collections.abc import Iterator
from functools import lru_cache

import promql_parser as promql

LABEL = "namespace"


@lru_cache(maxsize=1024)
def objection(query: str, namespace: str) -> str | None:
    """Why an object of the namespace must not ask the query; None if each selector has the namespace as a matcher."""
    if "`" in query or "\r" in query:
        # The parser ends them elsewhere than Prometheus does, so that a selector could look like a part of a string.
        return 'the query must not contain backquotes or carriage returns; write strings as "…"'
    try:
        nodes = list(walk(_parsed(query)))
    except ValueError as error:
        return f"the query can't be parsed: {error}"
    if any(isinstance(node, promql.Call) and node.func.name == "info" for node in nodes):
        return "the query must not call info(), which selects series by itself"
    selectors = [node for node in nodes if isinstance(node, promql.VectorSelector)]
    outside = next((selector for selector in selectors if not _stays(selector, namespace)), None)
    return outside and f'each selector of the query must have {LABEL}="{namespace}", unlike {outside.prettify()}'


def walk(expression: promql.Expr) -> Iterator[promql.Expr]:
    """The expression and all within it; the walk of promql_parser copies every node for each node above it."""
    pending = [expression]
    while pending:
        yield (node := pending.pop())
        pending += _children(node)


def _children(node: promql.Expr) -> list[promql.Expr]:
    match node:
        case promql.Call():
            return list(node.args)
        case promql.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql.AggregateExpr():
            return [node.expr] if node.param is None else [node.expr, node.param]
        case promql.MatrixSelector():
            return [node.vector_selector]
        case promql.UnaryExpr() | promql.ParenExpr() | promql.SubqueryExpr():
            return [node.expr]
        case promql.VectorSelector() | promql.NumberLiteral() | promql.StringLiteral():
            return []
    raise ValueError(f"{type(node).__name__} is not known")


def _stays(selector: promql.VectorSelector, namespace: str) -> bool:
    """A further matcher only narrows a selector, but `or` in braces, which some servers know, widens it."""
    matchers = selector.matchers
    return not matchers.or_matchers and any(
        (matcher.name, matcher.op, matcher.value) == (LABEL, promql.MatchOp.Equal, namespace)
        for matcher in matchers.matchers
    )


def _parsed(query: str) -> promql.Expr:
    try:
        return promql.parse(query)
    except BaseException as error:
        # A panic of the parser, for example at "offset 1e30", is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(str(error)) from None
