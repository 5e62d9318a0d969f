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
