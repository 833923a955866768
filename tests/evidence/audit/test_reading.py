"""Papers become tables and sentences."""

import pytest

from mono_s2s.evidence.audit import latex, tables
from mono_s2s.files import BadInput

TABLE = r"""
\newcommand{\model}{Monotonic}
\newcommand{\ci}[3]{#1 [#2, #3]}
\begin{table*}[t]
  \caption[short]{Results on \textbf{CNN/DM} ($n=200$).} % 12.5 of nothing
  \label{tab:main}
  \resizebox{\linewidth}{!}{%
  \begin{tabular}{ll*{2}{S[table-format=2.1]}@{}c}
    \toprule
    \multirow{2}{*}{Data} & \multirow{2}{*}{Model} & \multicolumn{2}{c}{ROUGE} & \\ \cmidrule(lr){3-4}
     & & {R-1} & {R-L} & Interval \\ \midrule
    \multirow{2}{*}{News} & Baseline & 32.6 & 12{,}345 & \ci{1.0}{0.5}{1.5} \\
     & \model & \bfseries 31.0 & 1.2$^{*}$ & -- \\[2pt] \midrule
    \multirow{2}{*}{Talk} & Baseline & 30.6 & 50\% & \makecell{1.5 \\ 2.5} \\
     & \model & 29.0 & {--} & -- \\ \bottomrule
  \end{tabular}}
\end{table*}
"""


def source_of(tmp_path, text):
    path = tmp_path / "paper.tex"
    path.write_text(text)
    return latex.read(path)


def grid_of(tmp_path, text):
    [grid] = tables.find(source_of(tmp_path, text))
    return grid


def test_a_table_as_papers_write_them(tmp_path):
    grid = grid_of(tmp_path, TABLE)
    assert (grid.label, grid.caption, grid.width, grid.stubs) == ("tab:main", "Results on CNN/DM (n=200).", 5, {0, 1})
    body = [row for row, line in enumerate(grid.lines) if not line.header]
    assert [grid.stub(row) for row in body] == [
        ["News", "Baseline"],
        ["News", "Monotonic"],
        ["Talk", "Baseline"],
        ["Talk", "Monotonic"],
    ]
    assert grid.heads(2) == ["ROUGE", "R-1"]
    assert grid.heads(4) == ["Interval"]
    assert grid.lines[2].cells[3].text.replace("\ue000", ",") == "12,345"
    assert grid.lines[2].cells[4].text == "1.0 [0.5, 1.5]"
    assert grid.lines[3].cells[2].text == "31.0"


def test_block_titles_name_the_rows_below(tmp_path):
    grid = grid_of(
        tmp_path,
        r"\begin{tabularx}{\linewidth}{lX}\hline Model & Loss \\ \hline \multicolumn{2}{l}{\emph{News}} \\ A & 1.0 \\"
        r" \multicolumn{2}{l}{\emph{Talk}} \\ A & 2.0 \\ \hline\end{tabularx}",
    )
    assert [grid.block(row) for row in range(5)] == ["", "News", "News", "Talk", "Talk"]
    assert grid.stub(4) == ["A"]


def test_numbers_that_name_rows_are_no_claims(tmp_path):
    grid = grid_of(
        tmp_path,
        r"\begin{tabular}{rr}\toprule Seed & Loss \\ \midrule 42 & 1.0 \\ 1337 & 2.0 \\ \bottomrule\end{tabular}",
    )
    assert tables.is_label(grid, 1, 0)
    assert not tables.is_label(grid, 1, 1)


def test_a_table_without_rules_has_its_text_rows_as_header(tmp_path):
    grid = grid_of(tmp_path, r"\begin{tabular}{lr} Model & Loss \\ A & 1.0 \\ B & 2.0 \end{tabular}")
    assert [line.header for line in grid.lines] == [True, False, False]


def test_inputs_are_followed_and_lines_known(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/table.tex").write_text("% a comment\n\\begin{tabular}{lr}\n A & 1.0 \\\\\n\\end{tabular}\n")
    (tmp_path / "more.tex").write_text("text with 3.5\n")
    source = source_of(tmp_path, "first\n\\input{parts/table} and \\include{more}\n\\input{nowhere}\nlast 9.9\n")
    assert [name.rpartition("/")[2] for name in source.files] == ["paper.tex", "table.tex", "more.tex"]
    assert source.missing == [f"{tmp_path.as_posix()}/paper.tex:3: nowhere"]
    assert source.where(source.text.index("1.0")) == ((tmp_path / "parts/table.tex").as_posix(), 3)
    assert source.where(source.text.index("9.9")) == ((tmp_path / "paper.tex").as_posix(), 4)


def test_comments_and_verbatim_are_not_read(tmp_path):
    source = source_of(
        tmp_path,
        "a % 1.5\nb 50\\% c\n\\begin{verbatim}\n2.5\n\\end{verbatim}\n\\iffalse 3.5 \\fi\n"
        "\\begin{comment}4.5\\end{comment}\n",
    )
    assert not any(number in source.text for number in ("1.5", "2.5", "3.5", "4.5"))
    assert "50\\%" in source.text


def test_a_circle_of_inputs_is_named(tmp_path):
    (tmp_path / "b.tex").write_text("\\input{paper}\n")
    with pytest.raises(BadInput, match="in a circle"):
        source_of(tmp_path, "\\input{b}\n")


def test_a_missing_paper_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"paper\.tex: missing"):
        latex.read(tmp_path / "paper.tex")
