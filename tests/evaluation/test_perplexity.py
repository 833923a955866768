import dataclasses
import math

import numpy as np
import pytest
import standin
import torch

from mono_s2s.evaluation import outcome, perplexity
from mono_s2s.evidence import schemas
from mono_s2s.files import BadInput

NAMES = ("standard", "baseline", "monotonic")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return standin.corpus(tmp_path_factory.mktemp("perplexity") / "data", standin.TEXT_STUDY)


@pytest.fixture(scope="module")
def blocks(text):
    return text[1]["test_text"]


@pytest.fixture(scope="module")
def known(text):
    return perplexity.background(lambda: text[1]["train"], text[0])


@pytest.fixture(scope="module")
def outcomes(text, blocks):
    inputs = [text[0].pack(block.document_ids) for block in blocks]
    assert inputs == [[1]] * len(blocks)
    return {
        name: outcome.measure(standin.decoder(seed), inputs, blocks, standin.SCORING, text[0], standin.COMPUTE)
        for seed, name in enumerate(NAMES)
    }


@pytest.fixture(scope="module")
def summary(outcomes, blocks, known):
    return perplexity.summary(outcomes, perplexity.reference_points(blocks, known), blocks, 200, 7, "text")


def test_a_summary_keeps_to_the_schema(summary, tmp_path):
    assert schemas.validate(summary, schemas.TestSetText, tmp_path).n == 6


def test_every_token_of_every_block_is_scored_once(summary, blocks):
    """By hand: one sequence a block, the start in front; all nats over all tokens, also of the short last block."""
    model = standin.decoder(0)
    nats = tokens = 0
    for block in blocks:
        ids = torch.tensor([[1, *block.reference_ids[0]]])
        shares = torch.log_softmax(model(input_ids=ids).logits[0, :-1].double(), dim=1)
        nats -= shares.gather(1, ids[0, 1:, None]).sum().item()
        tokens += ids.shape[1] - 1
    found = summary["models"]["standard"]
    assert found["target_tokens"] == tokens == 5 * standin.BLOCK + 7
    assert found["nll_per_token"] == pytest.approx(nats / tokens, rel=1e-6)
    assert found["perplexity"]["mean"] == pytest.approx(math.exp(nats / tokens), rel=1e-6)


def test_the_unigram_is_laplace_s_rule_by_hand(text, blocks, known, summary):
    seen = [token for example in text[1]["train"] for token in example.reference_ids[0]]
    assert known.shape == (standin.VOCABULARY,)
    assert np.exp(-known).sum() == pytest.approx(1)
    nats = [
        -math.log((seen.count(token) + 1) / (len(seen) + standin.VOCABULARY))
        for block in blocks
        for token in block.reference_ids[0]
    ]
    found = summary["reference_points"]["unigram"]["perplexity"]
    assert found["mean"] == pytest.approx(math.exp(sum(nats) / len(nats)))
    # Never seen in training: dear, but not infinite.
    assert known[standin.UNUSED] == known.max() < math.inf


def test_models_share_their_draws(outcomes, blocks, known):
    """The same losses have the same interval, and twice the nats the squared one."""
    one = outcomes["standard"]
    found = perplexity.summary(
        {"standard": one, "baseline": dataclasses.replace(one, nll_nats=2 * one.nll_nats)},
        {"unigram": one},
        blocks,
        200,
        7,
        "text",
    )
    ends = {name: part["perplexity"] for name, part in (found["models"] | found["reference_points"]).items()}
    assert ends["standard"] == ends["unigram"]
    # Percentiles between two replicates are not squared exactly.
    for end in ("mean", "lower", "upper"):
        assert ends["baseline"][end] == pytest.approx(ends["standard"][end] ** 2, rel=1e-2)
    other = perplexity.summary({"standard": one}, {}, blocks, 200, 8, "text")["models"]["standard"]["perplexity"]
    assert other["mean"] == ends["standard"]["mean"]
    assert other["lower"] != ends["standard"]["lower"]


def test_rows_recompute_the_means(outcomes, blocks, known, summary):
    points = perplexity.reference_points(blocks, known)
    rows = perplexity.example_rows(outcomes, blocks, "text") + perplexity.point_rows(points, blocks, "text")
    assert {tuple(sorted(row)) for row in rows} == {
        tuple(sorted(columns)) for columns in (perplexity.EXAMPLE_COLUMNS, perplexity.POINT_COLUMNS)
    }
    for name, stated in (summary["models"] | summary["reference_points"]).items():
        group = [row for row in rows if name in (row.get("model"), row.get("point"))]
        assert [row["example_id"] for row in group] == [block.example_id for block in blocks]
        mean = math.fsum(row["nll_nats"] for row in group) / sum(row["target_tokens"] for row in group)
        assert stated["perplexity"]["mean"] == pytest.approx(math.exp(mean))


def test_training_text_of_another_tokenizer_is_an_error(text):
    train = [dataclasses.replace(text[1]["train"][0], reference_ids=((4, standin.VOCABULARY),))]
    with pytest.raises(BadInput, match=f"token {standin.VOCABULARY} of {standin.VOCABULARY}"):
        perplexity.background(lambda: train, text[0])
