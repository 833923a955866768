"""The corpus folder as a whole: same bytes twice, splits that share nothing, statistics that recount."""

import json
import shutil
import statistics
from itertools import combinations
from pathlib import Path

import pytest

from mono_s2s import files
from mono_s2s.corpus import building, duplicates, reading
from mono_s2s.evidence import schemas
from mono_s2s.files import BadInput
from mono_s2s.scale import load_scale

ROOT = Path(__file__).resolve().parents[2]
DIALOGSUM = ROOT.parent / "shared/data/dialogsum"
SPLITS = ("attack_evaluation", "attack_optimization", "test_dialogue", "test_news", "train", "validation")


def build(settings, data: Path, root: Path = ROOT, scale: str = "toy"):
    return building.build(settings, "t5_experiments", scale, data, Path("data") / scale, root)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_parameters_same_bytes_and_another_seed_other_bytes(toy, built, changed, tmp_path):
    again = build(toy, tmp_path / "again")
    assert again == built[1]
    assert contents(tmp_path / "again") == contents(built[0])
    other = build(changed(source__data_seed=12), tmp_path / "other")
    assert other["data_digest"] != again["data_digest"]
    assert not set(contents(tmp_path / "other")) ^ set(contents(built[0]))


def test_sizes_are_what_the_scale_file_says(toy, built):
    sizes = {name: len(reading.read_split(built[0], name)) for name in SPLITS}
    source = toy.source
    assert sizes == {
        "attack_evaluation": source.attack_evaluation,
        "attack_optimization": source.attack_optimization,
        "test_dialogue": source.test["dialogue"],
        "test_news": source.test["news"],
        "train": source.train,
        "validation": source.validation,
    }
    assert len(reading.read_pretraining(built[0])) == toy.pretraining.documents


def test_no_two_splits_share_a_document_and_ids_are_unique(built):
    documents = {
        name: {duplicates.normalized(example.document) for example in reading.read_split(built[0], name)}
        for name in SPLITS
    }
    assert all(not documents[a] & documents[b] for a, b in combinations(SPLITS, 2))
    ids = [example.example_id for name in SPLITS for example in reading.read_split(built[0], name)]
    assert len(set(ids)) == len(ids) == sum(map(len, documents.values()))


def test_pretraining_shows_no_document_of_the_study(toy):
    found = building.gather(toy, Path("data/toy"), ROOT)
    pretraining = {duplicates.normalized(text.document) for _, text in found.drafts}
    study = {duplicates.normalized(text.document) for texts in found.splits.values() for text in texts}
    assert len(pretraining) == toy.pretraining.documents
    assert not pretraining & study


def test_statistics_follow_their_schema_and_recount(built):
    data, facts = built
    schemas.validate(facts, schemas.DataStatistics, Path("data_statistics.json"))
    encoding = reading.read_encoding(data)
    assert facts["data_digest"] == encoding.data_digest
    assert facts["vocabulary"] == encoding.vocabulary
    assert facts["attack_vocabulary"] == encoding.vocabulary - len(encoding.forbidden_ids)
    for name in SPLITS:
        examples = reading.read_split(data, name)
        counts = [len(example.document_ids) for example in examples]
        assert facts["splits"][name]["truncated_documents"] == 0
        assert facts["splits"][name]["document_tokens"]["total"] == sum(counts)
        assert facts["splits"][name]["document_tokens"]["sd"] == statistics.stdev(counts)
        assert facts["splits"][name]["reference_tokens"]["maximum"] == max(
            len(example.reference_ids[0]) - 1 for example in examples
        )
        assert facts["splits"][name]["digest"] == files.sha256(data / f"{name}.jsonl")
        assert facts["splits"][name]["unknown_tokens"] == 0
    rows = files.read_jsonl(data / "pretraining.jsonl")
    for task, count in facts["pretraining"]["tasks"].items():
        assert count == sum(row["task"] == task for row in rows) > 0
    assert len(facts["overlaps"]) == 21
    assert set(facts["overlaps"].values()) == {0}


def test_an_attack_may_only_use_tokens_that_training_showed(built):
    encoding = reading.read_encoding(built[0])
    shown = {token for example in reading.read_split(built[0], "train") for token in example.document_ids}
    shown |= {token for pair in reading.read_pretraining(built[0]) for token in (*pair.input_ids, *pair.target_ids)}
    shown |= {token for example in reading.read_split(built[0], "train") for token in example.reference_ids[0]}
    allowed = set(range(encoding.vocabulary)) - encoding.forbidden_ids
    assert allowed <= shown
    assert len(allowed) > 200


def test_long_texts_are_cut_on_the_right_and_counted(changed, tmp_path):
    facts = build(changed(max_input_tokens=40, max_target_tokens=8), tmp_path / "data")
    encoding = reading.read_encoding(tmp_path / "data")
    cut = [example for example in reading.read_split(tmp_path / "data", "train") if len(example.document_ids) == 37]
    assert len(cut) >= facts["splits"]["train"]["truncated_documents"] > 0
    assert all(
        encoding.decode(example.document_ids) == example.document[: len(encoding.decode(example.document_ids))]
        for example in cut
    )
    assert facts["splits"]["train"]["truncated_references"] == 48
    assert all(len(example.reference_ids[0]) == 8 for example in reading.read_split(tmp_path / "data", "train"))


def test_a_hub_model_needs_no_pretraining(changed, tmp_path):
    facts = build(changed(pretraining=None), tmp_path / "data")
    assert facts["pretraining"] is None
    assert not (tmp_path / "data/pretraining.jsonl").exists()
    schemas.validate(facts, schemas.DataStatistics, Path("data_statistics.json"))
    with pytest.raises(BadInput, match=r"pretraining\.jsonl: missing"):
        reading.read_pretraining(tmp_path / "data")


def test_a_prefix_that_fills_the_input_is_an_error(changed, tmp_path):
    with pytest.raises(BadInput, match=r"corpus\.max_input_tokens: 3 leaves no room for the document"):
        build(changed(max_input_tokens=3), tmp_path / "data")


def test_an_id_that_stands_twice_is_an_error(tmp_path, changed):
    folder = tmp_path / "data/toy"
    folder.mkdir(parents=True)
    for name, number in (("train", 12), ("test", 6)):
        rows = [{"d": f"{name} text {n}. More.", "s": "short", "id": "same" if n < 2 else n} for n in range(number)]
        files.write_jsonl(folder / f"{name}.jsonl", rows)
    file = {"document": "d", "references": ["s"], "identifier": "id"}
    source = {
        "kind": "jsonl",
        "data_seed": 1,
        "train": [{**file, "path": "data/toy/train.jsonl"}],
        "validation": 1,
        "attack_optimization": 1,
        "test": {"x": {**file, "path": "data/toy/test.jsonl"}},
        "attack_evaluation": 1,
    }
    settings = changed(source=source, pretraining__mix={"span": 1.0})
    with pytest.raises(BadInput, match=r"the example id '\w+-same' stands twice: name a field with one id an example"):
        build(settings, tmp_path / "out", tmp_path)


@pytest.mark.skipif(not DIALOGSUM.is_dir(), reason="the DialogSum files are not beside the checkout")
def test_dialogsum_comes_in_through_its_scale(tmp_path):
    raw = tmp_path / "data/dialogsum"
    raw.mkdir(parents=True)
    for name in ("dialogsum.dev.jsonl", "dialogsum.test.jsonl"):
        shutil.copyfile(DIALOGSUM / name, raw / name)
    settings = load_scale("dialogsum", ROOT).t5_experiments.corpus
    facts = build(settings, tmp_path / "out", tmp_path, "dialogsum")
    schemas.validate(facts, schemas.DataStatistics, Path("data_statistics.json"))
    examples = reading.read_split(tmp_path / "out", "test_dialogsum")
    assert {len(example.references) for example in examples} == {3}
    # The published files hold copies: some development dialogues are test dialogues too.
    assert any(
        "/dialogsum.dev copies " in place and place.endswith("/dialogsum.test") for place in facts["duplicates_dropped"]
    )
    kept = sum(split["examples"] for split in facts["splits"].values())
    assert kept + sum(facts["duplicates_dropped"].values()) == 1000
    encoding = reading.read_encoding(tmp_path / "out")
    for example in examples:
        assert len(encoding.pack(example.document_ids)) <= 256
        assert encoding.decode(example.reference_ids[0]).split()[0] == example.references[0].split()[0]
    assert {row["task"] for row in files.read_jsonl(tmp_path / "out/pretraining.jsonl")} == {"gap", "lead", "span"}
    assert json.loads((tmp_path / "out/encoding.json").read_text())["vocabulary"] == 4000
