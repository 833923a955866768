"""A copy of a document, however spelt and wherever it stands, is dropped and counted; held-out splits keep theirs."""

import pytest

from mono_s2s.corpus import duplicates
from mono_s2s.corpus.texts import Pool, Text
from mono_s2s.files import BadInput


def texts(source: str, *documents: str) -> list[Text]:
    return [Text(f"{source}-{number}", source, document, ("s",)) for number, document in enumerate(documents)]


def documents(splits: dict[str, list[Text]]) -> dict[str, list[str]]:
    return {name: [text.document for text in found] for name, found in splits.items()}


@pytest.mark.parametrize("copy", ["A cat sat.", "a CAT sat.", "  A  cat\tsat.\n", "A\u00a0cat sat."])
def test_case_and_white_space_make_no_other_document(copy):
    splits, dropped = duplicates.fill(
        [Pool("test_x", texts("x", "A cat sat."), None, "p"), Pool("train", texts("y", copy, "A dog."), None, "p")]
    )
    assert documents(splits) == {"test_x": ["A cat sat."], "train": ["A dog."]}
    assert dropped == {"train/y copies test_x/x": 1}


def test_punctuation_makes_another_document():
    splits, dropped = duplicates.fill([Pool("train", texts("x", "A cat sat.", "A cat sat!"), None, "p")])
    assert len(splits["train"]) == 2
    assert dropped == {}


def test_copies_inside_a_split_and_across_its_sources_are_told_apart():
    splits, dropped = duplicates.fill(
        [
            Pool("train", texts("one", "a", "b", "a", "A"), None, "p"),
            Pool("train", texts("two", "B", "c"), None, "p"),
        ]
    )
    assert documents(splits) == {"train": ["a", "b", "c"]}
    assert dropped == {"train/one copies train/one": 2, "train/two copies train/one": 1}


def test_a_split_that_takes_a_number_gets_it_in_spite_of_copies():
    splits, dropped = duplicates.fill(
        [Pool("test_x", texts("x", "a"), None, "p"), Pool("train", texts("y", "a", "b", "c", "d"), 2, "p")]
    )
    assert documents(splits)["train"] == ["b", "c"]
    assert dropped == {"train/y copies test_x/x": 1}


def test_pools_that_share_an_iterator_cut_one_source():
    shared = iter(texts("x", "a", "b", "c", "d"))
    splits, _ = duplicates.fill([Pool("validation", shared, 1, "p"), Pool("train", shared, None, "p")])
    assert documents(splits) == {"validation": ["a"], "train": ["b", "c", "d"]}


def test_too_few_documents_are_an_error_that_counts_the_copies():
    with pytest.raises(BadInput) as caught:
        duplicates.fill([Pool("train", texts("x", "a", "A", "b"), 3, "corpus.source.train")])
    assert str(caught.value) == (
        "corpus.source.train: train is to take 3 documents and finds 2 (1 more are duplicates): "
        "ask for fewer or give more data"
    )
    with pytest.raises(BadInput, match=r"test_y is to take at least 1 documents and finds 0 \(1 more"):
        duplicates.fill([Pool("a", texts("x", "a"), None, "p"), Pool("test_y", texts("y", "A"), None, "p")])


def test_shared_documents_are_never_let_through():
    assert duplicates.overlaps({"a": texts("x", "one"), "b": texts("x", "two"), "c": texts("x", "three")}) == {
        "a/b": 0,
        "a/c": 0,
        "b/c": 0,
    }
    with pytest.raises(AssertionError, match="'a/b': 1"):
        duplicates.overlaps({"a": texts("x", "one"), "b": texts("x", "ONE ")})
