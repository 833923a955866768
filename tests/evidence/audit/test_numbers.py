"""What LaTeX prints is read back."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_s2s.evidence.audit import numbers, search
from mono_s2s.evidence.audit.plain import plain

decimals = st.integers(0, 6)
floats = st.floats(-1e6, 1e6, allow_nan=False)


def read(latex):
    return [[(number.value, number.role) for number in quantity] for quantity in numbers.read(plain(latex))]


def fixed(value, places):
    text = f"{abs(value):.{places}f}"
    return text, ("-" if value < 0 and float(text) != 0 else "")


STYLES = {
    "bare": "{sign}{text}",
    "mathematics": "${sign}{text}$",
    "minus alone in mathematics": "${sign}${text}",
    "bold": r"\textbf{{{sign}{text}}}",
    "bold mathematics": r"$\mathbf{{{sign}{text}}}$",
    "switch": r"{{\bfseries {sign}{text}}}",
    "siunitx": r"\num{{{sign}{text}}}",
    "siunitx with options": r"\num[round-mode=places]{{{sign}{text}}}",
    "dagger": r"${sign}{text}^{{\dagger}}$",
    "stars": r"{sign}{text}$^{{**}}$",
    "stars beside": r"{sign}{text}***",
    "footnote mark": r"{sign}{text}\textsuperscript{{a}}",
    "coloured": r"\textcolor{{red}}{{{sign}{text}}}",
    "cell colour": r"\cellcolor{{gray!15}} {sign}{text}",
    "spanning": r"\multicolumn{{2}}{{c}}{{{sign}{text}}}",
    "several rows": r"\multirow{{2}}{{*}}{{{sign}{text}}}",
    "underlined": r"\underline{{{sign}{text}}}",
    "padded": r"\phantom{{0}}{sign}{text}~",
    "scaled": r"\scalebox{{0.9}}{{{sign}{text}}}",
}


@pytest.mark.parametrize("style", STYLES)
@given(value=floats, places=decimals)
def test_a_printed_number_is_read_back(style, value, places):
    text, sign = fixed(value, places)
    [[found]] = numbers.read(plain(STYLES[style].format(text=text, sign=sign)))
    assert found.value == Decimal(sign + text)
    assert found.decimals == places


@given(value=floats, places=decimals, style=st.sampled_from([r"{}\%", r"${}\%$", r"{}~\%", r"\SI{{{}}}{{\percent}}"]))
def test_a_percentage_is_read_back(value, places, style):
    text, sign = fixed(value, places)
    [[found]] = numbers.read(plain(style.format(sign + text)))
    assert found.value == Decimal(sign + text)
    assert found.percent


@given(value=st.integers(1000, 10**12), separator=st.sampled_from([",", "{,}", r"\,", r"\thinspace ".strip()]))
def test_thousands_are_read_back(value, separator):
    text = f"{value:,}".replace(",", separator if separator != r"\thinspace" else r"\,")
    assert read(text) == [[(value, "value")]]
    assert read(f"${text}$") == [[(value, "value")]]


@given(
    values=st.tuples(floats, floats, floats),
    places=st.integers(1, 4),
    style=st.sampled_from(
        ["{} [{}, {}]", r"${}\;[{},\,{}]$", "{} ({}, {})", "{} [{}; {}]", r"{} \footnotesize{{[{}, {}]}}"]
    ),
)
def test_an_interval_is_read_back(values, places, style):
    printed = ["".join(reversed(fixed(value, places))) for value in values]
    roles = ["value", "lower", "upper"]
    assert read(style.format(*printed)) == [[(Decimal(text), role) for text, role in zip(printed, roles, strict=True)]]


@given(
    value=floats,
    spread=st.floats(0, 100),
    places=st.integers(0, 5),
    style=st.sampled_from([r"${}\pm{}$", r"{} $\pm$ {}"]),
)
def test_a_spread_is_read_back(value, spread, places, style):
    text, sign = fixed(value, places)
    assert read(style.format(sign + text, f"{spread:.{places}f}")) == [
        [(Decimal(sign + text), "value"), (Decimal(f"{spread:.{places}f}"), "sd")]
    ]


@given(
    value=st.floats(1, 9.99),
    power=st.integers(-30, 30),
    style=st.sampled_from([r"${}\times10^{{{}}}$", r"${} \cdot 10^{{{}}}$"]),
)
def test_a_power_of_ten_is_read_back(value, power, style):
    [[found]] = numbers.read(plain(style.format(f"{value:.2f}", power)))
    assert found.value == Decimal(f"{value:.2f}").scaleb(power)


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("1.23(4)", [[("1.23", "value"), ("0.04", "sd")]]),
        ("5e-5", [[("0.00005", "value")]]),
        ("60.5M", [[("60500000", "value")]]),
        ("$[100,200]$", [[("100", "lower"), ("200", "upper")]]),
        ("0.1--0.5", [[("0.1", "value")], [("0.5", "value")]]),
        ("32{,}5", [[("32.5", "value")]]),
        ("0.63 (0.15)", [[("0.63", "value"), ("0.15", "bracketed")]]),
        ("63\\% and 19\\%", [[("63", "value")], [("19", "value")]]),
        (r"0.5 (95\% CI: 0.4 to 0.6)", [[("0.5", "value"), ("95", "bracketed")], [("0.4", "lower"), ("0.6", "upper")]]),
    ],
)
def test_other_forms(latex, expected):
    assert read(latex) == [[(Decimal(value), role) for value, role in quantity] for quantity in expected]


@pytest.mark.parametrize(
    "latex",
    [
        "ROUGE-1",
        "T5",
        "GPT-2",
        "(n$-$1)",
        "version 2.7.1",
        r"\cite{smith2020}",
        r"Table~\ref{tab:2}",
        r"\vspace{3mm}",
        "8-bit",
        "$x_{12}$",
        "the 5th",
        r"\includegraphics[width=0.5\linewidth]{figure1}",
        "$2^{10}$",
    ],
)
def test_digits_that_are_no_numbers(latex):
    assert read(latex) == []


def test_bounds_keep_their_relation():
    [[found]] = numbers.read(plain("$p < 0.001$"))
    assert (found.relation, found.value) == ("<", Decimal("0.001"))


@pytest.mark.parametrize(("text", "forms"), [("32.5", 1000), ("0.121", 1000), ("375", 1000), ("200", 10), ("0.00", 10)])
def test_how_telling_a_number_is(text, forms):
    assert numbers.read(text)[0][0].forms == forms


def test_ties_may_be_rounded_either_way():
    assert numbers.rounded(Decimal("0.125"), Decimal("0.01")) == {Decimal("0.12"), Decimal("0.13")}
    assert numbers.rounded(Decimal("0.1251"), Decimal("0.01")) == {Decimal("0.13")}


@pytest.mark.parametrize(
    ("latex", "stored", "agrees"),
    [
        ("0.325", "0.32514", True),
        ("0.326", "0.32514", False),
        ("0", "0.18", False),
        ("3", "2.9", False),
        ("63", "62.7", True),
        ("$<0.001$", "0.0004", True),
        ("$<0.001$", "0.004", False),
        ("$>0.9$", "0.95", True),
    ],
)
def test_agreement(latex, stored, agrees):
    [[number]] = numbers.read(plain(latex))
    assert search.agrees(number, Decimal(stored)) is agrees
