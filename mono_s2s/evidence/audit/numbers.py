"""Printed numbers: from plain text back to values, with the precision and the role in which they were printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Literal

# Room for every float with the decimals of its printed form.
WIDE = Context(prec=400)
# A comma that LaTeX was told to set without space, {,}: thousands, or decimals where other than three digits follow.
BOUND_COMMA = "\ue000"
MINUS = "−"
_DASHES = "-" + MINUS
# The same inside a character class.
_MINUS = r"\-" + MINUS
_THIN = "\u2009\u202f\u00a0"

Role = Literal["value", "sd", "lower", "upper", "bracketed"]

_NUMBER = re.compile(
    rf"""
    (?P<sign>[+{_MINUS}][{_THIN}\ ]?)?
    (?P<body>
        \d{{1,3}}(?:(?P<separator>[,{_THIN}{BOUND_COMMA}])\d{{3}}(?:(?P=separator)\d{{3}})*)(?!\d)(?:\.\d+)?
      | \d+{BOUND_COMMA}\d+
      | \d+(?:\.\d+)?
      | \.\d+
    )
    (?:\((?P<uncertainty>\d+)\))?
    (?:[{_THIN}\ ]*[×·][{_THIN}\ ]*10\^?(?P<power>[{_MINUS}]?\d+) | [eE](?P<exponent>[+{_MINUS}]?\d+))?
    (?P<suffix>[kKMB](?![A-Za-z]))?
    (?P<percent>[{_THIN}\ ]*%)?
    """,
    re.VERBOSE,
)
_SUFFIX = {"k": 3, "K": 3, "M": 6, "B": 9}
# What may stand between the numbers of one quantity.
_SPREAD = re.compile(rf"^[{_THIN}\s†‡*%(]*±[{_THIN}\s]*$")
# "[", "(", "(95% CI: ".
_OPENING = re.compile(rf"[\[(][{_THIN}\s]*(?:(?:\d+[{_THIN}\s]*%[{_THIN}\s]*)?(?:CI|interval)[:,]?[{_THIN}\s]*)?$")
_BETWEEN = re.compile(rf"^[{_THIN}\s%]*(?:[,;–]|to)[{_THIN}\s]*$")
_CLOSING = re.compile(rf"^[{_THIN}\s%]*[\])]")


@dataclass(frozen=True)
class Number:
    """One printed number.

    Args:
        text: as it stands in the plain text.
        value: what it says, its percent sign left aside ("16.2%" is 16.2).
        unit: the place value of its last digit: 0.1 for "16.2", 1000 for "3k".
        percent: a percent sign follows.
        role: what it is in its quantity: a value, or the value's spread or interval.
        relation: "<" or ">" where it is only a bound.
        start, end: where it stands in the plain text.
    """

    text: str
    value: Decimal
    unit: Decimal
    percent: bool
    role: Role
    relation: str
    start: int
    end: int

    @property
    def decimals(self) -> int:
        """Number of printed decimals; below zero where the last digit stands for tens or more."""
        return -int(self.unit.adjusted())

    @property
    def forms(self) -> int:
        """How many numbers could have been printed in this form; the fewer, the less does a match mean.

        Zeros behind an integer do not count (300 epochs is no more telling than 3), nor does a zero.
        """
        if self.value == 0:
            return 10
        digits = self.value.copy_abs().scaleb(self.decimals, context=WIDE)
        whole = str(int(digits))
        if self.decimals <= 0:
            return int(10 ** len(whole.rstrip("0")))
        # A small power of ten (3.8e-9) is told by its digits and its exponent, not by all the zeros before it.
        return int(10 ** min(max(len(whole), self.decimals), len(whole) + 2))


def _is_part_of_a_name(text: str, match: re.Match[str]) -> bool:
    start, end = match.start(), match.end()
    before, after = text[max(0, start - 2) : start], text[end : end + 1]
    if before and (before[-1].isalpha() or before[-1] in "_#^.\\"):
        return True
    # ROUGE-1, GPT-2, 8-bit: a hyphen binds a digit to a word.
    if len(before) == 2 and before[1] in _DASHES and before[0].isalnum():
        return True
    if match["sign"] and match["sign"][0] in _DASHES and before and before[-1].isalnum():
        return True
    if after and (after.isalpha() or after == "_") and after not in "x":
        return True
    # 2.7.1: a version.
    if after == "." and text[end + 1 : end + 2].isdigit():
        return True
    return after == "-" and text[end + 1 : end + 2].isalpha()


def _in_formula(text: str, start: int, end: int) -> bool:
    """An operator on one side with a letter or a bracket behind it: a constant of a formula."""
    before, after = text[:start].rstrip(), text[end:].lstrip()
    if after[:1] == "^" or (after[:1] == "/" and after[1:2].isalpha()):
        return True
    if after[:1] in ("+", "·", "×", MINUS) and after[1:].lstrip()[:1].isalpha():
        return True
    return bool(re.search(rf"[A-Za-z)]\s*[+·×^_/{MINUS}]$", before))


def _interval_without_space(text: str, match: re.Match[str]) -> bool:
    """[100,200] is an interval, not a hundred thousand two hundred."""
    return (
        match["separator"] == ","
        and match["body"].count(",") == 1
        and text[match.start() - 1 : match.start()] == "["
        and text[match.end() : match.end() + 1] == "]"
    )


def _value(match: re.Match[str], body: str) -> tuple[Decimal, Decimal]:
    plain = re.sub(rf"[{_THIN}]", "", body)
    if BOUND_COMMA in plain:
        whole, _, rest = plain.rpartition(BOUND_COMMA)
        if "." not in rest and len(rest) != 3:
            plain = whole.replace(BOUND_COMMA, "") + "." + rest
        plain = plain.replace(BOUND_COMMA, "")
    plain = plain.replace(",", "")
    decimals = len(plain.partition(".")[2])
    raised = int((match["power"] or match["exponent"] or "0").replace(MINUS, "-")) + _SUFFIX.get(
        match["suffix"] or "", 0
    )
    value = Decimal(plain if plain[0] != "." else "0" + plain).scaleb(raised, context=WIDE)
    if match["sign"] and match["sign"][0] in _DASHES:
        value = value.copy_negate()
    return value, Decimal(1).scaleb(raised - decimals)


def _relation(text: str, start: int) -> str:
    found = re.search(rf"([<>≤≥])[{_THIN}\s=]*$", text[:start])
    return {"≤": "<", "≥": ">"}.get(found[1], found[1]) if found else ""


def _spans(text: str) -> list[tuple[int, int, re.Match[str], str]]:
    """Start, end, match and digits of every number in the text."""
    found = []
    place = 0
    while match := _NUMBER.search(text, place):
        place = max(match.end(), match.start() + 1)
        if _interval_without_space(text, match):
            cut = match.start("body") + match["body"].index(",")
            for start, end in ((match.start(), cut), (cut + 1, match.end())):
                part = _NUMBER.fullmatch(text, start, end)
                if part:
                    found.append((start, end, part, part["body"]))
            continue
        if _is_part_of_a_name(text, match):
            # "v1.2.3" must not leave a "2.3" behind.
            while place < len(text) and (text[place].isalnum() or text[place] in "._"):
                place += 1
            continue
        start = match.start()
        if match["sign"] and text[:start].rstrip()[-1:].isdigit():
            start = match.start("body")
        found.append((start, match.end(), match, match["body"]))
    return found


def _raw(text: str) -> list[Number]:
    numbers = []
    for start, end, match, body in _spans(text):
        if _in_formula(text, start, match.end("body")):
            continue
        value, unit = _value(match, body)
        if start > match.start():
            value = value.copy_abs()
        percent = match["percent"] is not None
        shown = text[start : end - len(match["percent"] or "")].strip()
        uncertainty = match["uncertainty"]
        if uncertainty and "." not in body:
            # 12(3) without decimals is a count in brackets as often as an uncertainty: leave both alone.
            uncertainty = None
        if uncertainty:
            shown = text[start : match.end("body")]
        numbers.append(Number(shown, value, unit, percent, "value", _relation(text, start), start, start + len(shown)))
        if uncertainty:
            first = match.start("uncertainty")
            numbers.append(
                Number(
                    uncertainty, Decimal(uncertainty) * unit, unit, percent, "sd", "", first, first + len(uncertainty)
                )
            )
    return numbers


def _with(number: Number, role: Role) -> Number:
    return Number(**{**number.__dict__, "role": role})


def read(text: str) -> list[list[Number]]:
    """The numbers of a plain text, those of one quantity together: a value with its ± and its interval.

    Digits that are part of a name (ROUGE-1, T5), of a formula (n − 1) or of a version are no numbers.
    """
    found = _raw(text)
    quantities: list[list[Number]] = []
    place = 0
    while place < len(found):
        number = found[place]
        previous = found[place - 1] if place else None
        gap = text[previous.end : number.start] if previous else ""
        following = found[place + 1] if place + 1 < len(found) else None
        opened = _OPENING.search(text[: number.start])
        if (
            opened
            and following
            and _BETWEEN.match(text[number.end : following.start])
            and _CLOSING.match(text[following.end :])
        ):
            ends = [_with(number, "lower"), _with(following, "upper")]
            if previous and re.fullmatch(rf"[{_THIN}\s%†‡*]*[\[(][{_THIN}\s]*", gap):
                quantities[-1] += ends
            else:
                quantities.append(ends)
            place += 2
            continue
        if number.role == "sd" or (previous and _SPREAD.match(gap)):
            quantities[-1].append(_with(number, "sd"))
        elif previous and re.fullmatch(rf"[{_THIN}\s%†‡*]*\([{_THIN}\s]*", gap) and text[number.end :][:1] in ")%":
            quantities[-1].append(_with(number, "bracketed"))
        else:
            quantities.append([number])
        place += 1
    return quantities


@lru_cache(maxsize=1 << 16)
def rounded(value: Decimal, unit: Decimal) -> frozenset[Decimal]:
    """What `value` may be printed as with this last place: half to even and half up differ in exact ties alone."""
    steps = value.scaleb(-unit.adjusted(), context=WIDE)
    return frozenset(
        steps.quantize(Decimal(1), rounding=mode, context=WIDE).scaleb(unit.adjusted(), context=WIDE)
        for mode in (ROUND_HALF_EVEN, ROUND_HALF_UP)
    )
