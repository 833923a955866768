"""Variants compared: real git repositories, with experiments as DVC leaves them."""

import math

import pytest
import sweeping
from sweeping import DAMAGE, SCALE, STUDY, Repository

from mono_s2s import files
from mono_s2s.evidence import experiments, sweep
from mono_s2s.files import BadInput


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "checkout")


@pytest.fixture
def swept(tmp_path):
    return sweeping.swept(tmp_path / "checkout")


def by_scope(found):
    return {row["scope"]: row for row in found["variants"]}


def test_the_largest_reduction_wins(swept):
    found = swept.compare()
    assert found["winner"] == {"mode": "nonneg", "scope": "mlp_in"}
    assert found["seeds"] == [42, 1337]
    row = by_scope(found)["mlp_in"]
    assert (row["n"], row["eligible"], row["constrained_share"]) == (2, True, 0.25)
    assert row["perplexity_ratio"]["maximum"] == pytest.approx(math.exp(0.3))
    assert row["perplexity"]["baseline"] == pytest.approx(math.e)
    assert row["reduction"]["mean"] == pytest.approx(1 - (42 + 1337) / 20000)
    assert row["reduction"]["sd"] == pytest.approx((1337 - 42) / 10000 / math.sqrt(2))
    assert row["seeds"]["1337"]["reduction"] == pytest.approx(1 - 0.1337)
    assert row["seeds"]["42"]["experiments"] == ["in-42"]
    assert found["left_out"] == found["notes"] == []


def test_the_ceiling_holds_at_every_seed_and_is_never_relaxed(swept):
    """The better variant is out because one of three seeds is above the ceiling, though its mean is below."""
    swept.run("in-7", "mlp_in", 7, loss=(1.0, 1.7), damage=(9.0, 1.0))
    swept.run("both-7", "mlp_both", 7)
    found = swept.compare()
    row = by_scope(found)["mlp_in"]
    assert row["perplexity_ratio"]["mean"] < 2.0 < row["perplexity_ratio"]["maximum"]
    assert row["reason"] == "perplexity ratio above the ceiling at seed 7"
    assert found["winner"] == {"mode": "nonneg", "scope": "mlp_both"}
    assert found["perplexity_ratio_ceiling"] == 2.0


def test_none_below_the_ceiling(repository):
    for scope in ("mlp_in", "mlp_both"):
        repository.run(scope, scope, 42, loss=(1.0, 3.0), damage=(9.0, 0.0))
    found = repository.compare()
    assert found["winner"] is None
    assert found["confirm"] is None
    assert found["verdict"] == "no winner: no variant stays at or below the ceiling of 2.0 at every seed"


def test_a_ratio_at_the_ceiling_is_allowed(repository):
    repository.params["sweep"]["perplexity_ratio_ceiling"] = math.exp(0.5)
    repository.write()
    repository.head = repository.commit("a ceiling")
    repository.run("a", "mlp_in", 42, loss=(1.0, 1.5))
    repository.run("b", "mlp_both", 42, loss=(1.0, 1.5000001))
    rows = by_scope(repository.compare())
    assert rows["mlp_in"]["eligible"]
    assert not rows["mlp_both"]["eligible"]


@pytest.mark.parametrize("damage", [(1.0, 1.0), (1.0, 1.2)])
def test_no_winner_is_invented_where_no_damage_falls(repository, damage):
    repository.run("a", "mlp_in", 42, damage=damage)
    repository.run("b", "mlp_both", 42, damage=(1.0, 1.3))
    found = repository.compare()
    assert found["winner"] is None
    assert found["verdict"] == "no winner: no variant lowers the damage"


def test_a_tie_has_no_winner(repository):
    repository.run("a", "mlp_in", 42)
    repository.run("b", "mlp_both", 42)
    found = repository.compare()
    assert found["winner"] is None
    assert found["verdict"] == "no winner: nonneg mlp_both and nonneg mlp_in lower the damage equally"


def test_a_diverged_variant_is_not_eligible_and_still_a_number(repository):
    repository.run("a", "mlp_in", 42, loss=(1.0, 5000.0))
    repository.run("b", "mlp_both", 42)
    row = by_scope(repository.compare())["mlp_in"]
    assert not row["eligible"]
    assert row["perplexity_ratio"]["maximum"] > 1e300


def declare(key, value):
    def edit(held):
        if value is None:
            del held["params"]["sweep"]
        else:
            held["params"]["sweep"][key] = value

    return edit


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "perplexity_ratio_ceiling",
            5.0,
            "the ceiling was 5.0 when variant nonneg gated_all ran (experiment late) and is 2.0 now: a ceiling is "
            "declared beforehand; set it back or run the variants again",
        ),
        (
            "damage",
            "uat.success",
            "the damage metric was uat.success when variant nonneg gated_all ran (experiment late) and is "
            "hotflip.delta_nll_per_token now: a damage metric is declared beforehand; set it back or run the variants "
            "again",
        ),
        (
            "perplexity_ratio_ceiling",
            None,
            "params.yaml had no sweep.perplexity_ratio_ceiling when variant nonneg gated_all ran (experiment late): a "
            "ceiling is declared beforehand; run the variants again",
        ),
    ],
)
def test_another_rule_in_one_experiment(swept, key, value, message):
    for seed in (42, 1337):
        swept.run("late" if seed == 42 else "later", "gated_all", seed, edit=declare(key, value))
    assert swept.refused() == message


def test_a_ceiling_raised_afterwards(swept):
    swept.params["sweep"]["perplexity_ratio_ceiling"] = 5.0
    swept.write()
    assert swept.refused().startswith("the ceiling was 2.0 when variant nonneg mlp_both ran (experiment both-1337) and")


def test_a_replay_from_the_run_cache_does_not_launder_a_ceiling(swept):
    """All is queued again under a new ceiling: DVC replays, but the processes recorded in which commit they ran."""
    trained = swept.head
    swept.params["sweep"]["perplexity_ratio_ceiling"] = 5.0
    for name in experiments.listed(swept.path):
        swept.git("update-ref", "-d", f"refs/exps/{trained[:2]}/{trained[2:]}/{name.name}")
    for scope in ("mlp_in", "mlp_both"):
        swept.run(scope, scope, 42)
    swept.write()
    assert swept.refused() == (
        f"the ceiling was 2.0 in commit {trained[:10]}, in which nonneg mlp_both trained at seed 42 (mlp_both) and is "
        "5.0 now: a ceiling is declared beforehand; set it back or commit it and run the variants again, with `dvc exp "
        "run -f` past the cache"
    )


def test_a_commit_that_this_clone_lacks_is_said(repository):
    def elsewhere(held):
        held["metadata.json"]["stages"]["train.monotonic"]["git"]["commit"] = "c" * 40

    repository.run("a", "mlp_in", 42, edit=elsewhere, damage=(3.0, 1.0))
    repository.run("b", "mlp_both", 42)
    (note,) = repository.compare()["notes"]
    assert note.endswith("the commit in which nonneg mlp_in trained at seed 42 is not in this clone")


def test_missing_seeds_are_named_with_the_command(swept):
    swept.run("more", "mlp_in", 7)
    message = swept.refused()
    assert "nonneg mlp_both has no run of seed 7: queue what is missing: dvc exp run --queue headline" in message
    assert f"-S 'seed=7' -S '{SCALE}:{STUDY}.train.constraint.mode=nonneg'" in message
    assert message.endswith(f"-S '{SCALE}:{STUDY}.train.constraint.scope=mlp_both'; dvc queue start")


def test_equal_twins_are_one_and_different_ones_an_error(swept):
    swept.run("twin", "mlp_both", 42, loss=(1.0, 1.1), damage=(2.0, 1.75))
    row = by_scope(swept.compare())["mlp_both"]
    assert row["n"] == 2
    assert row["seeds"]["42"]["experiments"] == ["both-42", "twin"]
    swept.run("zwin", "mlp_both", 42, loss=(1.0, 1.1), damage=(2.0, 1.7))
    assert swept.refused() == (
        f"nonneg mlp_both ran twice at seed 42 with different results (metrics.{DAMAGE}; experiments both-42 and "
        "zwin): remove the one that is wrong (`dvc exp remove`)"
    )


def test_fewer_than_two_variants(repository):
    assert "there is none: queue them: dvc exp run --queue headline" in repository.refused()
    repository.run("a", "mlp_in", 42)
    repository.run("t5", "mlp_both", 42, edit=lambda held: held["params"].update(study="t5_experiments"))
    message = repository.refused()
    assert "there is only nonneg mlp_in (of other studies or scales: 1; left out: 1, HEAD: HEAD:exper" in message


def test_other_hyperparameters_are_left_out_by_name(swept):
    def another_rate(held):
        for place in (held["scale"][STUDY], held["metadata.json"]["hyperparameters"]):
            place["train"]["optimization"]["learning_rate"] = 0.5

    swept.run("hot", "mlp_in", 42, edit=another_rate, damage=(9.0, 0.0))
    found = swept.compare()
    assert {"experiment": "hot", "reason": f"{SCALE}: {STUDY}.train.optimization.learning_rate is 0.5, not 0.003"} in (
        found["left_out"]
    )
    assert by_scope(found)["mlp_in"]["seeds"]["42"]["experiments"] == ["in-42"]
    assert any("learning_rate is 0.5" in line for line in sweep.words(found))


def test_confirming_runs_have_no_part_in_the_choice(swept):
    swept.run("confirm-1", "mlp_in", 7, damage=(9.0, 0.0))
    found = swept.compare()
    assert found["seeds"] == [42, 1337]
    assert found["left_out"][0]["experiment"] == "confirm-1"


def put(name, *keys, value):
    def edit(held):
        node = held[name]
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = value

    return edit


def gone(name):
    return lambda held: held.update({name: None})


REMOVE = "remove the experiment (`dvc exp remove odd`) and queue it again with target headline"
OTHER = f"is not what params.yaml and {SCALE} say there: the results are of another run: {REMOVE}"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (gone("final_results.json"), "final_results.json: missing: " + REMOVE),
        (put("final_results.json", "metrics", DAMAGE, "baseline", value=float("nan")), "Input should be a finite num"),
        (put("final_results.json", "extra", value=1), "final_results.json: extra: Extra inputs are not permitted"),
        (put("final_results.json", "metrics", DAMAGE, value={}), f"metrics.{DAMAGE}.baseline: missing: params.yaml's"),
        (put("final_results.json", "seed", value=1337), "seed " + OTHER),
        (put("final_results.json", "scale", value="demo"), "scale " + OTHER),
        (put("monotonic_training.json", "constraint", "scope", value="mlp_both"), "constraint " + OTHER),
        (put("monotonic_training.json", "constraint", value=None), "constraint " + OTHER),
        (
            put("monotonic_training.json", "checkpoint", value="0" * 64),
            "checkpoint of monotonic_training.json " + OTHER,
        ),
        (put("metadata.json", "hyperparameters", "uat", "iterations", value=9), "hyperparameters " + OTHER),
        (put("metadata.json", "checkpoints", value={}), "checkpoint of metadata.json " + OTHER),
        (put("final_results.json", "data_digest", value="0" * 64), "had different data (data_digest)"),
        (put("final_results.json", "checkpoints", "standard", value="0" * 64), "different standard models"),
        (
            put("metadata.json", "stages", "hotflip", "code", value={"mono_s2s/files.py": "b" * 32}),
            "experiments both-1337 and odd ran stage hotflip with different code (mono_s2s/files.py): run the variants",
        ),
        (put("scale", STUDY, "train", "constraint", value={"mode": "odd", "scope": "mlp_in"}), "constraint: mode: Inp"),
        (put("params", "seed", value="many"), "final_results.json: missing"),
    ],
)
def test_results_that_do_not_belong(swept, edit, message):
    swept.run("odd", "gated_all", 42, edit=edit)
    assert message in swept.refused()


def test_refs_of_the_queue_are_no_experiments(swept):
    for ref in ("refs/exps/stash", "refs/exps/celery/stash", "refs/exps/exec/EXEC_HEAD", "refs/exps/apply/ORIG_HEAD"):
        swept.run("odd", "gated_all", 99, ref=ref)
    assert [each.name for each in experiments.listed(swept.path)] == ["both-1337", "both-42", "in-1337", "in-42"]
    assert swept.compare()["seeds"] == [42, 1337]


def test_experiments_of_an_older_commit_count(swept):
    swept.head = swept.commit("something else")
    for seed in (42, 1337):
        swept.run(f"new-{seed}", "mlp_in_attn_out", seed, damage=(2.0, 0.5))
    found = swept.compare()
    assert len(found["variants"]) == 3
    assert found["winner"]["scope"] == "mlp_in_attn_out"


def test_head_stands_in_for_its_own_variant(repository):
    for seed in (42, 1337, 2024):
        repository.file("mlp_both", seed, damage=(2.0, 1.2))
    repository.head = repository.commit("train: results")
    for seed in (42, 1337):
        repository.run(f"in-{seed}", "mlp_in", seed)
    found = repository.compare()
    assert found["seeds"] == [42, 1337]
    assert by_scope(found)["mlp_both"]["seeds"]["42"]["experiments"] == ["HEAD"]
    assert found["winner"]["scope"] == "mlp_both"
    # Once experiments have that variant, HEAD's runs are not taken.
    for seed in (42, 1337):
        repository.run(f"both-{seed}", "mlp_both", seed, damage=(2.0, 1.9))
    found = repository.compare()
    assert by_scope(found)["mlp_both"]["seeds"]["42"]["experiments"] == ["both-42"]
    assert found["winner"]["scope"] == "mlp_in"


def test_head_is_left_out_where_it_lacks_a_seed(swept):
    for name in ("both-42", "both-1337"):
        swept.git("update-ref", "-d", f"refs/exps/{swept.head[:2]}/{swept.head[2:]}/{name}")
    for seed in (42, 1337):
        swept.run(f"all-{seed}", "gated_all", seed)
    swept.file("mlp_both", 42, damage=(9.0, 0.0))
    swept.commit("train: one seed")
    found = swept.compare()
    assert sorted(by_scope(found)) == ["gated_all", "mlp_in"]
    (out,) = found["left_out"]
    assert out["experiment"] == "HEAD"
    assert "seed_1337/final_results.json: missing" in out["reason"]


def test_differing_baselines_are_said(swept):
    swept.run("a", "gated_all", 42, edit=put("final_results.json", "checkpoints", "baseline", value="0" * 64))
    swept.run("b", "gated_all", 1337)
    (note,) = swept.compare()["notes"]
    assert note.startswith("the baselines of seed 42 differ between variants")


def test_the_winner_is_to_be_confirmed_with_other_seeds(swept):
    found = swept.compare()
    constraint = f"{SCALE}:{STUDY}.train.constraint"
    assert found["confirm"] == (
        f"dvc exp run --queue headline -n confirm -S study={STUDY} -S scale=toy -S 'seed=2024,8888,12345' "
        f"-S '{constraint}.mode=nonneg' -S '{constraint}.scope=mlp_in'"
    )
    assert any(found["confirm"] in line and "looks better than it is" in line for line in sweep.words(found))


def test_where_all_paper_seeds_were_swept_the_seeds_to_confirm_with_are_new(repository):
    for seed in repository.params["seeds"]:
        repository.run(f"a{seed}", "mlp_in", seed)
        repository.run(f"b{seed}", "mlp_both", seed, damage=(2.0, 1.9))
    assert "'seed=12346,12347,12348,12349,12350'" in repository.compare()["confirm"]


def test_no_study_of_that_name_and_no_git(swept, tmp_path):
    with pytest.raises(BadInput, match="study: 'odd' is not one of t5_experiments, foundation_llm_experiments"):
        sweep.compare("odd", root=swept.path)
    with pytest.raises(BadInput, match="scale: 'odd' is not one of toy"):
        sweep.compare(scale_name="odd", root=swept.path)
    (swept.path / ".git").rename(tmp_path / "elsewhere")
    assert "run from the top folder of a git checkout" in swept.refused()


def test_the_same_bytes_every_time(swept):
    assert files.to_json(swept.compare()) == files.to_json(swept.compare())
