"""One printed number followed to the runs: text, raw value, pointer, file, seeds, stages, code, data, machine.

What provenance.json and metadata.json hold is shown as they hold it; what is checked here is that each link still
stands: the value at its pointer, each file's MD5 against dvc.lock, each run's own value, and that provenance.json is
of these tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mono_s2s import files, paths
from mono_s2s.evidence import collection, finding, ledger, lineage, metadata, numbers, printed, schemas, tables
from mono_s2s.evidence.lineage import Graph, Origin
from mono_s2s.evidence.numbers import Place
from mono_s2s.files import BadInput
from mono_s2s.params import load_params
from mono_s2s.scale import ARMS, MODELS

PROVENANCE = tables.FOLDER / "provenance.json"


class Chain:
    """The links of one number, read once; `broken` gathers one line for each that does not hold."""

    def __init__(self, key: str, places: Mapping[str, Place], root: Path = Path()) -> None:
        self.key, self.place, self.root = key, places[key], root
        self.also = finding.also(key, places)
        self.params = load_params(root)
        self.graph, self.checkout = Graph(root), ledger.Checkout(root)
        self.origin: Origin = printed.origins(self.params, root).of(self.place.source, self.place.pointer)
        self.broken: list[str] = []
        self._contents: dict[str, Any] = {}

    def content(self, path: str) -> Any:
        """A JSON file's content; None where it cannot be read, which is a broken link."""
        if path not in self._contents:
            try:
                self._contents[path] = files.read_json(self.root / path)
            except BadInput as error:
                self.broken.append(f"{str(error).removeprefix(f'{self.root}/')}: run `dvc repro`")
                self._contents[path] = None
        return self._contents[path]

    def file(self, path: str) -> dict[str, Any]:
        """A file that a stage wrote: the stage, its command, the MD5 in dvc.lock, and whether the file still has it."""
        address, md5 = self.graph.writer(path) or (None, None)
        now = self.checkout.md5(path)
        intact = md5 is not None and now == md5
        if address is None:
            self.broken.append(f"{path}: no stage in dvc.lock wrote it: run `dvc repro`")
        elif now is None:
            self.broken.append(f"{path}: missing, stage {address} wrote it: run `dvc repro`")
        elif not intact:
            self.broken.append(f"{path}: not what {address} wrote (md5 {now}, dvc.lock says {md5}): run `dvc repro`")
        command = " ".join(self.graph.entries[address].command) if address else None
        lock = self.graph.locks[address] if address else None
        return {"path": path, "md5": md5, "lock": lock, "intact": intact, "stage": address, "command": command}

    def printed_in(self) -> dict[str, Any]:
        """The file that prints it."""
        if self.place.table:
            return self.file((tables.FOLDER / f"{self.place.table}.json").as_posix())
        found = self.file(numbers.RENDERED.as_posix())
        if found["intact"] and printed.lines(self.root).get(self.key) != printed.line(self.key, self.place):
            self.broken.append(f"{numbers.RENDERED}: {self.key}: prints something else: run `dvc repro`")
        return found

    def source(self) -> dict[str, Any]:
        """The file that its raw value stands in."""
        found = self.file(self.place.source)
        content = self.content(self.place.source)
        if content is not None and not printed.matches(content, self.place):
            self.broken.append(
                f"{self.place.source}: {self.place.pointer}: holds another value than is printed: run `dvc repro`"
            )
        return {**found, "pointer": self.place.pointer}

    def provenance(self) -> dict[str, Any]:
        """The number's entry in provenance.json, the runs' entries by their folder, and in what it is stale."""
        content = self.content(PROVENANCE.as_posix())
        if content is None:
            return {"stale": ["missing"], "experiments": {}}
        stale = [] if self.file(PROVENANCE.as_posix())["intact"] else ["the file was changed after its stage wrote it"]
        experiments = {one["path"]: {"id": name, **one} for name, one in content.get("experiments", {}).items()}
        place, whole = self.place, self.place.part_of or self.key
        entry = _entry(content, whole, place)
        if entry is None:
            stale.append("it has no entry for this number")
        else:
            written = self.graph.writer(place.source)
            found = {"file": entry["file"], "md5": entry["md5"], "text": entry["text"]}
            wanted = {"file": place.source, "md5": written[1] if written else None, "text": place.text}
            if place.part_of:
                found["text"] = entry["parts"].get(self.key.removeprefix(f"{whole}."))
            else:
                found |= {"pointer": entry["pointer"], "value": entry["value"]}
                wanted |= {"pointer": place.pointer, "value": place.value}
            stale += [f"its {name} is another" for name in found if found[name] != wanted[name]]
        if stale:
            self.broken.append(f"{PROVENANCE}: stale, {', '.join(stale)}: run `dvc repro`")
        return {"stale": stale, "experiments": experiments}

    def _values(self) -> tuple[str, Mapping[str, float]]:
        """Pointer and values by seed of the nearest object above the number that has them; empty where none has."""
        content, pointer = self.content(self.place.source), self.place.pointer
        while self.origin.aggregated and content is not None and pointer:
            found = tables.lookup(content, pointer)
            if isinstance(found, Mapping) and isinstance(found.get("values"), Mapping):
                return pointer, found["values"]
            pointer = pointer.rpartition("/")[0]
        return "", {}

    def runs(self, experiments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What each seed gave: its value and file, checkpoints, and its stages' own records."""
        if self.origin.study is None:
            return
        above, values = self._values()
        name, pointers = _of_seed(above) if above else (self._own(), (self.place.pointer,))
        for seed in [seed for seed in self.origin.seeds if not values or str(seed) in values]:
            folder = paths.results(self.origin.study, seed).as_posix()
            file = self.file(f"{folder}/{name}")
            value = values.get(str(seed))
            if value is not None and file["intact"] and pointers:
                own = [tables.lookup(self.content(file["path"]), pointer) for pointer in pointers]
                if (own[0] if len(own) == 1 else own[0] - own[1]) != value:
                    self.broken.append(f"{self.place.source}: {above}/values/{seed}: not what {file['path']} holds")
            yield {
                "seed": seed,
                "value": value,
                "file": file,
                "pointers": list(pointers) if above else [],
                **self._recorded(folder, experiments.get(folder)),
            }

    def _own(self) -> str:
        """The file of a run that stands for it where no value of its own is told."""
        if not self.origin.aggregated:
            return Path(self.place.source).name
        results = [name for name in self.files() if name.endswith(".json")]
        return results[0] if len(results) == 1 else "final_results.json"

    def _recorded(self, folder: str, experiment: Mapping[str, Any] | None) -> dict[str, Any]:
        """A run's digests as provenance.json has them, its processes as metadata.json has them."""
        path = f"{folder}/metadata.json"
        if self.content(path) is None:
            return {"experiment": None, "data_digest": None, "checkpoints": {}, "records": {}}
        self.file(path)
        own = schemas.validate(self.content(path), metadata.Metadata, Path(path))
        mine = {model: found.sha256 for model, found in own.checkpoints.items()}
        if experiment is None:
            experiment = {"id": own.experiment_id, "data_digest": own.data_digest, "checkpoints": mine}
        elif (experiment["checkpoints"], experiment["data_digest"]) != (mine, own.data_digest):
            self.broken.append(f"{PROVENANCE}: stale, {folder} has other digests: run `dvc repro`")
        for name in self.files():
            self._copied(f"{folder}/{name}", collection.COPIED[name], own)
        records = [name for name in metadata.RECORDS if name in self.origin.records]
        return {
            "experiment": experiment["id"],
            "data_digest": experiment["data_digest"],
            "checkpoints": dict(experiment["checkpoints"]),
            "records": {name: own.stages[name].model_dump() for name in records},
        }

    def files(self) -> list[str]:
        """Names of the results and per-example files, in a run's folder, that it was computed from."""
        return [name for name, record in collection.COPIED.items() if record in self.origin.records]

    def _copied(self, path: str, record: str, run: metadata.Metadata) -> None:
        """Whether a filed result is what its process said that it wrote."""
        written = collection.sources(run.study, run.seed)[Path(path).name].as_posix()
        if self.checkout.md5(path) != run.stages[record].outputs.get(written):
            self.broken.append(f"{path}: not what stage {record} recorded that it wrote: run `dvc repro`")

    def stages(self) -> list[dict[str, Any]]:
        """The stages whose results it draws on, each over all seeds, and what they were built on."""
        found: list[dict[str, Any]] = []
        for record in (name for name in metadata.RECORDS if name in self.origin.records):
            addresses = [lineage.address(record, self.origin.study or "", seed) for seed in self.origin.seeds]
            above = {lineage.stage(name).record for address in addresses for name in self.graph.above(address)}
            found.append(
                {
                    "record": record,
                    "addresses": list(dict.fromkeys(addresses)),
                    "upstream": [name for name in metadata.RECORDS if name in above and name != record],
                }
            )
        return found


def _entry(content: Mapping[str, Any], key: str, place: Place) -> Mapping[str, Any] | None:
    if place.table is None:
        return content.get("numbers", {}).get(key)
    values = content.get("tables", {}).get(place.table, {}).get("extracted_values", {})
    return next((entry for entry in values.values() if entry.get("key") == key), None)


def _of_seed(pointer: str) -> tuple[str, tuple[str, ...]]:
    """File and pointers, in a run's folder, of what stands under `values` of an aggregated pointer: a - b for two."""
    steps = pointer.split("/")[1:]
    if steps[0] == "tests":
        steps = ["metrics", *steps[1:], "difference"]
    arms = ("monotonic", "baseline") if steps[-1] == "difference" else (steps[-1],)
    if steps[0] == "metrics":
        return "final_results.json", tuple(f"/metrics/{steps[1]}/{arm}" for arm in arms)
    score = steps[3].partition(".")[2]
    below = {"nll_per_token": "nll_per_token", "perplexity": "perplexity/mean", "perplexity_ratio": None}
    where = below.get(score, f"rouge/{score}/mean")
    found = tuple(f"/datasets/{steps[1]}/models/{arm}/{where}" for arm in arms) if where else ()
    return "evaluation_results.json", found


def models(pointer: str, records: Iterable[str]) -> list[str]:
    """The models that a number is about, by its pointer and the records behind it; a difference is about both arms."""
    steps, trained = pointer.split("/"), [record.partition(".")[2] for record in records]
    if named := [model for model in MODELS if model in steps]:
        return named
    if "reference_points" in steps or set(records) <= set(metadata.SHARED):
        return []
    return [arm for arm in ARMS if arm in trained] if any(trained) else list(ARMS)


def trace(key: str, places: Mapping[str, Place], root: Path = Path()) -> dict[str, Any]:
    """The whole chain of the number called `key`.

    Raises:
        BadInput: a lock file or a run's metadata cannot be read.
    """
    chain = Chain(key, places, root)
    place = chain.place
    printed_in, source, provenance = chain.printed_in(), chain.source(), chain.provenance()
    runs = list(chain.runs(provenance["experiments"]))
    return {
        "key": key,
        "also": chain.also,
        "table": place.table,
        "row": place.row,
        "column": place.column,
        "study": place.study,
        "text": place.text,
        "value": place.value,
        "printed_in": printed_in,
        "source": source,
        "models": models(place.pointer, chain.origin.records),
        "runs": runs,
        "files": chain.files(),
        "stages": chain.stages(),
        "provenance_stale": provenance["stale"],
        # One line each, however many links lead over it.
        "broken": list(dict.fromkeys(chain.broken)),
    }


def names(root: Path = Path()) -> dict[str, Place]:
    """Every number of the paper by its name, parts included, as it is printed now.

    Raises:
        BadInput: a table or a declared number cannot be read.
    """
    return numbers.collect(printed.rendered(root), load_params(root).seeds, root)
