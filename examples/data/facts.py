"""Prints questions about facts of the Python standard library: JSON Lines of question, context and answer.

python3 examples/data/facts.py > facts.jsonl
kubectl create configmap facts --from-file=facts.jsonl

A context tells a few facts in any order (names of HTTP statuses, error numbers and signals); the question is about one.
"""

import errno
import json
import os
import random
import signal
from http import HTTPStatus

COUNT = 3500
FACTS = [
    *((f"status {status.value}", status.phrase) for status in HTTPStatus),
    *((f"error {number}", os.strerror(number)) for number in sorted(errno.errorcode)),
    *((f"signal {found.value}", signal.strsignal(found.value)) for found in signal.Signals),
]


def question(dice: random.Random) -> dict[str, str]:
    told = dice.sample([(name, meaning) for name, meaning in FACTS if meaning], 4)
    name, meaning = dice.choice(told)
    context = " ".join(f"{about} means {what} ." for about, what in told)
    return {"question": f"what does {name} mean ?", "context": context, "answer": meaning}


if __name__ == "__main__":
    dice = random.Random(1)
    for _ in range(COUNT):
        print(json.dumps(question(dice)))
