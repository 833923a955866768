"""Numbers become text here and nowhere else; text becomes LaTeX here and nowhere else."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

MINUS = "−"
DASH = "–"
DAGGER = "†"
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
# Room for the largest float with every decimal that may be asked for.
_WIDE = Context(prec=400)

# Signs of a number in running text: commands of monos2s.sty, which stand in mathematics, headings and bookmarks alike.
_SIGNS = {
    " ± ": r"\monospm ",
    "< ": r"\monosless ",
    "= ": r"\monosequal ",
    MINUS: r"\monosminus ",
    DAGGER: r"\monosdagger ",
    "%": r"\%",
    ", ": ",~",
    " [": "~[",
}

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≥": r"$\ge$",
    "≤": r"$\le$",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    MINUS: "$-$",
    DASH: "--",
    "—": "---",
    DAGGER: r"$^{\dagger}$",
    "“": "``",
    "”": "''",
    "’": "'",
}


def fixed(value: float, decimals: int, shift: int = 0) -> str:
    """`value` times 10**shift with so many decimals, rounded half to even on its shortest decimal form.

    There is no negative zero, and the minus sign is a minus sign.

    Raises:
        ValueError: NaN or infinite: there is no text for what is not a number.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be printed")
    exact = Decimal(repr(value)).scaleb(shift, context=_WIDE)
    rounded = exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN, context=_WIDE)
    text = f"{rounded.copy_abs():f}"
    return f"{MINUS}{text}" if rounded < 0 else text


def grouped(value: int) -> str:
    """A count with commas between thousands: 1,414,647,808."""
    return fixed(value, 0) if abs(value) < 1000 else f"{value:,}".replace("-", MINUS)


def spread(mean: float, sd: float, decimals: int, shift: int = 0) -> str:
    """Mean and standard deviation: 0.123 ± 0.045."""
    return f"{fixed(mean, decimals, shift)} ± {fixed(sd, decimals, shift)}"


def interval(mean: float, lower: float, upper: float, decimals: int, shift: int = 0) -> str:
    """Mean and interval: 0.123 [0.100, 0.146]."""
    return f"{fixed(mean, decimals, shift)} [{fixed(lower, decimals, shift)}, {fixed(upper, decimals, shift)}]"


def percent(share: float, decimals: int) -> str:
    """A share with its sign: 47.4%."""
    return f"{fixed(share, decimals, 2)}%"


def p_value(value: float, decimals: int) -> str:
    """A p value; where it is less than the last decimal can say, that it is: "< 0.001".

    Raises:
        ValueError: not in [0, 1].
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{value} is no p value")
    least = Decimal(1).scaleb(-decimals)
    return f"< {least}" if Decimal(repr(value)) < least else fixed(value, decimals)


def relation(text: str) -> str:
    """What stands behind p in a sentence: "= 0.062", "< 0.001"."""
    return text if text.startswith("<") else f"= {text}"


def listed(values: Sequence[int]) -> str:
    """Whole numbers, one after the other: 42, 1337."""
    return ", ".join(str(value) for value in values)


def prose(text: str) -> str:
    """A number's text as LaTeX that may stand in a sentence, a heading, a caption, a cell or in mathematics.

    Raises:
        ValueError: it has a sign that no number has.
    """
    found = _THOUSANDS.sub("{,}", text)
    for sign, command in _SIGNS.items():
        found = found.replace(sign, command)
    if not found.isascii():
        raise ValueError(f"{text!r} has a sign without a command in monos2s.sty: add it to formatting._SIGNS")
    return found


def bare(text: str) -> str:
    """A single number as programs read it, without commas, signs of its own or a unit; empty where it is none."""
    found = text.replace(MINUS, "-").replace(",", "").removesuffix("%")
    return found if re.fullmatch(r"-?\d+(\.\d+)?", found) else ""


def latex(text: str) -> str:
    """Plain Unicode text as LaTeX.

    Raises:
        ValueError: a character that no TeX font here has; better loud than a hole in the page.
    """
    for character in text:
        if ord(character) > 126 and character not in _LATEX:
            raise ValueError(f"{character!r} (U+{ord(character):04X}) has no LaTeX form: add it to formatting._LATEX")
    return "".join(_LATEX.get(character, character) for character in text)


def latex_cell(text: str) -> str:
    """A cell's text as LaTeX: numbers in mathematics, so that signs and ± are spaced as such."""
    if not any(character.isdigit() for character in text):
        return latex(text)
    body = text.removesuffix(DAGGER)
    mark = r"^{\dagger}" if body != text else ""
    mathematics = body.replace(MINUS, "-").replace("±", r"\pm").replace(" [", r"\;[").replace(", ", r",\,")
    # In mathematics a comma has space behind it, which one between thousands must not have.
    mathematics = mathematics.replace("%", r"\%")
    mathematics = _THOUSANDS.sub("{,}", mathematics)
    return f"${mathematics}{mark}$"
