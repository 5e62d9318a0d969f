"""``eostheory derive``: the theory for an object that the user types."""

from __future__ import annotations

from typing import Annotated

import typer

from eostheory.cli import options as o

GRAMMAR = """Formulas: + - * / ^ (or **) ( ) |x|, numbers (0.1 is exactly one tenth), names, pi and
sqrt exp log sin cos tanh sinh cosh sigmoid softplus abs sign. Multiplication is written: 2*x."""

EXIT_CODES = """Exit codes: 0 derived; 2 usage, a formula that cannot be read, or an object from
which the wanted thing cannot be derived; 4 internal error."""

app = typer.Typer(
    name="derive",
    help="Derive the theory for your own loss, scheduler, batch-normalized model, linear network "
    "or flow, with the hypotheses under which it holds.",
    epilog=GRAMMAR + "\n\n" + EXIT_CODES,
    no_args_is_help=True,
    context_settings=o.HELP,
)

Positive = Annotated[
    list[str] | None,
    typer.Option("--positive", "-p", metavar="NAMES", help="Symbols that are positive: eta,beta."),
]
Given = Annotated[
    list[str] | None,
    typer.Option("--given", metavar="CONDITION", help="An inequality that may be used: 'y > 0'."),
]
Latex = Annotated[bool, typer.Option("--latex", help="Print LaTeX.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON (text and LaTeX of each value).")]
Torch = Annotated[
    str,
    typer.Option(
        "--torch", metavar="VALUE", help="Print the source of a torch function of one value."
    ),
]


@app.command(epilog=GRAMMAR + "\n\n" + EXIT_CODES)
def loss(
    formula: Annotated[str, typer.Argument(metavar="LOSS", show_default=False)],
    params: Annotated[
        str, typer.Option("--params", metavar="NAMES", help="The parameters, in order: x,y,z.")
    ],
    at: Annotated[
        list[str] | None,
        typer.Option("--at", metavar="NAME=VALUE", help="The point; what is left out stays free."),
    ] = None,
    eta: Annotated[str, typer.Option("--eta", metavar="FORMULA", help="The step size.")] = "",
    top: Annotated[
        str, typer.Option("--top", metavar="FORMULA", help="The largest eigenvalue, if unclear.")
    ] = "",
    dynamics: Annotated[
        bool, typer.Option("--dynamics", help="Also the (generalized) predicted dynamics.")
    ] = False,
    positive: Positive = None,
    given: Given = None,
    latex: Latex = False,
    json: Json = False,
    torch: Torch = "",
) -> None:
    """Sharpness, its gradient, alpha, beta, delta, epsilon and the predicted dynamics at a point.

    Example: eostheory derive loss '(2/eta + y)*x^2/2 - y' --params x,y --at x=0 --at y=0
    --eta eta -p eta
    """
    from eostheory.cli.derive_commands import Show, derive_loss

    derive_loss(
        formula, params, at or (), eta, top, dynamics, positive or (), given or (),
        Show(latex, json, torch),
    )  # fmt: skip


@app.command(epilog=GRAMMAR + "\n\n" + EXIT_CODES)
def scheduler(
    update: Annotated[str, typer.Argument(metavar="UPDATE", show_default=False)],
    state: Annotated[
        str, typer.Option("--state", metavar="NAME", help="What the rule remembers.")
    ] = "v",
    gradient: Annotated[
        str, typer.Option("--gradient", metavar="NAME", help="The norm of the gradient.")
    ] = "g",
    rate: Annotated[
        str, typer.Option("--rate", metavar="FORMULA", help="Effective rate; else the state.")
    ] = "",
    moment: Annotated[
        str, typer.Option("--moment", metavar="FORMULA", help="Moment estimate; else 1/rate^2.")
    ] = "",
    eta: Annotated[
        str, typer.Option("--eta", metavar="NAME", help="Base learning rate, if it is not found.")
    ] = "",
    positive: Positive = None,
    given: Given = None,
    latex: Latex = False,
    json: Json = False,
    torch: Torch = "",
) -> None:
    """Quasi-RMSprop bounds, drift transitions, energy and sharpness-reduction flow of a rule.

    Example: eostheory derive scheduler 'b*v + (1-b)*g^2' --rate 'lr/sqrt(v)' -p lr,b --given 'b<1'
    """
    from eostheory.cli.derive_commands import Show, derive_scheduler

    derive_scheduler(
        update, state, gradient, rate, moment, eta, positive or (), given or (),
        Show(latex, json, torch),
    )  # fmt: skip


@app.command(epilog=GRAMMAR + "\n\n" + EXIT_CODES)
def batchnorm(
    inputs: Annotated[
        str,
        typer.Option("--inputs", metavar="ROWS", help="Rows between semicolons: '3,1; 1,-1'."),
    ] = "",
    targets: Annotated[
        str, typer.Option("--targets", metavar="VALUES", help="One target for each row: '1, 2'.")
    ] = "",
    at: Annotated[
        str, typer.Option("--at", metavar="VALUES", help="A minimizer; else the flattest one.")
    ] = "",
    positive: Positive = None,
    latex: Latex = False,
    json: Json = False,
    torch: Torch = "",
) -> None:
    """Hessian and sharpness of a batch-normalized linear model on its minimizers.

    Without data, for all sizes.
    """
    from eostheory.cli.derive_commands import Show, derive_batchnorm

    derive_batchnorm(inputs, targets, at, positive or (), Show(latex, json, torch))


@app.command("linear-net", epilog=EXIT_CODES)
def linear_net(
    depth: Annotated[int, typer.Option("--depth", help="Layers, the output vector included.")] = 2,
    normalized: Annotated[
        bool, typer.Option("--normalized/--plain", help="Divide by the roots of the widths.")
    ] = True,
    latex: Latex = False,
    json: Json = False,
    torch: Torch = "",
) -> None:
    """One gradient step of a linear network of any depth and size: residual and Gram matrix."""
    from eostheory.cli.derive_commands import Show, derive_network

    derive_network(depth, normalized, Show(latex, json, torch))


@app.command(epilog=GRAMMAR + "\n\n" + EXIT_CODES)
def flow(
    formulas: Annotated[list[str], typer.Argument(metavar="LOSS|SPEEDS...", show_default=False)],
    params: Annotated[
        str, typer.Option("--params", metavar="NAMES", help="Parameters or coordinates, in order.")
    ],
    sphere: Annotated[bool, typer.Option("--sphere", help="On the unit sphere.")] = False,
    field: Annotated[
        bool, typer.Option("--field", help="The formulas are the speeds of a vector field.")
    ] = False,
    scale: Annotated[
        bool, typer.Option("--scale", help="Check scale invariance, and what follows from it.")
    ] = False,
    positive: Positive = None,
    latex: Latex = False,
    json: Json = False,
    torch: Torch = "",
) -> None:
    """Gradient flow of a loss (or any vector field): invariants, equilibria, scale invariance.

    Example: eostheory derive flow 'x*y' 'alpha - beta*x^2/2' --field --params x,y
    -p x,alpha,beta
    """
    from eostheory.cli.derive_commands import Show, derive_flow

    derive_flow(formulas, params, sphere, field, scale, positive or (), Show(latex, json, torch))


@app.command("sharpness-flow", epilog=GRAMMAR + "\n\n" + EXIT_CODES)
def sharpness_flow(
    formula: Annotated[str, typer.Argument(metavar="LOSS", show_default=False)],
    params: Annotated[
        str, typer.Option("--params", metavar="NAMES", help="The parameters, in order: x,y,z.")
    ],
    at: Annotated[
        list[str], typer.Option("--at", metavar="NAME=FORMULA", help="Minimizers, by coordinates.")
    ],
    coords: Annotated[
        str, typer.Option("--coords", metavar="NAMES", help="Coordinates of the manifold.")
    ],
    sphere: Annotated[bool, typer.Option("--sphere", help="On the unit sphere.")] = False,
    top: Annotated[
        str, typer.Option("--top", metavar="FORMULA", help="The largest eigenvalue, if unclear.")
    ] = "",
    positive: Positive = None,
    given: Given = None,
    latex: Latex = False,
    json: Json = False,
    torch: Torch = "",
) -> None:
    """The sharpness-reduction flow of an adaptive rate on a manifold of minimizers.

    Example: eostheory derive sharpness-flow '(x*y-1)^2' --params x,y --coords s --at x=s
    --at y=1/s -p s
    """
    from eostheory.cli.derive_commands import Show, derive_sharpness_flow

    derive_sharpness_flow(
        formula, params, at, coords, sphere, top, positive or (), given or (),
        Show(latex, json, torch),
    )  # fmt: skip
