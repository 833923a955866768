import pytest
from rouge_score.rouge_scorer import RougeScorer

from mono_s2s.evaluation import rouge


def test_scores_by_hand():
    """Three words in common, no bigram, and two words in the same order ("a b" or "a c")."""
    (row,) = rouge.score(["a b c d"], [("a c b e",)])
    # Unigrams 3 of 4 on both sides; no common bigram; longest common subsequence 2 of 4.
    assert row.tolist() == pytest.approx([0.75, 0.0, 0.5, 0.5])


def test_words_are_stemmed():
    (row,) = rouge.score(["The cats are running"], [("the cat is run",)])
    # the, cat, run
    assert row[0] == pytest.approx(0.75)


def test_the_best_reference_counts_for_each_measure_by_itself():
    # As many words as possible in common with the first, as long a sequence as possible with the second.
    prediction, first, second = "a b c d e f", "f e d c b a", "a b c x y z"
    alone = rouge.score([prediction, prediction], [(first,), (second,)])
    (both,) = rouge.score([prediction], [(first, second)])
    assert both.tolist() == alone.max(axis=0).tolist()
    assert both[0] == alone[0, 0] > alone[1, 0]
    assert both[2] == alone[1, 2] > alone[0, 2]
    assert rouge.score([prediction], [(second, first)])[0].tolist() == both.tolist()


def test_lsum_sees_sentences():
    """Two sentences in the other order: as one line only one is in sequence, sentence by sentence both are found."""
    prediction, reference = "Anna sold the boat. Ben saw a house.", "Ben saw a house. Anna sold the boat."
    (row,) = rouge.score([prediction], [(reference,)])
    assert row[3] == pytest.approx(1.0)
    assert row[2] == pytest.approx(0.5)
    # What the library gives without line ends is ROUGE-L under another name.
    plain = RougeScorer(["rougeL", "rougeLsum"], use_stemmer=True).score(reference, prediction)
    assert plain["rougeLsum"].fmeasure == plain["rougeL"].fmeasure


def test_lsum_splits_predictions_too():
    """One sentence of the reference is found in pieces, in two sentences of the prediction that stand the other way."""
    (row,) = rouge.score(["Cat dog. Ant bee."], [("Ant bee cat dog.",)])
    assert row[2] == pytest.approx(0.5)
    assert row[3] == pytest.approx(1.0)


def test_line_ends_and_full_stops_split_alike():
    as_lines, as_text = "Anna sold the boat.\nBen saw a house.", "Anna sold the boat. Ben saw a house."
    scores = rouge.score([as_lines, as_text, as_lines], [(as_text,), (as_lines,), (as_lines,)])
    assert scores[:, 3].tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_equals_the_library_on_its_own_terms():
    predictions = ["The boat was sold in Oslo on Monday.", "Nothing of it.", ""]
    references = ["A boat was sold on Monday in Oslo.", "Ben bought 3 houses!", "Anna left."]
    found = rouge.score(predictions, [(reference,) for reference in references])
    scorer = RougeScorer(list(rouge.MEASURES), use_stemmer=True)
    for row, prediction, reference in zip(found, predictions, references, strict=True):
        wanted = scorer.score(reference, prediction)
        assert row.tolist() == [wanted[measure].fmeasure for measure in rouge.MEASURES]
    assert found[2].tolist() == [0.0] * 4


def test_no_reference_is_an_error():
    with pytest.raises(ValueError, match="prediction 1 has no reference"):
        rouge.score(["a", "b"], [("a",), ()])
    with pytest.raises(ValueError, match="zip"):
        rouge.score(["a", "b"], [("a",)])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('He said "go." She went.', ['He said "go."', "She went."]),
        ("It cost 3.50 crowns.", ["It cost 3.50 crowns."]),
        ("one line\n\n  another  \r\nthird.", ["one line", "another", "third."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(text, wanted):
    assert rouge.sentences(text) == wanted


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ("Anna sold a boat. Ben saw it.", "Anna sold a boat."),
        ("Anna: Hi. How are you?\nBen: Fine.\nAnna: Good.", "Anna: Hi. How are you?"),
        ("#Person1#: Hello there. Come in.\n#Person2#: Thanks.", "#Person1#: Hello there. Come in."),
        ("A headline\nLONDON: it rained. It stopped.\nThen more. And more.", "A headline"),
        ("LONDON: it rained. It stopped.", "LONDON: it rained."),
        ("", ""),
    ],
)
def test_lead(document, wanted):
    assert rouge.lead(document) == wanted
