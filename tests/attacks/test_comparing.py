import math

import pytest
import standin

from mono_s2s import files, scale
from mono_s2s.attacks import comparing_hotflip, comparing_uat, report
from mono_s2s.evidence import schemas
from mono_s2s.files import BadInput

NAMES = ("standard", "baseline", "monotonic")
CONDITIONS = ("clean", "attack", "random", "random_search")


def under_hotflip(kind, models, examples, encoding):
    return comparing_hotflip.under_hotflip(
        models, examples, kind.hotflip, kind.decoding, encoding, standin.COMPUTE, seed=3
    )


def under_triggers(kind, models, optimization, examples, encoding):
    return comparing_uat.under_triggers(
        models, optimization, examples, kind.uat, kind.decoding, encoding, standin.COMPUTE, seed=3
    )


@pytest.fixture(scope="module")
def models(kind):
    return {name: kind.model(seed) for seed, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def flipped(kind, models, examples, encoding):
    return under_hotflip(kind, models, examples, encoding)


@pytest.fixture(scope="module")
def triggered(kind, models, optimization, examples, encoding):
    return under_triggers(kind, models, optimization, examples, encoding)


def mean(rows, column):
    return math.fsum(row[column] for row in rows) / len(rows)


def per_token(rows):
    return math.fsum(row["nll_nats"] for row in rows) / sum(row["target_tokens"] for row in rows)


def rate(clean, other, success, threshold):
    hits = [success(before, after, threshold) for before, after in zip(clean, other, strict=True)]
    return sum(hits) / len(hits)


def check(damage, clean, other):
    """A damage entry, recomputed from the rows."""
    delta = per_token(other) - per_token(clean)
    assert damage["delta_nll_per_token"] == pytest.approx(delta, abs=1e-12)
    assert damage["relative_nll"] == pytest.approx(delta / per_token(clean), abs=1e-12)
    for entry in damage["success_relative_nll"]:
        reached = rate(
            clean, other, lambda a, b, t: b["nll_nats"] - a["nll_nats"] >= t * a["nll_nats"], entry["threshold"]
        )
        assert entry["rate"] == reached
    if "prediction" not in clean[0]:
        assert set(damage) == {"delta_nll_per_token", "relative_nll", "success_relative_nll", "success_absolute_nll"}
        for entry in damage["success_absolute_nll"]:
            assert entry["rate"] == rate(
                clean,
                other,
                lambda a, b, t: (b["nll_nats"] - a["nll_nats"]) / a["target_tokens"] >= t,
                entry["threshold"],
            )
        return
    assert damage["delta_rougeL"] == pytest.approx(mean(clean, "rougeL") - mean(other, "rougeL"), abs=1e-12)
    for entry in damage["success_rougeL_drop"]:
        assert entry["rate"] == rate(clean, other, lambda a, b, t: a["rougeL"] - b["rougeL"] >= t, entry["threshold"])


@pytest.mark.parametrize("attack", ["flipped", "triggered"])
def test_rows_recompute_every_mean(attack, request, examples):
    content, rows = request.getfixturevalue(attack)
    assert content["n"] == len(examples)
    for name in NAMES:
        groups = {
            condition: [row for row in rows if (row["model"], row["condition"]) == (name, condition)]
            for condition in CONDITIONS
        }
        for condition, group in groups.items():
            assert [row["example_id"] for row in group] == [example.example_id for example in examples]
            stated = content["models"][name]["conditions"][condition]
            assert stated["nll_per_token"] == pytest.approx(per_token(group), rel=1e-12)
            assert stated["target_tokens"] == sum(row["target_tokens"] for row in group)
            for measure in set(schemas.ROUGE) & set(stated):
                assert stated[measure] == pytest.approx(mean(group, measure), abs=1e-12)
        for condition in CONDITIONS[1:]:
            check(content["models"][name]["damage"][condition], groups["clean"], groups[condition])


def test_transfer_is_every_trigger_on_every_model(triggered):
    content, rows = triggered
    for source in NAMES:
        for target in NAMES:
            clean = [row for row in rows if (row["model"], row["condition"]) == (target, "clean")]
            wanted = ("attack" if source == target else "transfer", target, source)
            moved = [row for row in rows if (row["condition"], row["model"], row["trigger_source"]) == wanted]
            check(content["transfer"][source][target], clean, moved)
    assert content["transfer"]["baseline"]["baseline"] == content["models"]["baseline"]["damage"]["attack"]


def test_the_strength_curve_goes_from_clean_to_attacked(flipped):
    content, _ = flipped
    for entry in content["models"].values():
        first, last = entry["curve"][0], entry["curve"][-1]
        conditions = entry["conditions"]
        assert [point["flips"] for point in entry["curve"]] == [0, 1, 2, 3]
        # Exactly: no flip is no change.
        clean = conditions["clean"]["nll_per_token"]
        assert first["nll_per_token"] == first["random_nll_per_token"] == first["random_search_nll_per_token"] == clean
        assert last["nll_per_token"] == conditions["attack"]["nll_per_token"]
        assert last["random_nll_per_token"] == conditions["random"]["nll_per_token"]
        assert last["random_search_nll_per_token"] == conditions["random_search"]["nll_per_token"]
        for key in ("nll_per_token", "random_search_nll_per_token"):
            losses = [point[key] for point in entry["curve"]]
            assert losses == sorted(losses)
        assert entry["effective_flips"]["random"] == 3
        assert 0 < entry["effective_flips"]["attack"] <= 3


def test_changes_say_what_the_rows_say(flipped, examples, encoding):
    _, rows = flipped
    documents = {example.example_id: encoding.pack(example.document_ids) for example in examples}
    for row in rows:
        changes = [change.replace(">", ":").split(":") for change in row["changes"].split()]
        assert len(changes) == row["flips"]
        for place, old, new in changes:
            assert documents[row["example_id"]][int(place)] == int(old) != int(new)


def test_controls_are_the_same_for_all_models(flipped):
    _, rows = flipped
    drawn = {
        name: [row["changes"] for row in rows if (row["model"], row["condition"]) == (name, "random")] for name in NAMES
    }
    assert drawn["standard"] == drawn["baseline"] == drawn["monotonic"]


def test_effort_is_equal_for_all_models_and_searches(flipped, triggered):
    for content, _ in (flipped, triggered):
        efforts = [entry["effort"] for entry in content["models"].values()]
        assert efforts[0] == efforts[1] == efforts[2]
        attack, search = efforts[0]["attack"], efforts[0]["random_search"]
        assert search["forward"] == attack["forward"] + 2 * attack["backward"]


@pytest.mark.parametrize(
    ("attack", "stage", "schema"),
    [
        ("flipped", "hotflip", {standin.STUDY: schemas.Hotflip, standin.TEXT_STUDY: schemas.HotflipText}),
        ("triggered", "uat", {standin.STUDY: schemas.Uat, standin.TEXT_STUDY: schemas.UatText}),
    ],
)
def test_results_keep_to_the_schema(attack, stage, schema, kind, request, tmp_path):
    content, rows = request.getfixturevalue(attack)
    identity = {
        "schema_version": 1,
        "stage": stage,
        "study": kind.study,
        "scale": "toy",
        "seed": 1,
        "attack_seed": 3,
        "data_digest": "d" * 64,
        "checkpoints": dict.fromkeys(NAMES, "c" * 64),
    }
    schemas.write(tmp_path / "results.json", identity | content, schema[kind.study])
    files.write_csv(tmp_path / "examples.csv", report.columns(stage, scale.TASKS[kind.study]), rows)
    assert len(files.read_csv(tmp_path / "examples.csv")) == len(rows)


def test_the_same_twice_to_the_byte(kind, models, optimization, examples, encoding, flipped, triggered):
    again = under_hotflip(kind, models, examples, encoding)
    assert files.to_json(again) == files.to_json(flipped)
    again = under_triggers(kind, models, optimization, examples, encoding)
    assert files.to_json(again) == files.to_json(triggered)


def test_a_model_that_hears_nothing_takes_no_damage(kind, optimization, examples, encoding):
    models = {"baseline": kind.deaf()}
    content, _ = under_hotflip(kind, models, examples, encoding)
    for damage in content["models"]["baseline"]["damage"].values():
        assert damage["delta_nll_per_token"] == damage.get("delta_rougeL", 0) == 0
        assert {entry["rate"] for name, rates in damage.items() if "success" in name for entry in rates} == {0}
    assert content["models"]["baseline"]["effective_flips"] == {"attack": 0, "random": 3, "random_search": 0}
    with pytest.raises(BadInput, match="the trigger for baseline is not learned"):
        under_triggers(kind, models, optimization, examples, encoding)


def test_a_planted_token_is_damage_that_no_control_does(kind, examples, optimization, encoding):
    models = {"baseline": kind.planted(9)}
    cleaned, learned_on = standin.without(examples, 9), standin.without(optimization, 9)
    content, _ = under_hotflip(kind, models, cleaned, encoding)
    damage = content["models"]["baseline"]["damage"]
    assert damage["attack"]["delta_nll_per_token"] > 5 * max(damage["random"]["delta_nll_per_token"], 0.1)
    assert damage["attack"]["success_relative_nll"][-1]["rate"] == 1
    content, _ = under_triggers(kind, models, learned_on, cleaned, encoding)
    damage = content["models"]["baseline"]["damage"]
    assert damage["attack"]["delta_nll_per_token"] > 3 * max(damage["random"]["delta_nll_per_token"], 0.1)


def test_splits_that_share_an_example_are_refused(kind, models, examples, encoding):
    with pytest.raises(BadInput, match="is in attack_optimization and attack_evaluation"):
        under_triggers(kind, models, examples[:2], examples, encoding)
