"""Plain text for decoder-only models: no token lost or doubled, attacks on single texts, ids that mean one thing."""

import json
import shutil
from itertools import chain, combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_s2s import files
from mono_s2s.corpus import building, duplicates, passages, reading, text_building, tokenizer
from mono_s2s.evidence import schemas
from mono_s2s.files import BadInput
from mono_s2s.scale import load_scale
from mono_s2s.sources import LoadedTokenizer, TextCorpus

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared/data"
STUDY = "foundation_llm_experiments"
PACKED = ("test_dialogue", "train", "validation")
ATTACKED = ("attack_evaluation", "attack_optimization")


@pytest.fixture(scope="module")
def toy() -> TextCorpus:
    return load_scale("toy", ROOT).study(STUDY).corpus


@pytest.fixture(scope="module")
def built(toy, tmp_path_factory):
    data = tmp_path_factory.mktemp("text") / "data"
    return data, building.build(toy, STUDY, "toy", data, Path("data/toy"))


def build(settings, data: Path, root: Path = ROOT, scale: str = "toy"):
    return building.build(settings, STUDY, scale, data, Path("data") / scale, root)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def separated(texts, vocabulary) -> list[int]:
    """All texts' ids in order, the end of text behind each."""
    return [token for ids in vocabulary.encode(text.document for text in texts) for token in (*ids, vocabulary.eos_id)]


def blocks(data: Path, name: str) -> list[list[int]]:
    return [list(example.reference_ids[0]) for example in reading.read_split(data, name)]


@given(
    texts=st.lists(st.lists(st.integers(5, 99), max_size=20), max_size=12),
    size=st.integers(1, 17),
)
def test_blocks_are_the_texts_one_after_another(texts, size):
    found = list(text_building.pack([(str(number), ids) for number, ids in enumerate(texts)], 1, size))
    assert list(chain.from_iterable(block for _, block in found)) == [token for ids in texts for token in (*ids, 1)]
    assert all(len(block) == size for _, block in found[:-1])
    assert all(0 < len(block) <= size for _, block in found)
    # A block is said to be of the text that its first token belongs to.
    owners = [str(number) for number, ids in enumerate(texts) for _ in range(len(ids) + 1)]
    assert [source for source, _ in found] == owners[::size]


def test_every_held_out_token_is_scored_once_and_training_drops_only_the_last_piece(toy, built):
    data = built[0]
    found = building.gather(toy, Path("data/toy"), ROOT)
    vocabulary = tokenizer.read(data / "tokenizer")
    for name in ("test_dialogue", "validation"):
        assert list(chain.from_iterable(blocks(data, name))) == separated(found.splits[name], vocabulary)
    shown = {
        "train": blocks(data, "train"),
        "pretraining": [pair.target_ids for pair in reading.read_pretraining(data)],
    }
    for name, texts in (("train", found.splits["train"]), ("pretraining", found.passages)):
        whole = separated(texts, vocabulary)
        kept = list(chain.from_iterable(shown[name]))
        assert kept == whole[: len(kept)]
        assert 0 <= len(whole) - len(kept) < toy.block_tokens
        assert {len(block) for block in shown[name]} == {toy.block_tokens}


def test_an_attacked_example_is_the_first_block_of_one_text(toy, built):
    data = built[0]
    found = building.gather(toy, Path("data/toy"), ROOT)
    vocabulary = tokenizer.read(data / "tokenizer")
    for name in ATTACKED:
        examples = reading.read_split(data, name)
        encoded = vocabulary.encode(text.document for text in found.splits[name])
        for example, text, ids in zip(examples, found.splits[name], encoded, strict=True):
            (continuation,) = example.reference_ids
            assert [*example.document_ids, *continuation] == ids[: toy.block_tokens]
            assert len(continuation) == toy.continuation_tokens
            assert len(example.document_ids) >= text_building.SHORTEST_CONTEXT
            assert not {vocabulary.eos_id, vocabulary.pad_id} & {*example.document_ids, *continuation}
            assert text.document.startswith((example.document + example.references[0]).lstrip())


def test_an_input_is_the_start_and_a_context_and_fits(toy, built):
    data = built[0]
    encoding = reading.read_encoding(data)
    assert encoding.architecture == "decoder-only"
    assert encoding.prefix_ids == (encoding.start_id,) == (encoding.eos_id,)
    assert encoding.pad_id != encoding.eos_id
    assert encoding.room() == toy.block_tokens - toy.continuation_tokens
    for name in (*PACKED, *ATTACKED):
        for example in reading.read_split(data, name):
            packed = encoding.pack(example.document_ids)
            assert packed == [encoding.start_id, *example.document_ids]
            assert name in ATTACKED or packed == [encoding.start_id]
            assert len(packed) + len(example.reference_ids[0]) <= 1 + toy.block_tokens
    assert all(pair.input_ids == (encoding.start_id,) for pair in reading.read_pretraining(data))


def test_an_attack_may_only_use_tokens_that_training_showed(built):
    data = built[0]
    encoding = reading.read_encoding(data)
    shown = set(chain.from_iterable(blocks(data, "train")))
    shown |= {token for pair in reading.read_pretraining(data) for token in pair.target_ids}
    allowed = set(range(encoding.vocabulary)) - encoding.forbidden_ids
    assert allowed == shown - {encoding.eos_id}
    assert len(allowed) > 200


def test_statistics_follow_their_schema_and_recount(toy, built):
    data, facts = built
    schemas.validate(facts, schemas.DataStatistics, Path("data_statistics.json"))
    assert (facts["study"], facts["source"], facts["vocabulary"]) == (STUDY, "generated", 600)
    assert facts["data_digest"] == reading.read_encoding(data).data_digest
    found = building.gather(toy, Path("data/toy"), ROOT)
    vocabulary = tokenizer.read(data / "tokenizer")
    for name, split in facts["splits"].items():
        examples = reading.read_split(data, name)
        assert split["examples"] == len(examples)
        assert split["digest"] == files.sha256(data / f"{name}.jsonl")
        assert split["document_tokens"]["total"] == sum(len(example.document_ids) for example in examples)
        assert split["reference_tokens"]["total"] == sum(len(example.reference_ids[0]) for example in examples)
        assert split["unknown_tokens"] == split["truncated_references"] == 0
        lengths = map(len, vocabulary.encode(text.document for text in found.splits[name]))
        cut = sum(length > toy.block_tokens for length in lengths)
        assert split["truncated_documents"] == (cut if name in ATTACKED else 0)
        assert name not in ATTACKED or cut > 0
    assert facts["pretraining"]["tasks"] == {"text": len(reading.read_pretraining(data))}
    assert facts["pretraining"]["input_tokens"]["maximum"] == 1
    # Six splits, pretraining among them, in pairs.
    assert len(facts["overlaps"]) == 15
    assert set(facts["overlaps"].values()) == {0}


def test_domains_sizes_and_no_text_twice(toy, built):
    found = building.gather(toy, Path("data/toy"), ROOT)
    splits = {**found.splits, "pretraining": found.passages}
    sizes = {name: len(texts) for name, texts in splits.items()}
    assert sizes == {
        "attack_evaluation": 8,
        "test_dialogue": 24,
        "attack_optimization": 8,
        "validation": 16,
        "train": 48,
        "pretraining": 120,
    }
    assert {text.source for texts in found.splits.values() for text in texts} == {"dialogue"}
    keys = {name: {duplicates.normalized(text.document) for text in texts} for name, texts in splits.items()}
    assert all(not keys[a] & keys[b] for a, b in combinations(keys, 2))
    # Pretraining has another form of text: never a story with its summary below it, which is all that the study has.
    assert all(len(text.document.split("\n")) == 2 for texts in found.splits.values() for text in texts)
    assert {text.source for text in found.passages} == {"dialogue", "news"}
    told = {len(text.document.split("\n")) for text in found.passages}
    assert told == {2, 3}
    assert all("\nwho " in text.document for text in found.passages if len(text.document.split("\n")) == 2)
    ids = [example.example_id for name in found.splits for example in reading.read_split(built[0], name)]
    assert len(set(ids)) == len(ids)


def test_same_parameters_same_bytes_and_another_seed_other_bytes(toy, built, changed, tmp_path):
    assert build(toy, tmp_path / "again") == built[1]
    assert contents(tmp_path / "again") == contents(built[0])
    assert build(changed(source__data_seed=13), tmp_path / "other")["data_digest"] != built[1]["data_digest"]


def test_a_hub_model_needs_no_pretraining(changed, tmp_path):
    facts = build(changed(pretraining=None), tmp_path / "data")
    assert facts["pretraining"] is None
    assert not (tmp_path / "data/pretraining.jsonl").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"block_tokens": 200, "continuation_tokens": 190},
            r"corpus\.continuation_tokens: attack_evaluation has dialogue-\w+ of \d+ tokens, which leaves fewer than 8 "
            r"before a continuation of 190: make it shorter",
        ),
        (
            {"block_tokens": 9000},
            r"corpus\.block_tokens: 48 texts of train do not fill one block of 9000 tokens: give more text or make "
            r"blocks shorter",
        ),
    ],
)
def test_what_does_not_fit_is_an_error(changed, tmp_path, changes, message):
    with pytest.raises(BadInput, match=f"^{message}$"):
        build(changed(**changes), tmp_path / "data")
    assert not (tmp_path / "data/encoding.json").exists()


@pytest.mark.parametrize("family", ["pythia", "llama", "qwen"])
def test_start_padding_and_end_of_a_hub_models_tokenizer(changed, hub_tokenizer, tmp_path, family):
    made = hub_tokenizer(family, tmp_path / "hub")
    loaded = LoadedTokenizer(kind="load", name=str(tmp_path / "hub"), revision="0" * 40)
    facts = build(changed(tokenizer=loaded, pretraining=None), tmp_path / "data")
    encoding = reading.read_encoding(tmp_path / "data")
    number = {name: made.token_to_id(token) for name, token in hub_tokenizer.NAMES[family].items()}
    assert encoding.eos_id == number["eos_token"]
    assert encoding.prefix_ids == (encoding.start_id,) == (number.get("bos_token", number["eos_token"]),)
    assert encoding.pad_id == number.get("pad_token", number["eos_token"])
    assert encoding.forbidden_ids == set(number.values())
    assert facts["attack_vocabulary"] == made.get_vocab_size() - len(encoding.forbidden_ids)
    # Llama's puts its beginning before a text when it is asked for special tokens; here nobody asks.
    joined = list(chain.from_iterable(blocks(tmp_path / "data", "validation")))
    assert encoding.start_id not in joined or encoding.start_id == encoding.eos_id
    assert joined.count(encoding.eos_id) == 16


def test_a_text_that_spells_a_special_token_stays_plain_text(changed, hub_tokenizer, tmp_path):
    hub_tokenizer("pythia", tmp_path / "hub")
    rows = [{"text": f"number {n} says <|endoftext|> here and goes on for a while {n}"} for n in range(12)]
    files.write_jsonl(tmp_path / "data/toy/spelled.jsonl", rows)
    source = {
        "kind": "files",
        "data_seed": 1,
        "files": [{"path": "data/toy/spelled.jsonl", "field": "text"}],
        "passage_characters": 1,
        "validation": 2,
        "test": 2,
        "attack_optimization": 1,
        "attack_evaluation": 1,
    }
    loaded = {"kind": "load", "name": str(tmp_path / "hub"), "revision": "0" * 40}
    settings = changed(source=source, tokenizer=loaded, pretraining=None, block_tokens=16, continuation_tokens=4)
    facts = build(settings, tmp_path / "out", tmp_path)
    eos = reading.read_encoding(tmp_path / "out").eos_id
    assert list(chain.from_iterable(blocks(tmp_path / "out", "test_spelled"))).count(eos) == 2
    assert all(split["unknown_tokens"] == 0 for split in facts["splits"].values())


@pytest.mark.parametrize(
    ("scale", "source", "names"),
    [
        ("shakespeare", "tiny_shakespeare", ["input.txt"]),
        ("dialogsum", "dialogsum", ["dialogsum.dev.jsonl", "dialogsum.test.jsonl"]),
    ],
)
def test_real_text_comes_in_through_its_scale(tmp_path, scale, source, names):
    if not (SHARED / source).is_dir():
        pytest.skip(f"the {source} files are not beside the checkout")
    raw = tmp_path / "data" / scale
    raw.mkdir(parents=True)
    for name in names:
        shutil.copyfile(SHARED / source / name, raw / name)
    settings = load_scale(scale, ROOT).study(STUDY).corpus
    facts = build(settings, tmp_path / "out", tmp_path, scale)
    schemas.validate(facts, schemas.DataStatistics, Path("data_statistics.json"))
    (test,) = reading.test_sets(tmp_path / "out")
    assert test == ("input" if scale == "shakespeare" else "text")
    found = building.gather(settings, Path("data") / scale, tmp_path)
    vocabulary = tokenizer.read(tmp_path / "out/tokenizer")
    held_out = found.splits[f"test_{test}"]
    assert list(chain.from_iterable(blocks(tmp_path / "out", f"test_{test}"))) == separated(held_out, vocabulary)
    # Nothing of the files is lost but copies; what training never showed is hardly anything.
    kept = sum(map(len, found.splits.values())) + len(found.passages) + sum(found.duplicates.values())
    characters = settings.source.passage_characters
    assert kept == sum(len(passages.read(file, characters, tmp_path)) for file in settings.source.files)
    assert facts["attack_vocabulary"] > 0.9 * settings.tokenizer.vocabulary
    assert all(split["unknown_tokens"] < 10 for split in facts["splits"].values())
    assert json.loads((tmp_path / "out/encoding.json").read_text())["max_input_tokens"] == 113
