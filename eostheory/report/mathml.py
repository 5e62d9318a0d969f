"""LaTeX to MathML, safely: whatever a claim list contains, the page stays well formed.

The converter is a library; its output is treated as untrusted.  Only MathML elements and harmless
attributes pass, text is escaped again, and what it did not understand is shown as source.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from xml.etree.ElementTree import Element, tostring

from eostheory.report.plain import plain_text


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAGS = _words(
    "math mrow mi mo mn mtext mspace ms mfrac msqrt mroot mstyle merror mpadded mphantom msub msup "
    "msubsup munder mover munderover mmultiscripts mtable mtr mtd mprescripts none"
)
_ATTRIBUTES = _words(
    "display displaystyle scriptlevel mathvariant stretchy fence separator form lspace rspace "
    "minsize maxsize largeop movablelimits accent accentunder linethickness width height depth "
    "columnalign rowalign columnspacing rowspacing"
)
_CHILDREN = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "mroot": 2}
_CHILDREN |= {"msubsup": 3, "munderover": 3}
_BRACES = {r"\lbrace": "{", r"\rbrace": "}"}

_SEPARATORS = re.compile(r"\\(?:quad|qquad|implies|iff|Rightarrow|Leftrightarrow)(?![A-Za-z])|\\ ")
_RELATIONS = re.compile(
    r"=|\u2254|\\(?:leq?|geq?|approx|lesssim|gtrsim|leftarrow|to|rightarrow|in)(?![A-Za-z])"
)
_WORDS = re.compile(r"(?<![_^])\\text\s*\{([^{}\\]{12,})\}\s*(:?)")
_LONG = 48


class _Unreadable(ValueError):
    """The converter's output is not fit to show."""


def math(latex: str) -> str:
    """``latex`` as HTML: MathML in breakable pieces, or its source where that fails.  Never raises.

    A long formula becomes several ``<math>`` elements so that a narrow screen can break it where a
    writer would: between formulas, and before a relation.
    """
    return _math(latex.strip())


def inline(text: str) -> str:
    """Prose as HTML: ``$...$`` as mathematics, LaTeX that forgot its ``$`` as plain characters."""
    if "$" not in text:
        return escape(plain_text(text))
    pieces = re.split(r"\$([^$]+)\$", text)
    return "".join(math(p) if i % 2 else escape(p) for i, p in enumerate(pieces))


@lru_cache(maxsize=16384)
def _math(latex: str) -> str:
    if not latex:
        return ""
    source = re.sub(r"\\([Bb]igg?[lr]?)\\(\||\{|\})", _delimiter, latex)
    source = re.sub(r"\\arg(?![A-Za-z])", r"\\operatorname{arg}", source)
    source = source.replace(":=", "\u2254")
    source = re.sub(r"\\tag\s*\{([^{}]*)\}", r"\\quad\\text{(\1)}", source)
    source = re.sub(r"\\(begin|end)\{(?:align|aligned|split)\*?\}", r"\\\1{align*}", source)
    try:
        pieces = [gap + _piece(piece) for gap, piece in _pieces(source)]
    except Exception:  # the library raises many unrelated types; any of them means "show source"
        return f'<code class="tex">{escape(latex)}</code>'
    return f'<span class="math">{"".join(pieces)}</span>'


def _delimiter(match: re.Match[str]) -> str:
    """A sized delimiter in the spelling that the converter reads (a double bar grows by itself)."""
    name = {"{": "lbrace", "}": "rbrace"}.get(match[2])
    return rf"\{match[1]}\{name} " if name else r"\| "


def _piece(latex: str) -> str:
    words = _WORDS.fullmatch(latex)
    if words:
        return f'<i class="words">{escape(words[1])}{words[2]}</i> '
    return f"<span>{_convert(latex)}</span>"


def _pieces(latex: str) -> list[tuple[str, str]]:
    """(space before it, piece) of the pieces between which a line may break."""
    cuts = _cuts(latex, _SEPARATORS)
    parts = [latex[a:b] for a, b in zip([0, *cuts], [*cuts, len(latex)], strict=True)]
    fine: list[tuple[str, str]] = []
    for part in (piece for whole in parts for piece in _apart(whole)):
        inner = [c for c in _cuts(part, _RELATIONS) if c > 8] if len(part) > _LONG else []
        ends = zip([0, *inner], [*inner, len(part)], strict=True)
        fine.extend((" " if a == 0 and fine else "", part[a:b].strip()) for a, b in ends)
    return [(gap, piece) for gap, piece in fine if piece.strip(" \\")]


def _apart(latex: str) -> list[str]:
    """``latex`` with its long words apart, so that they are set as prose and may break."""
    parts, last = [], 0
    for start in [0, *_cuts(latex, _WORDS)]:
        if match := _WORDS.match(latex, start):
            parts += [latex[last:start], match[0]]
            last = match.end()
    return [part for part in [*parts, latex[last:]] if part.strip()]


def _cuts(latex: str, pattern: re.Pattern[str]) -> list[int]:
    """Where ``pattern`` begins outside every group."""
    found, depth, position = [], 0, 0
    opening = re.compile(r"\\left(?![a-z])|\\begin\{|\{|\(|\[|\\\{|\\langle(?![a-z])")
    closing = re.compile(r"\\right(?![a-z])|\\end\{|\}|\)|\]|\\\}|\\rangle(?![a-z])")
    while position < len(latex):
        if match := pattern.match(latex, position):
            if depth == 0 and position:
                found.append(position)
            position = match.end()
        elif match := opening.match(latex, position):
            depth += 1
            position = match.end()
        elif match := closing.match(latex, position):
            depth -= 1
            position = match.end()
        elif latex[position] == "\\":
            word = re.compile(r"\\(?:[A-Za-z]+|.)?").match(latex, position)
            position = word.end() if word else position + 1
        else:
            position += 1
    return found


def _convert(latex: str) -> str:
    from latex2mathml.converter import convert_to_element

    element = convert_to_element(latex)
    _clean(element)
    element.attrib.pop("display", None)
    return tostring(element, encoding="unicode")


def _clean(element: Element) -> None:
    if element.tag not in _TAGS:
        raise _Unreadable(f"<{element.tag}>")
    if element.tag in _CHILDREN and len(element) != _CHILDREN[element.tag]:
        raise _Unreadable(f"<{element.tag}> with {len(element)} children")
    for name in set(element.attrib) - _ATTRIBUTES:
        del element.attrib[name]
    element.text = re.sub(r"\\([%#_&$])", r"\1", unescape(element.text or "")) or None
    if element.text in _BRACES:
        element.text = _BRACES[element.text]
    element.tail = None
    stray = element.text == "&" and element.tag != "mtext"
    if stray or ("\\" in (element.text or "") and element.text != "\\"):
        raise _Unreadable(element.text)
    if element.tag in ("mi", "mo") and re.fullmatch(r"[A-Za-z]{2,}", element.text or ""):
        element.tag = "mo"
        element.attrib.update(lspace="0.17em", rspace="0.17em")
    if element.text == "\u2254":
        element.tag = "mo"
    for child in element:
        _clean(child)
