"""Preprocessing of examples before they are split: steps in a fixed order, each with a count of dropped examples."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator

from perennial_contract.job import Preprocessing
from perennial_training.data.example import Example
from perennial_training.data.roles import Roles

Counts = dict[str, int]
Filter = Callable[[list[Example]], Iterable[Example]]
_SHINGLE = 5  # words; Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better", section 4.2
_PERMUTATIONS = 128
_INDEX_THRESHOLD = 0.9  # the highest at which the index misses hardly any candidate; candidates are then compared


def preprocess(examples: Iterable[Example], rules: Preprocessing, roles: Roles) -> tuple[list[Example], Counts]:
    """The remaining examples, and the number of those that were read and that each filter dropped."""
    remaining = [example.with_roles(_transformed(example.roles, rules, roles)) for example in examples]
    counts = {"read": len(remaining)}
    for name, keep in _filters(rules, roles).items():
        kept = list(keep(remaining))
        counts[name] = len(remaining) - len(kept)
        remaining = kept
    return remaining, counts


def _transformed(texts: dict[str, str], rules: Preprocessing, roles: Roles) -> dict[str, str]:
    for transform in _transforms(rules):
        texts = {role: transform(text) if role in roles.prose else text for role, text in texts.items()}
    return texts


def _transforms(rules: Preprocessing) -> Iterator[Callable[[str], str]]:
    if (form := rules.normalize_unicode) != "None":
        yield lambda text: unicodedata.normalize(form, text)
    if rules.strip_markup:
        yield without_markup
    if rules.lowercase:
        yield str.lower
    yield str.strip


def without_markup(text: str) -> str:
    """The text of HTML or XML, without tags, comments, scripts and styles, and with entities as characters."""
    from bs4 import BeautifulSoup

    document = BeautifulSoup(text, "html.parser")
    for hidden in document(["script", "style"]):
        hidden.decompose()
    return document.get_text()


def _filters(rules: Preprocessing, roles: Roles) -> dict[str, Filter]:
    """The filters in their order, by the name of their count."""
    minimum = max(1, rules.min_characters)  # an empty text is always too short
    filters: dict[str, Filter] = {
        "short": lambda all_: (e for e in all_ if _shortest(e, roles.texts) >= minimum and _shortest(e, roles.all))
    }
    if (maximum := rules.max_characters) is not None:
        filters["long"] = lambda all_: (e for e in all_ if all(len(e.roles[role]) <= maximum for role in roles.texts))
    if "answer" in roles.answers:
        filters["unanswerable"] = lambda all_: (e for e in all_ if e.roles["answer"] in e.roles["context"])
    if rules.deduplicate:
        filters["repeated"] = _unique
    if (similarity := rules.near_duplicates) is not None:
        filters["nearlyRepeated"] = lambda all_: _dissimilar(all_, similarity)
    return filters


def _shortest(example: Example, roles: Iterable[str]) -> int:
    return min(len(example.roles[role]) for role in roles)


def _unique(examples: list[Example]) -> Iterator[Example]:
    """The first of each group of equal examples."""
    first: dict[str, Example] = {}
    for example in examples:
        first.setdefault(example.content, example)
    return iter(first.values())


def _dissimilar(examples: list[Example], similarity: float) -> Iterator[Example]:
    """Examples below this Jaccard similarity to each earlier one kept, estimated by MinHash (Broder 1997)."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=min(similarity, _INDEX_THRESHOLD), num_perm=_PERMUTATIONS)
    sketches: list[MinHash] = []
    for example in examples:
        sketch = MinHash(num_perm=_PERMUTATIONS)
        sketch.update_batch([shingle.encode() for shingle in shingles(example.content)])
        if not any(sketch.jaccard(sketches[number]) >= similarity for number in index.query(sketch)):
            index.insert(len(sketches), sketch)
            sketches.append(sketch)
            yield example


def shingles(text: str) -> set[str]:
    """All sequences of _SHINGLE words; a shorter text is one shingle."""
    words = text.lower().split()
    return {" ".join(words[i : i + _SHINGLE]) for i in range(max(1, len(words) - _SHINGLE + 1))}
