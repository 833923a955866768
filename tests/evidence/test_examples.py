"""Results are recomputed from their examples, and whatever does not add up is refused."""

import math
from pathlib import Path

import made_up
import pytest
import studies

from mono_s2s import files
from mono_s2s.evidence import collection, examples
from mono_s2s.files import BadInput

SEED = 42


def run(study=studies.STUDY):
    return collection.read(study, SEED, collection.sources(study, SEED))


def edit_csv(name, edit, study=studies.STUDY):
    path = collection.sources(study, SEED)[name]
    rows = files.read_csv(path)
    columns = list(rows[0])
    files.write_csv(path, columns, edit(rows))
    return path


@pytest.mark.parametrize("name", made_up.STUDIES)
def test_untouched_results_add_up(study, name):
    collection.check_examples(run(name))


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        (
            "evaluation_examples.csv",
            "rougeL",
            r"datasets\.dialogue\.models\.standard\.rouge\.rougeL\.mean is 0\.\d+, but",
        ),
        ("evaluation_examples.csv", "nll_nats", r"datasets\.dialogue\.models\.standard\.nll_per_token is 1\.\d+, but"),
        ("evaluation_examples.csv", "prediction_tokens", r"prediction_lengths\.total is 60, but"),
        ("reference_points.csv", "rouge2", r"datasets\.dialogue\.reference_points\.lead_1\.rouge2\.mean is"),
        ("uat_examples.csv", "nll_nats", r"uat/results\.json: models\.standard\.conditions\.clean\.nll_per_token is"),
        ("hotflip_examples.csv", "rouge1", r"hotflip/results\.json: models\.standard\.conditions\.clean\.rouge1 is"),
    ],
)
def test_a_mean_that_its_examples_do_not_give_is_refused(study, name, column, message):
    def edit(rows):
        rows[0][column] = repr(float(rows[0][column]) + 0.01)
        return rows

    edit_csv(name, edit)
    with pytest.raises(BadInput, match=message):
        collection.check_examples(run())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("evaluation_examples.csv", r"datasets\.dialogue\.models\.standard\.nll_per_token is 3\.\d+, but"),
        ("reference_points.csv", r"datasets\.dialogue\.reference_points\.unigram\.perplexity\.mean is 1\d\d\.\d+, but"),
        ("uat_examples.csv", r"uat/results\.json: models\.standard\.conditions\.clean\.nll_per_token is"),
        ("hotflip_examples.csv", r"hotflip/results\.json: models\.standard\.conditions\.clean\.nll_per_token is"),
    ],
)
def test_a_loss_that_its_blocks_do_not_give_is_refused(study, name, message):
    def edit(rows):
        rows[0]["nll_nats"] = repr(float(rows[0]["nll_nats"]) + 0.01)
        return rows

    edit_csv(name, edit, made_up.TEXT)
    with pytest.raises(BadInput, match=message):
        collection.check_examples(run(made_up.TEXT))


def test_a_perplexity_is_that_of_all_tokens(study):
    """The mean over blocks of their own perplexities, which a careless sum would give, is another number."""
    path = Path("runs") / made_up.TEXT / "seed_42/evaluate/results.json"
    rows = [row for row in files.read_csv(path.with_name("examples.csv")) if row["model"] == "baseline"]
    own = [math.exp(float(r["nll_nats"]) / int(r["target_tokens"])) for r in rows if r["dataset"] == "news"]

    def edit(content):
        content["datasets"]["news"]["models"]["baseline"]["perplexity"]["mean"] = sum(own) / len(own)

    studies.change(path, edit)
    with pytest.raises(BadInput, match=r"datasets\.news\.models\.baseline\.perplexity\.mean is 8\.\d+, but"):
        collection.check_examples(run(made_up.TEXT))


def test_a_loss_without_a_perplexity_is_refused():
    with pytest.raises(BadInput, match=r"^results\.json: 1000\.0 nats per token have no perplexity"):
        examples.perplexity(1000.0, Path("results.json"))


@pytest.mark.parametrize(
    ("model", "outcomes", "message"),
    [
        ("baseline", "1010", r"winogrande\.models\.baseline\.accuracy is 0\.75, but the examples of .* give 0\.5"),
        ("baseline", "111011101110", r"winogrande\.n is 4, but the examples of .* give 12"),
    ],
)
def test_an_accuracy_is_recomputed(study, model, outcomes, message):
    def edit(content):
        content["multiple_choice"]["tasks"]["winogrande"]["models"][model]["outcomes"] = outcomes

    studies.change(Path("runs") / made_up.TEXT / "seed_42/evaluate/results.json", edit)
    with pytest.raises(BadInput, match=rf"evaluate/results\.json: multiple_choice\.tasks\.{message}"):
        collection.check_examples(run(made_up.TEXT))


@pytest.mark.parametrize(("name", "who"), [("evaluation_examples.csv", "model"), ("reference_points.csv", "point")])
def test_models_scored_on_other_tokens_are_refused(study, name, who):
    """All add up, but one is measured on longer blocks: its loss per token is of another text."""

    def edit(rows):
        own = [row for row in rows if row["dataset"] == "news" and row[who] in ("monotonic", "unigram")]
        own[0]["target_tokens"], own[1]["target_tokens"] = own[1]["target_tokens"], own[0]["target_tokens"]
        return rows

    edit_csv(name, edit, made_up.TEXT)
    with pytest.raises(
        BadInput, match=r"(monotonic|unigram) and standard were not scored on as many tokens of each ex"
    ):
        collection.check_examples(run(made_up.TEXT))


def test_an_example_without_tokens_is_refused(study):
    def edit(rows):
        rows[2]["target_tokens"] = "0"
        return rows

    edit_csv("hotflip_examples.csv", edit, made_up.TEXT)
    with pytest.raises(BadInput, match=r"example attack-2 has 0 target tokens"):
        collection.check_examples(run(made_up.TEXT))


@pytest.mark.parametrize("of", made_up.STUDIES)
@pytest.mark.parametrize("name", ["evaluation_examples.csv", "uat_examples.csv", "hotflip_examples.csv"])
def test_a_truncated_file_is_refused(study, name, of):
    edit_csv(name, lambda rows: rows[:-1], of)
    with pytest.raises(BadInput, match=r"\.n is 7, but the examples|: n is 6, but the examples|transfer\."):
        collection.check_examples(run(of))


def test_a_file_cut_in_the_middle_of_a_line_is_refused(study):
    path = collection.sources(studies.STUDY, SEED)["hotflip_examples.csv"]
    text = path.read_text()
    path.write_text(text[: text.rindex(",") - 20])
    with pytest.raises(BadInput, match=r"hotflip/examples\.csv, line \d+: \d+ cells under 12 columns"):
        collection.check_examples(run())


@pytest.mark.parametrize("value", ["nan", "inf", "", "much"])
def test_what_is_not_a_number_is_refused(study, value):
    def edit(rows):
        rows[3]["nll_nats"] = value
        return rows

    edit_csv("hotflip_examples.csv", edit)
    with pytest.raises(BadInput, match=f"nll_nats of example attack-3 is '{value}', not a number"):
        collection.check_examples(run())


@pytest.mark.parametrize("of", made_up.STUDIES)
def test_a_transfer_is_recomputed(study, of):
    def edit(rows):
        for row in rows:
            if row["condition"] == "transfer":
                row["nll_nats"] = repr(float(row["nll_nats"]) * 2)
        return rows

    edit_csv("uat_examples.csv", edit, of)
    with pytest.raises(BadInput, match=r"transfer\.baseline\.monotonic\.delta_nll_per_token is"):
        collection.check_examples(run(of))


def test_a_success_rate_is_recomputed(study):
    """One example's ROUGE-L is moved across the threshold, and another's back by as much: the means stay."""

    def edit(rows):
        clean = {row["example_id"]: float(row["rougeL"]) for row in rows if key(row) == ("baseline", "clean")}
        own = [row for row in rows if key(row) == ("baseline", "attack")]
        drops = [clean[row["example_id"]] - float(row["rougeL"]) for row in own]
        above = next(place for place, drop in enumerate(drops) if drop >= 0.1)
        other = next(place for place, drop in enumerate(drops) if place != above and drop >= 0.1)
        shift = drops[above] - 0.05
        for place, change in ((above, shift), (other, -shift)):
            own[place]["rougeL"] = repr(float(own[place]["rougeL"]) + change)
        return rows

    def key(row):
        return row["model"], row["condition"]

    edit_csv("hotflip_examples.csv", edit)
    with pytest.raises(BadInput, match=r"models\.baseline\.damage\.attack\.success_rougeL_drop\.0\.1 is"):
        collection.check_examples(run())


def test_a_success_rate_by_loss_is_recomputed(study):
    """One example's loss is moved across the threshold, and another's up by as much: the means stay."""

    def edit(rows):
        clean = {row["example_id"]: float(row["nll_nats"]) for row in rows if key(row) == ("baseline", "clean")}
        own = [row for row in rows if key(row) == ("baseline", "attack")]
        rises = [(float(row["nll_nats"]) - clean[row["example_id"]]) / int(row["target_tokens"]) for row in own]
        above = [place for place, rise in enumerate(rises) if rise >= 0.6]
        shift = (rises[above[0]] - 0.5) * int(own[above[0]]["target_tokens"])
        for place, change in ((above[0], -shift), (above[1], shift)):
            own[place]["nll_nats"] = repr(float(own[place]["nll_nats"]) + change)
        return rows

    def key(row):
        return row["model"], row["condition"]

    edit_csv("hotflip_examples.csv", edit, made_up.TEXT)
    with pytest.raises(BadInput, match=r"models\.baseline\.damage\.attack\.success_absolute_nll\.0\.6 is"):
        collection.check_examples(run(made_up.TEXT))


@pytest.mark.parametrize("of", made_up.STUDIES)
def test_a_doubled_example_is_refused(study, of):
    edit_csv("hotflip_examples.csv", lambda rows: [*rows, rows[0]], of)
    with pytest.raises(BadInput, match="an example of standard clean is there twice"):
        collection.check_examples(run(of))


@pytest.mark.parametrize("of", made_up.STUDIES)
def test_a_missing_model_is_refused(study, of):
    edit_csv("hotflip_examples.csv", lambda rows: [row for row in rows if row["model"] != "monotonic"], of)
    with pytest.raises(BadInput, match="no examples of monotonic attack"):
        collection.check_examples(run(of))


@pytest.mark.parametrize("of", made_up.STUDIES)
def test_models_on_other_examples_are_refused(study, of):
    def edit(rows):
        for row in rows:
            if row["model"] == "monotonic" and row["dataset"] == "news":
                row["example_id"] = "other-" + row["example_id"]
        return rows

    edit_csv("evaluation_examples.csv", edit, of)
    with pytest.raises(BadInput, match="monotonic and standard were not given the same examples of news"):
        collection.check_examples(run(of))


def test_other_columns_are_refused(study):
    path = Path("rows.csv")
    files.write_csv(path, ("a", "b"), [{"a": 1, "b": 2}])
    with pytest.raises(BadInput, match=r"rows\.csv: columns are a, b, not step, epoch, split, nll_per_token"):
        examples.read(path, examples.CURVES)
    files.write_csv(path, examples.CURVES, [])
    with pytest.raises(BadInput, match=r"rows\.csv: no rows"):
        examples.read(path, examples.CURVES)


def test_a_trigger_on_other_examples_of_another_model_is_refused(study):
    """All adds up, but the moved trigger was measured on other examples than the clean ones that it is held against."""

    def renamed(rows):
        for row in rows:
            if (row["condition"], row["trigger_source"], row["model"]) == ("transfer", "baseline", "monotonic"):
                row["example_id"] = f"other-{row['example_id']}"
        return rows

    edit_csv("uat_examples.csv", renamed)
    with pytest.raises(BadInput, match=r"baseline to monotonic and .* were not given the same examples of the attack"):
        collection.check_examples(run())


def test_a_trigger_that_was_moved_nowhere_is_refused(study):
    def more(rows):
        return [*rows, {**rows[-1], "trigger_source": "other"}]

    edit_csv("uat_examples.csv", more)
    with pytest.raises(
        BadInput, match=r"uat/examples\.csv: examples of other baseline, which the result file does not"
    ):
        collection.check_examples(run())


def test_all_numbers_that_differ_are_counted(study):
    def edit(rows):
        for row in rows:
            row["nll_nats"] = repr(float(row["nll_nats"]) + 0.01)
        return rows

    edit_csv("hotflip_examples.csv", edit)
    with pytest.raises(BadInput, match=r"run `dvc repro` \(and \d+ more\)$"):
        collection.check_examples(run())
