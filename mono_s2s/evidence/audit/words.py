"""Which places in the results a paper's words point to.

A table cell's row, column and caption are compared with the names on the way to each number: file names, keys, names of
records. Rare names count for more than common ones, and a place that also has another row's name counts for less.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

# One word an idea. Left: how papers and programs write it; right: the word that stands for all of them.
_SAME = {
    "avg": "mean",
    "average": "mean",
    "averaged": "mean",
    "std": "sd",
    "stdev": "sd",
    "stddev": "sd",
    "low": "lower",
    "lo": "lower",
    "high": "upper",
    "hi": "upper",
    "minimum": "min",
    "smallest": "min",
    "maximum": "max",
    "largest": "max",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "train": "training",
    "trained": "training",
    "num": "n",
    "number": "n",
    "count": "n",
    "samples": "example",
    "sample": "example",
    "examples": "example",
    "nll": "loss",
    "losses": "loss",
    "negativeloglikelihood": "loss",
    "ppl": "perplexity",
    "pvalue": "p",
    "diff": "difference",
    "acc": "accuracy",
    "lr": "learningrate",
    "r1": "rouge1",
    "r2": "rouge2",
    "rl": "rougel",
    "params": "parameter",
    "parameters": "parameter",
    "param": "parameter",
    "weights": "weight",
    "dialog": "dialogue",
    "epochs": "epoch",
    "steps": "step",
    "updates": "step",
    "update": "step",
    "flips": "flip",
    "substitution": "flip",
    "substitutions": "flip",
    "seeds": "seed",
    "runs": "run",
    "tests": "test",
    "triggers": "trigger",
    "ratios": "ratio",
    "rates": "rate",
    "proportion": "share",
    "fraction": "share",
    "universal": "uat",
    "orig": "clean",
    "original": "clean",
    "attacked": "attack",
    "adversarial": "attack",
    "attacks": "attack",
    "hours": "hour",
    "minutes": "minute",
    "mins": "minute",
    "seconds": "second",
    "secs": "second",
    "kept": "best",
    "cnn": "cnndm",
    "dailymail": "cnndm",
    "cnndailymail": "cnndm",
    "matrices": "matrix",
    "monotone": "monotonic",
    "mono": "monotonic",
    "base": "baseline",
    "vanilla": "standard",
    "pretrained": "standard",
}
# Neighbours that papers and programs use for each other, at half the weight.
_NEAR = {
    "delta": ("increase", "degradation", "difference", "change"),
    "increase": ("delta", "degradation"),
    "degradation": ("delta", "increase"),
    "difference": ("delta", "gap"),
    "uat": ("trigger",),
    "trigger": ("uat",),
    "size": ("batch",),
    "percent": ("share", "relative", "pct", "rate", "ratio"),
    "ratio": ("share",),
    "share": ("ratio",),
    "w": ("weight",),
    "example": ("n",),
    "rate": ("success",),
    "hotflip": ("flip",),
    "time": ("second", "minute", "hour"),
}
_STOP = frozenset(
    "the a an of in on at to for and or is are was were be by with from as that this these those it its their our we "
    "over under each all both one two per than then not no so such which what when who into out up using used use "
    "table figure results result model models".split()
)
_PIECE = re.compile(r"[A-Z]?[a-zα-ωß-ÿ]+|[A-Z]+(?![a-z])|\d+(?:\.\d+)?")
_CAP = 4.0


def canonical(word: str) -> str:
    """The word that stands for a written one."""
    return _SAME.get(word.lower(), word.lower())


@lru_cache(maxsize=65536)
def name_words(name: str) -> frozenset[str]:
    """The words of a key or a file name: whole, its parts, and neighbouring parts joined."""
    chunks = [chunk for chunk in re.split(r"[^0-9A-Za-zß-ÿα-ω.]+|\.(?!\d)", name) if chunk]
    words = set()
    for chunk in chunks:
        pieces = _PIECE.findall(chunk)
        words.update([canonical(chunk), *(canonical(piece) for piece in pieces if len(pieces) < 2 or len(piece) > 1)])
    lowered = [chunk.lower() for chunk in chunks]
    words.update(canonical(first + second) for first, second in pairwise(lowered))
    words.add(canonical("".join(lowered)))
    # num_flips is about flips; only of num_samples is n said.
    if "n" in words and len(lowered) > 1 and "example" not in words:
        words.discard("n")
    return frozenset(words)


@lru_cache(maxsize=65536)
def units(text: str) -> tuple[tuple[tuple[str, float], ...], ...]:
    """The units of meaning of a paper's text, each with the forms it may take in a name, and their weights."""
    found = []
    text = text.replace("Δ", " delta ").replace("δ", " delta ").replace("%", " percent ")
    for chunk in re.split(r"[\s,;:()\[\]“”‘’\"⁇…|=–—↑↓≥≤<>%]+", text):
        chunk = chunk.strip(".-'*†‡/")
        pieces = _PIECE.findall(chunk)
        if not pieces or chunk.lower() in _STOP:
            continue
        forms = {canonical("".join(pieces)): 1.0}
        if len(pieces) > 1:
            for part in re.split(r"[-/_.+]", chunk):
                for word in (part, *(_PIECE.findall(part) if part != chunk else pieces)):
                    if len(word) > 1 and not word.isdigit() and word.lower() not in _STOP:
                        forms.setdefault(canonical(word), 0.5)
        for form in list(forms):
            for near in _NEAR.get(form, ()):
                forms.setdefault(near, 0.5 * forms[form])
        found.append(tuple(sorted(forms.items())))
    return tuple(found)


def likeness(form: str, word: str) -> float:
    """1 for the same word, less where one is the beginning of the other, 0 otherwise."""
    if form == word:
        return 1.0
    if form.isdigit() or word.isdigit():
        return 0.0
    short, long = sorted((form, word), key=len)
    if len(short) >= 4 and long.startswith(short):
        return 0.7
    if len(short) >= 7 and long[:6] == short[:6] and not any(c.isdigit() for c in short + long):
        return 0.6
    return 0.0


Unit = tuple[tuple[str, float], ...]
Units = Iterable[tuple[Unit, float]]


class Lexicon:
    """The words of all places, and which places each unit of a paper's text points to.

    A place is the tuple of names on the way to a quantity; places are told by their position in `places`.
    """

    def __init__(self, places: Sequence[tuple[str, ...]]) -> None:
        self.places = places
        self._having: dict[str, set[int]] = defaultdict(set)
        for number, names in enumerate(places):
            for word in {word for name in names for word in name_words(name)}:
                self._having[word].add(number)
        total = len(places) + 1
        self.weight = {
            word: min(_CAP, math.log(total / (len(having) + 0.5)) + 0.3) for word, having in self._having.items()
        }
        # What a place says beyond what a cell asks for costs a little: the plainest place wins.
        self.cost = [
            0.12 * sum(max((self.weight[word] for word in name_words(name)), default=0.0) for name in names)
            + 0.02 * len(names)
            # A number among names is one of many: a seed, a place in a list.
            + 0.6 * sum(name.lstrip("#").isdigit() for name in names)
            for names in places
        ]
        self._found: dict[tuple[tuple[str, float], ...], dict[int, float]] = {}

    def pointed(self, unit: tuple[tuple[str, float], ...]) -> Mapping[int, float]:
        """How much a unit speaks for each place."""
        if unit not in self._found:
            best: dict[int, float] = {}
            for form, share in unit:
                for word in self._alike(form):
                    value = share * likeness(form, word) * self.weight[word]
                    for number in self._having[word]:
                        if value > best.get(number, 0.0):
                            best[number] = value
            self._found[unit] = best
        return self._found[unit]

    def _alike(self, form: str) -> list[str]:
        if form in self._having and len(form) < 4:
            return [form]
        return [word for word in self._having if likeness(form, word) > 0]

    def knows(self, unit: tuple[tuple[str, float], ...]) -> bool:
        """Whether a unit is a word of the results at all."""
        return bool(self.pointed(unit))


def scores(lexicon: Lexicon, own: Units, others: Units, start: Mapping[int, float] | None = None) -> dict[int, float]:
    """How well each place fits, before what it costs to say more than was asked.

    Args:
        lexicon: the places.
        own: units about this number, with their weights.
        others: units about other rows and columns alone, with their weights.
        start: scores to begin with.
    """
    found: dict[int, float] = defaultdict(float, start or {})
    for unit, weight in own:
        for number, value in lexicon.pointed(unit).items():
            found[number] += weight * value
    against: dict[int, float] = {}
    for unit, weight in others:
        for number, value in lexicon.pointed(unit).items():
            if weight * value > against.get(number, 0.0):
                against[number] = weight * value
    for number, value in against.items():
        if number in found:
            found[number] -= 0.8 * value
    return found
