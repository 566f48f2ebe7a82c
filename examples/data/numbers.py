"""Prints numbers in words, English and French: JSON Lines of source and target.

python3 examples/data/numbers.py > numbers.jsonl
kubectl create configmap numbers --from-file=numbers.jsonl

French counts 70, 80 and 90 as sixty-ten, four twenties and four twenties ten, so a dictionary of words doesn't do.
"""

import json
import random

COUNT = 4000
SMALL = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
""".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
PETITS = "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize".split()
DIZAINES = "vingt trente quarante cinquante soixante".split()


def english(number: int) -> str:
    """In words, from 0 to 999,999."""
    if number < 20:
        return SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens - 2] + (f" {SMALL[ones]}" if ones else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    head, rest = divmod(number, size)
    return f"{english(head)} {name}" + (f" {english(rest)}" if rest else "")


def french(number: int) -> str:
    """In words, from 0 to 999,999, in the spelling without hyphens and without the plural's s."""
    if number <= 16:
        return PETITS[number]
    if number < 20:
        return f"dix {PETITS[number - 10]}"
    if number < 70:
        tens, ones = divmod(number, 10)
        return DIZAINES[tens - 2] + {0: "", 1: " et un"}.get(ones, f" {PETITS[ones]}")
    if number < 80:
        return "soixante et onze" if number == 71 else f"soixante {french(number - 60)}"
    if number < 100:
        return "quatre vingt" + (f" {french(number - 80)}" if number > 80 else "")
    size, name = (1000, "mille") if number >= 1000 else (100, "cent")
    head, rest = divmod(number, size)
    return (f"{french(head)} " if head > 1 else "") + name + (f" {french(rest)}" if rest else "")


if __name__ == "__main__":
    dice = random.Random(1)
    for number in dice.sample(range(100_000), COUNT):
        print(json.dumps({"source": english(number), "target": french(number)}, ensure_ascii=False))
