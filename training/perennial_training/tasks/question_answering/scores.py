"""Scores of an answer against the right one, as SQuAD defines them (Rajpurkar et al. 2016)."""

import re
import string
from collections import Counter


def normalized(answer: str) -> str:
    """Lower case, no punctuation, no articles, single spaces (section 6.1)."""
    bare = answer.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def f1(answer: str, right: str) -> float:
    """The harmonic mean of precision and recall over the words in common."""
    one, other = normalized(answer).split(), normalized(right).split()
    common = sum((Counter(one) & Counter(other)).values())
    if not common:
        return float(one == other)
    return 2 * common / (len(one) + len(other))
