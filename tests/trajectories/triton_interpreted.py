"""Run by test_triton.py with TRITON_INTERPRET=1: kernels on the CPU, compared with the oracle.

Prints one line of JSON for each case: its name and what differs.
"""

import json
import sys
import warnings

import sympy
import torch

from eostheory import trajectories as t
from eostheory.trajectories import eager, triton, triton_source

# Triton's interpreter computes with numpy, which speaks of what IEEE arithmetic allows
warnings.filterwarnings("ignore", category=RuntimeWarning)

x, y, p = sympy.symbols("x y p", real=True)


def uniform(low, high, count, seed):
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)


def bits(value):
    return value.view(torch.int64) if value.dtype == torch.float64 else value


def differing(one, two):
    # NaN is written with one pattern by both
    return [
        name
        for name in ("records", "state", "status", "at")
        if not torch.equal(bits(getattr(one, name)), bits(getattr(two, name)))
    ]


def case(name, rule, start, parameters, steps, **options):
    one = t.simulate(rule, start, parameters, steps, backend="eager", **options)
    two = t.simulate(rule, start, parameters, steps, backend="triton", **options)
    half = t.simulate(rule, start, parameters, steps // 2, backend="triton", **options)
    rest = half.resume(steps - steps // 2)
    straight = t.simulate(rule, start, parameters, steps // 2, backend="eager", **options).resume(
        steps - steps // 2
    )
    seen = sorted(set(one.status.reshape(-1).tolist()))
    found = {"differs": differing(one, two), "resumed": differing(straight, rest), "status": seen}
    print(json.dumps({"case": name, **found}))


def figure():
    rule = t.gradient_descent(t.three_dimensional_example(), weight_decay=True)
    start = torch.stack([uniform(*b, 33, k) for k, b in enumerate([(0.5, 1), (-0.2, 0.4), (0, 1)])])
    given = torch.stack([uniform(0.05, 0.5, 33, 4), uniform(1e-5, 0.1, 33, 5)])
    case("figure", rule, start, given, 10, every=3)


def toy():
    rule = t.gradient_descent(t.self_stabilisation_toy())
    start = torch.stack([uniform(0.05, 0.3, 5, 1), uniform(-0.2, 0, 5, 2), uniform(0, 0, 5, 3)])
    start[0, ::3] = 40.0
    given = torch.stack([uniform(5e-2, 0.3, 5, 4), uniform(0.5, 2, 5, 5), uniform(0.5, 2, 5, 6)])
    case("diverging toy", rule, start, given, 30, every=7, bound=1e6)


def events():
    half = t.Recurrence("half", (x,), (x * p,), (p,))
    factors = torch.tensor([[0.5, 1.0, 0.0625, 2.0, -0.5, 0.0]], dtype=torch.float64)
    start = torch.full((1, 6), 1.5 * 2.0**-1010, dtype=torch.float64)
    case("events", half, start, factors, 50, every=20, bound=2.0**-980)
    case("every step", half, start, factors, 12)
    case("single", half, [1.5], [0.75], 9, every=2)


def between_records():
    # lanes are looked at every 64 steps: a thousand would take the interpreter seconds
    for module in (eager, triton, triton_source):
        module.CHECK_INTERVAL = 64
    half = t.Recurrence("half between records", (x,), (x * p,), (p,))
    start, factors = (torch.tensor([n], dtype=torch.float64)
                      for n in ([2.0**-990, 2.0**60], [0.5, 2.0]))  # fmt: skip
    options = {"steps": 66, "every": 200, "bound": 2.0**100}
    one = t.simulate(half, start, factors, backend="eager", **options)
    two = t.simulate(half, start, factors, backend="triton", **options)
    flagged = one.status.tolist() == [t.Status.UNDERFLOW, t.Status.DIVERGED]
    differs = differing(one, two) + ["flags"] * (not flagged)
    print(json.dumps({"case": "between", "differs": differs, "resumed": []}))


def branches():
    kink = sympy.Piecewise((x / 2, x < y), (sympy.Max(x, 0.1) - p, (x > 2) & ~sympy.Eq(y, 1)),
                           (sympy.sqrt(2 + x * y), True))  # fmt: skip
    rule = t.Recurrence(
        "branches", (x, y), (kink, -sympy.Abs(y) * sympy.sign(x) + sympy.Rational(1, 3)), (p,)
    )
    start = torch.stack([uniform(-3, 3, 20, 1), uniform(-3, 3, 20, 2)])
    case("branches", rule, start, [0.3], 12)


def functions():
    # exp, log, sin, cos are another library's: equal to rounding, not to the bit
    rule = t.Recurrence(
        "functions", (x,), ((sympy.exp(-(x**2)) + sympy.sin(x) + sympy.log(2 + x**2)) / 3,), ()
    )
    one = t.simulate(rule, [0.3], (), 8, backend="eager")
    two = t.simulate(rule, [0.3], (), 8, backend="triton")
    near = torch.allclose(one.records, two.records, rtol=1e-13, atol=0)
    print(json.dumps({"case": "functions", "differs": [] if near else ["records"], "resumed": []}))


def sphere():
    rule = t.projected_gradient_descent(t.three_dimensional_example(), scheduler=t.gwsi_scheduler())
    case("sphere", rule, [0.2, 0.9, 0.3, 50.0], [0.15, 0.95], 10, every=3)


if __name__ == "__main__":
    for run in (figure, toy, events, branches, functions, sphere, between_records):
        run()
    sys.stdout.flush()
