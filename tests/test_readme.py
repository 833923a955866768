"""The README says what the committed evidence says, and what the project holds."""

import re
from pathlib import Path

import pytest
import readme_table
import yaml
from declare_imports import GRAPHS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMITTED = readme_table.summaries(ROOT)


def test_the_tables_are_those_of_the_committed_runs():
    """A study of which nothing is committed says so, and cannot say so once something is."""
    assert readme_table.filled(README, COMMITTED) == README, "run `make readme`"
    assert (readme_table.NO_RUN in README) is (None in COMMITTED.values())
    for summary in COMMITTED.values():
        assert summary is None or summary["scale"] == "demo"


@pytest.mark.parametrize("name", readme_table.STUDIES)
def test_another_result_would_be_noticed(study, name):
    """The table follows from the summary: of the made-up study, where both have one."""
    found = readme_table.summaries(study)
    text = readme_table.filled(README, found)
    assert readme_table.filled(text, found) == text
    assert readme_table.NO_RUN not in text
    found[name]["metrics"]["hotflip.delta_nll_per_token"]["models"]["baseline"]["mean"] += 0.001
    assert readme_table.filled(text, found) != text


def test_the_second_table(study):
    summary = readme_table.summaries(study)["foundation_llm_experiments"]
    text = readme_table.markdown(summary)
    perplexity = summary["metrics"]["evaluate.perplexity"]["models"]
    cells = [
        f"{found['mean']:.2f} ± {found['sd']:.2f}" for found in list(map(perplexity.get, ("baseline", "monotonic")))
    ]
    assert f"| perplexity, held-out text | {perplexity['standard']['mean']:.2f} | {' | '.join(cells)} |\n" in text
    said = " ".join(text.splitlines())
    assert "805,306,368 of 1,414,647,808 parameters are constrained. The activation, GELU, is not monotone" in said
    assert max(map(len, text.splitlines())) <= 120
    assert "ROUGE" not in text


def test_every_stage_has_its_row():
    names = {name for graph in GRAPHS for name in yaml.safe_load((ROOT / graph).read_text())["stages"]}
    assert set(re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]* \| [^|]* \|$", README, re.MULTILINE)) >= names


def test_every_scale_has_its_row():
    for path in (ROOT / "scales").glob("*.yaml"):
        assert re.search(rf"^\| `{path.stem}` \|", README, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\(([A-Z]+\.md)\)", README))))
def test_links_lead_somewhere(name):
    assert (ROOT / name).is_file()


def test_every_target_of_make_says_what_it_does():
    text = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())
    assert phony == set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
