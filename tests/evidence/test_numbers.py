"""Every number of the paper has a name, and what the name prints is what stands in the results."""

import re
from pathlib import Path

import pytest
import studies
import yaml
from made_up import TEXT

from mono_s2s import files, params, paths
from mono_s2s.evidence import formatting, numbers, specs, tables
from mono_s2s.files import BadInput

FOLDER = Path("paper_evidence")
SUMMARY = paths.aggregated(studies.STUDY) / "all_seeds_summary.json"
TESTS = paths.aggregated(studies.STUDY) / "statistical_tests.json"
DELTA = "hotflip.delta_nll_per_token"


def edit(change, path=numbers.DECLARED):
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def declare(**entry):
    """Declare one number more, of the first study."""
    edit(lambda content: content["numbers"].append({"key": "mine", "studies": ["t5"], **entry}))


def refusal():
    with pytest.raises(BadInput) as caught:
        numbers.write(params.load_params())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rendering_twice_gives_the_same_bytes(study):
    before = (FOLDER / "numbers.tex").read_bytes()
    numbers.write(params.load_params())
    assert (FOLDER / "numbers.tex").read_bytes() == before


def test_each_line_defines_one_number(study):
    lines = [line for line in (FOLDER / "numbers.tex").read_text().splitlines() if not line.startswith("%")]
    form = r"\\monosdefine\{([A-Za-z0-9._-]+)\}\{(.+)\}\{(-?[0-9.]*)\}\{(experiment_results/\S+\.json)\}\{(/\S+)\}%"
    found = [re.fullmatch(form, line) for line in lines]
    assert all(found)
    known = numbers.keys()
    assert [match[1] for match in found] == list(known)
    assert [match[4] for match in found] == [place.source for place in known.values()]
    assert len(lines) > 1000


def test_every_cell_of_every_table_has_a_name(study):
    known = numbers.keys()
    for spec in specs.load():
        rows = files.read_json(FOLDER / f"{spec.id}.json")["rows"]
        for cell in (cell for row in rows for cell in row["cells"]):
            if cell["key"] is None:
                assert cell["text"] == formatting.DASH
            else:
                place = known[cell["key"]]
                assert (place.text, place.value, place.source) == (cell["text"], cell["value"], cell["source"])
                assert place.table == spec.id


def test_what_a_name_prints_stands_where_it_says(study):
    contents = {}
    for key, place in numbers.keys().items():
        content = contents.setdefault(place.source, files.read_json(Path(place.source)))
        found = tables.lookup(content, place.pointer)
        if isinstance(place.value, dict):
            assert {name: found[name] for name in place.value} == place.value
        elif key.endswith("seeds.n"):
            assert len(found) == place.value
        else:
            assert found == place.value, key


BY_HAND = {
    "table_5.hotflip.delta_nll_per_token.monotonic": "−0.123 ± 0.045",
    "table_5.hotflip.delta_nll_per_token.monotonic.mean": "−0.123",
    "table_5.hotflip.delta_nll_per_token.monotonic.sd": "0.045",
    "table_5.hotflip.delta_nll_per_token.difference": "0.000",
    "table_5.hotflip.delta_nll_per_token.range": "[−1.000, 0.250]",
    "table_5.hotflip.delta_nll_per_token.range.lower": "−1.000",
    "table_5.hotflip.delta_nll_per_token.p": "< 0.0001†",
    "table_5.hotflip.delta_nll_per_token.p.p": "< 0.0001",
    "table_5.hotflip.delta_nll_per_token.p.p.relation": "< 0.0001",
    "t5.hotflip.monotonic.delta_nll": "−0.123 ± 0.045",
    "t5.hotflip.monotonic.delta_nll.mean": "−0.123",
    "t5.hotflip.difference.delta_nll": "0.000 [−1.000, 0.250]",
    "t5.hotflip.difference.delta_nll.mean": "0.000",
    "t5.hotflip.difference.delta_nll.range": "[−1.000, 0.250]",
    "t5.hotflip.difference.delta_nll.upper": "0.250",
    "t5.hotflip.delta_nll.p_holm": "< 0.0001",
    "t5.hotflip.delta_nll.p_holm.relation": "< 0.0001",
    "t5.hotflip.delta_nll.p.relation": "= 0.0625",
    "t5.hotflip.baseline.success": "20.8%",
    "t5.seeds": "42, 1337, 2024, 8888, 12345",
    "t5.seeds.n": "5",
    "t5.scale": "demo",
    "t5.confidence": "95%",
    "t5.data.train.examples": "6",
    "t5.hotflip.threshold": "10",
    "lm.parameters": "1,414,647,808",
    "lm.constrained.share": "56.9%",
    "table_7.parameters.baseline": "1,414,647,808",
    "table_7.constrained.monotonic": "56.9",
}


def test_texts_by_hand(study):
    def summary(content):
        metric = content["metrics"][DELTA]
        metric["models"]["monotonic"].update(mean=-0.12345, sd=0.0449)
        metric["difference"].update(mean=-0.0004, lower=-1, upper=0.25)
        content["metrics"]["hotflip.success"]["models"]["baseline"].update(mean=0.2085)

    studies.change(SUMMARY, summary)
    studies.change(TESTS, lambda content: content["tests"][DELTA].update(p=0.0625, p_holm=0.00009, underpowered=True))
    known = numbers.keys()
    assert {key: known[key].text for key in BY_HAND} == BY_HAND


def test_a_place_in_full(study):
    whole = "table_5.hotflip.delta_nll_per_token.range"
    place = numbers.keys()[f"{whole}.lower"]
    assert place.source == SUMMARY.as_posix()
    assert place.pointer == f"/metrics/{DELTA}/difference/lower"
    assert (place.study, place.table) == (studies.STUDY, "table_5_hotflip_attacks")
    assert (place.row, place.column) == ("HotFlip / ΔNLL", "Monotonic − baseline / Interval")
    assert place.part_of == whole
    declared = numbers.keys()["lm.clean.baseline.perplexity"]
    assert (declared.study, declared.table, declared.row, declared.part_of) == (TEXT, None, None, None)


def test_declared_numbers_are_loaded_study_by_study(study):
    found = numbers.load()
    assert [number.key for number in found if number.key.endswith(".scale")] == ["t5.scale", "lm.scale"]
    number = next(number for number in found if number.key == "t5.hotflip.baseline.delta_rougeL")
    assert number == numbers.Number(
        key="t5.hotflip.baseline.delta_rougeL",
        study=studies.STUDY,
        source=SUMMARY.as_posix(),
        pointer="/metrics/hotflip.delta_rougeL/models/baseline",
        kind="spread",
        decimals=1,
        shift=2,
        absent=False,
    )
    of_text = [number.key for number in found if number.study == TEXT and not number.absent]
    assert not any("rouge" in key for key in of_text)


def test_a_metric_without_a_test_has_no_macro(study):
    before = numbers.keys()
    assert "t5.hotflip.delta_nll.p" in before
    studies.change(TESTS, lambda content: content["tests"].pop(DELTA))
    after = numbers.keys()
    assert "t5.hotflip.delta_nll.p" not in after
    assert after.keys() < before.keys()


def test_odd_names_of_test_sets(study):
    """Slashes, signs and letters of other languages: a key has none, a pointer escapes them, TeX reads them."""

    def rename(content):
        content["datasets"] = {"my set/α#1%~": content["datasets"]["news"]}

    studies.change(SUMMARY, rename)
    place = numbers.keys()["table_4.my.set.1.baseline.evaluate.rouge1"]
    assert place.pointer == "/datasets/my set~1α#1%~0/metrics/evaluate.rouge1/models/baseline"
    (line,) = numbers.to_latex({"k": place}).splitlines()[2:]
    p = r"\monospercent "
    assert f"{{/datasets/my{p}20set{p}7E1{p}CE{p}B1{p}231{p}25{p}7E0/metrics/" in line


def test_two_cells_of_one_name(study):
    studies.change(SUMMARY, lambda content: content["datasets"].update({"all": content["datasets"]["news"]}))
    assert refusal() == (
        "paper_evidence/specs/table_4.yaml: two cells are called table_4.all.standard.evaluate.rouge1: give a block, a "
        "row or a column another key"
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"pointer": "/nowhere", "kind": "count"},
            "/nowhere: not there, paper_evidence/specs/numbers.yaml asks for it",
        ),
        ({"pointer": "/scale", "kind": "count"}, "/scale: not a count, which paper_evidence/specs/numbers.yaml asks"),
        ({"pointer": "/constraint/share", "kind": "count"}, "/constraint/share: not a count"),
        ({"pointer": "/confidence", "kind": "text"}, "/confidence: not a text"),
        ({"pointer": "/scale", "kind": "list"}, "/scale: not a list"),
        ({"pointer": "/scale", "kind": "size"}, "/scale: not a size"),
        ({"pointer": "/model/parameters", "kind": "p", "decimals": 3}, "/model/parameters: 1414"),
        ({"pointer": "/confidence", "kind": "number"}, "key mine: decimals: missing: a number needs them"),
        ({"pointer": "/x", "kind": "count", "source": "none"}, "key mine: source none is not declared under sources"),
        ({"pointer": "/x", "kind": "count", "studies": ["t6"]}, "key mine: study t6 is not declared under studies"),
        ({"pointer": "/x", "kind": "count", "over": ["none", "/"]}, "key mine: source none is not declared"),
        ({"pointer": "/x", "kind": "count", "over": ["summary", "/scale"]}, "/scale: no object to go over"),
        (
            {"pointer": "/scale", "kind": "text", "key": "seeds"},
            "two numbers are called t5.seeds: give one another key",
        ),
        ({"pointer": "/scale", "kind": "text", "key": "alpha.relation"}, None),
        ({"pointer": "/scale", "kind": "text", "key": "clean.nll.p.relation"}, "t5.clean.nll.p.relation: another numb"),
        ({"pointer": "/scale", "kind": "wort"}, "kind: Input should be"),
        ({"pointer": "/scale", "kind": "text", "colour": "red"}, "colour: Extra inputs are not permitted"),
        (
            {"pointer": "/scale", "kind": "text", "key": "a b"},
            "key a b: letters, digits, dots, underscores and hyphens",
        ),
        ({"pointer": "/scale", "kind": "text", "key": "{x}"}, "key {x}: nothing says what {x} stands for"),
        ({"pointer": "/{x}", "kind": "text"}, "key mine: nothing says what {x} stands for"),
    ],
)
def test_a_wrong_declaration(study, entry, message):
    if entry["kind"] == "p":
        studies.change(SUMMARY, lambda content: content["model"].update(parameters=1414))
    declare(**entry)
    before = studies.snapshot(FOLDER)
    if message is None:
        assert numbers.keys()["t5.alpha.relation"].text == "demo"
    else:
        assert message in refusal()
        assert studies.snapshot(FOLDER) == before


def test_a_text_that_latex_cannot_print(study):
    studies.change(SUMMARY, lambda content: content["model"].update(name="café"))
    assert refusal().endswith("formatting._LATEX (paper_evidence/specs/numbers.yaml: t5.model)")


def test_no_declaration_at_all(study):
    numbers.DECLARED.unlink()
    assert refusal().startswith("paper_evidence/specs/numbers.yaml: ")


def test_a_study_may_not_be_called_like_a_table(study):
    edit(lambda content: content["studies"].update(table_1=studies.STUDY))
    assert "paper_evidence/specs/numbers.yaml: studies" in refusal()
