"""The hub's data sets, by the real client against a hub on this machine: all of what was asked for, or an error."""

import json
import subprocess
import sys
from pathlib import Path

import hub_server
import pytest

from mono_s2s.corpus import reading, tokenizer
from mono_s2s.sources import TrainedTokenizer

pytest.importorskip("datasets", reason="the optional extra mono-s2s[hub] is not installed")
ROOT = Path(__file__).resolve().parents[2]
# A client reads where its hub is when it is imported, so each try is a process of its own.
BUILD = """
import json, sys
from pathlib import Path
from mono_s2s.corpus import building
from mono_s2s.files import BadInput
from mono_s2s.sources import Corpus
settings = Corpus.model_validate(json.loads(Path(sys.argv[1]).read_text()))
try:
    facts = building.build(settings, "t5_experiments", "toy", Path(sys.argv[2]), Path("data/toy"))
except BadInput as error:
    sys.exit(f"error: {error}")
print(json.dumps(facts))
"""


def rows(split: str, number: int) -> list[dict]:
    return [
        {
            "id": f"{split}{n}",
            "article": f"The {split} article {n} is long. It ends.",
            "highlights": f"Article {n}.",
            "words": 9,
        }
        for n in range(number)
    ]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A news set in parquet, a chat set in JSONL that repeats it, and a model's tokenizer."""
    import pyarrow
    from pyarrow import parquet

    folder = tmp_path_factory.mktemp("repositories")
    (folder / "news/data").mkdir(parents=True)
    for split, number in (("train", 20), ("validation", 8), ("test", 10)):
        parquet.write_table(
            pyarrow.Table.from_pylist(rows(split, number)), folder / f"news/data/{split}-00000-of-00001.parquet"
        )
    (folder / "chat").mkdir()
    chat = [{"dialogue": f"Ann: Hello {n}. Ben: Bye.", "summary": f"They talk {n}."} for n in range(6)]
    chat += [{"dialogue": rows("test", 1)[0]["article"].upper(), "summary": "A test article."}]
    chat += [{"dialogue": "Nobody: Hi.", "summary": None}, {"dialogue": " ", "summary": "Nothing."}]
    (folder / "chat/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chat))
    words = [text for row in rows("train", 20) + chat for text in row.values() if isinstance(text, str)]
    tokenizer.train(TrainedTokenizer(kind="train", vocabulary=150), [*words, "summarize:"], folder / "t5", 64)
    (folder / "t5/config.json").write_text('{"model_type": "t5", "vocab_size": 150}')
    with hub_server.serve(
        models={"me/t5": folder / "t5"}, datasets={"me/news": folder / "news", "me/chat": folder / "chat"}
    ) as server:
        yield server


@pytest.fixture
def build(hub, tmp_path):
    """Build a corpus from the hub in a process of its own."""

    def run(offline: bool = False, home: Path = tmp_path / "home", **changes) -> subprocess.CompletedProcess:
        news = {
            "name": "me/news",
            "revision": hub.commit("me/news"),
            "document": "article",
            "references": ["highlights"],
            "identifier": "id",
        }
        chat = {
            "name": "me/chat",
            "revision": hub.commit("me/chat"),
            "split": "train",
            "document": "dialogue",
            "references": ["summary"],
        }
        source = {
            "kind": "hub",
            "data_seed": 1,
            "train": [{**news, "split": "train", "limit": 12}, chat],
            "validation": [{**news, "split": "validation", "limit": 4}],
            "test": {"news": {**news, "split": "test"}},
            "attack_optimization": {**news, "split": "validation", "limit": 3},
            "attack_evaluation": {**news, "split": "test", "limit": 4},
            "retries": 3,
            "retry_seconds": 0.1,
        }
        loaded = {"kind": "load", "name": "me/t5", "revision": hub.commit("me/t5")}
        settings = {
            "source": source,
            "prefix": "summarize:",
            "max_input_tokens": 64,
            "max_target_tokens": 16,
            "tokenizer": loaded,
        }
        for key, value in changes.items():
            node = settings
            *steps, last = key.split("__")
            for step in steps:
                node = node[int(step) if step.isdigit() else step]
            node[last] = value
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        environment = hub.environment(home) | ({"HF_HUB_OFFLINE": "1"} if offline else {})
        hub.requests.clear()
        return subprocess.run(
            [sys.executable, "-c", BUILD, tmp_path / "settings.json", tmp_path / "data"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_corpus_from_the_hub(build, tmp_path):
    done = build()
    assert done.returncode == 0, done.stderr[-3000:]
    facts = json.loads(done.stdout)
    assert {name: split["examples"] for name, split in facts["splits"].items()} == {
        "attack_evaluation": 4,
        # What is attacked is not in the test set.
        "test_news": 6,
        "attack_optimization": 3,
        "validation": 4,
        "train": 12 + 6,
    }
    dropped = facts["duplicates_dropped"]
    assert dropped.pop("test_news/news copies attack_evaluation/news") == 4
    # The chat set holds a test article under another name (in capitals).
    ((place, count),) = ((place, count) for place, count in dropped.items() if place.startswith("train/chat"))
    assert count == 1
    assert place.split(" copies ")[1] in ("test_news/news", "attack_evaluation/news")
    assert facts["empty_dropped"] == {"corpus.source.train[1]": 2}
    assert facts["splits"]["train"]["sources"] == {"chat": 6, "news": 12}
    examples = reading.read_split(tmp_path / "data", "test_news")
    assert all(example.example_id.startswith("news-test") for example in examples)
    # A sample in a seeded order, not the split's first rows.
    taken = [example.example_id for example in reading.read_split(tmp_path / "data", "attack_evaluation")]
    assert taken != [f"news-test{n}" for n in range(4)]
    encoding = reading.read_encoding(tmp_path / "data")
    assert encoding.decode(examples[0].document_ids) == examples[0].document
    assert encoding.vocabulary == facts["vocabulary"] == 150
    # Nobody knows what a hub model was trained on, so only special tokens are forbidden.
    assert len(encoding.forbidden_ids) == 3 + 32


def test_each_split_is_fetched_at_its_commit(build, hub):
    assert build().returncode == 0
    fetched = [line for line in hub.requests if line.startswith("GET") and line.endswith(".parquet")]
    assert len(fetched) == len(set(fetched)) == 3
    asked = [line for line in hub.requests if "/datasets/" in line]
    commits = (hub.commit("me/news"), hub.commit("me/chat"))
    assert asked
    assert all(any(commit in line for commit in commits) for line in asked)


def test_a_network_that_fails_once_costs_nothing(build, hub):
    hub.failures, hub.failure_status = 1, 400
    done = build()
    assert hub.failures == 0
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_hub_that_does_not_answer_is_an_error_after_all_tries(build):
    done = build(offline=True)
    assert done.returncode == 1
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("error: corpus.source.attack_evaluation: me/news at revision ")
    assert "cannot be fetched after 3 tries (" in message
    assert message.endswith(": check the network, run again")


def test_the_cache_serves_its_own_revision_and_no_other(build, hub, tmp_path):
    home = tmp_path / "kept"
    assert build(home=home).returncode == 0
    assert build(home=home, offline=True).returncode == 0
    # Offline, the library would silently take the revision that it has.
    done = build(home=home, offline=True, source__attack_evaluation__revision="0" * 40)
    assert done.returncode == 1
    assert "after 3 tries (the hub did not answer, and the cache holds another revision)" in done.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"source__attack_evaluation__revision": "0" * 40},
            "corpus.source.attack_evaluation: me/news at revision "
            + "0" * 40
            + ": Revision '"
            + "0" * 40
            + "' doesn't exist",
        ),
        (
            {"source__train__1__revision": None},
            "corpus.source.train[1].revision: null: put in the commit (40 hexadecimal digits) that "
            "https://huggingface.co/datasets/me/chat/commits/main shows",
        ),
        ({"source__attack_evaluation__name": "me/none"}, "Dataset 'me/none' doesn't exist on the Hub"),
        ({"source__attack_evaluation__split": "dev"}, "no split 'dev' (splits: test, train, validation)"),
        ({"source__attack_evaluation__configuration": "3.0.0"}, "cannot be read (BuilderConfig '3.0.0' not found"),
        ({"source__attack_evaluation__document": "words"}, "column 'words' holds int, not text"),
        (
            {"source__attack_evaluation__document": "text"},
            "column 'text' missing (columns: article, highlights, id, words)",
        ),
        (
            {"source__attack_evaluation__limit": 11},
            "corpus.source.attack_evaluation: attack_evaluation is to take 11 documents and finds 10",
        ),
        (
            {"tokenizer__revision": "0" * 40},
            "corpus.tokenizer: me/t5 at revision " + "0" * 40 + ": cannot be loaded (",
        ),
    ],
)
def test_what_is_not_there_is_an_error_and_never_a_smaller_corpus(build, tmp_path, changes, message):
    done = build(**changes)
    assert done.returncode == 1
    assert message in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "data/encoding.json").exists()


def test_without_the_library_the_mend_is_named(build, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "datasets.py").write_text("raise ImportError('no module named datasets')\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from mono_s2s.corpus import hub\nfrom mono_s2s.files import BadInput\n"
        "try:\n    hub._library()\nexcept BadInput as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, hidden], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == (
        "corpus.source.kind: hub needs the package datasets, which is not installed: pip install 'mono-s2s[hub]'\n"
    )
