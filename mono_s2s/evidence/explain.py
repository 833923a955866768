"""Which numbers of the paper are stale, and because of what, before anything runs again.

A number is stale if a stage that it was computed from, or one upstream of that, would run again. What only prints
numbers is rendered here in memory and compared, so that a new caption makes no number stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mono_s2s import files
from mono_s2s.evidence import causes, collection, ledger, lineage, metadata, numbers, printed, specs, tables
from mono_s2s.evidence.causes import Cause, Flag
from mono_s2s.evidence.lineage import Graph
from mono_s2s.evidence.printed import Printed
from mono_s2s.files import BadInput
from mono_s2s.params import Params, load_params
from mono_s2s.scale import ARMS


class Touched:
    """Finds the numbers that a flag makes stale."""

    def __init__(self, everything: Sequence[Printed], graph: Graph, params: Params, root: Path = Path()) -> None:
        self.everything, self.graph, self.params, self.root = everything, graph, params, root
        self.notes: list[str] = []
        self._differing: tuple[set[str], set[str]] | None = None

    def by(self, flag: Flag) -> list[Printed]:
        """The numbers that one reason for one stage to run again makes stale."""
        stage = flag.stage
        if stage.name == lineage.APPROVAL:
            return []
        if stage.name == "collect":
            return self._filed(flag)
        if stage.name == "aggregate":
            return self._added_up(flag)
        if stage.name == "tables":
            return self._printed(flag)
        return [number for number in self.everything if stage.address in number.above]

    def _no_longer_there(self, candidates: Iterable[Printed], path: str) -> list[Printed]:
        """Of the numbers that a file holds, those that it does not hold any more."""
        try:
            content = files.read_json(self.root / path)
        except BadInput:
            return list(candidates)
        return [number for number in candidates if not printed.matches(content, number.place)]

    def _filed(self, flag: Flag) -> list[Printed]:
        stage = flag.stage
        mine = [
            number
            for number in self.everything
            if number.origin.study == stage.study and stage.seed in number.origin.seeds
        ]
        if flag.key is not None:
            # Parameters go into metadata.json alone; the stages that they change are flagged for themselves.
            return []
        if not flag.written:
            written = self.graph.writer(flag.path)
            if written is None:
                return mine
            used = lineage.stage(written[0]).address
            result = Path(flag.path).name == "results.json" or Path(flag.path).name.endswith(".csv")
            return [number for number in mine if used in number.direct] if result else []
        name = Path(flag.path).name
        records = {collection.COPIED[name]} if name in collection.COPIED else set()
        return [
            *self._no_longer_there([number for number in mine if number.place.source == flag.path], flag.path),
            *(
                number
                for number in mine
                if number.origin.aggregated and (number.origin.records & records or name == "final_results.json")
            ),
        ]

    def _added_up(self, flag: Flag) -> list[Printed]:
        mine = [
            number for number in self.everything if number.origin.study == flag.stage.study and number.origin.aggregated
        ]
        if flag.written:
            return self._no_longer_there([number for number in mine if number.place.source == flag.path], flag.path)
        if flag.key is not None:
            return [number for number in mine if _uses(number, flag.key)]
        in_folder = "/seed_" in flag.path
        return [] if in_folder and Path(flag.path).suffix else mine

    def _printed(self, flag: Flag) -> list[Printed]:
        if flag.written and flag.path.endswith(".tex") and "/table_" in flag.path:
            name = Path(flag.path).stem
            return [number for number in self.everything if number.place.table == name]
        if flag.key == "seeds":
            lead = self.params.seeds[:1]
            return [number for number in self.everything if number.origin.aggregated or [*number.origin.seeds] != lead]
        tables_differ, lines_differ = self._rerendered()
        differing = tables_differ | lines_differ
        path = Path(flag.path)
        if flag.written and path == numbers.RENDERED:
            differing = lines_differ
        found = [number for number in self.everything if number.key in differing]
        if flag.written and "/table_" in flag.path:
            return [number for number in found if number.place.table == path.stem and number.key in tables_differ]
        if flag.path.startswith("experiment_results/"):
            return [number for number in found if number.place.source == flag.path]
        if path.parent == specs.SPECS:
            return [number for number in found if number.table == (path.stem if path.stem != "numbers" else "prose")]
        return found

    def _rerendered(self) -> tuple[set[str], set[str]]:
        """Keys of the numbers that the tables, and numbers.tex, would print otherwise, were they rendered now."""
        if self._differing is None:
            before = {number.key: number.place for number in self.everything}
            try:
                again = [tables.render(spec, self.params.seeds, self.root) for spec in specs.load(self.root)]
                after = numbers.collect(again, self.params.seeds, self.root)
                lines = printed.lines(self.root)
                other = {
                    place.part_of or key for key, place in after.items() if lines.get(key) != printed.line(key, place)
                }
                self._differing = (
                    {key for key, place in before.items() if after.get(key) != place},
                    {key for key in before if key in other or key not in after},
                )
                if more := sum(place.part_of is None for key, place in after.items() if key not in before):
                    self.notes.append(f"{more} more would be printed: the specs ask for them, no table has them yet")
            except BadInput as error:
                self.notes.append(f"the tables cannot be rendered now, so all of their numbers count: {error}")
                self._differing = (set(before), set(before))
        return self._differing


def _uses(number: Printed, key: str) -> bool:
    """Whether a number that was added up depends on a key of params.yaml."""
    value, pointer, study = number.place.value, number.place.pointer, number.origin.study
    parts = {*(value if isinstance(value, Mapping) else ()), pointer.rpartition("/")[2]}
    if key == "statistics.confidence":
        return bool(parts & {"lower", "upper", "confidence"})
    if key == "statistics.alpha":
        judged = {"rejected", "underpowered", "alpha", "decision", "reasons", "minimum_detectable"}
        return bool(parts & judged) or pointer.startswith("/equivalence/")
    if key.startswith("statistics.families."):
        return key.split(".")[2] == study and pointer.startswith(("/tests/", "/families"))
    if key.startswith("statistics."):
        return number.place.source.endswith("/statistical_tests.json")
    return True


def _stages(flags: Iterable[Flag]) -> list[dict[str, Any]]:
    """The stages of flags, in their order, each with its studies and their seeds."""
    found: dict[str, dict[str, list[int]]] = {}
    for flag in flags:
        of_study = found.setdefault(flag.stage.record, {})
        if flag.stage.study:
            seeds = of_study.setdefault(flag.stage.study, [])
            if flag.stage.seed is not None and flag.stage.seed not in seeds:
                seeds.append(flag.stage.seed)
    return [{"stage": name, "studies": studies} for name, studies in found.items()]


def _by_table(found: Iterable[Printed]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for number in found:
        counts[number.table] = counts.get(number.table, 0) + 1
    return counts


def explain(root: Path = Path()) -> dict[str, Any]:
    """What is stale, grouped by cause, those with most numbers first.

    Raises:
        BadInput: it cannot be told: DVC fails, or the paper's numbers cannot be read.
    """
    status = causes.Status(root)
    try:
        params = load_params(root)
        graph = Graph(root)
        everything = printed.read(graph, params, root)
    except BaseException:
        status.stop()
        raise
    return report(status.read(), everything, graph, params, root)


def report(
    status: Mapping[str, Any], everything: Sequence[Printed], graph: Graph, params: Params, root: Path = Path()
) -> dict[str, Any]:
    """What DVC's answer means for the numbers: counts, and each cause with its stages and numbers."""
    found = causes.Reader(graph, ledger.Checkout(root), root).flags(status)
    touched = Touched(everything, graph, params, root)
    by_cause: dict[Cause, list[tuple[Flag, set[str]]]] = {}
    for flag in found:
        by_cause.setdefault(flag.cause, []).append((flag, {number.key for number in touched.by(flag)}))
    stale = [
        number for number in everything if any(number.key in keys for flags in by_cause.values() for _, keys in flags)
    ]
    told = []
    for cause, flags in by_cause.items():
        own = [number for number in everything if any(number.key in keys for _, keys in flags)]
        told.append(
            {
                "kind": cause.kind,
                "what": cause.what,
                "change": cause.change,
                # Those through which it reaches numbers; without any, all that would run again.
                "stages": _stages(flag for flag, keys in flags if keys or not own),
                "tables": _by_table(own),
                "numbers": [number.key for number in own],
            }
        )
    told.sort(key=lambda one: (-len(one["numbers"]), one["what"]))
    counts, of = _by_table(stale), _by_table(everything)
    return {
        "numbers": len(everything),
        "stale": len(stale),
        "tables": {name: {"stale": counts.get(name, 0), "of": of[name]} for name in of},
        "causes": told,
        "notes": touched.notes,
    }


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


_ORDER = ("check", *metadata.RECORDS, "collect", "aggregate", "index", "tables", "provenance")


def _stage_words(stages: Sequence[Mapping[str, Any]]) -> str:
    """stage hotflip, 5 seeds each of both studies."""
    groups: dict[str, list[str]] = {}
    for one in sorted(stages, key=lambda one: _ORDER.index(one["stage"]) if one["stage"] in _ORDER else len(_ORDER)):
        of_study = one["studies"]
        where = "" if not of_study else f" of {next(iter(of_study))}" if len(of_study) == 1 else " of both studies"
        seeds = {len(found) for found in of_study.values()} - {0}
        if seeds:
            where = f", {_counted(max(seeds), 'seed')}{' each' if len(of_study) > 1 else ''}{where}"
        groups.setdefault(where, []).append(one["stage"])
    parts = []
    for where, names in groups.items():
        both = {f"train.{arm}" for arm in ARMS} <= set(names)
        shown = list(dict.fromkeys("train" if both and name.startswith("train.") else name for name in names))
        parts.append(f"stage{'' if len(shown) == 1 else 's'} {', '.join(shown)}{where}")
    return "; ".join(parts)


def _where(found: Mapping[str, int], of: Mapping[str, Any]) -> str:
    """62 of table 5 (all), 11 of table 7."""
    parts = []
    for name, count in found.items():
        where = "the prose" if name == "prose" else name.replace("_", " ")
        parts.append(f"{count} of {where}{' (all)' if count == of[name]['of'] else ''}")
    return ", ".join(parts)


def _because(one: Mapping[str, Any]) -> str:
    return f"{one['what']}{':' if one['kind'] == 'parameter' else ''} {one['change']}"


def words(found: Mapping[str, Any], list_numbers: bool = False) -> list[str]:
    """The answer in lines: what is stale, then each cause; with every number's name if asked for."""
    total = _counted(found["numbers"], "number")
    if found["stale"]:
        lines = [f"{found['stale']} of the paper's {total} {'is' if found['stale'] == 1 else 'are'} stale."]
    else:
        lines = [f"None of the paper's {total} is stale."]
    for one in found["causes"]:
        if count := len(one["numbers"]):
            how_many = f"{_counted(count, 'number')} {'is' if count == 1 else 'are'} stale because"
            lines += ["", f"{how_many} {_because(one)} ({_stage_words(one['stages'])})"]
            lines.append(f"  {_where(one['tables'], found['tables'])}")
            lines += [f"    {key}" for key in one["numbers"]] if list_numbers else []
    idle = [one for one in found["causes"] if not one["numbers"]]
    if idle:
        lines += ["", "Would run again without a change to any number:"]
        lines += [f"  {_stage_words(one['stages'])}: {_because(one)}" for one in idle]
    return lines + [f"note: {note}" for note in found["notes"]]
