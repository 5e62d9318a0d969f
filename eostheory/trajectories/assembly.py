"""The module that is compiled for a program: its kernel, and a way in for Python."""

from __future__ import annotations

from llvmlite import ir  # type: ignore[import-untyped]

from eostheory.trajectories.emitter import DOUBLE, I64
from eostheory.trajectories.llvm import POINTEES, Kernel, Shape
from eostheory.trajectories.program import Program


def assembly(program: Program, shape: Shape, fma: bool) -> str:
    """The module of a program."""
    module = ir.Module("trajectories")
    types = [t.as_pointer() for t in POINTEES] + [I64] * 7 + [DOUBLE] + [I64] * 3
    function = ir.Function(module, ir.FunctionType(I64, types), "run")
    for argument in function.args[:7]:
        argument.add_attribute("noalias")
    Kernel(program, shape, fma, function).write()
    _packed(function)
    return str(module)


def _packed(function: ir.Function) -> None:
    """The same with its arguments in one row of 64 bits each, which Python hands over faster."""
    kind = ir.FunctionType(I64, [I64.as_pointer()])
    packed = ir.Function(function.module, kind, "packed")
    b = ir.IRBuilder(packed.append_basic_block())
    values = []
    for i, argument in enumerate(function.args):
        word = b.load(b.gep(packed.args[0], [ir.Constant(I64, i)]))
        if argument.type == DOUBLE:
            word = b.bitcast(word, DOUBLE)
        elif argument.type != I64:
            word = b.inttoptr(word, argument.type)
        values.append(word)
    b.ret(b.call(function, values))
