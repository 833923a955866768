"""Seeds are added up by what their files say, and nothing missing reads as a result."""

import math
import re
from pathlib import Path

import made_up
import pytest
import studies
from scipy import stats

from mono_s2s import files, params
from mono_s2s.evidence import aggregation, collection, metrics, schemas
from mono_s2s.files import BadInput

RESULTS = Path("experiment_results") / studies.STUDY
TEXT_RESULTS = Path("experiment_results") / made_up.TEXT


def read(name, study=studies.STUDY):
    return files.read_json(Path("experiment_results") / study / "aggregated" / name)


def aggregate(study=studies.STUDY):
    aggregation.aggregate(study, params.load_params())


def with_params(old, new):
    path = Path("params.yaml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_both_files_are_typed_and_stable(study):
    before = {path.name: path.read_bytes() for path in (RESULTS / "aggregated").iterdir()}
    assert set(before) == {"all_seeds_summary.json", "statistical_tests.json", "paper_ready_tables.tex"}
    schemas.read(RESULTS / "aggregated/all_seeds_summary.json", aggregation.Summary)
    schemas.read(RESULTS / "aggregated/statistical_tests.json", aggregation.Tests)
    aggregate()
    assert {path.name: path.read_bytes() for path in (RESULTS / "aggregated").iterdir()} == before


@pytest.mark.parametrize("name", made_up.STUDIES)
def test_every_metric_is_summed_up_from_the_runs(study, name):
    summary = read("all_seeds_summary.json", name)
    assert set(summary["metrics"]) == set(metrics.of(name))
    folder = Path("experiment_results") / name
    values = [
        files.read_json(folder / f"seed_{seed}/final_results.json")["metrics"]["hotflip.delta_nll_per_token"]
        for seed in studies.SEEDS
    ]
    found = summary["metrics"]["hotflip.delta_nll_per_token"]
    for model in made_up.MODELS:
        own = [value[model] for value in values]
        assert list(found["models"][model]["values"].values()) != []
        assert found["models"][model]["values"] == dict(zip(map(str, studies.SEEDS), own, strict=True))
        assert found["models"][model]["mean"] == pytest.approx(sum(own) / 5)
    expected = stats.ttest_rel([v["monotonic"] for v in values], [v["baseline"] for v in values])
    interval = expected.confidence_interval(0.95)
    assert (found["difference"]["lower"], found["difference"]["upper"]) == pytest.approx(interval)


def test_test_sets_and_reference_points(study):
    summary = read("all_seeds_summary.json")
    assert sorted(summary["datasets"]) == ["dialogue", "news"]
    first = files.read_json(RESULTS / "seed_42/evaluation_results.json")["datasets"]["news"]
    assert summary["datasets"]["news"]["reference_points"]["lead_1"]["rougeL"] == pytest.approx(
        first["reference_points"]["lead_1"]["rougeL"]["mean"]
    )
    rows = files.read_csv(RESULTS / "seed_42/reference_points.csv")
    own = [float(row["rouge1"]) for row in rows if row["point"] == "lead_1"]
    assert summary["reference_points"]["lead_1"]["rouge1"] == pytest.approx(sum(own) / len(own))


def test_perplexities_and_their_reference_points(study):
    """Over all tokens of all test sets, not a mean of means."""
    summary = read("all_seeds_summary.json", made_up.TEXT)
    rows = [
        row for row in files.read_csv(TEXT_RESULTS / "seed_42/evaluation_examples.csv") if row["model"] == "monotonic"
    ]

    def perplexity(rows):
        return math.exp(sum(float(row["nll_nats"]) for row in rows) / sum(int(row["target_tokens"]) for row in rows))

    found = summary["metrics"]["evaluate.perplexity"]["models"]
    assert found["monotonic"]["values"]["42"] == pytest.approx(perplexity(rows))
    ratio = summary["metrics"]["evaluate.perplexity_ratio"]
    assert set(ratio["models"]["baseline"]["values"].values()) == {1.0}
    assert ratio["models"]["monotonic"]["values"]["42"] == pytest.approx(
        found["monotonic"]["values"]["42"] / found["baseline"]["values"]["42"]
    )
    points = files.read_csv(TEXT_RESULTS / "seed_42/reference_points.csv")
    assert summary["reference_points"] == {"unigram": {"perplexity": pytest.approx(perplexity(points))}}
    news = [row for row in points if row["dataset"] == "news"]
    assert summary["datasets"]["news"]["reference_points"]["unigram"]["perplexity"] == pytest.approx(perplexity(news))


@pytest.mark.parametrize("name", made_up.STUDIES)
def test_what_the_models_are(study, name):
    summary = read("all_seeds_summary.json", name)
    assert summary["model"] == made_up.model_facts(name)
    assert summary["constraint"].items() <= made_up.constraint_facts(name).items()
    assert "minimum_weight" not in summary["constraint"]


@pytest.mark.parametrize(
    ("file", "edit"),
    [
        ("baseline", lambda content: content["model"].update(parameters=2 * content["model"]["parameters"])),
        ("monotonic", lambda content: content["constraint"].update(scope="mlp_in")),
    ],
)
def test_other_models_are_refused(study, file, edit):
    """What a table says once of all runs is the same in all of them."""
    folder = TEXT_RESULTS / "seed_2024"
    for arm in ("baseline", "monotonic") if file == "baseline" else (file,):
        studies.change(folder / f"{arm}_training.json", edit)
    if file == "baseline":
        halve = lambda content: content["constraint"].update(share=content["constraint"]["share"] / 2)  # noqa: E731
        studies.change(folder / "monotonic_training.json", halve)
    with pytest.raises(BadInput) as caught:
        aggregate(made_up.TEXT)
    assert str(caught.value) == (
        "experiment_results/foundation_llm_experiments/seed_2024/monotonic_training.json: model or constraint differs "
        "from that of seed 42: run `dvc repro`"
    )


@pytest.mark.parametrize("name", made_up.STUDIES)
def test_families_are_those_of_the_parameters(study, name):
    tests = read("statistical_tests.json", name)
    families = params.load_params().statistics.families[name]
    assert tests["families"] == families
    assert set(tests["tests"]) == {metric for names in families.values() for metric in names}
    for metric, test in tests["tests"].items():
        assert metric in tests["families"][test["family"]]
        assert test["p"] <= test["p_holm"]
        assert test["floor"] == 0.0625
        # 0.0625 > 0.05 / m for every m: five seeds cannot reach significance.
        assert test["underpowered"]
        assert not test["rejected"]
        assert metrics.of(name)[metric].words in test["estimand"]
        assert "paired difference" in test["estimand"]


def test_holm_is_inside_the_family(study):
    tests = read("statistical_tests.json")["tests"]
    primary = sorted((test for test in tests.values() if test["family"] == "primary"), key=lambda test: test["p"])
    assert primary[0]["p_holm"] == pytest.approx(min(1, 3 * primary[0]["p"]))


def test_a_generous_level_is_not_underpowered(study):
    with_params("alpha: 0.05", "alpha: 0.3")
    aggregate()
    tests = read("statistical_tests.json")["tests"]
    assert not tests["hotflip.delta_nll_per_token"]["underpowered"]
    assert tests["hotflip.delta_nll_per_token"]["rejected"]


def test_an_unknown_metric_names_its_key(study):
    with_params("- evaluate.rougeL", "- evaluate.rouge9")
    with pytest.raises(
        BadInput,
        match=r"^params\.yaml: statistics\.families\.t5_experiments\.primary\.0: 'evaluate\.rouge9' is not one of",
    ):
        metrics.check_families(params.load_params().statistics.families)


def test_a_metric_of_the_other_study_is_unknown(study):
    with_params("- evaluate.rougeL", "- evaluate.perplexity")
    with pytest.raises(BadInput, match=r"t5_experiments\.primary\.0: 'evaluate\.perplexity' is not one of"):
        metrics.check_families(params.load_params().statistics.families)


def test_a_missing_metric_is_refused(study):
    studies.change(
        RESULTS / "seed_2024/final_results.json",
        lambda content: content["metrics"]["uat.delta_nll_per_token"].pop("monotonic"),
    )
    before = (RESULTS / "aggregated/all_seeds_summary.json").read_bytes()
    with pytest.raises(BadInput) as caught:
        aggregate()
    assert str(caught.value) == (
        "experiment_results/t5_experiments/seed_2024/final_results.json: metrics.uat.delta_nll_per_token.monotonic: "
        "missing: run `dvc repro`"
    )
    assert (RESULTS / "aggregated/all_seeds_summary.json").read_bytes() == before


def test_a_missing_seed_is_refused(study):
    with_params("- 12345", "- 777")
    with pytest.raises(BadInput, match=r"seed_777/data_statistics\.json: missing"):
        aggregate()


def test_other_test_sets_are_refused(study):
    studies.change(
        RESULTS / "seed_2024/evaluation_results.json", lambda content: content["datasets"]["news"].update(n=5)
    )
    with pytest.raises(
        BadInput, match=r"seed_2024/evaluation_results\.json: test sets, questions, models or sizes differ"
    ):
        aggregate()


def test_unequal_budgets_are_named(study):
    for seed in studies.SEEDS:
        studies.change(
            RESULTS / f"seed_{seed}/monotonic_training.json",
            lambda content: content["budget"].update(steps=40, learning_rate=0.01),
        )
    aggregate()
    found = read("all_seeds_summary.json")["budget"]
    assert found["equal"] is False
    assert found["differing"] == ["steps", "learning_rate"]


def test_metrics_are_described_for_readers():
    for study in made_up.STUDIES:
        for name, metric in metrics.of(study).items():
            assert metric.better in ("higher", "lower")
            assert re.match(r"(train|evaluate|hotflip|uat)\.\w+$", name)
        assert {shown.metric for shown in metrics.headlines(study)} <= set(metrics.of(study))
    with pytest.raises(BadInput, match=r"families\.t5_experiments\.primary: no metric"):
        metrics.check_families({studies.STUDY: {"primary": []}})


def test_a_metric_that_both_studies_have_means_the_same_in_both():
    """But for success, which each task counts by what it measures."""
    one, other = (metrics.of(study) for study in made_up.STUDIES)
    for name in set(one) & set(other):
        assert (one[name] == other[name]) is not name.endswith("success"), name


def test_one_seed_has_no_spread():
    found = aggregation.spread({42: 1.5}, 0.95)
    assert (found["mean"], found["sd"], found["lower"]) == (1.5, None, None)


@pytest.mark.parametrize("name", made_up.STUDIES)
def test_a_run_is_summed_up_from_typed_files(study, name):
    folder = Path("experiment_results") / name / "seed_42"
    run = collection.read(name, 42, {file: folder / file for file in collection.COPIED})
    assert collection.metrics(run) == files.read_json(folder / "final_results.json")["metrics"]
