"""A LaTeX fragment as the plain text that a reader sees; numbers keep what `numbers` needs to read them."""

from __future__ import annotations

import re

from mono_s2s.evidence.audit.latex import argument, option
from mono_s2s.evidence.audit.numbers import BOUND_COMMA, MINUS

# Commands whose arguments say nothing to a reader: how many of them, after optional ones.
_DROPPED = {
    **dict.fromkeys(("label", "ref", "eqref", "pageref", "autoref", "nameref", "cref", "Cref", "vref", "hyperref"), 1),
    **dict.fromkeys(("cite", "citep", "citet", "citealp", "citealt", "citeauthor", "citeyear", "parencite"), 1),
    **dict.fromkeys(("textcite", "autocite", "footcite", "nocite", "bibliography", "bibliographystyle"), 1),
    **dict.fromkeys(("vspace", "hspace", "vspace*", "hspace*", "vskip", "hskip", "phantom", "hphantom", "vphantom"), 1),
    **dict.fromkeys(("begin", "end", "usepackage", "documentclass", "includegraphics", "graphicspath", "url"), 1),
    **dict.fromkeys(("definecolor",), 3),
    **dict.fromkeys(("setlength", "addtolength", "setcounter", "addtocounter", "fontsize", "renewcommand"), 2),
    **dict.fromkeys(("cmidrule", "cline", "arraystretch", "rule", "color", "rowcolor", "cellcolor", "columncolor"), 1),
    **dict.fromkeys(("linespread", "pagestyle", "thispagestyle", "sisetup", "hypersetup", "captionsetup"), 1),
}
_DROPPED["rule"] = 2
# Commands whose last argument is the text: how many there are.
_LAST_OF = {
    "multicolumn": 3,
    "multirow": 3,
    "resizebox": 3,
    "resizebox*": 3,
    "scalebox": 2,
    "textcolor": 2,
    "colorbox": 2,
    "href": 2,
    "raisebox": 2,
    "parbox": 2,
    "adjustbox": 2,
}
_SYMBOLS = {
    "pm": "±",
    "times": "×",
    "cdot": "·",
    "dagger": "†",
    "dag": "†",
    "ddagger": "‡",
    "ddag": "‡",
    "ast": "*",
    "star": "*",
    "Delta": "Δ",
    "delta": "δ",
    "alpha": "α",
    "beta": "β",
    "epsilon": "ε",
    "varepsilon": "ε",
    "lambda": "λ",
    "sigma": "σ",
    "mu": "μ",
    "approx": "≈",
    "sim": "~",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "ll": "<",
    "gg": ">",
    "lt": "<",
    "gt": ">",
    "uparrow": "↑",
    "downarrow": "↓",
    "rightarrow": "→",
    "to": "→",
    "textendash": "–",
    "textemdash": "—",
    "textminus": MINUS,
    "textpm": "±",
    "textpercent": "%",
    "percent": "%",
    "ldots": "…",
    "dots": "…",
    "quad": " ",
    "qquad": " ",
    "infty": "∞",
    "textbackslash": "\\",
    "textasciitilde": "~",
    "ss": "ß",
    "newline": " ",
    "par": "\n\n",
    "item": "\n",
    "textless": "<",
    "textgreater": ">",
}
_CHARACTERS = {",": "\u2009", ";": "\u2009", ":": "\u2009", "!": "", " ": " ", "\\": " ", "/": "", "@": ""}
_ACCENTS = "`'^\"~=.uvHcdbt"
_UNITS = {"num": 1, "SI": 2, "qty": 2, "tablenum": 1, "si": 1, "unit": 1, "numrange": 2, "ang": 1}
_SUPERSCRIPT = re.compile(r"\^\s*(?:\{([^{}]*)\}|(\\[A-Za-z]+|.))")


def _number(text: str) -> str:
    """siunitx's input of a number as one prints it: 1e3, 1.2 +- 0.1, 1.2(3), 12345."""
    text = re.sub(r"\s+", "", text).replace("+-", " ± ").replace(r"\pm", " ± ").replace(r"\num", "")
    # A comma stands for the decimal point here.
    text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    return text.replace("-", MINUS)


def _unit(text: str) -> str:
    return "%" if "percent" in text or r"\%" in text or text.strip() == "%" else " " + re.sub(r"\\", " ", text).strip()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.place, self.out = text, 0, []
        self.mathematics = False

    def _options(self) -> None:
        while found := option(self.text, self.place):
            self.place = found[1]

    def _argument(self) -> str:
        found = argument(self.text, self.place)
        if found is None:
            return ""
        self.place = found[1]
        return found[0]

    def _plain(self, text: str) -> str:
        inner = _Reader(text)
        inner.mathematics = self.mathematics
        return inner.read()

    def _command(self) -> None:
        match = re.compile(r"\\([A-Za-z]+\*?|.)", re.DOTALL).match(self.text, self.place)
        if match is None:
            self.place += 1
            return
        name = match[1]
        self.place = match.end()
        bare = name.rstrip("*")
        if not name[0].isalpha():
            self._symbol(name)
        elif bare in ("left", "right", "big", "Big", "bigl", "bigr", "limits", "displaystyle", "mathrm", "textstyle"):
            self._skip_blanks()
        elif bare in ("label", "ref", "eqref", "cref", "Cref", "autoref", "cite", "citep", "citet"):
            self._options()
            self._argument()
            self.out.append("⁇")
        elif name in _DROPPED or bare in _DROPPED:
            self._dropped(bare)
        elif bare in ("footnote", "footnotetext", "thanks"):
            self._options()
            self.out.append(" (" + self._plain(self._argument()) + ") ")
        elif bare in _UNITS:
            self._measured(bare)
        elif bare in ("frac", "tfrac", "dfrac"):
            self.out.append(self._plain(self._argument()) + "/" + self._plain(self._argument()))
        elif bare == "textsuperscript":
            self.out.append(self._raised(self._argument()))
        elif bare in _SYMBOLS:
            self.out.append(f" {_SYMBOLS[bare]} " if _SYMBOLS[bare] == "±" else _SYMBOLS[bare])
            self._skip_blanks()
        elif bare in _LAST_OF:
            self._last_of(_LAST_OF[bare])
        else:
            # An unknown command is taken as a way to set its arguments; a switch like \bfseries has none.
            self._options()
            if self.text[self.place : self.place + 1] != "{":
                self._skip_blanks()

    def _skip_blanks(self) -> None:
        while self.text[self.place : self.place + 1] in (" ", "\n", "\t"):
            self.place += 1

    def _symbol(self, name: str) -> None:
        if name in ("(", ")", "[", "]"):
            self.mathematics = name in ("(", "[")
        elif name in _ACCENTS and self.text[self.place : self.place + 1].isalpha():
            pass
        elif name in _ACCENTS and self.text[self.place : self.place + 1] == "{":
            self.out.append(self._plain(self._argument()))
        else:
            self.out.append(_CHARACTERS.get(name, name))
            if name == "\\":
                self._options()

    def _dropped(self, name: str) -> None:
        if name in ("cmidrule",) and self.text[self.place : self.place + 1] == "(":
            self.place = self.text.find(")", self.place) + 1
        self._options()
        for _ in range(_DROPPED.get(name, 1)):
            self._argument()
            self._options()

    def _measured(self, name: str) -> None:
        self._options()
        parts = [self._argument() for _ in range(_UNITS[name])]
        if name in ("si", "unit"):
            self.out.append(_unit(parts[0]))
        elif name == "numrange":
            self.out.append(f"{_number(parts[0])} to {_number(parts[1])}")
        else:
            self.out.append(_number(parts[0]) + (_unit(parts[1]) if len(parts) > 1 else ""))

    def _last_of(self, count: int) -> None:
        self._options()
        last = ""
        for _ in range(count):
            if self.text[self.place : self.place + 1] == "*":
                # \multirow{2}{*}{...} is often written \multirow{2}*{...}.
                self.place += 1
                continue
            last = self._argument()
            self._options()
        self.out.append(self._plain(last))

    def _raised(self, text: str) -> str:
        inner = self._plain(text).strip()
        if re.fullmatch(rf"[+\-{MINUS}]?\d+", inner):
            # A power of ten belongs to its number; a raised number anywhere else is a footnote's mark or an exponent.
            base = "".join(self.out).rstrip()
            return f"^{inner}" if re.search(r"[×·]\s*10$", base) else f"^{inner}⁇"
        if inner in ("st", "nd", "rd", "th") or re.fullmatch(r"[*†‡§¶%,∗]*", inner):
            return inner
        return f"⁽{inner}⁾" if inner.isalpha() else f"^{inner}"

    def read(self) -> str:
        while self.place < len(self.text):
            character = self.text[self.place]
            if character == "\\":
                self._command()
                continue
            self.place += 1
            if character == "$":
                self.mathematics = not self.mathematics
            elif character == "{" and self.text[self.place : self.place + 2] == ",}":
                self.out.append(BOUND_COMMA)
                self.place += 2
            elif character in "{}":
                pass
            elif character == "~":
                self.out.append("\u00a0")
            elif character == "-":
                self._dash()
            elif character == "^" and self.mathematics:
                match = _SUPERSCRIPT.match(self.text, self.place - 1)
                braced = argument(self.text, self.place)
                if braced:
                    self.place = braced[1]
                    self.out.append(self._raised(braced[0]))
                elif match:
                    self.place = match.end()
                    self.out.append(self._raised(match[0][1:].strip()))
            elif character == "`":
                self.out.append("“" if self.text[self.place : self.place + 1] == "`" else "‘")
                self.place += self.text[self.place : self.place + 1] == "`"
            elif self.mathematics and character in " \n\t":
                # TeX sets its own spaces there; one is kept between words, none before or after a sign.
                self.out.append(" ")
            else:
                self.out.append(character)
        return "".join(self.out)

    def _dash(self) -> None:
        if self.mathematics:
            self.out.append(MINUS)
            self._skip_blanks()
            return
        dashes = 1
        while self.text[self.place : self.place + 1] == "-":
            dashes, self.place = dashes + 1, self.place + 1
        self.out.append({1: "-", 2: "–"}.get(dashes, "—"))


def plain(fragment: str) -> str:
    """The text of a LaTeX fragment, white space in one piece; blank lines stay as paragraph ends.

    Mathematics keeps its minus signs as such; `{,}` becomes `numbers.BOUND_COMMA`; references become "⁇".
    """
    text = _Reader(fragment).read()
    text = re.sub(r"[ \t]*\n[ \t]*\n\s*", "\n\n", text)
    text = re.sub(r"(?<!\n)\n(?!\n)", " ", text)
    return re.sub(r"[ \t]+", " ", text).strip()


def shown(text: str) -> str:
    """Plain text as it is to be shown: the marks for the number reader replaced by what they stand for."""
    return text.replace(BOUND_COMMA, ",").replace("⁇", "…")
