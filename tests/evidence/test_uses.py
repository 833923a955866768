"""Which numbers a LaTeX text uses, and which of their names nobody has."""

import pytest

from mono_s2s.evidence import uses
from mono_s2s.files import BadInput

KNOWN = {"t5.seeds": "", "t5.seeds.n": "5", "t5.hotflip.monotonic.delta_nll": ""}


@pytest.fixture
def paper(tmp_path):
    """Writes a file and returns what is wrong with it, without the folder."""

    def faults(text, name="paper.tex"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return [fault.removeprefix(f"{tmp_path}/") for fault in uses.faults(tmp_path / name, KNOWN)]

    return faults


def test_known_names_have_no_fault(paper):
    assert paper("\\section{\\evidence{t5.seeds}}\n\\evidencevalue{t5.seeds.n} \\evidencecell{t5.seeds.n}{$5$}\n") == []


def test_unknown_names_with_their_line_and_what_is_near(paper):
    text = "a\n\\caption{\\evidence{t5.sedes}}\n\\begin{tabular}{r}\\evidencecell{xyz}{$1$}\\end{tabular}"
    assert paper(text) == [
        "paper.tex:2: no number is called t5.sedes: did you mean t5.seeds or t5.seeds.n?",
        "paper.tex:3: no number is called xyz",
    ]


@pytest.mark.parametrize(
    "text", ["% \\evidence{x}", "50\\% of it\\\\% \\evidence{x}", "\\newcommand\\e[1]{\\evidence{#1}}"]
)
def test_comments_and_definitions_use_nothing(paper, text):
    assert paper(text) == []


@pytest.mark.parametrize("text", ["50\\% \\evidence{x}", "\\evidence {x}", "\\evidence{\\name}", "\\evidence{}"])
def test_these_are_uses(paper, text):
    assert len(paper(text)) == 1


def test_bare_values_of_what_is_no_single_number(paper):
    assert paper("\\evidencevalue{t5.seeds}") == [
        "paper.tex:1: t5.seeds is no single number, so it has no bare value: take one of its parts"
    ]


def test_files_taken_in_are_read_once(paper, tmp_path):
    (tmp_path / "part.tex").write_text("\\evidence{x}\\input{paper}\\input{nowhere}\n")
    (tmp_path / "other.tex").write_text("\n\n\\evidence{y}")
    assert paper("\\input{part}\\include{other.tex}\\input{part.tex}") == [
        "part.tex:1: no number is called x",
        "other.tex:3: no number is called y",
    ]


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(BadInput, match=r"none\.tex: cannot be read \(No such file or directory\): name a LaTeX file"):
        uses.faults(tmp_path / "none.tex", KNOWN)
    (tmp_path / "latin.tex").write_bytes(b"caf\xe9")
    with pytest.raises(BadInput, match=r"latin\.tex: not UTF-8 \(byte 3\)"):
        uses.faults(tmp_path / "latin.tex", KNOWN)
