"""Ways to damage the evidence, drawn at random under a seed. Each changes what some file means.

A mutation takes a tree (verifying.Tree) and a random.Random, changes the tree and says what it did.
"""

import json
import re

import yaml
from drawing import edit_csv, edit_leaf, folder, is_number, nudged, one, other_digit, slots
from made_up import STUDIES
from mutations_printed import (
    ENDS,
    digit_in_a_list,
    digit_in_a_printed_text,
    digit_in_a_tex,
    format_in_a_spec,
    headline_of_the_readme,
    number_of_seeds_in_a_caption,
    number_of_seeds_in_a_note,
    pointer_in_a_spec,
    pointer_of_a_cell,
    provenance_of_a_number,
    raw_value_of_a_cell,
    selected_headline,
    words_of_the_template,
)
from studies import SEEDS, from_yaml, to_yaml

from mono_s2s import files

RESULTS = (
    *("baseline_training.json", "monotonic_training.json", "data_statistics.json", "final_results.json"),
    *("evaluation_results.json", "uat_results.json", "hotflip_results.json"),
)
EXAMPLES = ("evaluation_examples.csv", "reference_points.csv", "uat_examples.csv", "hotflip_examples.csv")
CSV = (*EXAMPLES, "training_curves.csv")


# What was measured.


def number_of_a_result(tree, random):
    name = f"{folder(random)}/{random.choice(RESULTS)}"
    return edit_leaf(tree, random, name, is_number, lambda old: nudged(old, random))


def last_digits_of_a_result(tree, random):
    """Too little for any recomputation, but not what the process wrote."""
    name = f"{folder(random)}/{random.choice(RESULTS)}"
    return edit_leaf(
        tree,
        random,
        name,
        lambda value: isinstance(value, float) and value and repr(value) != repr(value * (1 + 2e-15)),
        lambda old: old * (1 + 2e-15),
    )


def not_a_number(tree, random):
    name = f"{folder(random)}/{random.choice(RESULTS)}"
    value = random.choice([float("nan"), float("inf"), -float("inf"), None, "0.5", True])
    return edit_leaf(tree, random, name, is_number, lambda old: value)


def missing_key(tree, random):
    name = f"{folder(random)}/{random.choice([*RESULTS, 'metadata.json'])}"
    content = json.loads(tree.read(name))
    key = random.choice(sorted(content))
    content.pop(key)
    tree.write(name, files.to_json(content))
    return f"{name}: {key}"


def number_of_an_aggregate(tree, random):
    name = one(tree, random, f"{ENDS['aggregated']}.json")
    return edit_leaf(tree, random, name, is_number, lambda old: nudged(old, random))


def verdict_of_a_test(tree, random):
    name = one(tree, random, "experiment_results/*/aggregated/statistical_tests.json")
    return edit_leaf(tree, random, name, lambda value: isinstance(value, bool), lambda old: not old)


def cell_of_a_csv(tree, random):
    name = f"{folder(random)}/{random.choice(CSV)}"

    def edit(rows):
        row = random.choice(rows[1:])
        numeric = [place for place, cell in enumerate(row) if re.fullmatch(r"\d+(\.\d+)?", cell)]
        place = random.choice(numeric)
        row[place] = other_digit(row[place], random)

    edit_csv(tree, name, edit)
    return name


def rows_of_a_csv_swapped(tree, random):
    name = f"{folder(random)}/{random.choice(CSV)}"

    def edit(rows):
        places = [place for place, row in enumerate(rows) if place and row != rows[1]]
        other = random.choice(places)
        rows[1], rows[other] = rows[other], rows[1]

    edit_csv(tree, name, edit)
    return name


def models_of_a_csv_swapped(tree, random):
    """The rows of baseline and monotonic under each other's names."""
    name = f"{folder(random)}/{random.choice([name for name in EXAMPLES if 'points' not in name])}"
    swap = {"baseline": "monotonic", "monotonic": "baseline"}

    def edit(rows):
        place = rows[0].index("model")
        for row in rows[1:]:
            row[place] = swap.get(row[place], row[place])

    edit_csv(tree, name, edit)
    return name


def truncated_csv(tree, random):
    name = f"{folder(random)}/{random.choice(CSV)}"
    text = tree.read(name)
    tree.write(name, text[: random.randrange(len(text) // 10, len(text) - 1)])
    return f"{name}: {len(tree.read(name))} of {len(text)} characters"


def row_of_a_csv_twice(tree, random):
    name = f"{folder(random)}/{random.choice(CSV)}"
    edit_csv(tree, name, lambda rows: rows.append(random.choice(rows[1:])))
    return name


def example_of_a_csv_renamed(tree, random):
    name = f"{folder(random)}/{random.choice(EXAMPLES)}"

    def edit(rows):
        place = rows[0].index("example_id")
        random.choice(rows[1:])[place] = "another-1"

    edit_csv(tree, name, edit)
    return name


def file_gone(tree, random):
    name = one(
        tree,
        random,
        "experiment_results/**/*",
        f"{ENDS['table']}",
        *("paper_evidence/*.json", "paper_evidence/*.md", "paper_evidence/*.lock", "stages/dvc.lock"),
    )
    tree.remove(name)
    return name


def file_too_many(tree, random):
    name = random.choice(
        [
            "paper_evidence/table_8_by_hand.tex",
            "paper_evidence/table_9_by_hand.json",
            f"experiment_results/{random.choice(STUDIES)}/aggregated/best_seed.json",
            f"{folder(random)}/uat_results_old.json",
        ]
    )
    tree.write(name, "{}\n")
    return name


# Which run it was.


def seed_folders_swapped(tree, random):
    study = random.choice(STUDIES)
    one_seed, other = (f"experiment_results/{study}/seed_{seed}" for seed in random.sample(SEEDS, 2))
    for name in (*RESULTS, *CSV, "metadata.json", "experiment_log.txt"):
        texts = tree.read(f"{one_seed}/{name}"), tree.read(f"{other}/{name}")
        tree.write(f"{one_seed}/{name}", texts[1])
        tree.write(f"{other}/{name}", texts[0])
    return f"{one_seed} and {other}"


def seed_copied(tree, random):
    """One run's files under another's number, with the number changed in every file, or not."""
    study, (source, target) = random.choice(STUDIES), random.sample(SEEDS, 2)
    renamed = random.random() < 0.5
    for name in (*RESULTS, *CSV, "metadata.json", "experiment_log.txt"):
        text = tree.read(f"experiment_results/{study}/seed_{source}/{name}")
        if renamed:
            text = text.replace(f"seed_{source}", f"seed_{target}").replace(f'"seed": {source}', f'"seed": {target}')
            text = text.replace(f'"attack_seed": {source + 1}', f'"attack_seed": {target + 1}')
        tree.write(f"experiment_results/{study}/seed_{target}/{name}", text)
    return f"{study}: {target} is a copy of {source}{', renamed' if renamed else ''}"


def checkpoint_relabelled(tree, random):
    where = folder(random)
    name = random.choice([name for name in RESULTS if name != "data_statistics.json"] + ["metadata.json"])
    text = tree.read(f"{where}/{name}")
    digests = sorted(set(files.read_json(tree.root / where / "evaluation_results.json")["checkpoints"].values()))
    old = random.choice([digest for digest in digests if digest in text])
    new = random.choice([digest for digest in digests if digest != old])
    tree.write(f"{where}/{name}", text.replace(old, new))
    return f"{where}/{name}: {old[:8]} became {new[:8]}"


def metadata_edited(tree, random):
    """A time, a host, a commit, a parameter, a digest, a version: whatever the run says about itself."""
    return edit_leaf(
        tree,
        random,
        f"{folder(random)}/metadata.json",
        lambda value: isinstance(value, str) and value,
        lambda old: other_digit(old, random) if re.search(r"\d", old) else f"{old}x",
    )


def log_edited(tree, random):
    name = f"{folder(random)}/experiment_log.txt"
    tree.write(name, other_digit(tree.read(name), random))
    return name


# What DVC recorded, and what stands here.


def md5_in_a_lock(tree, random):
    name = random.choice(["stages/dvc.lock", "paper_evidence/dvc.lock", "dvc.lock"])
    text = tree.read(name)
    found = random.choice(list(re.finditer(r"md5: '?[0-9a-f]{32}", text)))
    place = random.randrange(found.end() - 32, found.end())
    digit = random.choice([digit for digit in "0123456789abcdef" if digit != text[place]])
    tree.write(name, text[:place] + digit + text[place + 1 :])
    return f"{name}: at {place}"


def parameter_in_a_lock(tree, random):
    name = random.choice(["stages/dvc.lock", "paper_evidence/dvc.lock", "dvc.lock"])
    content = from_yaml(tree.root / name)
    stage = random.choice([stage for stage in content["stages"].values() if slots(stage.get("params", {}), is_number)])
    holder, key = random.choice(slots(stage["params"], is_number))
    old = holder[key]
    holder[key] = old + 1
    tree.write(name, to_yaml(content))
    return f"{name}: {stage['cmd']}: {key}: {old} became {old + 1}"


def command_in_a_lock(tree, random):
    name = random.choice(["stages/dvc.lock", "paper_evidence/dvc.lock", "dvc.lock"])
    content = from_yaml(tree.root / name)
    stage = random.choice(list(content["stages"].values()))
    words = stage["cmd"].split()
    place = random.randrange(2, len(words))
    words[place] += "0"
    stage["cmd"] = " ".join(words)
    tree.write(name, to_yaml(content))
    return f"{name}: {stage['cmd']}"


def stage_gone_from_a_lock(tree, random):
    name = random.choice(["stages/dvc.lock", "paper_evidence/dvc.lock"])
    content = from_yaml(tree.root / name)
    gone = random.choice(list(content["stages"]))
    content["stages"].pop(gone)
    tree.write(name, to_yaml(content))
    return f"{name}: {gone}"


def seed_of_the_parameters(tree, random):
    old = random.choice(SEEDS)
    text = tree.read("params.yaml")
    which = random.choice([rf"(?m)^- {old}$", r"(?m)^seed: 42$"])
    new = re.sub(which, lambda found: found[0].replace(re.search(r"\d+", found[0])[0], "77"), text)
    assert new != text
    tree.write("params.yaml", new)
    return f"params.yaml: {which}"


def statistics_of_the_parameters(tree, random):
    old, new = random.choice(
        [
            ("confidence: 0.95", "confidence: 0.9"),
            ("alpha: 0.05", "alpha: 0.1"),
            ("      - hotflip.delta_rougeL\n", ""),
            ("      exploratory:\n      - train.v", "      secondary:\n      - train.v"),
        ]
    )
    text = tree.read("params.yaml")
    assert old in text
    tree.write("params.yaml", text.replace(old, new, 1))
    return f"params.yaml: {old!r} became {new!r}"


def number_of_the_scale(tree, random):
    name = "scales/demo.yaml"
    content = yaml.safe_load(tree.read(name))
    holder, key = random.choice(slots(content, is_number))
    old = holder[key]
    holder[key] = old + 1 if isinstance(old, int) else old / 2 + 0.001
    tree.write(name, yaml.safe_dump(content))
    return f"{name}: {key}: {old} became {holder[key]}"


def code_edited(tree, random):
    names = ["requirements.lock", "data/demo/README.md", "mono_s2s/evidence/tables.py", "mono_s2s/evidence/notes.py"]
    name = random.choice([*names, *(f"stages/{stage}.py" for stage in ("collect", "hotflip", "train", "aggregate"))])
    tree.write(name, tree.read(name) + "# An edit.\n")
    return name


# By hand, one thing alone: a hash gives each away.
PLAIN = (
    *(digit_in_a_tex, digit_in_a_printed_text, raw_value_of_a_cell, pointer_of_a_cell, number_of_seeds_in_a_note),
    *(digit_in_a_list, provenance_of_a_number, headline_of_the_readme, selected_headline),
    *(format_in_a_spec, pointer_in_a_spec, number_of_seeds_in_a_caption, words_of_the_template),
    *(number_of_a_result, last_digits_of_a_result, not_a_number, missing_key),
    *(number_of_an_aggregate, verdict_of_a_test),
    *(cell_of_a_csv, rows_of_a_csv_swapped, models_of_a_csv_swapped, truncated_csv, row_of_a_csv_twice),
    *(example_of_a_csv_renamed, file_gone, file_too_many),
    *(seed_folders_swapped, seed_copied, checkpoint_relabelled, metadata_edited, log_edited),
    *(md5_in_a_lock, parameter_in_a_lock, command_in_a_lock, stage_gone_from_a_lock),
    *(seed_of_the_parameters, statistics_of_the_parameters, number_of_the_scale, code_edited),
)
# With `dvc commit -f` behind it, so that every hash agrees: these must be given away by what they say.
BELIEVED = (
    *(digit_in_a_tex, digit_in_a_printed_text, raw_value_of_a_cell, pointer_of_a_cell, number_of_seeds_in_a_note),
    *(digit_in_a_list, provenance_of_a_number, pointer_in_a_spec, number_of_seeds_in_a_caption, words_of_the_template),
    *(number_of_a_result, last_digits_of_a_result, not_a_number, missing_key),
    *(number_of_an_aggregate, verdict_of_a_test),
    *(cell_of_a_csv, rows_of_a_csv_swapped, models_of_a_csv_swapped, truncated_csv, row_of_a_csv_twice),
    *(example_of_a_csv_renamed, file_gone, file_too_many),
    *(seed_folders_swapped, seed_copied, checkpoint_relabelled, metadata_edited, log_edited),
    *(seed_of_the_parameters, statistics_of_the_parameters, number_of_the_scale),
)
