"""Pretraining pairs: nothing is lost in a span, a gap is always there, and all of it fits."""

import itertools
import random
import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_s2s.corpus import pretraining, reading, tokenizer
from mono_s2s.corpus.texts import Text
from mono_s2s.files import BadInput


@pytest.fixture(scope="module")
def encoding(built):
    return reading.read_encoding(built[0])


@pytest.fixture(scope="module")
def vocabulary(built):
    return tokenizer.read(built[0] / "tokenizer")


def put_together(source: list[int], goal: list[int], sentinels: tuple[int, ...]) -> list[int]:
    """The text that a pair of span corruption was made from."""
    spans: dict[int, list[int]] = {}
    for token in goal[:-1]:
        if token in sentinels:
            spans[token] = []
        else:
            spans[list(spans)[-1]].append(token)
    return [part for token in source[:-1] for part in (spans[token] if token in sentinels else [token])]


@given(
    ids=st.lists(st.integers(40, 500), min_size=1, max_size=150),
    seed=st.integers(0, 9),
    target=st.integers(3, 40),
    sentinels=st.integers(1, 32),
)
def test_span_corruption_hides_spans_and_loses_nothing(encoding, vocabulary, ids, seed, target, sentinels):
    encoding = replace(encoding, max_input_tokens=100, max_target_tokens=target)
    marks = vocabulary.sentinel_ids[:sentinels]
    source, goal = pretraining.span_corruption(ids, random.Random(seed), encoding, marks)
    assert put_together(source, goal, marks) == ids[:99]
    assert source[-1] == goal[-1] == encoding.eos_id
    assert len(source) <= 100
    assert len(goal) <= target
    used = [token for token in source if token in marks]
    assert used == list(marks[: len(used)]) == [token for token in goal if token in marks]
    # Two sentinels never stand side by side: that would be one span.
    assert not any(a in marks and b in marks for a, b in itertools.pairwise(source))


def test_span_corruption_hides_about_fifteen_in_a_hundred(encoding, vocabulary):
    wide = replace(encoding, max_target_tokens=200, max_input_tokens=200)
    random_numbers = random.Random(1)
    hidden = [
        len(set(goal) - set(vocabulary.sentinel_ids)) - 1
        for _, goal in (
            pretraining.span_corruption(range(100, 200), random_numbers, wide, vocabulary.sentinel_ids)
            for _ in range(50)
        )
    ]
    assert set(hidden) == {15}


def test_a_gap_is_in_its_input_and_its_sentence_is_the_target(encoding, vocabulary):
    parts = [
        f"{name} sold {number} lamps in Oslo on Monday." for name in ("Ada", "Nora", "Otto") for number in (12, 14)
    ]
    texts = [("gap", Text("1", "x", " ".join(parts * 4), ("s",))) for _ in range(60)]
    for row in pretraining.rows(texts, 3, encoding, vocabulary):
        source, goal = row["input_ids"], row["target_ids"]
        assert source.count(vocabulary.sentinel_ids[0]) == 1
        assert len(source) <= encoding.max_input_tokens
        assert encoding.decode(goal) in parts
        assert encoding.decode(source).startswith("gap:")


def test_a_gap_leaves_the_rest_of_the_text_as_it_was(encoding, vocabulary):
    text = Text("1", "x", "Ada: Hello Otto. Otto: Hello Ada. Ada: See you soon.", ("s",))
    found = set()
    for seed in range(20):
        row = pretraining.rows([("gap", text)], seed, encoding, vocabulary)[0]
        mark = row["input_ids"].index(vocabulary.sentinel_ids[0])
        left, right = encoding.decode(row["input_ids"][:mark]), encoding.decode(row["input_ids"][mark:])
        found.add(" ".join(f"{left} {encoding.decode(row['target_ids'])} {right}".split()))
    assert found == {f"gap: {text.document}"}


def test_the_lead_is_the_first_sentence_under_the_studys_prefix(encoding, vocabulary):
    text = Text("1", "x", "Ada sold lamps. Otto sold maps.", ("s",))
    row = pretraining.rows([("lead", text)], 1, encoding, vocabulary)[0]
    assert encoding.decode(row["target_ids"]) == "Ada sold lamps."
    assert tuple(row["input_ids"][: len(encoding.prefix_ids)]) == encoding.prefix_ids


def test_drafts_follow_the_mix_and_use_documents_in_turn():
    texts = [Text(str(number), "x", f"One {number}. Two {number}.", ("s",)) for number in range(10)]
    texts.append(Text("one", "x", "A single sentence", ("s",)))
    drafts = pretraining.drafts(texts, 1100, {"gap": 0.3, "lead": 0.2, "span": 0.5}, 1)
    shares = Counter(task for task, _ in drafts)
    assert {task: count / 1100 for task, count in shares.items()} == pytest.approx(
        {"gap": 0.3, "lead": 0.2, "span": 0.5}, abs=0.06
    )
    assert "one" not in {text.example_id for task, text in drafts if task == "gap"}
    spans = Counter(text.example_id for task, text in drafts if task == "span")
    assert max(spans.values()) - min(spans.values()) <= 1
    assert drafts == pretraining.drafts(texts, 1100, {"gap": 0.3, "lead": 0.2, "span": 0.5}, 1)


def test_a_gap_needs_two_sentences():
    with pytest.raises(BadInput, match=r"corpus\.pretraining\.mix\.gap: no training document has two sentences"):
        pretraining.drafts([Text("1", "x", "Only one.", ("s",))], 5, {"gap": 1.0}, 1)


def test_facts_of_a_text_without_facts_are_an_error(encoding, vocabulary):
    with pytest.raises(BadInput, match=r"corpus\.pretraining\.mix\.record: only the generated corpus has this task"):
        pretraining.rows([("record", Text("1", "x", "A text.", ("s",)))], 1, encoding, vocabulary)


@pytest.mark.parametrize(
    ("source", "mix", "message"),
    [
        (
            None,
            {"poem": 1.0},
            "corpus.pretraining.mix.poem: no task of a generated source (tasks: headline, record, span)",
        ),
        ("jsonl", {"record": 1.0}, "corpus.pretraining.mix.record: no task of a jsonl source (tasks: gap, lead, span)"),
    ],
)
def test_an_unknown_task_is_named(changed, source, mix, message):
    keys = {"pretraining__mix": mix}
    if source:
        file = {"path": "data/x/a.jsonl", "document": "d", "references": ["s"]}
        keys["source"] = {
            "kind": "jsonl",
            "data_seed": 1,
            "train": [file],
            "validation": 1,
            "attack_optimization": 1,
            "test": {"x": file},
            "attack_evaluation": 1,
        }
    with pytest.raises(ValueError, match=re.escape(message)):
        changed(**keys)
