"""Prints made-up reviews with what they think: JSON Lines of text and label.

python3 examples/data/reviews.py > reviews.jsonl
kubectl create configmap reviews --from-file=reviews.jsonl

Every third one says it by a negation ("not a waste of money"), which no bag of words can tell from its opposite
together with another "not" elsewhere ("it is not blue").
"""

import json
import random

COUNT = 3000
THINGS = [
    *("kettle", "book", "release", "hotel", "film", "keyboard", "lamp", "course"),
    *("album", "printer", "jacket", "phone", "recipe", "garden", "chair"),
]
ASIDES = [
    "it is {not_}blue",
    "I did {not_}buy it for myself",
    "it was {not_}on sale",
    "it did {not_}come on a Monday",
    "it is {not_}from the shop next door",
]
GOOD = ["a pleasure", "worth every cent", "better than we hoped", "a delight", "well made", "easy to like", "superb"]
BAD = ["a waste of money", "worth nothing", "worse than we feared", "a mess", "badly made", "hard to bear", "awful"]


def review(dice: random.Random) -> dict[str, str]:
    label = dice.choice(["positive", "negative"])
    negated = dice.random() < 1 / 3
    words = GOOD if (label == "positive") != negated else BAD
    verdict = f"this {dice.choice(THINGS)} is {'not ' if negated else ''}{dice.choice(words)}"
    aside = dice.choice(ASIDES).format(not_=dice.choice(["", "not "]))
    return {"text": ", and ".join(dice.sample([verdict, aside], 2)) + f" ({dice.randrange(10_000)})", "label": label}


if __name__ == "__main__":
    dice = random.Random(1)
    for _ in range(COUNT):
        print(json.dumps(review(dice)))
