"""Places in the evidence and other contents for them, drawn at random: what `mutations` is made of."""

import csv
import io
import json
import re

from made_up import STUDIES
from studies import SEEDS


def folder(random):
    return f"experiment_results/{random.choice(STUDIES)}/seed_{random.choice(SEEDS)}"


def one(tree, random, *patterns):
    return random.choice(tree.names(*patterns))


def other_digit(text, random, start=0, end=None):
    """`text` with one of its digits, between two places, replaced by another."""
    places = [match.start() for match in re.finditer(r"\d", text[:end]) if match.start() >= start]
    place = random.choice(places)
    digit = random.choice([digit for digit in "0123456789" if digit != text[place]])
    return text[:place] + digit + text[place + 1 :]


def slots(node, kind):
    """Container and key of every value below `node` that `kind` accepts."""
    found = []
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, (dict, list)):
            found += slots(value, kind)
        elif kind(value):
            found.append((node, key))
    return found


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def nudged(value, random):
    """Another number, not far off."""
    if isinstance(value, int):
        return value + random.choice([-1, 1, 2, 10])
    return value + random.choice([-1, 1]) * 10 ** random.uniform(-6, 0) * (abs(value) or 1)


def edit_leaf(tree, random, name, kind, new):
    """Change one leaf of a JSON file."""
    content = json.loads(tree.read(name))
    holder, key = random.choice(slots(content, kind))
    old = holder[key]
    holder[key] = new(old)
    tree.write(name, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return f"{name}: {key}: {old!r} became {holder[key]!r}"


def edit_csv(tree, name, edit):
    rows = list(csv.reader(io.StringIO(tree.read(name), newline="")))
    edit(rows)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    tree.write(name, out.getvalue())
