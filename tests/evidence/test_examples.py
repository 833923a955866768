"""Results are recomputed from their examples, and whatever does not add up is refused."""

from pathlib import Path

import pytest
import studies

from mono_s2s import files
from mono_s2s.evidence import collection, examples
from mono_s2s.files import BadInput

SEED = 42


def run():
    return collection.read(studies.STUDY, SEED, collection.sources(studies.STUDY, SEED))


def edit_csv(name, edit):
    path = collection.sources(studies.STUDY, SEED)[name]
    rows = files.read_csv(path)
    columns = list(rows[0])
    files.write_csv(path, columns, edit(rows))
    return path


def test_untouched_results_add_up(study):
    collection.check_examples(run())


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


@pytest.mark.parametrize("name", ["evaluation_examples.csv", "uat_examples.csv", "hotflip_examples.csv"])
def test_a_truncated_file_is_refused(study, name):
    edit_csv(name, lambda rows: rows[:-1])
    with pytest.raises(BadInput, match=r"\.n is 7, but the examples|: n is 6, but the examples|transfer\."):
        collection.check_examples(run())


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


def test_a_transfer_is_recomputed(study):
    def edit(rows):
        for row in rows:
            if row["condition"] == "transfer":
                row["nll_nats"] = repr(float(row["nll_nats"]) * 2)
        return rows

    edit_csv("uat_examples.csv", edit)
    with pytest.raises(BadInput, match=r"transfer\.baseline\.monotonic\.delta_nll_per_token is"):
        collection.check_examples(run())


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


def test_a_doubled_example_is_refused(study):
    edit_csv("hotflip_examples.csv", lambda rows: [*rows, rows[0]])
    with pytest.raises(BadInput, match="an example of standard clean is there twice"):
        collection.check_examples(run())


def test_a_missing_model_is_refused(study):
    edit_csv("hotflip_examples.csv", lambda rows: [row for row in rows if row["model"] != "monotonic"])
    with pytest.raises(BadInput, match="no examples of monotonic attack"):
        collection.check_examples(run())


def test_models_on_other_examples_are_refused(study):
    def edit(rows):
        for row in rows:
            if row["model"] == "monotonic" and row["dataset"] == "news":
                row["example_id"] = "other-" + row["example_id"]
        return rows

    edit_csv("evaluation_examples.csv", edit)
    with pytest.raises(BadInput, match="monotonic and standard were not given the same examples of news"):
        collection.check_examples(run())


def test_other_columns_are_refused(study):
    path = Path("rows.csv")
    files.write_csv(path, ("a", "b"), [{"a": 1, "b": 2}])
    with pytest.raises(BadInput, match=r"rows\.csv: columns are a, b, not step, epoch, split, nll_per_token"):
        examples.read(path, examples.CURVES)
    files.write_csv(path, examples.CURVES, [])
    with pytest.raises(BadInput, match=r"rows\.csv: no rows"):
        examples.read(path, examples.CURVES)
