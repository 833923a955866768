"""params.yaml: typed, short, and refused where it is wrong."""

from pathlib import Path

import pytest
import yaml

from mono_s2s import params
from mono_s2s.files import BadInput

ROOT = Path(__file__).resolve().parents[1]
BOTH = (
    "the paper is built from t5_experiments and foundation_llm_experiments, in this order; to add up one alone, run "
    "`dvc repro paper_evidence/dvc.yaml:aggregate@<study>`"
)


def test_it_is_well_formed_and_fits_on_a_screen():
    loaded = params.load_params(ROOT)
    assert loaded.seeds == [42, 1337, 2024, 8888, 12345]
    assert (loaded.seed, loaded.scale) == (42, "demo")
    assert len((ROOT / "params.yaml").read_text().splitlines()) <= 60


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seed", "abc", "seed: Input should be a valid integer, not 'abc'"),
        ("seed", -1, "seed: Input should be greater than or equal to 0, not -1"),
        ("seed", True, "seed: Input should be a valid integer, not True"),
        ("sed", 1, "sed: Extra inputs are not permitted, not 1"),
        ("study", "t6_experiments", "study: Input should be 't5_experiments'"),
        ("seeds", [1, 2, 3, 4], "seeds: List should have at least 5 items"),
        ("seeds", [1, 2, 3, 4, 4], "the file: seeds holds one seed twice: a copy of a run is not another run"),
        ("studies", ["t5_experiments"], f"studies: {BOTH}"),
        ("studies", ["foundation_llm_experiments", "t5_experiments"], f"studies: {BOTH}"),
        ("study", "foundation", "study: Input should be 't5_experiments' or 'foundation_llm_experiments', not 'found"),
        (
            "statistics",
            {"families": {"t5_experiments": {"a": ["b"]}}},
            "statistics: families has nothing for foundation_l",
        ),
        (
            "statistics",
            {"families": {"t5_experiments": {"a": ["b"]}, "foundation_llm_experiments": {"a": ["b"], "c": ["b"]}}},
            "statistics: families.foundation_llm_experiments: b is in two families, or twice in one",
        ),
        ("statistics", {"families": {"t6": {"a": ["b"]}}}, "statistics.families.t6"),
        ("statistics", {"confidence": 2.0}, "statistics.confidence: Input should be less than 1, not 2.0"),
        ("sweep", {"perplexity_ratio_ceiling": 0.9}, "sweep.perplexity_ratio_ceiling: Input should be greater than or"),
        ("sweep", {"perplexity_ratio_ceiling": float("inf")}, "sweep.perplexity_ratio_ceiling: Input should be a fini"),
        ("sweep", {"perplexity_ratio_ceilings": 5.0}, "sweep.perplexity_ratio_ceilings: Extra inputs are not permitt"),
        ("sweep", {"damage": "hotflip.clean_nll_per_token"}, "sweep.damage: String should match pattern '^(hotflip|"),
        ("sweep", {"damage": "uat.random_success"}, "sweep.damage: String should match pattern '^(hotflip|uat)"),
    ],
)
def test_a_bad_value_is_named(tmp_path, key, value, message):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content[key] = {**content[key], **value} if isinstance(value, dict) else value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(BadInput) as caught:
        params.load_params(tmp_path)
    assert str(caught.value).startswith(f"params.yaml: {message}")


def test_one_metric_may_be_tested_in_both_studies():
    families = params.load_params(ROOT).statistics.families
    both = [{name for names in own.values() for name in names} for own in families.values()]
    assert both[0] & both[1]


def test_missing(tmp_path):
    with pytest.raises(BadInput, match=r"params\.yaml: missing"):
        params.load_params(tmp_path)
