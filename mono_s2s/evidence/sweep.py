"""Variants of the constraint compared, and one picked under a ceiling that was declared before they ran.

The ceiling and the metric of damage stand in params.yaml, and did so when each variant ran: nothing here relaxes or
replaces them. Where the rules pick nothing, nothing is picked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mono_s2s import scale, statistics
from mono_s2s.evidence.formatting import fixed, spread
from mono_s2s.evidence.variants import CONFIRMING, Asked, Found, Run, Variant, gather
from mono_s2s.files import BadInput
from mono_s2s.params import load_params


def _row(asked: Asked, variant: Variant, runs: Mapping[int, Sequence[Run]]) -> dict[str, Any]:
    """One variant, added up over its seeds."""
    seeds = {}
    for seed, twins in sorted(runs.items()):
        run = twins[0]
        damage = {arm: run.final.metrics[asked.rule.damage][arm] for arm in scale.ARMS}
        seeds[str(seed)] = {
            "experiments": [twin.experiment.name for twin in twins],
            "perplexity": {arm: run.perplexity(arm) for arm in scale.ARMS},
            "perplexity_ratio": run.ratio,
            "damage": damage,
            "reduction": damage["baseline"] - damage["monotonic"],
        }
    ratios = [own["perplexity_ratio"] for own in seeds.values()]
    above = [seed for seed, own in seeds.items() if own["perplexity_ratio"] > asked.rule.perplexity_ratio_ceiling]
    reductions = [own["reduction"] for own in seeds.values()]
    one = next(iter(runs.values()))[0].training.constraint
    return {
        **variant._asdict(),
        "n": len(seeds),
        "seeds": seeds,
        "constrained_share": one.share if one else None,
        "perplexity_ratio": {"mean": statistics.mean(ratios), "maximum": max(ratios)},
        **{
            name: {arm: statistics.mean([own[name][arm] for own in seeds.values()]) for arm in scale.ARMS}
            for name in ("perplexity", "damage")
        },
        "reduction": {"mean": statistics.mean(reductions), "sd": statistics.sd(reductions)},
        "eligible": not above,
        "reason": f"perplexity ratio above the ceiling at seed {', '.join(above)}" if above else None,
    }


def choose(rows: Sequence[Mapping[str, Any]], ceiling: float) -> tuple[Mapping[str, Any] | None, str]:
    """The winner among variants, or None, and the verdict in words.

    A variant is eligible if no seed's perplexity ratio is above the ceiling; the eligible one with the largest mean
    reduction of damage wins, if it reduces it at all and no other does so equally.
    """
    eligible = [row for row in rows if row["eligible"]]
    if not eligible:
        return None, f"no winner: no variant stays at or below the ceiling of {ceiling} at every seed"
    most = max(row["reduction"]["mean"] for row in eligible)
    best = [row for row in eligible if row["reduction"]["mean"] == most]
    if most <= 0:
        return None, "no winner: no variant lowers the damage" + (
            " and stays below the ceiling" if len(eligible) < len(rows) else ""
        )
    if len(best) > 1:
        tied = " and ".join(f"{row['mode']} {row['scope']}" for row in best)
        return None, f"no winner: {tied} lower the damage equally"
    return best[0], f"winner: {best[0]['mode']} {best[0]['scope']}"


def _notes(found: Found) -> list[str]:
    notes = []
    baselines: dict[int, set[str]] = {}
    for own in found.runs.values():
        for seed, twins in own.items():
            baselines.setdefault(seed, set()).add(twins[0].final.checkpoints.get("baseline", ""))
    if differing := [str(seed) for seed, digests in sorted(baselines.items()) if len(digests) > 1]:
        notes.append(
            f"the baselines of seed {', '.join(differing)} differ between variants, though nothing of theirs was "
            "varied: training is not reproducible bit by bit where they ran, and the reductions carry that too"
        )
    if found.unchecked:
        notes.append(f"what was declared where these runs trained could not be looked up: {'; '.join(found.unchecked)}")
    return notes


def compare(study: str | None = None, scale_name: str | None = None, root: Path = Path()) -> dict[str, Any]:
    """All variants of a study at one scale (by default those that params.yaml selects), and the winner if there is one.

    Raises:
        BadInput: no such study or scale, or its runs cannot be compared (`variants.gather`).
    """
    params = load_params(root)
    study, scale_name = study or params.study, scale_name or params.scale
    if study not in scale.STUDIES:
        raise BadInput(f"study: {study!r} is not one of {', '.join(scale.STUDIES)}")
    scale.load_scale(scale_name, root).study(study)
    section = scale.read_yaml(root / scale.scale_path(scale_name))[study]
    asked = Asked(study, scale_name, section, params.sweep, params.seeds)
    found = gather(asked, root)
    seeds = found.seeds
    rows = [_row(asked, variant, runs) for variant, runs in found.runs.items()]
    rows.sort(key=lambda row: (not row["eligible"], -row["reduction"]["mean"], row["mode"], row["scope"]))
    winner, verdict = choose(rows, asked.rule.perplexity_ratio_ceiling)
    others = [seed for seed in params.seeds if seed not in seeds]
    others = others or list(range(max(seeds) + 1, max(seeds) + 1 + len(params.seeds)))
    return {
        "schema_version": 1,
        "study": study,
        "scale": scale_name,
        "damage": asked.rule.damage,
        "perplexity_ratio_ceiling": asked.rule.perplexity_ratio_ceiling,
        "seeds": seeds,
        "variants": rows,
        "winner": {"mode": winner["mode"], "scope": winner["scope"]} if winner else None,
        "verdict": verdict,
        "confirm": asked.command(others, winner["mode"], winner["scope"], f"-n {CONFIRMING} ") if winner else None,
        "notes": _notes(found),
        "left_out": found.left_out,
    }


COLUMNS = ("variant", "constrained", "perplexity", "ratio", "damage", "reduction", "by seed", "eligible")
LEGEND = (
    "perplexity, damage: baseline / monotonic, means over seeds. ratio: monotonic over baseline perplexity, mean "
    "(largest). reduction: damage of the baseline minus the monotonic model's, mean ± sd over seeds."
)


def cells(row: Mapping[str, Any]) -> list[str]:
    """One variant as text, under `COLUMNS`."""
    share, reduction = row["constrained_share"], row["reduction"]
    pair = {name: " / ".join(fixed(row[name][arm], 3) for arm in scale.ARMS) for name in ("perplexity", "damage")}
    ratio = row["perplexity_ratio"]
    return [
        f"{row['mode']} {row['scope']}",
        f"{fixed(share, 1, 2)} %",
        pair["perplexity"],
        f"{fixed(ratio['mean'], 3)} ({fixed(ratio['maximum'], 3)})",
        pair["damage"],
        fixed(reduction["mean"], 4) if reduction["sd"] is None else spread(reduction["mean"], reduction["sd"], 4),
        "\n".join(f"{seed}: {fixed(own['reduction'], 4)}" for seed, own in row["seeds"].items()),
        "yes" if row["eligible"] else f"no: {row['reason']}",
    ]


def words(found: Mapping[str, Any]) -> list[str]:
    """What is said under the table, a paragraph each: the verdict, what it is worth, and what was not compared."""
    said = [found["verdict"]]
    if found["winner"]:
        said.append(
            f"Over {len(found['seeds'])} seed(s) a winner is a choice, not a claim; and as it was picked on the seeds "
            f"and examples that are shown, its reduction looks better than it is. Confirm it with other seeds: "
            f"{found['confirm']}; dvc queue start"
        )
    said += [f"Note: {note}" for note in found["notes"]]
    return said + [f"Left out: {each['experiment']}: {each['reason']}" for each in found["left_out"]]
