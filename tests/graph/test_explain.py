"""mono explain with the real DVC: each edit names exactly the numbers that depend on it; without its cache, too."""

import json
import re

import pytest
from clones import STUDIES, STUDY, Clone

from mono_s2s.evidence import tables

pytestmark = [pytest.mark.graph, pytest.mark.slow]
CODE = "mono_s2s/attacks/hotflip.py"
BOTH = {study: [42, 1337, 2024, 8888, 12345] for study in STUDIES}


def asked(clone: Clone, code: int) -> dict:
    text = clone.run("python -m mono_s2s.cli explain --json; echo ended with $?")
    found, _, ended = text.rpartition("ended with ")
    assert int(ended) == code, text
    return json.loads(found)


def cells(clone: Clone, *numbers: int):
    """Key, source and pointer of each number of the tables, as their files have them."""
    for path in sorted(clone.path.glob("paper_evidence/table_*.json")):
        content = json.loads(path.read_text())
        if not numbers or int(path.stem.split("_")[1]) in numbers:
            for row in content["rows"]:
                yield from ((cell["key"], cell["source"], cell["pointer"]) for cell in row["cells"] if cell["key"])


def corrected_with(clone: Clone, prefix: str, study: str) -> set[str]:
    """Metrics of every family of a study that has one of this stage's."""
    path = clone.path / f"experiment_results/{study}/aggregated/statistical_tests.json"
    families = json.loads(path.read_text())["families"].values()
    return {name for names in families if any(one.startswith(prefix) for one in names) for name in names}


def drawn_from(clone: Clone, metrics: str, *words: str, studies=STUDIES, numbers=()) -> set[str]:
    """The tables' numbers of metrics that begin so, by another way than the code's: by words in their pointers."""
    found = set()
    for key, source, pointer in cells(clone, *numbers):
        study = source.split("/")[1]
        if study in studies:
            test = re.fullmatch(r"/tests/(.+)", pointer)
            if test[1] in corrected_with(clone, metrics, study) if test else any(word in pointer for word in words):
                found.add(key)
    return found


def of_hotflip(clone: Clone, studies=STUDIES) -> set[str]:
    return drawn_from(clone, "hotflip.", "hotflip", studies=studies)


def in_tables(found: dict) -> set[str]:
    return {key for one in found["causes"] for key in one["numbers"] if key.startswith("table_")}


def edited_attack(clone: Clone):
    clone.append(CODE, "\n# an edit\n")
    return (CODE, "changed", [{"stage": "hotflip", "studies": BOTH}]), of_hotflip(clone)


def edited_parameter(clone: Clone):
    clone.edit("scales/toy.yaml", "flips: 2", "flips: 3")
    return (
        (f"scales/toy.yaml: {STUDY}.hotflip.flips", "2 -> 3", [{"stage": "hotflip", "studies": {STUDY: BOTH[STUDY]}}]),
        of_hotflip(clone, (STUDY,)),
    )


def edited_data_card(clone: Clone):
    clone.append("data/toy/README.md", "\nAn edit.\n")
    stages = [{"stage": "corpus", "studies": {study: [] for study in STUDIES}}]
    return ("data/toy/README.md", "changed", stages), {key for key, _, _ in cells(clone)}


def edited_result(clone: Clone):
    """One run's result edited: what adds it up, and what is printed from it and is not there any more."""
    path = f"experiment_results/{STUDY}/seed_1337/evaluation_results.json"
    clone.append(path, "\n")
    words = ("/evaluate.", "reference_points")
    wanted = drawn_from(clone, "evaluate.", *words, studies=(STUDY,), numbers=(3, 4, 5, 6))
    stages = [{"stage": "collect", "studies": {STUDY: [1337]}}]
    return (path, "was changed after stage collect wrote it", stages), wanted


def edited_format(clone: Clone):
    clone.edit(
        "paper_evidence/specs/table_6.yaml",
        "key: uat.delta_nll_per_token, decimals: 3",
        "key: uat.delta_nll_per_token, decimals: 5",
    )
    wanted = {key for key, _, pointer in cells(clone, 6) if pointer.startswith("/metrics/uat.delta_nll_per_token")}
    return ("paper_evidence/specs/table_6.yaml", "changed", [{"stage": "tables", "studies": {}}]), wanted


EDITS = (edited_attack, edited_parameter, edited_data_card, edited_result, edited_format)


@pytest.mark.parametrize(
    ("edit", "bare"),
    [*((edit, False) for edit in EDITS), *((edit, True) for edit in EDITS[:3])],
    ids=lambda value: value.__name__ if callable(value) else ("bare" if value else "with cache"),
)
def test_an_edit_names_exactly_the_numbers_that_depend_on_it(clone, tmp_path, edit, bare):
    if bare:
        clone.run(f"git clone -q {clone.path} {tmp_path / 'bare'}")
        clone = Clone(tmp_path / "bare")
    cause, wanted = edit(clone)
    found = asked(clone, 1)
    assert wanted
    assert in_tables(found) == wanted
    told = [(one["what"], one["change"], one["stages"]) for one in found["causes"] if one["numbers"]]
    assert told == [cause]
    assert sum(counts["stale"] for counts in found["tables"].values()) == found["stale"]


def test_nothing_is_stale_after_repro_nor_in_a_bare_clone_nor_for_another_selection(clone, tmp_path):
    assert asked(clone, 0)["causes"] == []
    clone.run(f"git clone -q {clone.path} {tmp_path / 'bare'}")
    assert asked(Clone(tmp_path / "bare"), 0)["causes"] == []
    clone.edit("params.yaml", "seed: 42", "seed: 777")
    found = asked(clone, 0)
    assert found["stale"] == 0
    assert {one["what"] for one in found["causes"]} >= {"seed 777", "params.yaml: seed"}


def test_what_was_half_done_is_told(clone):
    """A stage ran again and what comes after it did not."""
    clone.edit("scales/toy.yaml", "flips: 2", "flips: 3")
    clone.run(f"dvc repro -s stages/dvc.yaml:hotflip@{STUDY}-42")
    found = asked(clone, 1)
    folder = f"runs/{STUDY}/seed_42/hotflip"
    told = {one["what"]: one["change"] for one in found["causes"] if one["numbers"]}
    assert told == {f"scales/toy.yaml: {STUDY}.hotflip.flips": "2 -> 3", folder: "was written anew by stage hotflip"}
    assert in_tables(found) == of_hotflip(clone, (STUDY,))


def test_what_is_told_is_what_runs_again_and_changes(clone):
    """Rerun after the edit: no number changes that was not told."""
    before = {
        key: tables.lookup(json.loads((clone.path / source).read_text()), pointer)
        for key, source, pointer in cells(clone)
    }
    clone.edit("scales/toy.yaml", "flips: 2", "flips: 3")
    told = in_tables(asked(clone, 1))
    clone.run("dvc repro paper_evidence/dvc.yaml")
    changed = {
        key
        for key, source, pointer in cells(clone)
        if tables.lookup(json.loads((clone.path / source).read_text()), pointer) != before[key]
    }
    assert changed
    assert changed <= told
    assert asked(clone, 0)["stale"] == 0


def test_it_cannot_be_told_where_dvc_cannot(clone):
    clone.append("scales/toy.yaml", "a: [\n")
    text = clone.run("python -m mono_s2s.cli explain; echo ended with $?")
    assert "ended with 2" in text
    assert text.count("error: ") == 1


def test_a_number_is_traced_to_the_files_of_a_real_run(clone):
    """The whole chain holds, as text and as JSON, in a bare clone as well."""
    text = clone.run("python -m mono_s2s.cli trace table_5.monotonic.success")
    assert "Every link holds." in text
    assert f"python -m stages.hotflip --study {STUDY} --scale toy" in text
    clone.append(f"experiment_results/{STUDY}/seed_8888/hotflip_examples.csv", "\n")
    text = clone.run("python -m mono_s2s.cli trace table_5.monotonic.success", ok=False)
    assert "seed_8888/hotflip_examples.csv" in text
