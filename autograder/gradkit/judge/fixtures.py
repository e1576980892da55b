"""What a check is called with in the judge: the fixtures `impl`, `reference`, `agree`, `vjp`, `rng`, `torch_rng`, `device`.

In coursekit's plugin the same names give a student's own module; a check does not know which side it is on.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest
from coursekit.compare import Difference, Mismatch, compare
from coursekit.gradcheck import positions_of
from coursekit.plugin import check_seed, torch_generator

from gradkit.errors import AuthoringError
from gradkit.judge.subjects import LocalSubject, Object, Session

if TYPE_CHECKING:
    import numpy as np

    from gradkit.judge.engine import Run


class Agree:
    """The `agree` fixture: call the submission and the reference alike, and compare."""

    def __init__(self, impl: Object, reference: Object, module: types.ModuleType) -> None:
        self._impl = impl
        self._reference = reference
        self._module = module  # the reference's, for the names of its parameters

    def __call__(
        self, target: str | Callable, *args: object, tol: tuple[float, float] | None = None, **kwargs: object
    ) -> object:
        """Compare `impl.target(*args, **kwargs)`, or `target(impl, *args, **kwargs)`, with the reference's.

        Args:
            target: Name of a function, or a scenario that takes the implementation first.
            tol: (rtol, atol) in place of the dtype's default.

        Returns:
            What the submission gave.

        Raises:
            Mismatch: When the two differ.
        """
        if isinstance(target, str):
            self._refuse_tolerances(target, kwargs)
        name = target if isinstance(target, str) else "output"
        scenario = (
            (lambda impl, *args, **kwargs: getattr(impl, target)(*args, **kwargs))
            if isinstance(target, str)
            else target
        )
        got = scenario(self._impl, *args, **kwargs)
        if scenario is target and not isinstance(got, Object):
            object.__getattribute__(self._impl, "_session").note(got)
        want = scenario(self._reference, *args, **kwargs)
        return self._same(got, want, tol, name)

    def vjp(
        self,
        name: str,
        *args: object,
        wrt: object = None,
        cotangent: object,
        tol: tuple[float, float] | None = None,
        **kwargs: object,
    ) -> tuple:
        """Compare the gradients of `sum(cotangent * impl.name(*args))` in the arguments `wrt` with the reference's."""
        got = getattr(self._impl, name)._vjp(args, kwargs, wrt, cotangent)
        want = getattr(self._reference, name)._vjp(args, kwargs, wrt, cotangent)
        if type(got) is tuple and len(got) == len(want):
            names = self._names(name, positions_of(args, wrt))
            named = (dict(zip(names, gradients, strict=True)) for gradients in (got, want))
            self._same(*named, tol, f"gradient of {name}")
            return got
        return self._same(got, want, tol, f"gradient of {name}")

    def _refuse_tolerances(self, function: str, kwargs: dict[str, object]) -> None:
        """`rtol` and `atol` go to the function, which has no use for them unless it says so.

        Raises:
            AuthoringError: When they were meant for the comparison.
        """
        for name in {"rtol", "atol"} & set(kwargs):
            if name not in inspect.signature(getattr(self._module, function)).parameters:
                raise AuthoringError(
                    f'agree("{function}", …, {name}=…) hands {name} to {function}; '
                    "a tolerance is given as tol=(rtol, atol)"
                )

    def _names(self, function: str, positions: Sequence[int]) -> list[str]:
        """What the parameters at these positions are called."""
        parameters = list(inspect.signature(getattr(self._module, function)).parameters)
        return [parameters[at] if at < len(parameters) else f"argument {at + 1}" for at in positions]

    @staticmethod
    def _same(got: object, want: object, tol: tuple[float, float] | None, name: str) -> object:
        if isinstance(got, Object) != isinstance(want, Object):
            kinds = [
                "an object of your own" if isinstance(value, Object) else type(value).__name__ for value in (got, want)
            ]
            text = f"{name} is {kinds[0]} instead of {kinds[1]}"
            raise Mismatch(Difference("type", text, text))
        if not isinstance(got, Object):
            rtol, atol = tol or (None, None)
            difference = compare(got, want, rtol=rtol, atol=atol, name=name)
            if difference is not None:
                raise Mismatch(difference)
        return got


def impl(run: Run, item: pytest.Item) -> Object:
    """The submission's module, or staff's in its place."""
    return run.open().module


def reference(run: Run, item: pytest.Item) -> types.ModuleType:
    """The reference, as a module of this process."""
    return run.staff.reference_module()


def agree(run: Run, item: pytest.Item) -> Agree:
    """Calls the submission and the reference alike, and compares."""
    module = run.staff.reference_module()
    return Agree(run.open().module, Session(LocalSubject(module)).module, module)


def vjp(run: Run, item: pytest.Item) -> Callable[..., tuple]:
    """Gradients from the implementation's own autograd."""

    def vjp(function: Object, *args: object, wrt: object = None, cotangent: object, **kwargs: object) -> tuple:
        return function._vjp(args, kwargs, wrt, cotangent)

    return vjp


def rng(run: Run, item: pytest.Item) -> np.random.Generator:
    """NumPy's generator, seeded for this case."""
    import numpy as np

    return np.random.default_rng(check_seed(run.seed, item.name))


def torch_rng(run: Run, item: pytest.Item) -> object:
    """A torch.Generator, seeded for this case."""
    return torch_generator(check_seed(run.seed, item.name))


def device(run: Run, item: pytest.Item) -> str:
    """Where tensors are made: here, and moved by the worker, since this process makes no CUDA call."""
    if item.get_closest_marker("gpu") and run.device == "cpu":
        pytest.skip("needs a GPU")
    return "cpu"


GIVEN: dict[str, Callable[[Run, pytest.Item], object]] = {
    give.__name__: give for give in (impl, reference, agree, vjp, rng, torch_rng, device)
}

# ---- calling a check without pytest's protocol, which costs more than most checks

PLAIN_MARKS = frozenset({"parametrize", "gpu", "own_worker"})  # what a case's marks may be for that


def is_plain(item: pytest.Item) -> bool:
    """Whether a case needs nothing of pytest but its parameters and the fixtures above."""
    given = {*parameters_of(item), *({"request"} - set(item._fixtureinfo.argnames))}  # ours ask for `request`
    return (
        item.cls is None
        and all(mark.name in PLAIN_MARKS and not mark.kwargs.get("indirect") for mark in item.iter_markers())
        and all(name in given or _is_ours(item, name) for name in item._fixtureinfo.names_closure)
    )


def arguments(item: pytest.Item, run: Run) -> dict[str, object]:
    """What a plain case's function is called with."""
    parameters = parameters_of(item)
    return {
        name: parameters[name] if name in parameters else GIVEN[name](run, item) for name in item._fixtureinfo.argnames
    }


def parameters_of(item: pytest.Item) -> dict[str, object]:
    """What a case is parametrized with; empty for a check of one case."""
    return item.callspec.params if hasattr(item, "callspec") else {}


def _is_ours(item: pytest.Item, name: str) -> bool:
    """Whether fixture `name` is the judge's: the checks' own file may have one of the same name in its place."""
    definitions = item._fixtureinfo.name2fixturedefs.get(name, ())
    return name in GIVEN and len(definitions) == 1 and not definitions[0].baseid


def as_fixture(name: str) -> object:
    """The same as a fixture of a plugin whose `run` is the run at hand."""

    @pytest.fixture(name=name)
    def fixture(self: object, request: pytest.FixtureRequest) -> object:
        return GIVEN[name](self.run, request.node)

    return fixture
