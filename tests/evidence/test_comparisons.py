"""What may be claimed follows from every seed and every example, and says in words what it is."""

import math
from pathlib import Path

import made_up
import numpy as np
import pytest
import studies
import yaml

from mono_s2s import files, params, paths, statistics
from mono_s2s.evidence import aggregation, comparisons, examples, metrics, notes, pairing, schemas, tasks
from mono_s2s.files import BadInput

TESTS = "statistical_tests.json"


def read(study=studies.STUDY):
    return files.read_json(paths.aggregated(study) / TESTS)


def contents(study=studies.STUDY):
    return aggregation.contents(study, params.load_params())[TESTS]


def edit_params(edit):
    content = yaml.safe_load(Path("params.yaml").read_text())
    edit(content["statistics"])
    Path("params.yaml").write_text(yaml.safe_dump(content))


def edit_rows(name, edit, seed=2024, study=studies.STUDY):
    """Change the rows of a per-example file; `edit` gets them and gives them back."""
    path = paths.results(study, seed) / name
    rows = files.read_csv(path)
    files.write_csv(path, list(rows[0]), edit(rows))
    return path


def refusal(study=studies.STUDY):
    with pytest.raises(BadInput) as caught:
        contents(study)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rows_of(name, seed, study, **wanted):
    found = files.read_csv(paths.results(study, seed) / name)
    return [row for row in found if all(row[key] == value for key, value in wanted.items())]


@pytest.mark.parametrize("name", made_up.STUDIES)
def test_every_metric_follows_from_its_examples(study, name):
    """Each metric of the study in a family: its examples give, seed by seed, the difference that is filed."""
    everything = list(metrics.of(name))
    edit_params(lambda found: found["families"].update({name: {"primary": everything}}))
    found = contents(name)["tests"]
    assert set(found) == set(everything)
    for metric, test in found.items():
        # `compare` refuses where they do not; here is what it found.
        if metric.startswith("train."):
            assert test["examples"] is None
            continue
        own = test["examples"]
        assert own["source"] == pairing.SOURCES[metric.partition(".")[0]]
        assert own["n"] == (13 if metric.startswith("evaluate.") else 6)
        assert own["lower"] <= test["mean"] <= own["upper"], metric
        assert sum(own["wins"][key] for key in ("win", "tie", "loss")) == 5 * own["n"]
        assert sum(test["wins"][key] for key in ("win", "tie", "loss")) == 5


@pytest.mark.parametrize("name", made_up.STUDIES)
def test_what_each_number_is_stands_in_the_file(study, name):
    found = schemas.read(paths.aggregated(name) / TESTS, comparisons.Tests)
    assert set(comparisons.Methods.model_fields) == set(found.methods.model_fields_set)
    said = found.methods.model_dump()
    assert all(text.endswith(".") for text in said.values())
    assert "10000 resamples" in said["crossed_bootstrap"]
    assert "95%" in said["t_interval"]
    assert "power 0.8" in said["minimum_detectable"]
    for metric, test in found.tests.items():
        assert test.words == metrics.of(name)[metric].words
        assert test.decision == "cannot be claimed: underpowered"
        assert test.reasons[0] == "the sign-flip test's floor is above alpha / m"


def test_a_token_weighted_loss_by_hand(study):
    test = read()["tests"]["hotflip.delta_nll_per_token"]

    def rise(seed, model):
        sums = []
        for condition in ("clean", "attack"):
            rows = rows_of("hotflip_examples.csv", seed, studies.STUDY, model=model, condition=condition)
            sums.append(sum(float(row["nll_nats"]) for row in rows))
        return (sums[1] - sums[0]) / sum(int(row["target_tokens"]) for row in rows)

    for seed in studies.SEEDS:
        assert test["values"][str(seed)] == pytest.approx(rise(seed, "monotonic") - rise(seed, "baseline"))


def test_wins_over_examples_by_hand(study):
    won = {"rougeL": 0, "nll_per_token": 0}
    for seed in studies.SEEDS:
        own, other = (
            rows_of("evaluation_examples.csv", seed, studies.STUDY, model=model) for model in ("monotonic", "baseline")
        )
        for one, two in zip(own, other, strict=True):
            won["rougeL"] += float(one["rougeL"]) > float(two["rougeL"])
            won["nll_per_token"] += float(one["nll_nats"]) < float(two["nll_nats"])
    found = read()["tests"]
    for metric, count in won.items():
        wins = found[f"evaluate.{metric}"]["examples"]["wins"]
        assert (wins["win"], wins["tie"]) == (count, 0)
        assert wins["probability_of_improvement"] == pytest.approx(count / 65)


def test_the_same_inputs_give_the_same_bytes_and_no_seed_chooses(study):
    before = contents()
    assert files.to_json(contents()) == files.to_json(before)
    edit_params(lambda found: found.update(resamples=2000))
    fewer = contents()
    for metric, test in before["tests"].items():
        other = fewer["tests"][metric]
        if test["examples"] is not None:
            assert test["examples"]["lower"] != other["examples"]["lower"]
            assert test["examples"]["lower"] == pytest.approx(other["examples"]["lower"], abs=0.05 * test["sd"] + 0.01)
            assert test["examples"]["variance"] == other["examples"]["variance"]
        assert test["p"] == other["p"]


def test_metrics_do_not_share_their_draws(study):
    """Equal values under two names: the intervals differ as two draws of one distribution do."""
    edit_params(
        lambda found: found["families"].update(
            {studies.STUDY: {"primary": ["hotflip.clean_nll_per_token", "uat.clean_nll_per_token"]}}
        )
    )
    one, other = contents()["tests"].values()
    assert one["values"] == other["values"]
    assert one["examples"]["lower"] != other["examples"]["lower"]


def test_a_claim_stands_in_the_note(study):
    """At a level that five seeds can reach."""
    edit_params(lambda found: found.update(alpha=0.2))
    found = contents()
    claimed = [metric for metric, test in found["tests"].items() if test["decision"] == "claimed"]
    assert "hotflip.delta_nll_per_token" in claimed
    for test in found["tests"].values():
        both = test["examples"]
        holds = (
            test["p_holm"] <= 0.2 and test["lower"] * test["upper"] > 0 and both and both["lower"] * both["upper"] > 0
        )
        assert (test["decision"] == "claimed") is bool(holds)
        assert (test["reasons"] == []) is bool(holds)
    said = notes.claims(found, ["hotflip"])
    mean = -found["tests"]["hotflip.delta_nll_per_token"]["mean"]
    assert f"the loss under HotFlip minus the clean loss, lower (better) by {mean:.3f} nats per token" in said
    assert "universal trigger" not in said
    assert "p ≤ 0.2 and both the 95% t interval" in said
    assert "universal trigger" in notes.claims(found, notes.STAGES)


def test_no_claim_is_said_too(study):
    for name in made_up.STUDIES:
        for path in Path("paper_evidence").glob("table_*.json"):
            table = files.read_json(path)
            if table["study"] == name and len(table["seeds"]) == 5:
                assert "exclude 0; none here is." in table["note"]
                assert ("Clean cost: " in table["note"]) is ("table_3" not in path.name)


def with_cost(differences, better, margin=0.01):
    """The equivalence part of statistical_tests.json for these paired differences."""
    metric = "evaluate.rougeL" if better == "higher" else "evaluate.nll_per_token"
    edit_params(lambda found: found["equivalence"].update({studies.STUDY: {"metric": metric, "margin": margin}}))
    values = {
        metric: {
            "baseline": dict.fromkeys(range(5), 0.0),
            "monotonic": dict(enumerate(differences)),
        }
    }
    return comparisons.equivalence(studies.STUDY, values, params.load_params())


@pytest.mark.parametrize(
    ("differences", "better", "decision", "said"),
    [
        ([0.001, -0.001, 0.002, 0.0, 0.001], "higher", "equivalent", "the two are equivalent within ±1.00 ("),
        ([-0.001, 0.001, -0.002, 0.0, -0.001], "lower", "equivalent", "the two are equivalent within ±0.010 ("),
        ([0.05, 0.06, 0.04, 0.05, 0.07], "higher", "no worse than the margin", "a cost of 1.00 or more is excluded ("),
        ([-0.05, -0.06, -0.04, -0.05, -0.07], "higher", "not shown", "equivalence within ±1.00 is not shown ("),
        ([-0.05, -0.06, -0.04, -0.05, -0.07], "lower", "no worse than the margin", "a cost of 0.010 or more is excl"),
        ([0.0] * 5, "higher", "not shown", "equivalence within ±1.00 is not shown (all seeds differ equally)"),
        ([0.001, -0.05, 0.04, 0.0, 0.01], "higher", "not shown", "equivalence within ±1.00 is not shown ("),
    ],
)
def test_the_clean_cost_against_its_margin(study, differences, better, decision, said):
    found = with_cost(differences, better)
    assert found["decision"] == decision
    worse = found["p_above_lower"] if better == "higher" else found["p_below_upper"]
    assert found["p_no_worse"] == worse
    note = notes.clean_cost({"equivalence": found, "alpha": 0.05})
    assert said in note
    assert note.startswith("Clean cost: ROUGE-L on all" if better == "higher" else "Clean cost: the loss on all")
    assert ", 90% t interval over seeds [" in note


def test_the_equivalence_is_of_the_declared_metric(study):
    for name in made_up.STUDIES:
        declared = params.load_params().statistics.equivalence[name]
        found = read(name)["equivalence"]
        assert (found["metric"], found["margin"]) == (declared.metric, declared.margin)
        finals = [files.read_json(paths.results(name, seed) / "final_results.json") for seed in studies.SEEDS]
        own = [final["metrics"][declared.metric] for final in finals]
        assert found["mean"] == pytest.approx(np.mean([one["monotonic"] - one["baseline"] for one in own]))


def test_an_unknown_metric_of_the_equivalence_test(study):
    edit_params(lambda found: found["equivalence"][studies.STUDY].update(metric="evaluate.perplexity"))
    key = "params.yaml: statistics.equivalence.t5_experiments.metric"
    assert refusal().startswith(f"{key}: 'evaluate.perplexity' is not one of train.")


def test_a_missing_example(study):
    path = edit_rows("hotflip_examples.csv", lambda rows: [r for r in rows if not lost(r)])
    assert refusal() == (
        f"{path}: baseline, random: example attack-3 is missing, experiment_results/t5_experiments/seed_42/"
        "hotflip_examples.csv: baseline, attack has it: run `dvc repro`"
    )


def lost(row):
    return (row["example_id"], row["model"], row["condition"]) == ("attack-3", "baseline", "random")


def test_an_example_of_another_set(study):
    """The same id in the other test set is another example."""

    def edit(rows):
        for row in rows:
            if (row["dataset"], row["example_id"], row["model"]) == ("news", "test-2", "monotonic"):
                row["example_id"] = "test-99"
        return rows

    path = edit_rows("evaluation_examples.csv", edit, study=made_up.TEXT)
    line = refusal(made_up.TEXT)
    assert line.startswith(f"{path}: monotonic, clean: example test-2 of news is missing, ")


def test_an_example_too_many(study):
    path = edit_rows("uat_examples.csv", lambda rows: [*rows, {**rows[-1], "example_id": "attack-9"}])
    rows = files.read_csv(path)
    rows[-1].update(condition="clean", model="monotonic")
    files.write_csv(path, list(rows[0]), rows)
    assert refusal().startswith(f"{path}: monotonic, clean: example attack-9 is not in experiment_results/")


def test_an_example_twice(study):
    path = edit_rows("evaluation_examples.csv", lambda rows: [*rows, rows[-1]])
    assert refusal() == f"{path}: example news-6 of news is there twice for monotonic, clean: run `dvc repro`"


def test_a_condition_that_is_missing(study):
    path = edit_rows("uat_examples.csv", lambda rows: [row for row in rows if row["condition"] != "random_search"])
    assert refusal().startswith(f"{path}: baseline, random_search: example attack-0 is missing, ")


@pytest.mark.parametrize("column", ["nll_nats", "rougeL"])
def test_a_cell_that_is_no_number(study, column):
    def edit(rows):
        rows[-1][column] = "nan"
        return rows

    path = edit_rows("evaluation_examples.csv", edit)
    assert refusal() == f"{path}: {column} of example news-6 is 'nan', not a number"


def test_other_tokens_of_one_example(study):
    def edit(rows):
        next(row for row in rows if lost(row))["target_tokens"] = "99"
        return rows

    path = edit_rows("hotflip_examples.csv", edit)
    line = refusal()
    assert line.startswith(f"{path}: baseline, random: example attack-3 has 99 target tokens, 12 in experiment_results")


def test_no_tokens_at_all(study):
    def edit(rows):
        for row in rows:
            if row["example_id"] == "attack-3":
                row["target_tokens"] = "0"
        return rows

    for seed in studies.SEEDS:
        edit_rows("hotflip_examples.csv", edit, seed)
    assert refusal().endswith("example attack-3 has 0 target tokens: run `dvc repro`")


def test_examples_that_say_something_else_than_the_results(study):
    def edit(rows):
        next(row for row in rows if row["model"] == "monotonic" and row["condition"] == "attack")["nll_nats"] = "500.0"
        return rows

    path = edit_rows("hotflip_examples.csv", edit)
    before = (paths.aggregated(studies.STUDY) / TESTS).read_bytes()
    line = refusal()
    assert line.startswith(f"{path}: hotflip.delta_nll_per_token, monotonic minus baseline: its examples give ")
    assert "final_results.json of seed 2024 says " in line
    with pytest.raises(BadInput):
        aggregation.aggregate(studies.STUDY, params.load_params())
    assert (paths.aggregated(studies.STUDY) / TESTS).read_bytes() == before


def test_pairs_are_by_name_not_by_place(study):
    before = contents()
    edit_rows("hotflip_examples.csv", lambda rows: rows[::-1])
    assert files.to_json(contents()) == files.to_json(before)


@pytest.mark.parametrize("name", made_up.STUDIES)
def test_success_counts_as_the_attacks_count_it(study, name):
    """The first threshold of the result file, in the attacks' own arithmetic: to the last example."""
    where = {seed: paths.results(name, seed) / "hotflip_examples.csv" for seed in studies.SEEDS}
    found = pairing.gather("hotflip_examples.csv", name, where)
    threshold = 0.1 if name == studies.STUDY else 0.6
    pairs = pairing.pairs("hotflip.success", name, found, threshold)
    for place, seed in enumerate(studies.SEEDS):
        stated = files.read_json(paths.results(name, seed) / "hotflip_results.json")["models"]["monotonic"]
        rate = stated["damage"]["attack"][tasks.of(name).success][0]["rate"]
        assert pairs.treatment.numerator[place].mean() == rate
    assert set(np.unique(pairs.treatment.numerator)) <= {0.0, 1.0}


def test_perplexities_are_contrasted_as_they_are_reported(study):
    where = {seed: paths.results(made_up.TEXT, seed) / "evaluation_examples.csv" for seed in studies.SEEDS}
    found = pairing.gather("evaluation_examples.csv", made_up.TEXT, where)
    assert sorted(set(found.strata)) == [0, 1]
    for name, form in (
        ("evaluate.nll_per_token", lambda t, c: t - c),
        ("evaluate.perplexity", lambda t, c: math.exp(t) - math.exp(c)),
        ("evaluate.perplexity_ratio", lambda t, c: math.exp(t) / math.exp(c) - 1),
    ):
        pairs = pairing.pairs(name, made_up.TEXT, found, None)
        losses = [arm.numerator.sum(1) / arm.denominator.sum(1) for arm in (pairs.treatment, pairs.control)]
        expected = [form(t, c) for t, c in zip(*losses, strict=True)]
        assert statistics.per_seed(pairs) == pytest.approx(expected)


def test_the_rows_of_one_file_are_read_once(study, monkeypatch):
    seen = []
    monkeypatch.setattr(examples, "read", lambda path, columns: seen.append(path) or files.read_csv(path))
    contents()
    assert len(seen) == len(set(seen)) == 15
