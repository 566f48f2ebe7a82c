"""More examples to learn from, made of those that there are."""

import random
from collections.abc import Collection, Iterator

from perennial_contract.job import Augmentation
from perennial_training.data.example import Example


def augment(examples: list[Example], rules: Augmentation, noisy: Collection[str]) -> Iterator[Example]:
    """Copies in which some words of the `noisy` roles are missing and some have changed places.

    Random deletion and random swap of "EDA" (Wei and Zou 2019, section 2). What becomes of an example follows from its
    content, so it is the same in every version. A copy that came out as the original is left out.
    """
    for example in examples:
        for copy in range(rules.copies):
            dice = random.Random(example.digest() + bytes([copy]))
            roles = {r: _noisy(text, rules, dice) if r in noisy else text for r, text in example.roles.items()}
            if roles != example.roles:
                yield example.with_roles(roles)


def _noisy(text: str, rules: Augmentation, dice: random.Random) -> str:
    words = text.split(" ")
    kept = [word for word in words if dice.random() >= rules.delete_words] or [dice.choice(words)]
    for _ in range(round(rules.swap_words * len(kept))):
        one, other = dice.randrange(len(kept)), dice.randrange(len(kept))
        kept[one], kept[other] = kept[other], kept[one]
    return " ".join(kept)
