"""Prints made-up reviews with what they think: JSON Lines of text and label, for the examples of runtimes.

python3 examples/runtimes/reviews.py > reviews.jsonl
kubectl create configmap reviews --from-file=reviews.jsonl
"""

import itertools
import json

THINGS = [
    "the kettle",
    "this book",
    "the new release",
    "their support",
    "the hotel",
    "that film",
    "the keyboard",
    "my order",
]
GOOD = ["works very well", "is a pleasure", "was better than we hoped", "never let me down", "is worth every cent"]
BAD = [
    "broke after a week",
    "is a waste of money",
    "was worse than we feared",
    "let me down again",
    "is not worth a cent",
]
TAILS = {
    "positive": ["and I would buy it again", "so I am delighted", "and everybody here likes it", "which made my day"],
    "negative": ["and I want my money back", "so I am annoyed", "and nobody here likes it", "which ruined my day"],
}

for label, verdicts in (("positive", GOOD), ("negative", BAD)):
    for thing, verdict, tail in itertools.product(THINGS, verdicts, TAILS[label]):
        print(json.dumps({"text": f"{thing.capitalize()} {verdict}, {tail}.", "label": label}))
