"""Ways to damage what is printed, and how: tables, lists, specs, templates. Collected in `mutations`."""

import json
import re

import yaml
from drawing import edit_leaf, is_number, nudged, one, other_digit, slots

from mono_s2s import files

ENDS = {"table": "paper_evidence/table_*", "aggregated": "experiment_results/*/aggregated/*"}
HEADLINE = re.compile(r"(?s)<!-- table: headline -->(.*?)<!-- end of table -->")


def digit_in_a_tex(tree, random):
    name = one(tree, random, f"{ENDS['table']}.tex", f"{ENDS['aggregated']}.tex", "paper_evidence/numbers.tex")
    tree.write(name, other_digit(tree.read(name), random))
    return name


def digit_in_a_printed_text(tree, random):
    name = one(tree, random, f"{ENDS['table']}.json")
    content = json.loads(tree.read(name))
    cells = [cell for row in content["rows"] for cell in row["cells"] if re.search(r"\d", cell["text"])]
    cell, key = random.choice(cells), random.choice(["text", "latex"])
    cell[key] = other_digit(cell[key], random)
    tree.write(name, files.to_json(content))
    return f"{name}: {cell[key]}"


def raw_value_of_a_cell(tree, random):
    name = one(tree, random, f"{ENDS['table']}.json")
    content = json.loads(tree.read(name))
    cell = random.choice([cell for row in content["rows"] for cell in row["cells"] if cell["value"] is not None])
    holder, key = (cell, "value") if is_number(cell["value"]) else random.choice(slots(cell["value"], is_number))
    holder[key] = nudged(holder[key], random)
    tree.write(name, files.to_json(content))
    return f"{name}: {cell['value']}"


def pointer_of_a_cell(tree, random):
    """A cell says that it is another model's."""
    name = one(tree, random, f"{ENDS['table']}.json")
    content = json.loads(tree.read(name))
    cells = [cell for row in content["rows"] for cell in row["cells"] if "baseline" in (cell["pointer"] or "")]
    if not cells:
        return pointer_of_a_cell(tree, random)
    cell = random.choice(cells)
    cell["pointer"] = cell["pointer"].replace("baseline", "monotonic")
    tree.write(name, files.to_json(content))
    return f"{name}: {cell['pointer']}"


def number_of_seeds_in_a_note(tree, random):
    name = one(tree, random, f"{ENDS['table']}[3-7]*.json", f"{ENDS['table']}[3-7]*.tex")
    text = tree.read(name)
    assert "5 training seeds" in text
    tree.write(name, text.replace("5 training seeds", f"{random.choice([3, 4, 6, 8, 10])} training seeds"))
    return name


def digit_in_a_list(tree, random):
    name = one(tree, random, "experiment_results/*README.md", "paper_evidence/*README.md", "experiment_results/*.json")
    tree.write(name, other_digit(tree.read(name), random))
    return name


def provenance_of_a_number(tree, random):
    name = "paper_evidence/provenance.json"
    return edit_leaf(
        tree,
        random,
        name,
        lambda value: isinstance(value, str) and re.search(r"\d", value),
        lambda old: other_digit(old, random),
    )


def headline_of_the_readme(tree, random):
    text = tree.read("README.md")
    found = HEADLINE.search(text)
    tree.write("README.md", other_digit(text, random, *found.span(1)))
    return "README.md"


def selected_headline(tree, random):
    name = one(tree, random, "metrics.json", "curves/*.csv")
    tree.write(name, other_digit(tree.read(name), random))
    return name


# What is printed how.


def format_in_a_spec(tree, random):
    name = one(tree, random, "paper_evidence/specs/table_*.yaml")
    content = yaml.safe_load(tree.read(name))
    parts = [*content["columns"], *(row for block in content["blocks"] for row in block["rows"])]
    part = random.choice([part for part in parts if "decimals" in part or "kind" in part or "shift" in part])
    key = random.choice([key for key in ("decimals", "shift", "kind") if key in part])
    old = part[key]
    kinds = [kind for kind in ("number", "spread", "interval", "range", "count", "test") if kind != old]
    part[key] = random.choice(kinds) if key == "kind" else old + 1
    tree.write(name, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    return f"{name}: {key}: {old} became {part[key]}"


def pointer_in_a_spec(tree, random):
    name = one(tree, random, "paper_evidence/specs/table_*.yaml")
    content = yaml.safe_load(tree.read(name))
    parts = [*content["columns"], *(row for block in content["blocks"] for row in block["rows"])]
    part = random.choice([part for part in parts if part.get("key") or "pointer" in part])
    key = "pointer" if "pointer" in part else "key"
    old = part[key]
    part[key] = f"{old}x"
    tree.write(name, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    return f"{name}: {key}: {old} became {part[key]}"


def number_of_seeds_in_a_caption(tree, random):
    name = one(tree, random, "paper_evidence/specs/table_*.yaml")
    content = yaml.safe_load(tree.read(name))
    words = random.choice(["over ten seeds", "over 8 training seeds", "of three runs", "over 20 seeds"])
    content["caption"] = f"{content['caption'].rstrip('.')}, {words}."
    tree.write(name, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    return f"{name}: {words}"


def words_of_the_template(tree, random):
    name = one(tree, random, "paper_evidence/templates/*")
    text = tree.read(name)
    place = random.choice([match.start() for match in re.finditer(r"(?<=\\)(top|mid|bottom)rule", text)])
    tree.write(name, text[:place] + "h" + text[place:])
    return f"{name}: at {place}"
