"""Which queries stay in a namespace."""

import re
import sys

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.decide.deployment.queries import queries
from perennial.loop.readings.isolation import objection, walk
from perennial_testing.specs.api_objects import deployment

OWN = 'namespace="team-a"'


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("a{%s}", id="a selector"),
        pytest.param('sum by (x) (rate(a{b="c", %s}[5m] offset 1m))', id="an aggregation of a rate with an offset"),
        pytest.param("max_over_time(rate(a{%s}[5m])[30m:1m] @ end())", id="a subquery at a time"),
        pytest.param("a{%s} / on (x) group_left (y) b{%s}", id="two vectors"),
        pytest.param("quantile(scalar(a{%s}), b{%s})", id="the parameter of an aggregation"),
        pytest.param('label_replace(a{%s}, "namespace", "$1", "b", "(.*)")', id="a label that is replaced later"),
        pytest.param("absent(a{%s}) or vector(1)", id="absence"),
        pytest.param('{__name__=~".+", %s}', id="any name"),
        pytest.param('{"a.b", %s}', id="a quoted name"),
        pytest.param('a{namespace="team-b", %s}', id="two namespaces, which no series has"),
        pytest.param("-(a{%s}) ^ 2", id="signs and parentheses"),
        pytest.param("sum(a{%s}) # b", id="a comment"),
        pytest.param("time() - 3", id="no selector"),
    ],
)
def test_a_query_that_stays_in_its_namespace_is_asked(query):
    assert objection(query.replace("%s", OWN), "team-a") is None
    outside = {objection(one, "team-a") for one in one_less(query)}
    assert all('each selector of the query must have namespace="team-a"' in (told or "") for told in outside)


def one_less(query):
    """The query with each of its matchers in turn on another namespace or a pattern."""
    count = query.count("%s")
    for at in range(count):
        for matcher in ('namespace="team-b"', 'namespace=~"team-a"', 'namespace!="team-a"', 'x="y"', 'x="namespace"'):
            matchers = iter(matcher if number == at else OWN for number in range(count))
            yield re.sub("%s", lambda match, matchers=matchers: next(matchers), query)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param("a", 'must have namespace="team-a", unlike a', id="a name alone"),
        pytest.param(f'a{{{OWN} or x="y"}}', "unlike a{", id="or in braces"),
        pytest.param(f'a{{{OWN}, x=~"y" or z="w"}}', "unlike a{", id="or in braces after a matcher"),
        pytest.param(f"info(a{{{OWN}}})", "must not call info()", id="a function with a selector of its own"),
        pytest.param(f"a{{{OWN},x=`\\`}} or b{{x=`,{OWN}}}", "backquotes", id="a raw string that ends elsewhere"),
        pytest.param(f"a{{{OWN}}} # \r or b", "carriage returns", id="a comment that ends elsewhere"),
        pytest.param("sum(", "the query can't be parsed: unclosed left parenthesis", id="no PromQL"),
        pytest.param("a offset 1e30", "the query can't be parsed: cannot convert", id="a panic of the parser"),
        pytest.param("(" * 1020 + "a" + ")" * 1020, "unlike a", id="as deep as the API allows"),
    ],
)
def test_a_query_that_may_leave_its_namespace_is_refused_with_the_reason(query, reason):
    assert reason in objection(query, "team-a")


def test_the_built_in_queries_stay_in_their_namespace():
    built_in = queries(deployment(autoscaling={"maxReplicas": 2, "metrics": [{"name": "queue-depth", "target": 1}]}))
    assert built_in
    assert [objection(query, "demo") for query in built_in.values()] == [None]
    assert all(objection(query, "team-b") for query in built_in.values())


_MATCHERS = st.lists(st.sampled_from([OWN, OWN, 'namespace="team-b"', 'x=~"}.*{"', 'y!="\\""', "z=''"]), max_size=3)
_SELECTORS = st.builds(lambda name, matchers: f"{name}{{{','.join(matchers)}}}", st.sampled_from("abc"), _MATCHERS)
_TEXT = '"a{b"'  # looks like a selector
_SCALARS = st.sampled_from(["1", "0.5", "time()", "pi()"])
_VECTORS = st.recursive(
    _SELECTORS | st.just("vector(1)"),
    lambda inner: st.one_of(
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["+", "and", "> bool", "/ on (x)", "unless"]), inner),
        st.builds("{}({}{})".format, st.sampled_from(["sum", "max by (x) ", "count without (y) "]), inner, st.just("")),
        st.builds("topk({}, {})".format, _SCALARS | st.builds("scalar({})".format, inner), inner),
        st.builds("{}(({})[5m:1m] offset 1h)".format, st.sampled_from(["max_over_time", "rate"]), inner),
        st.builds("clamp({}, {}, {})".format, inner, _SCALARS, _SCALARS),
        st.builds(f'label_join({{}}, "namespace", {_TEXT.replace("{", "{{")}, "x")'.format, inner),
        st.builds("-({})".format, inner),
        st.builds("rate({}[5m] @ start())".format, _SELECTORS),
    ),
    max_leaves=8,
)


@given(_VECTORS)
def test_a_query_is_asked_exactly_if_the_own_namespace_stands_in_each_pair_of_braces(query):
    braces = r"\b[abc]\{((?:[^}\"']|\"(?:\\.|[^\"\\])*\"|'[^']*')*)\}"
    inside_braces = re.findall(braces, query.replace(_TEXT, '""'))
    assert (objection(query, "team-a") is None) == all(OWN in matchers for matchers in inside_braces)


@given(st.text(st.sampled_from("ab(){}[]\"'`\\,=~! \n#@-+:5m0eor"), max_size=40))
def test_any_text_has_an_answer(text):
    told = objection(text, "team-a")
    assert told or not [node for node in walk(promql_parser.parse(text)) if "Selector" in type(node).__name__]


def test_the_walk_finds_the_selectors_of_every_part():
    expression = promql_parser.parse(
        "max by (x) (a) > on (x) (b or 0 * rate(c[5m])) and -d == absent(e) + topk(scalar(f), g)"
    )
    selectors = [node for node in walk(expression) if isinstance(node, promql_parser.VectorSelector)]
    assert sorted(selector.name for selector in selectors) == [*"abcdefg"]


def test_the_walk_needs_no_deep_stack():
    depth = 2 * sys.getrecursionlimit()
    assert len(list(walk(promql_parser.parse("(" * depth + "a" + ")" * depth)))) == depth + 1
