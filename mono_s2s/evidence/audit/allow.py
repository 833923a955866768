"""Numbers that no run has to explain: years, references, conventions, and what the authors allow.

A file of allowed numbers holds one rule a line; empty lines and lines that begin with # are passed over:

    id: tab:rouge/r3c2       one number or everything of a table by its id, as the JSON report has it
    number: 0.05             a number as it is printed, anywhere
    \\bfive runs\\b|8 GPUs     anything else: a regular expression that must cover the number in its line of text
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from mono_s2s.files import BadInput

# Each is searched for in the text around a number and must cover it.
CONVENTIONS = tuple(
    re.compile(pattern)
    for pattern in (
        # Years and dates.
        r"(?<![\d.])(?:19|20)\d\d(?:-\d\d-\d\d)?(?![\d%]|[.,]\d)",
        # Table 3, Section 4.2, Eqs. (1)-(3), step 2 of a list.
        r"(?i)\b(?:tables?|figures?|figs?\.|sections?|secs?\.|§|appendix|chapters?|equations?|eqs?\.|algorithms?|"
        r"listings?|pages?|pp?\.(?!\s*[=<>])|lemmas?|theorems?|propositions?|definitions?|lines?|footnotes?|items?)"
        r"[\s\u00a0(]*\d[\d.,\s–()-]*(?:and\s*\(?\d+\)?)?",
        # [12], [3, 4]: citations.
        r"\[\d+(?:\s*[,–-]\s*\d+)+\]|(?<=[A-Za-z.,;]\s)\[\d+\]",
        # Levels of confidence and significance.
        r"(?i)\b9[059](?:\.\d)?\s*%\s*(?:\w+\s+){0,2}(?:confidence|ci\b|intervals?|bootstrap|percentile|level)",
        r"(?i)(?:significan\w*|alpha|α|level|threshold)\D{0,12}0?\.(?:05|01|001|10|1)\b",
        r"(?i)\bp\s*[<>≤≥]\s*0?\.(?:1|05|01|005|001|0001)\b",
        # F-measure x 100, per 100 examples; between 0 and 1.
        r"[×x]\s*100\b|\bper\s+1,?000?\b|\b0\s*(?:to|and|–)\s*1\b",
        # Versions.
        r"(?i)\b(?:python|pytorch|cuda|version|v\.?|release|transformers)\s*\d[\d.]*",
        # Numbered lists.
        r"^\(?\d\)",
        r"(?<=\s)\(\d\)(?=\s)",
        # n - 1 degrees of freedom and other constants next to an operator.
        r"\b[a-z]\s*[−-]\s*1\b",
    )
)


@dataclass
class Allowed:
    """The rules of a file, and which of them allowed something."""

    path: str = ""
    ids: dict[str, bool] = field(default_factory=dict)
    numbers: dict[str, bool] = field(default_factory=dict)
    patterns: dict[str, tuple[re.Pattern[str], list[bool]]] = field(default_factory=dict)

    def reason(self, identity: str, text: str, context: str, start: int, end: int, running: bool) -> str | None:
        """Why a number needs no source; None where it does.

        Args:
            identity: the number's id.
            text: the number as printed.
            context: the text that it stands in, at `start` to `end`.
            running: whether that is running text, for which the conventions hold; a table's cell is always a claim.
        """
        for key in self.ids:
            if identity == key or identity.startswith((f"{key}/", f"{key}#")):
                self.ids[key] = True
                return f"{self.path}: id: {key}"
        if text in self.numbers:
            self.numbers[text] = True
            return f"{self.path}: number: {text}"
        for source, (pattern, used) in self.patterns.items():
            if _covers(pattern, context, start, end):
                used[0] = True
                return f"{self.path}: {source}"
        if running and any(_covers(pattern, context, start, end) for pattern in CONVENTIONS):
            return "a convention"
        return None

    def unused(self) -> list[str]:
        """Rules that allowed nothing: left behind by an older paper, or mistyped."""
        left = [f"id: {key}" for key, used in self.ids.items() if not used]
        left += [f"number: {text}" for text, used in self.numbers.items() if not used]
        return left + [source for source, (_, used) in self.patterns.items() if not used[0]]


def _covers(pattern: re.Pattern[str], context: str, start: int, end: int) -> bool:
    return any(match.start() <= start and end <= match.end() for match in pattern.finditer(context))


def read(path: Path | None) -> Allowed:
    """The rules of a file; none without a file.

    Raises:
        BadInput: the file is missing, or a line is no regular expression.
    """
    if path is None:
        return Allowed()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not readable ({error}): give a text file of rules") from error
    found = Allowed(path.as_posix())
    for number, line in enumerate(lines, start=1):
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        if rule.startswith("id:"):
            found.ids[rule[3:].strip()] = False
        elif rule.startswith("number:"):
            found.numbers[rule[7:].strip()] = False
        else:
            try:
                found.patterns[rule] = (re.compile(rule), [False])
            except re.error as error:
                raise BadInput(f"{path}, line {number}: no regular expression ({error}): mend or remove it") from error
    return found
