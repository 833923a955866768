"""What a standard model that starts from scratch is trained on: several tasks in one mix, as T5 was.

The generated corpus knows its facts, so it has supervised tasks of its own: `headline` (under the study's prefix, but
another summary form) and `record` (copy each fact). Any text has the self-supervised ones: `span` (Raffel et al. 2020,
section 3.1.4), `gap` (predict a sentence taken out; Zhang et al. 2020, "PEGASUS") and `lead` (copy the first sentence,
under the study's prefix).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mono_s2s.corpus.generated import Story
from mono_s2s.corpus.reading import Encoding
from mono_s2s.corpus.texts import Text, seeded, sentences
from mono_s2s.corpus.tokenizer import Vocabulary
from mono_s2s.files import BadInput

# Task prefixes beside the study's own.
PREFIXES = {"record": "record:", "gap": "gap:"}

# Share of tokens that span corruption replaces, and mean length of a span.
CORRUPTED = 0.15
SPAN_TOKENS = 3


def target(ids: Sequence[int], encoding: Encoding) -> list[int]:
    """A decoder's target: `ids` cut to what fits, end of sequence."""
    return [*ids[: encoding.max_target_tokens - 1], encoding.eos_id]


def span_corruption(
    ids: Sequence[int], rng: random.Random, encoding: Encoding, sentinel_ids: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Replace random spans by sentinels; the target spells the spans out, each after its sentinel.

    The number of spans is limited by the sentinels and by `encoding.max_target_tokens`, so nothing is cut off.

    Args:
        ids: a document's ids; cut to an input without prefix.
        rng: draws the spans.
        encoding: its limits and its end of sequence.
        sentinel_ids: in order of use.

    Returns:
        Input and target ids, both ending in the end of sequence.
    """
    text = list(ids[: encoding.max_input_tokens - 1])
    # A target holds each span, its sentinel, and the end of sequence.
    most = (encoding.max_target_tokens - 1) // (SPAN_TOKENS + 1)
    spans = max(1, min(round(len(text) * CORRUPTED / SPAN_TOKENS), most, len(sentinel_ids)))
    noise = min(len(text), max(spans, min(round(len(text) * CORRUPTED), encoding.max_target_tokens - 1 - spans)))
    lengths = _composition(noise, min(spans, noise), rng)
    # Spans do not touch: one kept token at least stands between two; before the first and after the last, maybe none.
    inner = len(lengths) - 1
    free = max(len(text) - noise - inner, 0)
    gaps = [part - 1 for part in _composition(free + len(lengths) + 1, len(lengths) + 1, rng)]
    source: list[int] = []
    goal: list[int] = []
    at = 0
    for number, length in enumerate(lengths):
        kept = gaps[number] + (1 if number else 0)
        source += [*text[at : at + kept], sentinel_ids[number]]
        goal += [sentinel_ids[number], *text[at + kept : at + kept + length]]
        at += kept + length
    return [*source, *text[at:], encoding.eos_id], [*goal, encoding.eos_id]


def _composition(total: int, parts: int, rng: random.Random) -> list[int]:
    """A random way to write `total` as a sum of `parts` positive numbers, each way equally likely."""
    cuts = sorted(rng.sample(range(1, total), parts - 1))
    return [end - start for start, end in zip([0, *cuts], [*cuts, total], strict=True)]


def rows(
    drafts: Sequence[tuple[str, Text]], seed: int, encoding: Encoding, vocabulary: Vocabulary
) -> list[dict[str, object]]:
    """Pretraining pairs, one for each draft, as pretraining.jsonl holds them.

    Args:
        drafts: task and document.
        seed: draws spans and gaps.
        encoding: the study's; its prefix is that of `headline` and `lead`.
        vocabulary: the study's.

    Raises:
        BadInput: the tokenizer has no sentinel tokens for `span` or `gap`.
    """
    if not vocabulary.sentinel_ids and {"span", "gap"} & {task for task, _ in drafts}:
        raise BadInput("corpus.pretraining.mix: span and gap need a tokenizer with <extra_id_N> tokens: train one")
    rng = seeded(seed, "pretraining tasks")
    prompts = {"headline": encoding, "lead": encoding}
    for task in {task for task, _ in drafts} & set(PREFIXES):
        prompts[task] = replace(encoding, prefix_ids=tuple(next(vocabulary.encode([PREFIXES[task]]))))
    before, after, goals = [], [], []
    for task, text in drafts:
        left, right, goal = _parts(task, text, rng)
        before.append(left)
        after.append(right)
        goals.append(goal)
    found = []
    encoded = zip(drafts, vocabulary.encode(before), vocabulary.encode(after), vocabulary.encode(goals), strict=True)
    for (task, _), left, right, goal in encoded:
        if task == "span":
            source, wanted = span_corruption(left, rng, encoding, vocabulary.sentinel_ids)
        elif task == "gap":
            room = prompts[task].room()
            # Where the gap lies beyond what fits, the text's beginning goes, not the gap.
            left = left if len(left) < room else left[len(left) - room // 2 :]
            source = prompts[task].pack([*left, vocabulary.sentinel_ids[0], *right])
            wanted = target(goal, encoding)
        else:
            source, wanted = prompts[task].pack(left), target(goal, encoding)
        found.append({"task": task, "input_ids": source, "target_ids": wanted})
    return found


def _parts(task: str, text: Text, rng: random.Random) -> tuple[str, str, str]:
    """Text before and after the gap (if any), and the target's text."""
    if task == "span":
        return text.document, "", ""
    if task == "lead":
        return text.document, "", sentences(text.document)[0]
    if task == "gap":
        parts = sentences(text.document)
        gap = rng.randrange(len(parts))
        start = 0
        for part in parts[:gap]:
            start = text.document.index(part, start) + len(part)
        start = text.document.index(parts[gap], start)
        return text.document[:start].rstrip(), text.document[start + len(parts[gap]) :], parts[gap]
    if not isinstance(text, Story):
        raise BadInput(f"corpus.pretraining.mix.{task}: only the generated corpus has this task: use span, gap or lead")
    return text.document, "", text.headline if task == "headline" else text.record


def drafts(texts: Sequence[Text], documents: int, mix: Mapping[str, float], seed: int) -> list[tuple[str, Text]]:
    """Self-supervised tasks for documents of any source, from training documents alone; each is used about equally.

    Raises:
        BadInput: `gap` is asked for and no document has two sentences.
    """
    rng = seeded(seed, "pretraining mix")
    names = rng.choices(sorted(mix), weights=[mix[name] for name in sorted(mix)], k=documents)
    long = [text for text in texts if len(sentences(text.document)) > 1]
    if "gap" in names and not long:
        raise BadInput("corpus.pretraining.mix.gap: no training document has two sentences: take gap out of the mix")
    turns = {"gap": _in_turn(long, rng)}
    turns |= {name: _in_turn(texts, rng) for name in sorted(set(names) - {"gap"})}
    return [(name, next(turns[name])) for name in names]


def _in_turn(texts: Sequence[Text], rng: random.Random) -> Iterator[Text]:
    """All texts in a new random order, again and again."""
    while True:
        yield from rng.sample(texts, len(texts))
