"""What is done to examples before they are split: in a fixed order, each step counted."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator

from perennial_contract.job import Preprocessing
from perennial_training.data.example import Example
from perennial_training.data.roles import Roles

Counts = dict[str, int]
_SHINGLE = 5  # words; Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better", section 4.2
_PERMUTATIONS = 128
_SUREST = 0.9  # the highest threshold at which the index misses next to none; what it finds is compared itself


def preprocess(examples: Iterable[Example], rules: Preprocessing, roles: Roles) -> tuple[list[Example], Counts]:
    """What is left, and how many were read and left out by which rule."""
    given = list(examples)
    changed = [example.with_roles(_changed(example.roles, rules, roles)) for example in given]
    counts = {"read": len(given)}
    for name, step in _steps(rules, roles).items():
        kept = list(step(changed))
        counts[name] = len(changed) - len(kept)
        changed = kept
    return changed, counts


def _changed(parts: dict[str, str], rules: Preprocessing, roles: Roles) -> dict[str, str]:
    for change in _changes(rules):
        parts = {role: change(text) if role in roles.prose else text for role, text in parts.items()}
    return parts


def _changes(rules: Preprocessing) -> Iterator[Callable[[str], str]]:
    if (form := rules.normalize_unicode) != "None":
        yield lambda text: unicodedata.normalize(form, text)
    if rules.strip_markup:
        yield without_markup
    if rules.lowercase:
        yield str.lower
    yield str.strip


def without_markup(text: str) -> str:
    """The text of HTML or XML: tags, comments, scripts and styles go, entities become characters."""
    from bs4 import BeautifulSoup

    found = BeautifulSoup(text, "html.parser")
    for hidden in found(["script", "style"]):
        hidden.decompose()
    return found.get_text()


def _steps(rules: Preprocessing, roles: Roles) -> dict[str, Callable[[list[Example]], Iterable[Example]]]:
    """By the name of its count each rule that leaves examples out."""
    least = max(1, rules.min_characters)  # an empty text is too short in any case
    steps: dict[str, Callable[[list[Example]], Iterable[Example]]] = {
        "short": lambda found: (e for e in found if _shortest(e, roles.texts) >= least and _shortest(e, roles.all))
    }
    if (most := rules.max_characters) is not None:
        steps["long"] = lambda found: (e for e in found if all(len(e.roles[role]) <= most for role in roles.texts))
    if "answer" in roles.answers:
        steps["unanswerable"] = lambda found: (e for e in found if e.roles["answer"] in e.roles["context"])
    if rules.deduplicate:
        steps["repeated"] = _unique
    if (similarity := rules.near_duplicates) is not None:
        steps["nearlyRepeated"] = lambda found: _dissimilar(found, similarity)
    return steps


def _shortest(example: Example, roles: Iterable[str]) -> int:
    return min(len(example.roles[role]) for role in roles)


def _unique(examples: list[Example]) -> Iterator[Example]:
    """The first of equal ones."""
    first: dict[str, Example] = {}
    for example in examples:
        first.setdefault(example.content, example)
    return iter(first.values())


def _dissimilar(examples: list[Example], similarity: float) -> Iterator[Example]:
    """Those of whose shingles no earlier kept example shares so much (Jaccard, estimated by MinHash; Broder 1997)."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=min(similarity, _SUREST), num_perm=_PERMUTATIONS)
    sketches: list[MinHash] = []
    for example in examples:
        sketch = MinHash(num_perm=_PERMUTATIONS)
        sketch.update_batch([shingle.encode() for shingle in shingles(example.content)])
        if not any(sketch.jaccard(sketches[number]) >= similarity for number in index.query(sketch)):
            index.insert(len(sketches), sketch)
            sketches.append(sketch)
            yield example


def shingles(text: str) -> set[str]:
    """Each run of so many words; of a shorter text the whole."""
    words = text.lower().split()
    return {" ".join(words[i : i + _SHINGLE]) for i in range(max(1, len(words) - _SHINGLE + 1))}
