"""Numbers become text here and nowhere else; text becomes LaTeX here and nowhere else."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

MINUS = "−"
DASH = "–"
DAGGER = "†"
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
# Room for the largest float with every decimal that may be asked for.
_WIDE = Context(prec=400)

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
    mathematics = _THOUSANDS.sub("{,}", mathematics)
    return f"${mathematics}{mark}$"
