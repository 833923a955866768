"""Papers against results: errors that were planted are found, and none is invented."""

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import papers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from mono_s2s.cli import app
from mono_s2s.evidence.audit import allow, claims, latex, page, report, results, tables
from mono_s2s.evidence.audit.search import Index

ROOT = Path(__file__).resolve().parents[3]


def audit(folder, text, results_folders, **more):
    path = folder / "paper.tex"
    path.write_text(text)
    return report.audit(path, results_folders, **more)[0]


def wrong(found):
    """Every number that is not supported or allowed, by its id, with its status."""
    entries = [entry for table in found["tables"] for entry in table["numbers"]] + found["text"]
    return {
        entry["id"].rpartition("/")[2] if entry["id"].startswith("/") else entry["id"]: entry["status"]
        for entry in entries
        if entry["status"] not in ("supported", "allowed")
    }


@pytest.fixture(scope="module")
def published():
    return papers.published()


@pytest.fixture(scope="module")
def run(published):
    return published / "lambda_seed_42"


def parts(run, **changed):
    made = {name: getattr(papers, name)(run) for name in ("rouge", "hotflip", "uat", "training", "text")}
    return papers.paper(*(changed.get(name, text) for name, text in made.items()))


def replaced(text, old, new):
    assert text.count(old) == 1, old
    return text.replace(old, new)


def row(text, title, number=0):
    return [line for line in text.splitlines() if line.startswith(title)][number]


@pytest.mark.parametrize("all_folders", [False, True])
def test_a_paper_of_true_numbers(tmp_path, published, run, all_folders):
    found = audit(tmp_path, parts(run), [published] if all_folders else [run])
    assert wrong(found) == {}
    assert found["counts"]["supported"] >= 90
    assert found["different_runs"] == []
    for table in found["tables"]:
        for explaining in table["runs"]:
            if explaining["run"] == run.as_posix():
                assert explaining["explains"] == explaining["of"]


@pytest.mark.parametrize("all_folders", [False, True])
def test_planted_errors_are_found_and_none_is_invented(tmp_path, published, run, all_folders):
    hpc = published / "hpc"
    # Another run's row, a truncated digit, a wrong n, a row copied over another, two digits swapped in the text.
    rouge = replaced(papers.rouge(run), row(papers.rouge(run), "Standard"), row(papers.rouge(hpc), "Standard"))
    hotflip = replaced(papers.hotflip(run, examples=200), "2.6530", "2.6529")
    uat = papers.uat(run)
    uat = replaced(uat, row(uat, "Monotonic"), row(uat, "Baseline").replace("Baseline", "Monotonic"))
    text = replaced(papers.text(run), "8,296", "8,269")
    paper = parts(run, rouge=rouge, hotflip=hotflip, uat=uat, text=text)
    found = audit(tmp_path, paper, [published] if all_folders else [run])
    lines = paper.splitlines()
    place = {what: next(n for n, line in enumerate(lines, 1) if what in line) for what in ("n = 200", "8,269")}
    expected = {
        f"tab:rouge/r3c{column}.{part}": "contradicted" for column in (2, 3, 4) for part in ("value", "lower", "upper")
    }
    expected |= {"tab:hotflip/r3c4": "rounding differs"}
    expected |= {f"tab:uat/r4c{column}": "contradicted" for column in (2, 3, 4, 5)}
    expected |= {f"paper.tex:{place['n = 200']}#2": "contradicted", f"paper.tex:{place['8,269']}#2": "contradicted"}
    assert wrong(found) == expected
    if all_folders:
        [entry] = [entry for entry in found["tables"][0]["numbers"] if entry["id"] == "tab:rouge/r3c2.value"]
        assert "hpc/evaluation_results.json" in entry["note"]
        assert entry["source"]["pointer"] == "/cnn_dm/standard_t5/rouge_scores/rouge1/mean"
    copied = next(entry for entry in found["tables"][2]["numbers"] if entry["id"] == "tab:uat/r4c4")
    assert "/baseline_t5/clean_rouge/rouge1" in copied["note"]


def test_any_digit_changed_in_a_table_is_found(tmp_path, run):
    """Each number of the HotFlip table in turn: its last digit is another one."""
    text = papers.hotflip(run)
    clean = audit(tmp_path, papers.paper(text), [run])
    for entry in clean["tables"][0]["numbers"]:
        lines = text.splitlines()
        row = int(entry["id"].partition("/r")[2].partition("c")[0])
        at = next(n for n, line in enumerate(lines) if line.startswith(list(papers.MODELS)[row - 2]))
        digit = entry["text"][-1]
        changed = entry["text"][:-1] + str((int(digit) + 5) % 10)
        lines[at] = lines[at].replace(entry["text"], changed, 1)
        assert wrong(audit(tmp_path, papers.paper("\n".join(lines)), [run])) == {entry["id"]: "contradicted"}, changed


def test_another_run_as_a_whole_explains_nothing_that_differs(tmp_path, published, run):
    found = audit(tmp_path, papers.paper(papers.rouge(run)), [published / "hpc"])
    assert found["counts"]["contradicted"] + found["counts"]["rounding differs"] > 40
    assert found["counts"]["without a source"] == 0
    # What this run lacks is without a source; no other number stands in for it.
    found = audit(tmp_path, papers.paper(papers.uat(run)), [published / "hpc"])
    assert Counter(wrong(found).values()) == {"without a source": 12}


def test_tables_from_different_runs_are_named(tmp_path, published, run):
    paper = papers.paper(papers.rouge(published / "hpc"), papers.hotflip(run))
    found = audit(tmp_path, paper, [published])
    assert wrong(found) == {}
    [pair] = found["different_runs"]
    assert pair["tables"] == ["tab:rouge", "tab:hotflip"]
    assert [[name.rpartition("/")[2] for name in names] for names in pair["runs"]] == [["hpc"], ["lambda_seed_42"]]
    assert report.exit_code(found) == 5


def other(number, draw):
    """Another number of the same form."""
    low = 10 ** (len(str(int(abs(number.value)))) - 1 + number.decimals) if abs(number.value) >= 1 else 0
    high = 10 * low if low else 10**number.decimals
    while True:
        value = Decimal(draw.randrange(low, high)).scaleb(-number.decimals).copy_sign(number.value)
        if value != number.value:
            return replace(number, value=value)


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_random_numbers_are_not_supported(tmp_path, published, run, share):
    """The measured rate of false support: below 1 in 100, counted over numbers that are not the true ones."""
    draw = random.Random(7)
    (tmp_path / "paper.tex").write_text(parts(run))
    source = latex.read(tmp_path / "paper.tex")
    index = Index(results.discover([published]))
    grids = tables.find(source)
    false = total = 0
    for _ in range(4):
        found = claims.everything(source, grids, str, index.named)
        for grid in [*grids, None]:
            court = [claim for claim in found if (claim.grid if claim.row is not None else None) is grid]
            drawn = [claim for claim in court if draw.random() < share]
            for claim in drawn:
                claim.query.numbers = [other(number, draw) for number in claim.query.numbers]
            for claim, (_, verdicts) in zip(court, report.judged(index, court, allow.Allowed()), strict=True):
                if claim in drawn:
                    total += sum(verdict.status != "allowed" for verdict in verdicts)
                    false += sum(verdict.status == "supported" for verdict in verdicts)
    assert total > 60
    assert false <= 0.01 * total, f"{false} of {total}"


@pytest.fixture
def small(tmp_path):
    """A tiny study of another schema."""
    (tmp_path / "runs/seed_1").mkdir(parents=True)
    (tmp_path / "runs/seed_1/scores.json").write_text(
        json.dumps(
            {"systems": {"big": {"accuracy": 0.8125, "f1": 0.71434}, "small": {"accuracy": 0.6094, "f1": 0.50811}}}
        )
    )
    (tmp_path / "paper.tex").write_text(
        "\\begin{tabular}{lrr}\\toprule System & Accuracy & F1 \\\\ \\midrule\n"
        "Big & 81.25 & 71.43 \\\\\nSmall & 60.94 & 50.81 \\\\ \\bottomrule\\end{tabular}\n"
    )
    return tmp_path


def mono(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("81.25", "81.25", 0),
        ("81.25", "83.15", 3),
        ("50.81", "50.82", 4),
        ("Small & 60.94", "Unheard & 77.31", 6),
        ("\\input", "\\input", 0),
    ],
)
def test_the_exit_status_says_what_is_wrong(small, old, new, code):
    paper = small / "paper.tex"
    paper.write_text(paper.read_text().replace(old, new))
    done = mono(paper, "--results", small / "runs")
    assert done.exit_code == code, done.output


def test_several_folders_follow_one_option(small):
    (small / "more").mkdir()
    (small / "more/costs.json").write_text('{"hours": 12.75}')
    done = mono(small / "paper.tex", "--results", small / "runs", small / "more", "--json")
    assert [run["run"].rpartition("/")[2] for run in json.loads(done.output)["runs"]] == ["seed_1", "more"]


def test_what_cannot_be_read_is_said_in_one_line(small):
    for arguments in (
        (small / "nowhere.tex", "--results", small / "runs"),
        (small / "paper.tex", "--results", small / "nowhere"),
        (small / "paper.tex", "--results", small / "runs", "--allow", small / "nowhere.txt"),
    ):
        done = mono(*arguments)
        assert done.exit_code == 1
        assert len(done.output.splitlines()) == 1
        assert done.output.startswith("error: ")


def test_the_report_is_byte_stable_and_whole(small):
    first = mono(small / "paper.tex", "--results", small / "runs", "--json", "--html", small / "a.html")
    second = mono(small / "paper.tex", "--results", small / "runs", "--json", "--html", small / "b.html")
    assert first.output == second.output
    assert (small / "a.html").read_bytes() == (small / "b.html").read_bytes()
    number = json.loads(first.output)["tables"][0]["numbers"][0]
    assert number["source"] == {
        "file": (small / "runs/seed_1/scores.json").as_posix(),
        "pointer": "/systems/big/accuracy",
        "value": 0.8125,
        "transformation": "x 100",
    }
    assert number["confidence"] > 0.99


def test_the_page_needs_no_network_and_marks_not_by_colour_alone(small):
    paper = small / "paper.tex"
    paper.write_text(paper.read_text().replace("81.25", "83.15").replace("Small", "<Small>"))
    found, grids = report.audit(paper, [small / "runs"])
    text = page.render(found, grids)
    assert "http" not in text
    assert "<script" not in text
    assert "&lt;Small&gt;" in text
    assert '<mark class="c"' in text
    assert "<sup>✗1</sup>" in text


def test_non_finite_numbers_are_named_and_support_nothing(small):
    (small / "runs/seed_1/log.json").write_text('{"big": {"latency": NaN, "weight": -Infinity}}')
    found, _ = report.audit(small / "paper.tex", [small / "runs"])
    assert [line.rpartition("log.json: ")[2] for line in found["problems"]] == [
        "/big/latency is NaN: not finite, cannot support anything",
        "/big/weight is -Infinity: not finite, cannot support anything",
    ]


def test_rules_allow_numbers_and_unused_ones_are_named(small):
    paper = small / "paper.tex"
    paper.write_text(paper.read_text() + "\nWe used 123.4 hours and 55.5 litres, see Section 4.2, in 2021.\n")
    (small / "allow.txt").write_text("# ours\n123\\.4 hours\nnumber: 55.5\nid: table 9\n")
    found, _ = report.audit(paper, [small / "runs"], small / "allow.txt")
    assert wrong(found) == {}
    assert found["counts"]["allowed"] == 4
    assert found["unused_rules"] == ["id: table 9"]


def test_a_number_typed_beside_its_macro_is_named(small):
    (small / "numbers.tex").write_text(
        "% made by the pipeline\n\\monosdefine{systems.big.accuracy}{81.25}\n\\monosdefine{systems.small.f1}{$50.81$}\n"
    )
    paper = small / "paper.tex"
    paper.write_text(
        paper.read_text().replace("50.81", "\\evidence{systems.small.f1}") + "\nUnknown: \\evidence{other.key}\n"
    )
    found, _ = report.audit(paper, [small / "runs"])
    numbers = {entry["id"]: entry for entry in found["tables"][0]["numbers"]}
    assert numbers["table 1/r2c2"]["typed_instead_of"] == "systems.big.accuracy"
    assert not numbers["table 1/r2c2"]["macro"]
    assert (numbers["table 1/r3c3"]["macro"], numbers["table 1/r3c3"]["status"]) == (True, "supported")
    assert numbers["table 1/r3c3"]["typed_instead_of"] is None
    assert "\\evidence{other.key}: no such key among the paper's numbers" in found["problems"]


def test_cells_that_say_their_names_are_not_typed_by_hand(small):
    (small / "numbers.tex").write_text("\\monosdefine{systems.big.accuracy}{81.25}{81.25}{a.json}{/b}%\n")
    paper = small / "paper.tex"
    cell = "\\evidencecell{systems.big.accuracy}{$81.25$}"
    text = "\\providecommand{\\evidencecell}[2]{#2}\n" + paper.read_text().replace("81.25", cell, 1)
    assert cell in text
    paper.write_text(text)
    found, _ = report.audit(paper, [small / "runs"])
    number = next(entry for entry in found["tables"][0]["numbers"] if entry["id"] == "table 1/r2c2")
    assert (number["macro"], number["typed_instead_of"], number["text"]) == (True, None, "81.25")


def test_the_terminal_says_where_and_what(small):
    paper = small / "paper.tex"
    paper.write_text(paper.read_text().replace("81.25", "83.15"))
    done = mono(paper, "--results", small / "runs")
    assert "83.15 contradicted: the results say 81.25" in done.output
    assert "/systems/big/accuracy (x 100)" in done.output
    assert "3 supported; 1 contradicted" in done.output


def test_auditing_loads_nothing_heavy():
    modules = [f"mono_s2s.evidence.audit.{path.stem}" for path in (ROOT / "mono_s2s/evidence/audit").glob("[a-z]*.py")]
    modules.append("mono_s2s.evidence.duplicates")
    heavy = ["torch", "numpy", "scipy", "pandas"]
    code = f"import sys, {', '.join(modules)}; print(set({heavy}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


SCORES = """model,dataset,metric,value,std
BERT-base,SST-2,accuracy,{0},0.0031
BERT-base,MNLI,accuracy,{1},0.0042
RoBERTa,SST-2,accuracy,{2},0.0053
RoBERTa,MNLI,accuracy,{3},0.0064
"""


@pytest.fixture
def foreign(tmp_path):
    """Two runs of somebody else: one long CSV file, and a list of records."""
    values = {"run1": (0.91234, 0.83456, 0.93217, 0.86543), "run2": (0.90876, 0.82119, 0.94321, 0.85001)}
    for name, numbers in values.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "scores.csv").write_text(SCORES.format(*numbers))
        costs = [{"name": "BERT-base", "params": 109482240, "train_seconds": 7261.5}]
        costs.append({"name": "RoBERTa", "params": 124645632, "train_seconds": 8123.25})
        (tmp_path / "runs" / name / "cost.json").write_text(json.dumps(costs))
    return tmp_path


TRANSPOSED = r"""\begin{table}\caption{Accuracy.}\label{t1}
\begin{tabular}{lcc}\hline Task & BERT & RoBERTa \\ \hline
SST-2 & 91.2 $\pm$ 0.3 & 93.2 $\pm$ 0.5 \\ MNLI & 83.5 $\pm$ 0.4 & 86.5 $\pm$ 0.6 \\ \hline
\end{tabular}\end{table}
\begin{table}\caption{Cost.}\label{t2}
\begin{tabular}{lcc}\toprule Model & Parameters & Training time (hours) \\ \midrule
BERT-base & 109.5M & 2.02 \\ RoBERTa & 124.6M & 2.26 \\ \bottomrule
\end{tabular}\end{table}
"""


def test_another_schema_and_another_layout(foreign):
    found = audit(foreign, TRANSPOSED, [foreign / "runs"])
    assert wrong(found) == {}
    sources = {entry["id"]: entry["source"] for table in found["tables"] for entry in table["numbers"]}
    assert sources["t1/r3c3.value"]["file"] == (foreign / "runs/run1/scores.csv").as_posix()
    assert sources["t1/r3c3.value"]["pointer"] == "/3/value"
    assert sources["t2/r2c3"]["transformation"] == "/ 3600"


def test_a_swapped_row_is_found_in_another_layout(foreign):
    swapped = TRANSPOSED.replace("SST-2 &", "X &").replace("MNLI &", "SST-2 &").replace("X &", "MNLI &")
    found = audit(foreign, swapped, [foreign / "runs"])
    assert {entry["status"] for entry in found["tables"][0]["numbers"] if entry["id"].endswith("value")} == {
        "contradicted"
    }


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("RoBERTa's accuracy on MNLI is a difference of 3.09 points to BERT-base.", {}),
        ("RoBERTa's accuracy on MNLI is a difference of 3.90 points to BERT-base.", "without a source"),
        ("RoBERTa reaches 86.54\\% accuracy on MNLI.", {}),
        ("RoBERTa reaches 86.45\\% accuracy on MNLI.", "contradicted"),
        ("We drank 86.54 litres of tea.", "without a source"),
    ],
)
def test_running_text(foreign, sentence, expected):
    found = audit(foreign, sentence, [foreign / "runs/run1"])
    assert (set(wrong(found).values()) or {}) == ({expected} if expected else {})


def test_rows_that_name_their_runs_come_from_them(foreign):
    table = r"""\begin{tabular}{lr}\toprule Run & RoBERTa, MNLI, accuracy \\ \midrule
Run1 & 86.54 \\ Run2 & %s \\ \bottomrule\end{tabular}"""
    assert wrong(audit(foreign, table % "85.00", [foreign / "runs"])) == {}
    assert wrong(audit(foreign, table % "86.54", [foreign / "runs"])) == {"table 1/r3c2": "contradicted"}


LATEX = [
    "\\",
    "{",
    "}",
    "$",
    "&",
    "\\\\",
    "%",
    "\n",
    "1.5",
    "\\begin{tabular}{lr}",
    "\\end{tabular}",
    "\\caption{",
    "[",
    "]",
]
LATEX += [
    "\\multicolumn{2}{c}{",
    "\\num{",
    "\\input{x}",
    "^",
    "\\pm",
    "\\midrule",
    "a",
    "\\newcommand{\\a}{\\a}",
    "\\a",
    "~",
    "--",
]


@given(pieces=st.lists(st.sampled_from(LATEX), max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
def test_no_paper_is_too_broken_to_be_read(foreign, pieces):
    (foreign / "paper.tex").write_text("The loss was 0.86543 once. " + "".join(pieces))
    report.audit(foreign / "paper.tex", [foreign / "runs"])
