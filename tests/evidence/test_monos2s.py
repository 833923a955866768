"""monos2s.sty in real LaTeX: what each number prints, what the options do, and that no unknown name leaves a PDF."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mono_s2s.evidence import numbers

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("pdflatex", "latexmk", "pdftotext"))), reason="needs pdflatex, latexmk and pdftotext"
)
# Streams left as they are, so that what a page is drawn with can be read.
BARE = r"\pdfcompresslevel=0 \pdfobjcompresslevel=0 "
# Colour other than black on white, for lines and for what they surround.
COLOUR = re.compile(rb"^[\d. ]+ (?:rg|RG|k|K)\b", re.MULTILINE)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(finished_study, tmp_path_factory):
    """monos2s.sty and numbers.tex of the made-up study."""
    where = tmp_path_factory.mktemp("latex")
    for name in ("monos2s.sty", "numbers.tex", "table_5_hotflip_attacks.tex"):
        shutil.copy(finished_study / "paper_evidence" / name, where)
    return where


@pytest.fixture(scope="module")
def known(finished_study):
    return numbers.keys(finished_study)


def run(folder, name, text, times=1):
    (folder / f"{name}.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", f"{name}.tex"]
    for _ in range(times):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    return done


def built(folder, name, text, times=1):
    """The bytes of a document's PDF, which no error, warning or missing glyph was met on the way to."""
    done = run(folder, name, text, times)
    assert done.returncode == 0, done.stdout[-3000:]
    log = (folder / f"{name}.log").read_text(errors="replace")
    assert "Missing character" not in log
    assert "Package monos2s" not in log.replace("Package: monos2s", "")
    return (folder / f"{name}.pdf").read_bytes()


def words(folder, name):
    """The text of a PDF, with single spaces and no breaks of lines or words."""
    text = subprocess.run(
        ["pdftotext", "-layout", f"{name}.pdf", "-"], cwd=folder, capture_output=True, check=True
    ).stdout.decode()
    return " ".join(text.split())


def document(body, options="", packages="", class_options=""):
    return (
        rf"{BARE}\documentclass[{class_options}]{{article}}{packages}\usepackage[{options}]{{monos2s}}"
        rf"\begin{{document}}{body}\end{{document}}"
    )


def test_each_name_prints_its_text_and_nothing_else(folder, known):
    """All of them, a line each, against what Python says: no sign lost, no space too many, no colour."""
    body = r"\pagestyle{empty}\raggedright\parindent0pt\hoffset-2cm\textwidth16cm" + "\n\n".join(
        rf"\evidence{{{key}}}" for key in known
    )
    pdf = built(folder, "all", document(body))
    text = subprocess.run(["pdftotext", "-layout", "all.pdf", "-"], cwd=folder, capture_output=True, check=True).stdout
    # A dagger stands high, which -layout sets apart by a space.
    printed = [line.strip().replace(" †", "†") for line in text.decode().replace("\f", "").splitlines() if line.strip()]
    assert printed == [place.text for place in known.values()]
    assert not COLOUR.search(pdf)
    assert b"/URI" not in pdf


PLACES = r"""
\tableofcontents\listoftables
\section{On {KEY}, $p$ \evidence{t5.clean.nll.p.relation}}\newpage
\begin{table}\caption[Short {KEY}]{Long {KEY}.}\begin{tabular}{rr}{KEY}&\evidence{lm.parameters}\end{tabular}\end{table}
Text {KEY}; $x={KEY}$.\footnote{Foot {KEY}.} \MakeUppercase{upper {KEY}}
\edef\kept{{KEY}}Kept \kept. \textbf{Bold {KEY}}
\input{table_5_hotflip_attacks}
"""


@pytest.mark.parametrize("options", ["", "audit"])
@pytest.mark.parametrize("hyper", [False, True])
def test_everywhere_in_a_paper(folder, known, options, hyper):
    """Contents, headings, their bookmarks and running titles, captions, cells, mathematics, footnotes."""
    key = "t5.hotflip.monotonic.delta_nll"
    text = known[key].text
    body = r"\pagestyle{headings}" + PLACES.replace("{KEY}", rf"\evidence{{{key}}}")
    packages = r"\usepackage{booktabs}" + (r"\usepackage[hidelinks]{hyperref}" if hyper else "")
    name = f"places{options}{hyper}"
    pdf = built(folder, name, document(body, options, packages), times=3)
    found = words(folder, name).replace(" †", "†")
    p = known["t5.clean.nll.p.relation"].text
    for start in ("Short", "Long", "Text", "Foot", "UPPER", "Kept", "Bold", "x ="):
        assert re.search(rf"{start} ?{re.escape(text)}", found), start
    # Contents, heading and running title, which is in capitals.
    assert found.count(f"On {text}, p {p}") == 2
    assert f"ON {text}, p {p}" in found
    assert known["lm.parameters"].text in found
    assert bool(COLOUR.search(pdf)) == (options == "audit")
    assert (b"/URI" in pdf) == (options == "audit" and hyper)
    if hyper:
        log = (folder / f"{name}.log").read_text(errors="replace")
        assert "monos" not in "".join(re.findall(r"removing `.*?'", log))
        title = re.search(r"section\.1\}\{(.*?)\}\{\}", (folder / f"{name}.out").read_text())[1]
        octal = re.sub(r"\\(\d{3})|(.)", lambda match: chr(int(match[1], 8) if match[1] else ord(match[2])), title)
        assert f"On {text}, p {p}" in octal.encode("latin-1").decode("utf-16")


def test_signs_in_bookmarks(tmp_path, folder):
    shutil.copy(folder / "monos2s.sty", tmp_path)
    texts = ["−0.50 [−1.00, 0.25]", "0.0625†", "< 0.001", "1,234,567", "47.4%"]
    lines = [
        numbers.Place("f.json", "/x", 0, text, numbers.formatting.prose(text), "s", None, None, None, None)
        for text in texts
    ]
    (tmp_path / "numbers.tex").write_text(numbers.to_latex(dict(zip("abcde", lines, strict=True))))
    heading = r"\section{\evidence{a}; \evidence{b}; \evidence{c}; \evidence{d}; \evidence{e}}"
    built(tmp_path, "signs", document(heading, "audit", r"\usepackage[unicode]{hyperref}"), times=2)
    title = re.search(r"section\.1\}\{(.*?)\}\{\}", (tmp_path / "signs.out").read_text())[1]
    octal = re.sub(r"\\(\d{3})|(.)", lambda match: chr(int(match[1], 8) if match[1] else ord(match[2])), title)
    assert octal.encode("latin-1").decode("utf-16") == "; ".join(texts)


def test_bare_values_are_for_programs(folder, known):
    key = "t5.hotflip.monotonic.delta_nll.mean"
    body = (
        rf"\edef\x{{\evidencevalue{{{key}}}}}\ifdim\x pt<100pt LESS\fi\ "
        r"\the\numexpr\evidencevalue{lm.parameters}-1\relax\ \evidencevalue{lm.constrained.share}"
    )
    built(folder, "bare", document(body))
    share = known["lm.constrained.share"].text.removesuffix("%")
    assert words(folder, "bare").startswith(f"LESS {known['lm.parameters'].value - 1} {share}")


@pytest.mark.parametrize(
    "use",
    [
        r"Text \evidence{no.key}.",
        r"\section{Head \evidence{no.key}}",
        r"\begin{table}\caption{Caption \evidence{no.key}}\end{table}",
        r"\begin{tabular}{r}\evidencecell{no.key}{$1$}\end{tabular}",
        r"\edef\x{\evidence{no.key}}\x",
        r"$\evidence{no.key}$",
        r"\ifdim\evidencevalue{no.key}pt<0pt yes\fi",
        r"\edef\x{\evidencevalue{t5.seeds}}",
    ],
)
def test_an_unknown_name_leaves_no_pdf(folder, use):
    """Not even where errors are passed over, as nonstopmode does."""
    (folder / "unknown.pdf").unlink(missing_ok=True)
    done = run(folder, "unknown", document(rf"Before.\newpage {use} After.\newpage End."))
    assert done.returncode != 0
    assert not (folder / "unknown.pdf").exists()
    key = "t5.seeds" if "t5.seeds" in use else "no.key"
    assert f"No number is called `{key}'" in done.stdout or f"there-is-no-single-number-called-{key}" in done.stdout


def test_other_things_that_stop(folder, tmp_path):
    done = run(folder, "option", document("x", "audti"))
    assert "There is no option `audti'" in done.stdout
    shutil.copy(folder / "monos2s.sty", tmp_path)
    done = run(tmp_path, "none", document("x"))
    assert "There is no numbers.tex: run `dvc repro'" in " ".join(done.stdout.split())
    assert not (tmp_path / "none.pdf").exists()
    line = r"\monosdefine{a}{1}{1}{f.json}{/x}%"
    (tmp_path / "twice.tex").write_text(f"{line}\n{line}\n")
    done = run(tmp_path, "two", r"\def\evidencenumbers{twice.tex}" + document("x"))
    assert "Two numbers are called `a'" in done.stdout
    assert not (tmp_path / "two.pdf").exists()


HYPER = r"\usepackage[hidelinks,pdfauthor={Jane Roe}]{hyperref}"


def with_preamble(preamble, text):
    return text.replace(r"\begin{document}", preamble + r"\begin{document}", 1)


def links(pdf):
    return {match.decode() for match in re.findall(rb"/URI\((.*?)\)>>", pdf)}


def test_audit_links_to_file_and_pointer(folder, known):
    keys = ["t5.hotflip.difference.delta_nll", "lm.seeds.n", "table_5.hotflip.success.monotonic.sd"]
    body = " ".join(rf"\evidence{{{key}}}" for key in keys)
    places = {f"{known[key].source}#{known[key].pointer}" for key in keys}
    text = document(body, "audit", HYPER)
    assert links(built(folder, "links", text)) == places
    found = links(built(folder, "links", with_preamble(r"\evidencefolder{../../}", text)))
    assert found == {f"../../{place}" for place in places}
    repository = r"\evidencerepository{https://host.example/a_lab/b}{0123abc}"
    for after in ("", r"\evidencefolder{../../}"):
        found = links(built(folder, "links", with_preamble(repository + after, text)))
        assert found == {f"https://host.example/a_lab/b/blob/0123abc/{place}" for place in places}


IDENTIFYING = r"""
\title{A title\thanks{Grant of Jane Roe}}\author{Jane Roe\thanks{Example University}}\maketitle
Number \evidence{t5.seeds.n}. \identifying{We thank Jane Roe.}
\url{https://host.example/a_b%20c#d} \href{https://host.example/e}{the code}
\href[pdfnewwindow]{https://host.example/f#g}{the data} \nolinkurl{host.example/h}
"""


@pytest.mark.parametrize("options", ["anonymous", "audit,anonymous"])
def test_anonymous_leaves_no_url_host_or_name(folder, options):
    repository = r"\evidencerepository{https://host.example/a_lab/b}{0123abc}"
    names = (b"host.example", b"https:", b"Jane", b"University", b"a_lab", b"0123abc", b"/URI")
    open_ = built(folder, "open", with_preamble(repository, document(IDENTIFYING, "audit", HYPER)))
    assert all(name in open_ for name in names[:3])
    assert "We thank Jane Roe." in words(folder, "open")
    pdf = built(folder, "hidden", with_preamble(repository, document(IDENTIFYING, options, HYPER)))
    assert not any(name in pdf for name in names)
    text = words(folder, "hidden")
    assert not re.search("Jane|Roe|host|example|University|thank", text)
    assert "Anonymous authors" in text
    assert "Number 5. [URL withheld] the code the data [URL withheld]" in text
    assert bool(COLOUR.search(pdf)) == ("audit" in options)


def test_the_paper(study, known):
    """paper.tex of the made-up study, by `make paper`: all tables, no hole, no warning, nothing beside the page."""
    shutil.copy(ROOT / "Makefile", study)
    done = subprocess.run(["make", "paper"], cwd=study, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "build/paper/paper.pdf" in done.stdout.splitlines()
    where = study / "build/paper"
    log = (where / "paper.log").read_text(errors="replace")
    assert not re.search("Overfull|Missing character|Warning|multiply defined", log)
    text = words(where, "paper")
    for number in range(1, 9):
        assert f"Table {number}: " in text
    assert "the evidence at scale demo" in text
    seeds = known["t5.seeds"].text
    assert f"over {known['t5.seeds.n'].text} training seeds ({seeds})" in text
    compared = known["t5.hotflip.difference.delta_nll"].text
    assert f"The difference is {compared}, p {known['t5.hotflip.delta_nll.p.relation'].text}" in text
    source = (study / "paper_evidence/paper.tex").read_text()
    keys = re.findall(r"\\evidence\{([^}]*)\}", source)
    assert len(set(keys)) > 50
    joined = text.replace(" ", "")
    assert not [key for key in keys if known[key].text.replace(" ", "") not in joined]


def test_a_paper_with_an_unknown_name_is_not_built(study):
    shutil.copy(ROOT / "Makefile", study)
    paper = study / "paper_evidence/paper.tex"
    paper.write_text(paper.read_text().replace("{t5.uat.difference.delta_nll.mean}", "{t5.uat.difference.mean}"))
    done = subprocess.run(["make", "paper", "OPTIONS=audit"], cwd=study, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "No number is called `t5.uat.difference.mean'" in done.stdout
    assert re.search(r"^l\.\d+ ", done.stdout, re.MULTILINE)
    assert not (study / "build/paper-audit/paper.pdf").exists()
