"""The README says what the committed evidence says, and what the project holds."""

import re
from pathlib import Path

import pytest
import readme_table
import yaml
from declare_imports import GRAPHS

from mono_s2s import files

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SUMMARY = ROOT / "experiment_results/t5_experiments/aggregated/all_seeds_summary.json"


def test_the_table_on_the_first_screen_is_that_of_the_committed_run():
    summary = files.read_json(SUMMARY)
    assert readme_table.filled(README, summary) == README, "run `make readme`"
    assert summary["scale"] == "demo"


def test_another_result_would_be_noticed():
    summary = files.read_json(SUMMARY)
    summary["metrics"]["hotflip.delta_nll_per_token"]["models"]["baseline"]["mean"] += 0.001
    assert readme_table.filled(README, summary) != README


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
