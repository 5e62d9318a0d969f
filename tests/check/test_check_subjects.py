"""From what a user gives to the subject of the checks, and errors that say what to do."""

import math

import hypothesis.strategies as st
import pytest
import sympy
import torch
from torch import Tensor, nn

from eostheory.check import Domain
from eostheory.check.inputs import directions, points, recipe, remake
from eostheory.check.normalise import make_subject
from eostheory.numeric.objective import module_objective

X = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
Y = torch.randn(8, 1, generator=torch.Generator().manual_seed(1))


def bowl(w: Tensor) -> Tensor:
    return (w**2).sum() / 2


def angle(w: Tensor) -> Tensor:
    return w[0] * w[1] / (w @ w)


def test_a_function_needs_its_size_or_a_start():
    subject = make_subject(bowl, size=3)
    assert (subject.name, subject.kind, subject.size) == ("bowl", "function", 3)
    assert subject.start.dtype == torch.float64
    assert (subject.domain.low, subject.domain.high) == (-2.0, 2.0)
    assert subject.start in subject.domain
    subject = make_subject(bowl, start=[3.0, 1.0])
    assert subject.start.tolist() == [3.0, 1.0]
    assert torch.tensor([6.0, -2.0], dtype=torch.float64) in subject.domain
    assert torch.tensor([6.5, 0.0], dtype=torch.float64) not in subject.domain
    assert subject.start_code == "torch.tensor([3, 1], dtype=torch.float64)"


def test_the_code_of_a_chosen_start_makes_it_again():
    from eostheory import strategies

    for size in (2, 40):
        subject = make_subject(bowl, size=size)
        made = eval(subject.start_code, {"torch": torch, "strategies": strategies})
        assert torch.equal(made, subject.start)


def test_a_start_is_chosen_where_the_loss_is_finite():
    subject = make_subject(lambda w: torch.log(w).sum(), size=2)
    assert bool((subject.start > 0).all())


def test_a_loss_that_knows_itself_needs_no_arguments():
    class Own:
        name = "own"
        size = 2
        start = torch.tensor([1.0, 2.0], dtype=torch.float64)
        declarations = {"scale_invariant": False, "learning_rate": 0.1}

        def __call__(self, w):
            return bowl(w)

    subject = make_subject(Own())
    assert (subject.name, subject.size, subject.learning_rate) == ("own", 2, 0.1)
    assert subject.declared.scale_invariant is False
    assert make_subject(Own(), learning_rate=0.2).learning_rate == 0.2


def test_close_to_zero_a_scale_invariant_loss_is_not_looked_at():
    assert make_subject(angle, size=2).domain.hole == 0.1
    assert make_subject(bowl, size=2).domain.hole == 0.0
    assert make_subject(bowl, size=2, scale_invariant=True).domain.hole == 0.1
    assert make_subject(angle, size=2, scale_invariant=False).domain.hole == 0.0
    assert make_subject(angle, size=2, domain=Domain(low=-1.0, high=1.0)).domain.hole == 0.0


def test_a_formula_is_exact_and_its_variables_are_inferred():
    x2, x10 = sympy.symbols("x2 x10")
    subject = make_subject((x2 * 2 + x10) / 3, start={x10: 1.0, x2: 0.0})
    assert subject.kind == "sympy"
    assert [str(s) for s in subject.expression[1]] == ["x2", "x10"]
    assert subject.start.tolist() == [0.0, 1.0]
    assert float(subject.loss(subject.start)) == 1 / 3
    positive = sympy.Symbol("p", positive=True)
    inside = make_subject(sympy.log(positive)).domain
    assert torch.tensor([-1.0], dtype=torch.float64) not in inside


def test_a_module_brings_its_parameters_and_is_copied():
    network = nn.Linear(3, 1)
    subject = make_subject(network, (X, Y), criterion=nn.MSELoss())
    assert (subject.kind, subject.size, subject.name) == ("module", 4, "Linear")
    assert subject.refusal is None
    with torch.no_grad():
        expected = nn.MSELoss()(network.double()(X.double()), Y.double())
    assert float(subject.loss(subject.start)) == pytest.approx(float(expected), rel=1e-12)
    objective, start = module_objective(nn.Linear(3, 1), nn.MSELoss(), X, Y)
    again = make_subject(objective, start=start)
    assert float(again.loss(start)) == float(objective(start))
    assert again.kind == "module"


def test_functions_of_a_module_are_imported_again_by_name():
    from eostheory.numeric.events import NumericEvent

    assert NumericEvent  # a module that is imported
    subject = make_subject(torch.nn.functional.relu, size=1)
    assert subject.target == "torch.nn.functional:relu"
    assert subject.direct
    assert make_subject(lambda w: bowl(w), size=2).target is None
    assert make_subject(bowl, size=2, target="here.py:bowl").target == "here.py:bowl"


def refused(kind, match, *given, **more):
    with pytest.raises(kind, match=match):
        make_subject(*given, **more)


def test_arguments_that_describe_no_loss_are_told_with_the_remedy():
    x, y = sympy.symbols("x y")
    linear = nn.Linear(3, 1)
    refused(ValueError, "neither size= nor start= is given for bowl: pass size=D", bowl)
    refused(TypeError, r"float32.*start\.double\(\)", bowl, start=torch.ones(2))
    refused(TypeError, "int64", bowl, start=torch.ones(2, dtype=torch.int64))
    refused(ValueError, r"shape \(1, 2\).*reshape", bowl, start=torch.ones(1, 2).double())
    refused(ValueError, "size is 3, but start has 1", bowl, size=3, start=[1.0])
    refused(ValueError, r"start\[1\] is nan", bowl, start=[1.0, math.nan])
    refused(ValueError, "size is 0", bowl, size=0)
    refused(TypeError, "size is 2.0", bowl, size=2.0)
    refused(TypeError, "loss is int '3', expected a function of a flat tensor", 3)
    refused(TypeError, r"the class Linear itself: pass Linear\(", nn.Linear, size=2)
    refused(ValueError, r"Linear is no loss by itself: pass data=", linear)
    refused(ValueError, "pass criterion=", linear, (X, Y))
    refused(ValueError, "8 inputs, but 4 targets", linear, (X, Y[:4]), criterion=nn.MSELoss())
    refused(ValueError, r"one tensor, expected \(inputs", linear, X, criterion=nn.MSELoss())
    refused(ValueError, "data= is given, but", bowl, X, size=2)
    refused(ValueError, "variables= is given, but", bowl, size=2, variables=[x])
    refused(ValueError, "has y beside its variables x", x * y, variables=[x])
    refused(ValueError, "gamma", sympy.gamma(x))
    refused(ValueError, "start= lacks y", x * y, start={x: 1.0})
    refused(ValueError, "learning_rate is -1", bowl, size=2, learning_rate=-1)
    refused(TypeError, "weight_decay is str", bowl, size=2, weight_decay="0.1")
    refused(TypeError, "scale_invariant is 1", bowl, size=2, scale_invariant=1)
    refused(TypeError, "hessian is int", bowl, size=2, hessian=3)
    refused(ValueError, "domain is empty", bowl, size=2, domain=(1, 0))
    refused(ValueError, "outside of the domain", bowl, start=[5.0, 5.0], domain=(0, 1))
    refused(TypeError, "points is int", bowl, size=2, points=3)


def draws(strategy, count=40):
    import hypothesis

    found = []

    @hypothesis.settings(
        max_examples=count, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.seed(0)
    @hypothesis.given(strategy)
    def collect(drawn):
        found.append(drawn)

    collect()
    return found


@pytest.mark.parametrize("size", [3, 30])
def test_points_lie_in_the_domain_and_their_records_make_them_again(size):
    start = 0.5 * torch.ones(size, dtype=torch.float64)
    subject = make_subject(bowl, start=start, domain=lambda w: bool(w.sum() > 0))
    drawn = draws(points(subject)) + draws(directions(subject))
    from eostheory import strategies

    for each in drawn:
        assert torch.equal(remake(dict(each.data), subject).tensor, each.tensor)
        names = {"torch": torch, "strategies": strategies, "start": subject.start}
        assert torch.equal(eval(each.code, names), each.tensor)
    assert all(p.tensor in subject.domain for p in draws(points(subject)))
    assert any(p.code == "start" for p in draws(points(subject), 200))
    assert all(abs(float(u.tensor.norm()) - 1) < 1e-12 for u in draws(directions(subject)))


def test_the_user_may_say_which_points_to_try():
    plane = st.tuples(st.integers(-3, 3)).map(lambda t: torch.tensor([t[0], 1.0]))
    for given in (
        plane,
        [torch.tensor([0.0, 1.0])],
        torch.tensor([[0.0, 1.0], [2.0, 1.0]]),
        lambda generator: torch.stack([torch.rand((), generator=generator), torch.ones(())]),
    ):
        subject = make_subject(bowl, start=[0.0, 1.0], domain=(-5, 5), points=given)
        found = draws(points(subject))
        assert found
        assert all(float(p.tensor[1]) == 1.0 for p in found)
        assert all(p.tensor.dtype == torch.float64 for p in found)


def test_a_recipe_of_any_tensor_is_its_numbers_and_the_start_its_name():
    subject = make_subject(bowl, start=[1.0, 2.0])
    assert recipe(subject.start.clone(), subject).code == "start"
    made = recipe(torch.tensor([0.5, 1.0], dtype=torch.float64), subject)
    assert made.code == "torch.tensor([0.5, 1.0], dtype=torch.float64)"
    assert torch.equal(remake(dict(made.data), subject).tensor, made.tensor)
