"""LaTeX as a line of plain text, for terminals and for labels inside drawings."""

from __future__ import annotations

import re
from functools import lru_cache

_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
_LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
_GREEK = dict(zip(_NAMES.split(), _LETTERS, strict=True))
_SIGNS = {
    **_GREEK,
    "varepsilon": "ε",
    "varphi": "φ",
    "ell": "ℓ",
    "nabla": "∇",
    "partial": "∂",
    "infty": "∞",
    "le": " ≤ ",
    "leq": " ≤ ",
    "ge": " ≥ ",
    "geq": " ≥ ",
    "ne": " ≠ ",
    "neq": " ≠ ",
    "approx": " ≈ ",
    "sim": " ~ ",
    "propto": " ∝ ",
    "in": " ∈ ",
    "notin": " ∉ ",
    "forall": "∀",
    "exists": "∃",
    "to": " → ",
    "rightarrow": " → ",
    "leftarrow": " ← ",
    "Rightarrow": " ⇒ ",
    "implies": " ⇒ ",
    "iff": " ⇔ ",
    "mapsto": " ↦ ",
    "cdot": "·",
    "times": "×",
    "pm": "±",
    "top": "T",
    "dagger": "†",
    "perp": "⊥",
    "prime": "′",
    "star": "*",
    "langle": "⟨",
    "rangle": "⟩",
    "lVert": "‖",
    "rVert": "‖",
    "lvert": "|",
    "rvert": "|",
    "sum": "Σ",
    "prod": "Π",
    "int": "∫",
    "dots": "…",
    "ldots": "…",
    "cdots": "…",
    "quad": "  ",
    "qquad": "   ",
    "lceil": "⌈",
    "rceil": "⌉",
    "lfloor": "⌊",
    "rfloor": "⌋",
    "left": "",
    "right": "",
    "big": "",
    "Big": "",
}
_DROP = (
    "text|mathrm|mathbf|mathcal|mathbb|mathsf|boldsymbol|operatorname|textbf|hat|tilde|bar|dot|"
    "widehat|widetilde|overline|mathit"
)
_ACCENTS = {"hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303"}
_ACCENTS |= {"bar": "\u0304", "overline": "\u0304", "dot": "\u0307"}
_SUPER = str.maketrans("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ")
_SUB = str.maketrans("0123456789+-t", "₀₁₂₃₄₅₆₇₈₉₊₋ₜ")


@lru_cache(maxsize=8192)
def plain_math(latex: str) -> str:
    """``latex`` readable as text.  Never fails: what is not understood stays as it is written."""
    text = latex
    for _ in range(8):
        before = text
        text = re.sub(r"\\([A-Za-z]+)\s?", lambda m: _SIGNS.get(m[1], m[0]), text)
        text = re.sub(r"\\[tdc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", _fraction, text)
        text = re.sub(r"\\[tdc]?frac\s*([^\W_])\s*([^\W_])", _fraction, text)
        text = re.sub(r"\\sqrt\s*(\d)", r"√\1", text)
        text = re.sub(r"\\sqrt\s*\{([^{}]*)\}", r"√(\1)", text)
        text = re.sub(rf"\\({_DROP})\s*\{{([^{{}}]*)\}}", _styled, text)
        text = re.sub(rf"\\({_DROP})\s*(\\[A-Za-z]+|[^\W\d_])", _styled, text)
        text = re.sub(r"\^(?:\{([0-9+\-n]+)\}|([0-9n]))", lambda m: _shift(m, _SUPER), text)
        text = re.sub(r"_(?:\{([0-9+\-t]+)\}|([0-9t]))", lambda m: _shift(m, _SUB), text)
        text = re.sub(r"([\^_])\{([^{}])\}", r"\1\2", text)
        text = re.sub(r"([\^_])\{([^{}\\]*)\}", r"\1(\2)", text)
        if text == before:
            break
    text = text.replace(r"\|", "‖").replace(r"\{", "{").replace(r"\}", "}").replace(r"\%", "%")
    text = re.sub(r"\\[ ,;:!]", " ", text)
    text = re.sub(r"\\(log|exp|ln|max|min|sup|inf|sin|cos|tanh|arg|lim)(?![A-Za-z])", r"\1 ", text)
    return re.sub(r"\s+", " ", text).strip()


def plain_text(text: str) -> str:
    """``text`` with its ``$...$`` pieces made readable, or all of it if it forgot its ``$``."""
    if "$" not in text:
        return plain_math(text) if re.search(r"\\[A-Za-z]", text) else text
    return re.sub(r"\$([^$]+)\$", lambda m: plain_math(m[1]), text)


def _fraction(match: re.Match[str]) -> str:
    return "/".join(_grouped(part.strip()) for part in match.groups())


def _grouped(text: str) -> str:
    return text if re.fullmatch(r"[\w\u0300-\u036f²³]+|\\[A-Za-z]+", text) else f"({text})"


def _styled(match: re.Match[str]) -> str:
    body = _SIGNS.get(match[2].removeprefix("\\"), match[2])
    accent = _ACCENTS.get(match[1], "")
    return body + accent if len(body) == 1 or not accent else body


def _shift(match: re.Match[str], table: dict[int, int]) -> str:
    return (match[1] or match[2]).translate(table)
