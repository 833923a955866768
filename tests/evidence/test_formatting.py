"""A number has one text, and a text one LaTeX form."""

import math
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_s2s.evidence import formatting

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
USUAL = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("value", "decimals", "shift", "text"),
    [
        (0.125, 2, 0, "0.12"),
        (0.135, 2, 0, "0.14"),
        (2.5, 0, 0, "2"),
        (3.5, 0, 0, "4"),
        # The float below 0.285 is what 0.285 is in binary; its shortest decimal form is what counts.
        (0.285, 2, 0, "0.28"),
        (0.2085, 1, 2, "20.8"),
        (0.9996, 2, 2, "99.96"),
        (-0.001, 2, 0, "0.00"),
        (-0.0, 1, 0, "0.0"),
        (-1.5, 1, 0, "−1.5"),
        (7, 0, 0, "7"),
        (1e-07, 4, 0, "0.0000"),
        (1e22, 0, 0, "1" + "0" * 22),
    ],
)
def test_fixed_by_hand(value, decimals, shift, text):
    assert formatting.fixed(value, decimals, shift) == text


@given(USUAL, st.integers(0, 6))
def test_fixed_is_at_most_half_a_unit_off(value, decimals):
    text = formatting.fixed(value, decimals).replace(formatting.MINUS, "-")
    assert abs(Decimal(text) - Decimal(repr(value))) <= Decimal(1).scaleb(-decimals) / 2


@given(NUMBERS, st.integers(0, 8))
def test_fixed_always_has_its_decimals_and_no_negative_zero(value, decimals):
    text = formatting.fixed(value, decimals)
    assert re.fullmatch(rf"−?\d+(\.\d{{{decimals}}})?", text)
    assert ("." in text) == (decimals > 0)
    assert "-" not in text
    if formatting.MINUS in text:
        assert any(digit in "123456789" for digit in text)


@given(USUAL, st.integers(0, 4))
def test_signs_mirror(value, decimals):
    assert formatting.fixed(-value, decimals).lstrip("−") == formatting.fixed(value, decimals).lstrip("−")


@given(USUAL, USUAL, st.integers(0, 4))
def test_rounding_keeps_the_order(one, other, decimals):
    first, second = (
        Decimal(formatting.fixed(value, decimals).replace("−", "-")) for value in (min(one, other), max(one, other))
    )
    assert first <= second


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_has_no_text(value):
    with pytest.raises(ValueError, match="cannot be printed"):
        formatting.fixed(value, 2)


def test_spreads_and_intervals():
    assert formatting.spread(0.12345, 0.0449, 3) == "0.123 ± 0.045"
    assert formatting.interval(-0.5, -1, 0.25, 2) == "−0.50 [−1.00, 0.25]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.123 ± 0.045", r"$0.123 \pm 0.045$"),
        ("−0.50 [−1.00, 0.25]", r"$-0.50\;[-1.00,\,0.25]$"),
        ("[−1.00, 0.25]", r"$[-1.00,\,0.25]$"),
        ("0.0625†", r"$0.0625^{\dagger}$"),
        ("–", "--"),
        ("< 0.001", "$< 0.001$"),
        ("47.4%", r"$47.4\%$"),
        ("1,414,647,808", "$1{,}414{,}647{,}808$"),
    ],
)
def test_cells_in_latex(text, expected):
    assert formatting.latex_cell(text) == expected


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.0004, 3, "< 0.001"),
        (0.00099, 3, "< 0.001"),
        (0.001, 3, "0.001"),
        (0.0625, 4, "0.0625"),
        # Half to even, as everywhere.
        (0.0625, 3, "0.062"),
        (0.1875, 3, "0.188"),
        (0, 3, "< 0.001"),
        (1, 3, "1.000"),
        (0.9999, 3, "1.000"),
        (1e-300, 2, "< 0.01"),
    ],
)
def test_p_values(value, decimals, text):
    assert formatting.p_value(value, decimals) == text


@given(st.floats(0, 1), st.integers(1, 6))
def test_no_p_value_reads_as_nothing(value, decimals):
    text = formatting.p_value(value, decimals)
    assert any(digit in "123456789" for digit in text)
    assert text.startswith("< ") == (Decimal(repr(value)) < Decimal(1).scaleb(-decimals))
    assert formatting.relation(text) == (text if text.startswith("<") else f"= {text}")


@pytest.mark.parametrize("value", [-0.001, 1.001, math.nan, math.inf])
def test_what_is_no_p_value(value):
    with pytest.raises(ValueError, match="is no p value"):
        formatting.p_value(value, 3)


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [
        (0.474, 1, "47.4%"),
        (0.4745, 1, "47.4%"),
        (1, 0, "100%"),
        (-0.00001, 1, "0.0%"),
        (-0.125, 0, "−12%"),
        (0.95, 0, "95%"),
        (12.3456, 1, "1234.6%"),
    ],
)
def test_percentages(share, decimals, text):
    assert formatting.percent(share, decimals) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1,000"), (-1234567, "−1,234,567"), (10**12, "1,000,000,000,000")],
)
def test_thousands(value, text):
    assert formatting.grouped(value) == text


def test_lists():
    assert formatting.listed([42]) == "42"
    assert formatting.listed([42, 1337, 12345]) == "42, 1337, 12345"


@pytest.mark.parametrize(
    ("text", "latex", "bare"),
    [
        ("−0.123 ± 0.045", r"\monosminus 0.123\monospm 0.045", ""),
        ("−0.50 [−1.00, 0.25]", r"\monosminus 0.50~[\monosminus 1.00,~0.25]", ""),
        ("[−1.00, 0.25]", r"[\monosminus 1.00,~0.25]", ""),
        ("0.0625†", r"0.0625\monosdagger ", ""),
        ("< 0.001", r"\monosless 0.001", ""),
        ("= 0.062", r"\monosequal 0.062", ""),
        ("47.4%", r"47.4\%", "47.4"),
        ("−1,234,567", r"\monosminus 1{,}234{,}567", "-1234567"),
        ("0.123", "0.123", "0.123"),
        ("42, 1337", "42,~1337", ""),
        ("5", "5", "5"),
    ],
)
def test_numbers_in_sentences(text, latex, bare):
    assert formatting.prose(text) == latex
    assert formatting.bare(text) == bare


def test_a_sign_without_a_command():
    with pytest.raises(ValueError, match="'1 × 2' has a sign without a command"):
        formatting.prose("1 × 2")


@given(USUAL, st.integers(0, 6))
def test_the_bare_value_is_the_printed_one(value, decimals):
    text = formatting.fixed(value, decimals)
    assert Decimal(formatting.bare(text)) == Decimal(text.replace("−", "-"))


def test_text_in_latex():
    assert formatting.latex("100% of a_b & ΔNLL − 1 {x}") == r"100\% of a\_b \& $\Delta$NLL $-$ 1 \{x\}"
    with pytest.raises(ValueError, match=r"'é' \(U\+00E9\) has no LaTeX form"):
        formatting.latex("café")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_no_special_character_survives(text):
    escaped = formatting.latex(text)
    assert not re.search(r"(?<!\\)[&%#_]", escaped)
