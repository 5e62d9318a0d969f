"""What li22 says of sharpness, output layer and residual, judged on the records of a descent."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from eostheory.experiments.experiment import Finding
from eostheory.experiments.li22.descent import Array, above, crossing, eta_of
from eostheory.training import Records, anomalies, four_phases

NEVER = "never reached 2/eta: take more steps or a smaller rise"
PHASES = ("I", "II", "III", "IV")


def _named(name: str, part: str) -> str:
    return f"{part}: {name}" if part else name


def share(flags: npt.NDArray[np.bool_]) -> float:
    """How many of them hold, over all; 1 if there are none."""
    return float(flags.mean()) if len(flags) else 1.0


def sharpening(found: Records, part: str = "") -> list[Finding]:
    """Sharpness and loss up to 2/eta, and around it."""
    first = crossing(found)
    sharpness, loss = found["sharpness"], found["loss"]
    if first is None:
        return [Finding(_named("sharpness reaches 2/eta", part), "yes", "never", False, NEVER)]
    rises = np.diff(sharpness[: first + 1]) > 0
    falls = np.diff(loss[:first]) < 0
    flags = above(found)[first:]
    fall = fall_below(found)
    edge = found["edge"][0]
    turns = int(np.count_nonzero(np.diff(flags)))
    return [
        Finding(
            _named("share of steps before 2/eta in which the sharpness rises", part),
            "keeps increasing until it reaches 2/eta",
            share(rises),
            bool(rises.all()),
            f"{int(rises.sum())} of {len(rises)}",
        ),
        Finding(
            _named("share of steps before 2/eta in which the loss falls", part),
            "the loss decreases until then",
            share(falls),
            bool(falls.all()),
            f"{int(falls.sum())} of {len(falls)}",
        ),
        Finding(
            _named("largest sharpness over 2/eta", part),
            "overshoots shortly after it crosses",
            float(sharpness.max() / edge),
            bool(sharpness.max() > edge),
        ),
        Finding(
            _named("steps from its highest point above 2/eta until it is below", part),
            "shortly after it crosses, it drops quickly back below 2/eta",
            "never" if fall is None else fall[1],
            fall is not None and 2 * fall[1] < fall[0] + fall[1],
            "" if fall is None else f"it is above for {sum(fall)} steps the first time",
        ),
        Finding(
            _named("crossings of 2/eta", part),
            "oscillates around 2/eta",
            1 + turns,
            # Up, down, and up again is one whole oscillation.
            turns >= 2,
        ),
    ]


def fall_below(found: Records) -> tuple[int, int] | None:
    """Of the first time above 2/eta: steps up to the highest point, and from there to below.

    None where the sharpness does not come back.  It is the mean over two steps, as in the phases.
    """
    values = found["sharpness"] / found["edge"]
    values = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2])
    if not (values > 1).any():
        return None
    first = int(np.argmax(values > 1))
    back = values[first:] <= 1
    if not back.any():
        return None
    length = int(np.argmax(back))
    top = int(np.argmax(values[first : first + length]))
    return top, length - top


def phases(found: Records) -> npt.NDArray[np.int64]:
    """The phase of each row, 1 to 4."""
    return four_phases(found["sharpness"], found["loss"], eta_of(found))


def passed(phase: npt.NDArray[np.int64]) -> list[int]:
    """The phases in the order in which they are passed through."""
    return [int(phase[0]), *(int(b) for a, b in pairwise(phase) if a != b)]


def cycle(found: Records) -> list[Finding]:
    """Whether the four phases come in their order, and again."""
    order = passed(phases(found))
    shown = ", ".join(PHASES[p - 1] for p in order[:9]) + (", ..." if len(order) > 9 else "")
    onward = sum(b == a % 4 + 1 for a, b in pairwise(order))
    return [
        Finding(
            "first phases",
            "I, II, III, IV, I: the phases happen cyclically",
            shown,
            order[:5] == [1, 2, 3, 4, 1],
        ),
        Finding(
            "share of changes of phase that lead to the next in the cycle",
            "cyclically; in late stages the division does not strictly apply",
            onward / max(1, len(order) - 1),
            None,
            f"{onward} of {len(order) - 1}; the paper leaves open when stages are late",
        ),
    ]


def output_layer(found: Records, part: str = "", sharpness: str = "sharpness") -> list[Finding]:
    """How often sharpness and norm of the output layer move in opposite directions."""
    rows, share = anomalies(found[sharpness], found["output norm"])
    moves = np.abs(np.diff(found["output norm"] ** 2))
    apart = np.ones(len(moves), dtype=bool)
    apart[rows] = False
    early = first_oscillation(found, sharpness)
    soon = float((rows < early).sum() / early)
    slow = len(rows) > 0 and bool(apart.any())
    near = float(np.median(moves[rows])) if slow else np.nan
    else_ = float(np.median(moves[apart])) if slow else np.nan
    return [
        Finding(
            _named("share of steps to the first oscillation's end in which they move apart", part),
            "positively correlated most of the time in sharpening and the first oscillations",
            soon,
            soon < 0.5,
            f"{early} steps",
        ),
        Finding(
            _named("share of all steps in which sharpness and |A| move apart", part),
            "the same direction most of the time; anomalies are more frequent in late stages",
            share,
            share < 0.5,
        ),
        Finding(
            _named("median change of |A|^2 at anomalies, over that elsewhere", part),
            "anomalies appear when |A|^2 changes its trend, where its rate is small",
            near / else_ if slow else "no anomalies",
            None,
            "the first of the three kinds of anomalies of appendix B.2, which does not say how "
            f"frequent each is; {len(rows)} anomalies",
        ),
    ]


def first_oscillation(found: Records, sharpness: str = "sharpness") -> int:
    """Steps until the sharpness passes 2/eta upwards for the second time; all if it does not."""
    flags = above(found, sharpness)
    upward = np.flatnonzero(~flags[:-1] & flags[1:])
    return int(upward[1]) if len(upward) > 1 else len(flags) - 1


def climbed(values: Array) -> float:
    """The sum of all rises, over the value at the start."""
    return float(np.maximum(np.diff(values), 0).sum() / values[0])


def residual(found: Records) -> list[Finding]:
    """Whether the residual off v1 falls more steadily than the loss."""
    loss, rest = climbed(found["loss"]), climbed(found["rest"])
    up = [int((np.diff(found[name]) > 0).sum()) for name in ("loss", "rest")]
    return [
        Finding(
            "all rises of |R|^2/n added up, over those of the loss",
            "the loss oscillates considerably, |R|^2/n decreases more steadily",
            rest / loss if loss > 0 else "the loss never rises",
            rest < loss if loss > 0 else False,
        ),
        Finding(
            "steps in which |R|^2/n rises, over those in which the loss does",
            "R almost keeps decreasing",
            up[1] / up[0] if up[0] else "the loss never rises",
            up[1] < up[0],
            f"{up[1]} and {up[0]} of {len(found['loss']) - 1}",
        ),
    ]


def spectrum(found: Records) -> list[Finding]:
    """Second eigenvalue and output part beside the sharpness."""
    second = float(np.max(found["second"] / found["edge"]))
    share = found["output part"] / found["sharpness"]
    return [
        Finding(
            "largest second eigenvalue of M, times eta",
            "far below 1/eta (assumption 3.7)",
            2 * second,
            2 * second < 1,
        ),
        Finding(
            "largest eigenvalue of M_A over the sharpness, at most",
            "negligible: the inner layers' part dominates",
            float(share.max()),
            # The sharpness is at most the sum of the parts' largest eigenvalues: below one half
            # the inner part is the larger.
            bool(share.max() < 0.5),
        ),
        Finding(
            "largest eigenvalue of M_A over the sharpness, median",
            "negligible",
            float(np.median(share)),
            bool(np.median(share) < 0.5),
        ),
    ]
