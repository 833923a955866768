"""ROUGE by Google's rouge-score, which re-implements ROUGE-1.5.5 (Lin, 2004, "ROUGE: a package for automatic
evaluation of summaries")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from rouge_score.rouge_scorer import RougeScorer

MEASURES = ("rouge1", "rouge2", "rougeL", "rougeLsum")

# Behind a full stop, question or exclamation mark (with what closes a quotation) and before white space.
_SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"')\]]))\s+")
_SPEAKER = re.compile(r"[^\s:][^:]{0,40}:\s")

SETTINGS: dict[str, Any] = {
    "library": "rouge-score",
    "value": "F-measure",
    "stemmer": "Porter",
    "several_references": "the best for each example and measure",
    "rougeLsum_sentences": "split at line ends and behind . ! ? before white space",
}


def sentences(text: str) -> list[str]:
    """The sentences of a text: split at line ends, and behind `.`, `!` or `?` where white space follows.

    The rule is simple and known to split after abbreviations; predictions and references are split alike.
    """
    return [part for line in text.splitlines() for part in _SENTENCE_END.split(line.strip()) if part]


def lead(document: str) -> str:
    """The first sentence of a document; of a dialogue, the first turn.

    A dialogue has at least two lines that are not blank, and most of them start with a speaker and a colon.
    """
    lines = [line.strip() for line in document.splitlines() if line.strip()]
    if len(lines) > 1 and 2 * sum(bool(_SPEAKER.match(line)) for line in lines) > len(lines):
        return lines[0]
    return next(iter(sentences(document)), "")


def score(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """F-measures of ROUGE-1, -2, -L and -Lsum, with Porter's stemmer.

    ROUGE-Lsum needs one sentence a line, or it silently equals ROUGE-L; both sides are split by `sentences`. With
    several references, the best one for each example and measure counts.

    Args:
        predictions: n texts.
        references: for each prediction, at least one reference.

    Returns:
        Array (n, 4), columns as in `MEASURES`, values 0 to 1.

    Raises:
        ValueError: the lengths differ, or an example has no reference.
    """
    scorer = RougeScorer(list(MEASURES), use_stemmer=True)
    table = np.zeros((len(predictions), len(MEASURES)))
    for row, (prediction, texts) in enumerate(zip(predictions, references, strict=True)):
        if not texts:
            raise ValueError(f"prediction {row} has no reference")
        targets = ["\n".join(sentences(text)) for text in texts]
        found = scorer.score_multi(targets, "\n".join(sentences(prediction)))
        table[row] = [found[measure].fmeasure for measure in MEASURES]
    return table
