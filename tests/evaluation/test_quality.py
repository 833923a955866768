import dataclasses
import math

import numpy as np
import pytest
import standin

from mono_s2s import files
from mono_s2s.evaluation import outcome, quality, rouge
from mono_s2s.evidence import schemas
from mono_s2s.files import BadInput


@pytest.fixture(scope="module")
def outcomes(examples, encoding):
    inputs = [encoding.pack(example.document_ids) for example in examples]
    return {
        name: outcome.measure(standin.model(seed), inputs, examples, standin.DECODING, encoding, standin.COMPUTE)
        for seed, name in enumerate(("standard", "baseline", "monotonic"))
    }


@pytest.fixture(scope="module")
def points(examples):
    return quality.reference_points(examples)


@pytest.fixture(scope="module")
def summary(outcomes, points, examples):
    return quality.summary(outcomes, points, examples, 100, 7, "news")


def test_a_summary_keeps_to_the_schema(summary, tmp_path):
    found = schemas.validate(summary, schemas.TestSet, tmp_path)
    assert found.n == 6


def test_rows_recompute_the_means(summary, outcomes, points, examples, tmp_path):
    files.write_csv(
        tmp_path / "examples.csv", quality.EXAMPLE_COLUMNS, quality.example_rows(outcomes, examples, "news")
    )
    files.write_csv(tmp_path / "points.csv", quality.POINT_COLUMNS, quality.point_rows(points, examples, "news"))
    rows = files.read_csv(tmp_path / "examples.csv")
    for name, stated in summary["models"].items():
        group = [row for row in rows if row["model"] == name]
        assert [row["example_id"] for row in group] == [example.example_id for example in examples]
        tokens = sum(int(row["target_tokens"]) for row in group)
        assert stated["target_tokens"] == tokens
        assert stated["nll_per_token"] == pytest.approx(math.fsum(float(row["nll_nats"]) for row in group) / tokens)
        for side in ("prediction", "reference"):
            total = sum(int(row[f"{side}_tokens"]) for row in group)
            assert stated[f"{side}_lengths"]["total"] == total
        wanted = stated["prediction_lengths"]["total"] / stated["reference_lengths"]["total"]
        assert stated["length_ratio"] == wanted
        for measure in rouge.MEASURES:
            assert stated["rouge"][measure]["mean"] == pytest.approx(np.mean([float(row[measure]) for row in group]))
    for row in files.read_csv(tmp_path / "points.csv"):
        assert row["point"] in ("lead_1", "other_summary")
    assert len(files.read_csv(tmp_path / "points.csv")) == 2 * len(examples)


def test_intervals_depend_on_seed_and_data_set_alone():
    scores = np.random.default_rng(0).random((6, 4))
    one = quality.rouge_means(scores, 100, 7, "news")
    assert one == quality.rouge_means(scores, 100, 7, "news")
    assert one != quality.rouge_means(scores, 100, 8, "news")
    assert one != quality.rouge_means(scores, 100, 7, "dialogue")


def test_reference_points_by_hand(examples, points):
    references = [example.references for example in examples]
    shifted = [examples[place].references[0] for place in (3, 4, 5, 0, 1, 2)]
    assert points["other_summary"].tolist() == rouge.score(shifted, references).tolist()
    leads = [example.document.split(".")[0] for example in examples]
    assert points["lead_1"][0].tolist() == rouge.score(leads[:1], references[:1])[0].tolist()


@pytest.mark.parametrize("n", [2, 3, 6])
def test_no_example_is_given_its_own_summary(examples, n):
    """Each example's references are words of its own, so a summary of its own would score 1."""
    alone = [
        dataclasses.replace(example, references=(f"word{place} only{place}",))
        for place, example in enumerate(examples[:n])
    ]
    assert quality.reference_points(alone)["other_summary"].max() == 0


def test_one_example_has_no_other(examples):
    with pytest.raises(BadInput, match="no other document's summary"):
        quality.reference_points(examples[:1])


def test_reference_tokens_leave_out_the_end(examples):
    assert quality.reference_tokens(examples) == [4] * 6
