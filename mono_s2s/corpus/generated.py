"""The corpus that the project writes itself: short news items and dialogues about invented small events.

An event has six facts: who, did, what, count, where, when. A document states them one by one (a count may be corrected
later) between distractors that name other people, places, numbers and days. A reference summary states all six, in one
of several wordings drawn at random, so that no model can reach ROUGE 1 by learning one template.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mono_s2s.corpus import wording
from mono_s2s.corpus.texts import Pool, Text, seeded
from mono_s2s.sources import GeneratedSource, GeneratedText

DOMAINS = ("news", "dialogue")


@dataclass(frozen=True)
class Story(Text):
    """A generated document, with the targets of the pretraining tasks."""

    # The event without its place: related to the reference, and never the same.
    headline: str
    # The event, field by field.
    record: str
    # The pretraining task that drew it; empty in the study's splits.
    task: str = ""


@dataclass(frozen=True)
class _Cast:
    """All names, places, numbers and days of one document, each used once, so that facts stay unambiguous."""

    people: list[str]
    cities: list[str]
    numbers: list[str]
    days: list[str]


def _cast(rng: random.Random) -> _Cast:
    return _Cast(
        rng.sample(wording.PEOPLE, 8),
        rng.sample(wording.CITIES, 8),
        rng.sample(wording.NUMBERS, 8),
        rng.sample(wording.DAYS, 7),
    )


def _event(rng: random.Random, cast: _Cast) -> dict[str, str]:
    did = rng.choice(sorted(wording.WORK))
    return {
        "who": cast.people.pop(),
        "did": did,
        "what": rng.choice(wording.WORK[did]),
        "count": cast.numbers.pop(),
        "where": cast.cities.pop(),
        "when": cast.days.pop(),
    }


def _distractor(rng: random.Random, cast: _Cast, templates: tuple[str, ...]) -> str:
    did = rng.choice(sorted(wording.WORK))
    return rng.choice(templates).format(
        who=cast.people.pop(),
        did=did,
        what=rng.choice(wording.WORK[did]),
        count=cast.numbers.pop(),
        where=cast.cities.pop(),
        when=cast.days.pop(),
    )


def _weighted(rng: random.Random, choices: Mapping[str, float]) -> str:
    return rng.choices(list(choices), weights=list(choices.values()))[0]


def _scattered(rng: random.Random, main: list[str], others: list[str], earliest: int) -> list[str]:
    """`main` in its order, with `others` put between, none before position `earliest`."""
    mixed = list(main)
    for other in others:
        mixed.insert(rng.randint(earliest, len(mixed)), other)
    return mixed


def _story(source: str, document: str, reference: str, event: dict[str, str], task: str) -> Story:
    # The id is the content's: it stays when split sizes change.
    key = hashlib.sha256(document.encode()).hexdigest()[:12]
    return Story(
        example_id=f"{source}-{key}",
        source=source,
        document=document,
        references=(reference,),
        headline=wording.HEADLINE.format(**event),
        record=wording.RECORD.format(**event),
        task=task,
    )


def news(rng: random.Random, task: str = "") -> Story:
    """A news item: three or four sentences on the event, two to four distractors between them."""
    cast = _cast(rng)
    event = _event(rng, cast)
    told = dict(event)
    act = rng.choice(wording.NEWS_ACT).format(**told)
    place = rng.choice(wording.NEWS_PLACE).format(**told)
    corrected = rng.random() < wording.CORRECTED
    if corrected:
        told["count"] = cast.numbers.pop()
    main = [rng.choice(wording.NEWS_COUNT).format(**told)]
    if corrected:
        main.append(rng.choice(wording.NEWS_CORRECTION).format(**event))
    main.insert(rng.randint(0, 1), place)
    others = [_distractor(rng, cast, wording.NEWS_OTHER) for _ in range(rng.randint(2, 4))]
    document = " ".join(_scattered(rng, [act, *main], others, earliest=0))
    reference = _weighted(rng, wording.NEWS_SUMMARY).format(**event)
    return _story("news", document, reference, event, task)


def dialogue(rng: random.Random, task: str = "") -> Story:
    """A dialogue: five turns about the event, up to two distracting ones between them."""
    cast = _cast(rng)
    event = _event(rng, cast)
    asker = cast.people.pop()
    told = {**event, "asker": asker}
    if rng.random() < wording.CORRECTED:
        answer = rng.choice(wording.DIALOGUE_CORRECTION).format(**{**told, "first": cast.numbers.pop()})
    else:
        answer = rng.choice(wording.DIALOGUE_COUNT).format(**told)
    # Who did it answers, so the name that is greeted is the event's.
    turns = [
        f"{asker}: {rng.choice(wording.DIALOGUE_OPENING).format(**told)}",
        f"{event['who']}: {rng.choice(wording.DIALOGUE_ACT).format(**told)}",
        f"{asker}: {rng.choice(wording.DIALOGUE_QUESTION).format(**told)}",
        f"{event['who']}: {answer}",
        f"{asker}: {rng.choice(wording.DIALOGUE_CLOSING).format(**told)}",
    ]
    others = [
        f"{rng.choice((asker, event['who']))}: {_distractor(rng, cast, wording.DIALOGUE_OTHER)}"
        for _ in range(rng.randint(0, 2))
    ]
    document = " ".join(_scattered(rng, turns, others, earliest=1))
    reference = _weighted(rng, wording.DIALOGUE_SUMMARY).format(**told)
    return _story("dialogue", document, reference, event, task)


WRITERS = {"news": news, "dialogue": dialogue}


def stories(seed: int, stream: str, domains: tuple[str, ...] = DOMAINS) -> Iterator[Story]:
    """Stories without end, the domains in turn."""
    rng = seeded(seed, stream)
    while True:
        for domain in domains:
            yield WRITERS[domain](rng)


def pools(source: GeneratedSource) -> list[Pool]:
    """The study's splits, held-out ones first; each from a stream of its own."""
    where = "corpus.source"
    found = [
        Pool(
            "attack_evaluation",
            stories(source.data_seed, "attack_evaluation"),
            source.attack_evaluation,
            f"{where}.attack_evaluation",
        )
    ]
    for domain in sorted(source.test):
        stream = stories(source.data_seed, f"test/{domain}", (domain,))
        found.append(Pool(f"test_{domain}", stream, source.test[domain], f"{where}.test.{domain}"))
    for split in ("attack_optimization", "validation", "train"):
        found.append(Pool(split, stories(source.data_seed, split), getattr(source, split), f"{where}.{split}"))
    return found


def pretraining(source: GeneratedSource, documents: int, mix: Mapping[str, float]) -> Pool:
    """Stories for pretraining, each with the task that it is for; from a stream that no split of the study uses.

    A headline belongs to a news item; the other tasks take both domains.
    """

    def drawn() -> Iterator[Story]:
        rng = seeded(source.data_seed, "pretraining")
        while True:
            task = _weighted(rng, dict(sorted(mix.items())))
            domain = "news" if task == "headline" else rng.choice(DOMAINS)
            yield WRITERS[domain](rng, task)

    return Pool("pretraining", drawn(), documents, "corpus.pretraining.documents")


def text_pools(source: GeneratedText, pretraining: int | None) -> list[Pool]:
    """The splits of a language modelling study, held-out ones first; each from a stream of its own.

    A text is a story and, on a line of its own, its summary. Pretraining never sees that form: it has stories with
    their record below, and events told in all three wordings.

    Args:
        source: domain and sizes.
        pretraining: how many texts the standard model is trained on; None: it comes from the hub.
    """

    def texts(stream: str) -> Iterator[Text]:
        for story in stories(source.data_seed, f"text/{stream}", (source.domain,)):
            yield Text(story.example_id, source.domain, f"{story.document}\n{story.references[0]}", ())

    def retold() -> Iterator[Text]:
        rng = seeded(source.data_seed, "text/pretraining")
        while True:
            domain = rng.choice(DOMAINS)
            story = WRITERS[domain](rng)
            wordings = [story.references[0], story.record, story.headline]
            rng.shuffle(wordings)
            parts = wordings if rng.random() < source.retold else [story.document, story.record]
            yield Text(story.example_id, domain, "\n".join(parts), ())

    found = []
    for split in ("attack_evaluation", "test", "attack_optimization", "validation", "train"):
        name = f"test_{source.domain}" if split == "test" else split
        found.append(Pool(name, texts(split), getattr(source, split), f"corpus.source.{split}"))
    if pretraining is not None:
        found.append(Pool("pretraining", retold(), pretraining, "corpus.pretraining.documents"))
    return found
