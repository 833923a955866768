"""Text from the hub as a stream, by the real client against a hub on this machine: the rows asked for and no more."""

import json
import random
import subprocess
import sys
from pathlib import Path

import hub_server
import pytest

from mono_s2s.corpus import hub as hub_source
from mono_s2s.corpus import reading
from mono_s2s.evidence import schemas
from mono_s2s.files import BadInput
from mono_s2s.sources import HubTexts

pytest.importorskip("datasets", reason="the optional extra mono-s2s[hub] is not installed")
ROOT = Path(__file__).resolve().parents[2]
SIZE = 25_000_000
# A client reads where its hub is when it is imported, so it needs a process of its own; one does for several tries.
BUILD = """
import json, sys
from pathlib import Path
from mono_s2s.corpus import building
from mono_s2s.files import BadInput
from mono_s2s.sources import TextCorpus
for number, content in enumerate(json.loads(Path(sys.argv[1]).read_text())):
    settings = TextCorpus.model_validate(content)
    data = Path(sys.argv[2]) / str(number)
    try:
        print(json.dumps(building.build(settings, "foundation_llm_experiments", "toy", data, Path("data/toy"))))
    except BadInput as error:
        print(json.dumps(str(error)))
"""


def rows(split: str, number: int, characters: int) -> bytes:
    rng = random.Random(split)
    words = ["".join(rng.choices("abcdefghij", k=5)) for _ in range(500)]
    lines = []
    for n in range(number):
        text = f"{split} row {n} " + " ".join(rng.choices(words, k=characters // 6))
        # The third row is empty, the fourth too short to be attacked.
        lines.append(json.dumps({"text": "" if n == 2 else "brief" if n == 3 else text, "meta": {"n": n}}) + "\n")
    return "".join(lines).encode()


@pytest.fixture(scope="module")
def hub(tmp_path_factory, hub_tokenizer):
    """A large set as the Pile lies on the hub, training in shards, and a Pythia-like tokenizer."""
    folder = tmp_path_factory.mktemp("repositories")
    (folder / "pile/train").mkdir(parents=True)
    # Two shards, the first one too large to be read by accident.
    (folder / "pile/train/00.jsonl").write_bytes(rows("train", 250, SIZE // 250))
    (folder / "pile/train/01.jsonl").write_bytes(rows("more", 9, 300))
    (folder / "pile/val.jsonl").write_bytes(rows("val", 20, 300))
    (folder / "pile/test.jsonl").write_bytes(rows("test", 20, 300))
    hub_tokenizer("pythia", folder / "pythia")
    (folder / "pythia/config.json").write_text('{"model_type": "gpt_neox", "vocab_size": 400}')
    with hub_server.serve(models={"me/pythia": folder / "pythia"}, datasets={"me/pile": folder / "pile"}) as server:
        yield server


@pytest.fixture
def content(hub):
    """A section `corpus`; keyword arguments change parts of its source."""

    def make(**changes) -> dict:
        pile = {"name": "me/pile", "revision": hub.commit("me/pile"), "text": "text"}
        val = {**pile, "split": "validation", "file": "val.jsonl"}
        test = {**pile, "split": "test", "file": "test.jsonl"}
        source = {
            "kind": "hub",
            "data_seed": 1,
            "train": {**pile, "split": "train", "skip": 1, "limit": 5},
            "validation": {**val, "limit": 6},
            "test": {"pile": {**test, "limit": 8}},
            "attack_optimization": {**val, "skip": 6, "limit": 3},
            "attack_evaluation": {**test, "limit": 6},
            "retries": 2,
            "retry_seconds": 0.1,
        }
        for key, value in changes.items():
            part, name = key.split("__")
            source[part][name] = value
        return {
            "source": source,
            "block_tokens": 64,
            "continuation_tokens": 12,
            "tokenizer": {"kind": "load", "name": "me/pythia", "revision": hub.commit("me/pythia")},
        }

    return make


@pytest.fixture
def build(hub, tmp_path):
    def run(*several: dict) -> list:
        (tmp_path / "settings.json").write_text(json.dumps(several))
        hub.requests.clear()
        hub.sent.clear()
        done = subprocess.run(
            [sys.executable, "-c", BUILD, tmp_path / "settings.json", tmp_path],
            cwd=ROOT,
            env=hub.environment(tmp_path / "home"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_a_stream_gives_the_rows_asked_for_and_fetches_no_more(build, content, hub, tmp_path):
    hub.failures, hub.failure_status = 1, 400
    (facts,) = build(content())
    assert hub.failures == 0
    schemas.validate(facts, schemas.DataStatistics, Path("data_statistics.json"))
    # Rows 1 to 6 without the empty and the brief one; the test set has lost these to it, and its own empty row.
    attacked = reading.read_split(tmp_path / "0", "attack_evaluation")
    assert sorted(example.example_id for example in attacked) == [f"pile-test-{n}" for n in (1, 2, 5, 6)]
    optimized = reading.read_split(tmp_path / "0", "attack_optimization")
    assert sorted(example.example_id for example in optimized) == [f"pile-validation-{n}" for n in (7, 8, 9)]
    assert facts["empty_dropped"] == {
        "corpus.source.attack_evaluation": 1,
        "corpus.source.attack_evaluation: shorter than 20 words": 1,
        "corpus.source.test.pile": 1,
        "corpus.source.validation": 1,
        "corpus.source.train": 1,
    }
    # "brief" stands in every split; the test set was the first to have it.
    assert facts["duplicates_dropped"] == {
        "test_pile/pile copies attack_evaluation/pile": 4,
        "validation/pile copies test_pile/pile": 1,
        "train/pile copies test_pile/pile": 1,
    }
    assert facts["pretraining"] is None
    # Of the large shard a part; of the one behind it nothing.
    fetched = [size for path, size in hub.sent if path == "train/00.jsonl"]
    assert fetched
    assert 0 < max(fetched) < 0.8 * SIZE
    assert not [line for line in hub.requests if "01.jsonl" in line]
    assert all(hub.commit("me/pile") in line for line in hub.requests if "/datasets/" in line)


def test_what_is_not_there_is_an_error_and_never_a_smaller_corpus(build, content, hub, tmp_path):
    cases = [
        (
            content(attack_evaluation__revision="0" * 40),
            f"corpus.source.attack_evaluation: me/pile at revision {'0' * 40}, test.jsonl: Revision '{'0' * 40}' does",
        ),
        # The folder train/ hides the files of the other splits from the library.
        (content(attack_evaluation__file=None), "cannot be read (Bad split: test. Available splits: ['train'])"),
        (content(attack_evaluation__file="none.jsonl"), ", none.jsonl: cannot be "),
        (content(attack_evaluation__file="none.jsonl"), ": check the file's name"),
        (content(attack_evaluation__text="body"), "column 'body' missing (columns: meta, text)"),
        (content(attack_evaluation__text="meta"), "column 'meta' holds dict, not text"),
        (
            content(attack_evaluation__skip=15),
            "split test has 5 rows after the first 15, 6 are asked for: ask for fewer",
        ),
        (
            content() | {"pretraining": {"documents": 9}},
            "corpus.pretraining: a hub source has no text for it: take it out, or give the text as a file",
        ),
    ]
    messages = build(*(settings for settings, _ in cases))
    for message, (_, wanted) in zip(messages, cases, strict=True):
        assert wanted in message
        assert "\n" not in message
    assert not list(tmp_path.glob("*/encoding.json"))


def test_a_revision_that_is_not_chosen_stops_before_the_first_download(content, hub):
    hub.requests.clear()
    settings = HubTexts.model_validate(content(train__revision=None)["source"])
    with pytest.raises(BadInput) as caught:
        hub_source.text_pools(settings, 20)
    assert str(caught.value) == (
        "corpus.source.train.revision: null: put in the commit (40 hexadecimal digits) that "
        "https://huggingface.co/datasets/me/pile/commits/main shows"
    )
    assert hub.requests == []


def test_a_package_that_is_missing_stops_before_the_first_download(content, hub, monkeypatch):
    # As where it is not installed: the import system finds nothing under the name.
    monkeypatch.setattr(hub_source, "find_spec", lambda name: None)
    hub.requests.clear()
    settings = HubTexts.model_validate(content(train__file="train/00.jsonl.zst")["source"])
    with pytest.raises(BadInput) as caught:
        hub_source.text_pools(settings, 20)
    assert str(caught.value) == (
        "corpus.source.train.file: train/00.jsonl.zst needs the package zstandard: pip install zstandard"
    )
    assert hub.requests == []
