"""What is said of wrong arrays is true, found where it is there, and not said where it is not."""

import itertools
import math
import re

import numpy as np
import pytest
from claims import assert_true
from coursekit.compare import compare
from coursekit.diagnosis import KINDS
from coursekit.diagnosis.evidence import MAX_ENTRIES
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

seeds = st.integers(0, 2**32 - 1)
shapes = st.lists(st.integers(3, 5), min_size=1, max_size=4).map(tuple)
dtypes = st.sampled_from([np.float64, np.float32])


def normal(seed: int, shape: tuple[int, ...], dtype=np.float64) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


# Found where it is there


@given(seeds, shapes, dtypes)
@settings(max_examples=100)
def test_negation_is_named(seed, shape, dtype):
    """An answer with every sign flipped is called negated, in any shape and dtype."""
    want = normal(seed, shape, dtype)

    assert compare(-want, want).kind == "negated"


@given(seeds, shapes, dtypes, st.sampled_from([2, 0.5, 3, 1 / 3, 10, 0.1, 2**0.5, -2, -0.5, 1000, 1e-3]))
@settings(max_examples=100)
def test_a_plain_factor_is_named(seed, shape, dtype, factor):
    """A plain multiple is called that, with a factor that is the right one."""
    want = normal(seed, shape, dtype)

    difference = compare(want * dtype(factor), want)

    assert difference.kind == "scaled"
    assert factor_in(difference.summary) == pytest.approx(factor, rel=1e-9)


def factor_in(summary: str) -> float:
    """Read the factor that a summary names."""
    text = re.search(r"is (minus )?(\S+) (times|of) the right answer", summary)
    sign, number = (-1 if text[1] else 1), text[2].strip("()")
    top, _, bottom = number.partition("/")

    def value(part: str) -> float:
        return math.sqrt(int(part.strip("√()"))) if "√" in part else float(part.strip("()") or "1")

    return sign * value(top) / value(bottom)


lengths_and_factors = st.sampled_from(["n", "1/n", "√n", "1/√n", "n/(n-1)"])


@given(seeds, st.permutations([3, 5, 7]), lengths_and_factors, st.integers(0, 2))
@settings(max_examples=100)
def test_a_length_is_recognized_in_a_factor(seed, shape, how, axis):
    """A factor that is an axis's length, its reciprocal or its root is named with that axis."""
    want = normal(seed, tuple(shape))
    n = shape[axis]
    factor = {"n": n, "1/n": 1 / n, "√n": math.sqrt(n), "1/√n": 1 / math.sqrt(n), "n/(n-1)": n / (n - 1)}[how]

    difference = compare(want * factor, want)

    assert difference.kind == "scaled"
    if not (how == "n/(n-1)" and n == 3):  # 3/2 is plain
        assert f"the length of axis {axis}" in difference.summary


@given(seeds, shapes)
@settings(max_examples=60)
def test_an_odd_factor_is_not_given_a_name(seed, shape):
    """A multiple whose factor means nothing is called a multiple, without a number."""
    want = normal(seed, shape)
    factor = np.random.default_rng(seed + 1).uniform(1.1, 5)

    difference = compare(want * factor, want)

    assert difference.kind == "scaled"
    assert "the same multiple of the right answer in every entry" in difference.summary


@given(seeds, shapes, st.sampled_from([1.0, -1.0, 0.37, -5.0]))
@settings(max_examples=60)
def test_an_offset_is_named(seed, shape, offset):
    """A constant added everywhere is called an offset, and one is called one."""
    want = normal(seed, shape)

    difference = compare(want + offset, want)

    assert difference.kind == "offset"
    assert ("one too" in difference.summary) == (abs(offset) == 1)


@given(seeds, st.integers(2, 4), st.integers(3, 5), st.data())
@settings(max_examples=100)
def test_a_transpose_is_named_with_its_axes(seed, ndim, n, data):
    """Exchanging two axes of equal length is called a transpose, with the axes that were exchanged."""
    want = normal(seed, (n,) * ndim)
    a, b = sorted(data.draw(st.permutations(range(ndim)))[:2])

    difference = compare(np.swapaxes(want, a, b), want)

    assert difference.kind == "transposed"
    assert f"axes {a} and {b} exchanged" in difference.summary


@given(seeds, st.integers(2, 3), st.integers(2, 6), st.integers(2, 4), st.integers(2, 5))
@settings(max_examples=60)
def test_reshaping_for_transposing_is_named(seed, batch, length, heads, width):
    """Splitting heads by a reshape alone is told from an ordinary wrong answer."""
    x = normal(seed, (batch, length, heads, width))
    want = x.transpose(0, 2, 1, 3)

    difference = compare(x.reshape(want.shape), want)

    assert difference.kind == ("transposed" if length == heads else "reshaped")
    assert "axes 1 and 2 exchanged" in difference.summary


@given(seeds, shapes, st.data())
@settings(max_examples=100)
def test_a_reversal_is_named_with_its_axis(seed, shape, data):
    """Reversing one axis is called that."""
    want = normal(seed, shape)
    axis = data.draw(st.integers(0, len(shape) - 1))

    difference = compare(np.flip(want, axis), want)

    assert difference.kind == "reversed"
    assert f"along axis {axis}" in difference.summary


@given(seeds, st.lists(st.integers(4, 6), min_size=1, max_size=3), st.booleans(), st.data())
@settings(max_examples=100)
def test_a_shift_is_named_with_its_axis_and_direction(seed, shape, wraps, data):
    """A shift by one is called that, wrapping or with anything at the border."""
    step = data.draw(st.sampled_from([1, -1]))
    want = normal(seed, tuple(shape))
    axis = data.draw(st.integers(0, len(shape) - 1))
    got = np.roll(want, step, axis)
    if not wraps:
        edge = [slice(None)] * got.ndim
        edge[axis] = 0 if step == 1 else -1
        got[tuple(edge)] = 0

    difference = compare(got, want)

    assert difference.kind == "shifted"
    direction = "late" if step == 1 else "early"
    assert f"one place too {direction} along axis {axis}" in difference.summary
    assert ("wraps" in difference.summary) == wraps


@given(seeds, st.integers(4, 6), st.integers(4, 6))
@settings(max_examples=60)
def test_a_permutation_of_rows_is_named(seed, rows, columns):
    """The right rows in another order are called that, and so are right rows with their entries shuffled."""
    rng = np.random.default_rng(seed)
    want = rng.normal(size=(rows, columns))
    order = np.array([1, 0, *range(2, rows)])

    assert "in another order along axis 0" in compare(want[order], want).summary
    assert "in another order along axis 1" in compare(want.T[:, order], want.T).summary

    shuffled = rng.permuted(want, axis=1)
    if (np.sort(shuffled) == np.sort(want)).all() and not (shuffled == want).all(1).any():
        assert compare(shuffled, want).kind in ("order", "reversed", "shifted")


@given(seeds, shapes, st.data())
@settings(max_examples=100)
def test_a_wrong_region_is_named(seed, shape, data):
    """An answer that is wrong only at one end of an axis is described by it."""
    want = normal(seed, shape)
    axis = data.draw(st.integers(0, len(shape) - 1))
    if len(shape) == 1:
        first, last = "in the first entry", "in the last entry"
    else:
        first, last = f"at index 0 of axis {axis}", f"at the last index of axis {axis}"
    parts = {
        f"wrong only {first}": 0,
        f"wrong only {last}": -1,
        f"right {first}, and wrong everywhere else": slice(1, None),
        f"right {last}, and wrong everywhere else": slice(-1),
    }
    where = data.draw(st.sampled_from(list(parts)))
    part = parts[where]
    index = (*[slice(None)] * axis, part)
    got = want.copy()
    got[index] += normal(seed + 1, want[index].shape)

    difference = compare(got, want)

    assert difference.kind == "region"
    assert where in difference.summary


@pytest.mark.parametrize(
    ("name", "mask"),
    [
        ("above the diagonal", lambda r, c: c > r),
        ("below the diagonal", lambda r, c: c < r),
        ("on and above the diagonal", lambda r, c: c >= r),
        ("wrong only on the diagonal (", lambda r, c: c == r),
        ("the first diagonal above the main one", lambda r, c: c == r + 1),
        ("the even indices of axis 2", lambda r, c: c % 2 == 0 + 0 * r),
        ("in the second half of axis 2", lambda r, c: c >= 3 + 0 * r),
    ],
)
def test_regions_of_the_last_two_axes_are_named(name, mask):
    """Triangles, diagonals, even indices and halves are recognized in every matrix of a batch."""
    want = normal(0, (2, 6, 6))
    where = np.broadcast_to(mask(np.arange(6)[:, None], np.arange(6)[None, :]), want.shape)
    got = np.where(where, want + normal(1, want.shape), want)

    difference = compare(got, want)

    assert difference.kind == "region"
    assert name in difference.summary
    assert "where it is zero" in compare(np.where(where, 0.0, want), want).summary


@given(seeds, st.integers(2, 4), st.integers(3, 5))
@settings(max_examples=60)
def test_normalization_is_judged(seed, rows, columns):
    """Rows that should sum to one and don't, or columns that do instead, are told apart."""
    x = normal(seed, (rows, columns + rows))
    want = softmax(x, 1)

    assert "not normalized: along axis 1" in compare(np.exp(x), want).summary
    wrong = compare(softmax(x, 0), want)
    assert wrong.kind == "unnormalized"
    assert "sum to 1 along axis 0, and should along axis 1" in wrong.summary
    shifted = compare(np.log(want) + normal(seed + 1, (rows, 1)), np.log(want))
    assert shifted.kind == "unnormalized"
    assert "exponentials" in shifted.summary


@pytest.mark.parametrize(
    "want", [[1.0, 0.0], [0.25, 0.75], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.5, 0.5], [1.0, 0.0]]]
)
def test_numbers_that_happen_to_sum_to_one_are_no_shares(want):
    """Weights worked by hand often do; a student told to normalize them would look in the wrong place."""
    want = np.array(want)

    assert "normalized" not in compare(want + 0.3 * np.arange(want.size).reshape(want.shape), want).summary


@given(seeds, st.integers(2, 4), st.integers(3, 5))
@settings(max_examples=60)
def test_an_offset_or_factor_of_each_row_is_named(seed, rows, columns):
    """Rows that are each off by a constant or factor of their own are called that."""
    want = normal(seed, (rows, columns)) * 2
    own = np.random.default_rng(seed + 1).uniform(0.2, 0.8, size=(rows, 1))

    offset, factor = compare(want + own, want), compare(want * own, want)

    assert (offset.kind, factor.kind) == ("offset", "scaled")
    assert "along axis 1, which differs from row to row" in offset.summary
    assert "along axis 1, by a factor that differs from row to row" in factor.summary


@given(seeds, shapes, st.integers(4, 7))
@settings(max_examples=60)
def test_lost_precision_is_named_with_its_digits(seed, shape, digits):
    """An answer right to some digits is called that, with about that number."""
    want = normal(seed, shape)
    got = want * (1 + 10.0**-digits * np.random.default_rng(seed + 1).uniform(-1, 1, size=shape))

    difference = compare(got, want)

    assert difference.kind == "precision"
    assert abs(int(re.search(r"about (\d+) digits", difference.summary)[1]) - digits) <= 2


def test_float32_results_are_recognized():
    """A result computed in float32 is said to be right to about as many digits as float32 keeps."""
    want = normal(0, (5, 5))

    difference = compare(want.astype(np.float32).astype(np.float64), want)

    assert difference.kind == "precision"
    assert "float32" in difference.summary


@given(seeds, shapes)
@settings(max_examples=40)
def test_zeros_and_constants_are_named(seed, shape):
    """All zeros, one value everywhere and no variation along an axis are each called that."""
    want = normal(seed, shape)

    assert compare(np.zeros(shape), want).kind == "zeros"
    assert compare(np.full(shape, 0.5), want).kind == "constant"
    if len(shape) > 1 and want.size >= 6:
        other = normal(seed + 1, (1, *shape[1:]))
        assert "does not vary along axis 0" in compare(np.broadcast_to(other, shape), want).summary


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda w: 1 - w, "one minus"),
        (lambda w: 1 / w, "one over"),
        (np.square, "the square of"),
        (np.sqrt, "the square root"),
        (np.log, "the logarithm"),
        (lambda w: -np.log(w), "minus the logarithm"),
        (np.exp, "the exponential"),
    ],
)
def test_simple_functions_are_named(function, text):
    """A standard deviation for a variance, a log-probability for a probability: the function is named."""
    want = np.random.default_rng(0).uniform(0.1, 0.9, size=(3, 4))

    difference = compare(function(want), want)

    assert difference.kind == "function"
    assert text in difference.summary
    assert compare(float(function(0.32171845)), 0.32171845).kind == "function"


@given(seeds, shapes, st.sampled_from([np.nan, np.inf, -np.inf]), st.data())
@settings(max_examples=60)
def test_non_finite_entries_are_counted(seed, shape, value, data):
    """NaN and infinity where numbers are due are counted, and so are numbers where infinity is due."""
    want = normal(seed, shape)
    n = data.draw(st.integers(1, want.size - 1))
    got = want.copy()
    got.flat[np.random.default_rng(seed).permutation(want.size)[:n]] = value

    difference, reverse = compare(got, want), compare(want, got)

    kind = "nan" if np.isnan(value) else "infinite"
    assert difference.kind == reverse.kind == kind
    assert f"{n} of {want.size} entries" in difference.summary
    assert "everything else is right" in difference.summary
    assert f"is finite in {n} of {want.size} entries" in reverse.summary


def test_masks_are_described():
    """Wrong truth values are called inverted, transposed, or wrong in their region."""
    mask = np.tril(np.ones((5, 5), bool))

    assert compare(~mask, mask).kind == "negated"
    assert compare(mask.T, mask).kind == "transposed"
    assert "the diagonal" in compare(np.tril(mask, -1), mask).summary
    assert "the first diagonal above the main one" in compare(np.tri(5, 5, 1) > 0, mask).summary
    assert compare(np.ones((5, 5), bool), mask).kind == "region"
    wide = np.tri(3, 5, 2) > 0  # the last query is aligned with the last key
    assert compare(np.tri(3, 5) > 0, wide).kind in ("region", "value")


@pytest.mark.parametrize(
    ("got", "want", "text"),
    [
        ((3,), (3, 1), "an axis of length 1 is missing (axis 1), and the values are right otherwise"),
        ((3, 1), (3,), "there is an extra axis of length 1 (axis 1), and the values are right otherwise"),
        ((1, 3), (3, 1), "an axis of length 1 is in another place, and the values are right otherwise"),
        ((12,), (3, 4), "it has one axis instead of 2, and the values are right otherwise"),
    ],
)
def test_shapes_with_the_right_values_are_described(got, want, text):
    """A reshaped right answer is called that, and that its values are right."""
    values = np.arange(float(math.prod(want)))

    assert text in compare(values.reshape(got), values.reshape(want)).summary
    assert text.split(",")[0] in compare(values.reshape(got) + 1, values.reshape(want)).summary


@pytest.mark.parametrize(
    ("got", "want", "text"),
    [
        ((4, 5), (2, 4, 5), "axis 0 is missing"),
        ((2, 5), (2, 4, 5), "axis 1 is missing"),
        ((2, 4, 5), (4, 5), "axis 0 should not be there"),
        ((2, 4, 5), (2, 5), "axis 1 should not be there"),
        ((3, 4), (3, 5), "axis 1 is too short by 1"),
        ((3, 7), (3, 5), "axis 1 is too long by 2"),
        ((4, 3), (3, 4), "the same lengths in another order (axes 0 and 1 exchanged)"),
    ],
)
def test_other_shapes_are_described(got, want, text):
    """Missing, extra, short and exchanged axes are named."""
    assert text in compare(normal(0, got), normal(1, want)).summary


def test_a_wrong_shape_with_right_values_is_recognized():
    """A transposed rectangle, and an answer cut at one end, are told from wrong values."""
    want = normal(0, (4, 6))

    assert "it is the transpose of the right answer (axes 0 and 1 exchanged)" in compare(want.T, want).summary
    assert "it begins right, with entries missing at the end" in compare(want[:, :5], want).summary
    assert "it ends right, with entries missing at the start" in compare(want[1:], want).summary
    assert "it begins right, with extra entries at the end" in compare(want, want[:, :5]).summary


# Not said where it is not there


@given(seeds, shapes, dtypes)
@settings(max_examples=200)
def test_unrelated_answers_get_no_diagnosis(seed, shape, dtype):
    """Independent random numbers are wrong, and nothing else is said of them."""
    difference = compare(normal(seed, shape, dtype), normal(seed + 1, shape, dtype))

    assert difference.kind == "value"


@given(seeds, shapes)
@settings(max_examples=100)
def test_noise_gets_no_diagnosis(seed, shape):
    """One percent of noise on every entry is wrong, and nothing else is said of it."""
    want = normal(seed, shape)

    assert compare(want * (1 + 0.01 * normal(seed + 1, shape)), want).kind == "value"


@given(seeds, st.integers(20, 60), st.integers(2, 10))
@settings(max_examples=100)
def test_scattered_errors_are_counted(seed, n, wrong):
    """Errors in scattered places are counted, and no region is named for them."""
    rng = np.random.default_rng(seed)
    want = rng.normal(size=(n, 7))
    got = want.copy()
    got.flat[rng.permutation(want.size)[:wrong]] += 1.2345

    difference = compare(got, want)

    assert difference.kind in ("value", "region")
    assert f"{wrong} of {want.size} entries" in difference.summary
    if difference.kind == "region":
        assert_true(difference.summary, got, want)


@given(seeds, st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=200)
def test_single_numbers_are_explained_only_by_telling_evidence(seed, got, want):
    """Of two unrelated numbers nothing is said but that one is wrong, zero, or the negative of the other."""
    rng = np.random.default_rng(seed)
    got, want = got + rng.normal(), want + rng.normal()

    assert compare(got, want).kind in ("value", "precision")


@pytest.mark.parametrize(("got", "want"), [(2.0, 1.0), (1.0, 0.5), (0.25, 0.5), (3.0, 6.0), (9.0, 3.0)])
def test_simple_numbers_explain_nothing(got, want):
    """That 2 is twice 1, or 9 the square of 3, is a coincidence and not said."""
    assert compare(got, want).kind == "value"
    assert compare(np.array([got]), np.array([want])).kind == "value"


def test_constant_arrays_explain_nothing():
    """Where every entry is alike, a factor and an offset can't be told apart, and neither is named."""
    assert compare(np.full((3, 3), 2.0), np.full((3, 3), 1.0)).kind == "value"
    assert compare(np.full((3, 3), 0.7), np.full((3, 3), 0.35)).kind == "value"
    assert compare(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])).kind in ("value", "order", "region")


def test_two_numbers_exchanged_are_called_another_order():
    """Of two entries exchanged it can't be said whether they are reversed, shifted or transposed."""
    want = normal(0, (2,))

    assert compare(want[::-1], want).kind == "order"


def test_equally_good_explanations_are_named_together():
    """An antisymmetric answer with the wrong sign is also transposed: both are said, as one of several."""
    half = normal(0, (4, 4))
    want = half - half.T

    difference = compare(-want, want)

    assert difference.kind == "ambiguous"
    assert "opposite sign" in difference.summary and "transpose" in difference.summary


def test_large_arrays_are_only_counted():
    """Beyond a size, only how many entries are wrong is worked out, so that a diagnosis stays cheap."""
    want = normal(0, (MAX_ENTRIES // 100 + 1, 100))

    assert compare(-want, want).kind == "value"


# True, whatever it is

few = st.integers(-2, 3).map(float)
small = hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), elements=few)


@given(small, st.data())
@settings(max_examples=800)
def test_every_diagnosis_is_literally_true(want, data):
    """Among small integers, where coincidences abound, whatever is named holds for every coordinate."""
    change = data.draw(st.sampled_from("other T flip roll neg scale add cell shuffle row".split()))
    axis = data.draw(st.integers(0, want.ndim - 1))
    if change == "other":
        got = data.draw(hnp.arrays(np.float64, want.shape, elements=few))
    elif change == "T":
        got = want.T if want.T.shape == want.shape else want[::-1]
    elif change == "flip":
        got = np.flip(want, axis)
    elif change == "roll":
        got = np.roll(want, 1, axis)
    elif change == "neg":
        got = -want
    elif change == "scale":
        got = want * data.draw(st.sampled_from([2, 0.5, 3, -1, 4]))
    elif change == "add":
        got = want + data.draw(st.sampled_from([1, -1, 0.5]))
    elif change == "shuffle":
        got = np.random.default_rng(0).permutation(want.ravel()).reshape(want.shape)
    else:
        got = want.copy()
        got[(*[0] * want.ndim,) if change == "cell" else 0] += 1

    difference = compare(got, want)

    assert (difference is None) == np.array_equal(got, want)
    if difference is not None:
        assert_true(difference.summary, got, want)


# numbers that are easily taken for each other, and some that only a careless tolerance would call alike
ODD = [0.0, 1.0, -1.0, 0.5, 2.0, math.log(2), -math.log(2), 0.94, 1.3717, 1000.0, 1.9e-22, -3e-9, 1e6, 7.31e8]
odd = st.one_of(st.sampled_from(ODD), st.floats(-3, 3))
odd_arrays = hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5), elements=odd)
tolerances = st.sampled_from([(1e-9, 1e-10), (1e-9, 0.0), (0.0, 1e-12), (1e-4, 1e-5), (0.02, 0.01)])


def changed(want: np.ndarray, data) -> np.ndarray:
    """The right answer, changed in one of the ways that mistakes change it, in all of it or in a part."""
    axis = data.draw(st.integers(0, want.ndim - 1))
    constant = data.draw(st.sampled_from([1.0, -1.0, 0.3717, 1e-3, 1e-8, -1e-8, 1e-12]))
    ways = {
        "sign": lambda: -want,
        "factor": lambda: want * data.draw(st.sampled_from([2, 0.5, -3, 1 / 3, math.sqrt(2), 1.2345, 1 + 1e-8])),
        "offset": lambda: want + constant,
        "flip": lambda: np.flip(want, axis),
        "roll": lambda: np.roll(want, data.draw(st.sampled_from([1, -1])), axis),
        "transposed": lambda: want.T if want.T.shape == want.shape else want[::-1],
        "order": lambda: np.random.default_rng(1).permuted(want, axis=axis),
        "float32": lambda: want.astype(np.float32).astype(np.float64),
        "eps": lambda: np.log(np.abs(want) + 1e-8),
        "noise": lambda: (
            want * (1 + data.draw(st.sampled_from([1e-3, 1e-7])) * np.random.default_rng(2).normal(size=want.shape))
        ),
        "function": lambda: data.draw(st.sampled_from([np.square, np.abs, np.exp, lambda w: 1 - w]))(want),
        "mean": lambda: np.broadcast_to(want.mean(axis, keepdims=True), want.shape).copy(),
        "zeros": lambda: np.zeros(want.shape),
        "not a number": lambda: np.where(want > 0.4, data.draw(st.sampled_from([np.nan, np.inf, -np.inf])), want),
        "other": lambda: data.draw(hnp.arrays(np.float64, want.shape, elements=odd)),
    }
    with np.errstate(all="ignore"):
        got = np.array(ways[data.draw(st.sampled_from(sorted(ways)))](), np.float64)
    if data.draw(st.booleans()):
        keep = np.zeros(want.shape, bool)
        keep[(*[slice(None)] * axis, data.draw(st.sampled_from([0, -1, slice(1, None), slice(None, None, 2)])))] = True
        got = np.where(keep, want, got)
    return got


@given(odd_arrays, tolerances, st.data())
@settings(max_examples=500, deadline=None)
def test_every_claim_holds_when_it_is_worked_out_again(want, tolerance, data):
    """Whatever is changed, in all of an answer or in a part: the text that comes of it is literally true."""
    got = changed(want, data)
    rtol, atol = tolerance

    difference = compare(got, want, rtol=rtol, atol=atol)

    if difference is not None:
        assert_true(difference.summary, got, want, rtol, atol)
        assert difference.kind in KINDS


@given(odd_arrays, st.sampled_from([np.nan, np.inf, -np.inf]), tolerances, st.data())
@settings(max_examples=300, deadline=None)
def test_claims_hold_where_what_is_due_is_not_finite(want, value, tolerance, data):
    """NaN and infinities among the right answer, and others in their place."""
    holes = data.draw(hnp.arrays(bool, want.shape))
    want = np.where(holes, value, want)
    got = changed(want, data)
    rtol, atol = tolerance

    difference = compare(got, want, rtol=rtol, atol=atol)

    if difference is not None:
        assert_true(difference.summary, got, want, rtol, atol)


@given(odd, odd, tolerances, st.data())
@settings(max_examples=400, deadline=None)
def test_claims_about_one_number_hold(got, want, tolerance, data):
    """Of two numbers, related or not: sign, size, direction and digits are what they are said to be."""
    if data.draw(st.booleans()):
        got = changed(np.array([want]), data).item()
    rtol, atol = tolerance

    difference = compare(got, want, rtol=rtol, atol=atol)

    if difference is not None:
        assert_true(difference.summary, got, want, rtol, atol)


@given(st.integers(-30, 30), st.integers(-(10**20), 10**20), st.booleans())
@settings(max_examples=300)
def test_claims_about_one_whole_number_hold(got, want, near):
    """The same for counts, small and huge."""
    got, want = (got, want % 30 - 15) if near else (got + want // 3, want)

    difference = compare(got, want)

    if difference is not None:
        text = difference.summary
        if found := re.search(r"is (?:(one) )?too (large|small)(?: by (\d+))?\.$", text):
            gap = 1 if found[1] else int(found[3]) if found[3] else abs(got - want)
            assert got - want == (gap if found[2] == "large" else -gap)
        else:
            assert_true(text, got, want, 0.0, 0.0)


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)), st.data())
@settings(max_examples=300)
def test_claims_about_masks_hold(want, data):
    """Whatever mask comes in place of another."""
    axis = data.draw(st.integers(0, want.ndim - 1))
    got = data.draw(
        st.sampled_from([~want, np.flip(want, axis), np.roll(want, 1, axis), np.ones_like(want), want & np.tri(*want.shape[-2:]).astype(bool)
                         if want.ndim > 1 else want])
        | hnp.arrays(bool, want.shape)
    )  # fmt: skip

    difference = compare(got, want)

    if difference is not None:
        assert_true(difference.summary, got, want, 0.0, 0.0)


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=4, max_side=3), elements=few), st.data())
@settings(max_examples=400)
def test_claims_about_shapes_hold(want, data):
    """Axes said to be missing, extra, exchanged, short or long are; and so are values said to be right."""
    axis = data.draw(st.integers(0, max(want.ndim - 1, 0)))
    ways = [
        want[None], want.ravel(), want.T, want[..., None], want.squeeze(),
        *([want.take(0, axis), want.take([0, 0], axis), np.delete(want, 0, axis), np.delete(want, -1, axis),
           np.concatenate([want, want], axis), np.moveaxis(want, axis, 0)] if want.ndim else []),
    ]  # fmt: skip
    got = data.draw(
        st.sampled_from(range(len(ways))).map(ways.__getitem__)
        | hnp.arrays(np.float64, hnp.array_shapes(max_side=3), elements=few)
    )
    if got.ndim == 0 or want.ndim == 0 or got.shape == want.shape:
        return

    text = compare(got, want).summary

    assert f"has shape {got.shape} instead of {want.shape}" in text
    g, w = got.shape, want.shape
    if found := re.search(r": axis (\d) is missing", text):
        assert g == w[: int(found[1])] + w[int(found[1]) + 1 :]
    if found := re.search(r"axis (\d) should not be there", text):
        assert w == g[: int(found[1])] + g[int(found[1]) + 1 :]
    if found := re.search(r"(?:an|extra) axis of length (\d+)", text):
        short, long = (g, w) if "is missing" in text else (w, g)
        if "in another place" not in text:
            assert int(found[1]) in long and len(long) == len(short) + 1
            assert math.prod(long) == math.prod(short) * int(found[1])
    if found := re.search(r"axis (\d) is too (short|long) by (\d+)", text):
        axis = int(found[1])
        assert w[axis] - g[axis] == (1 if found[2] == "short" else -1) * int(found[3])
        assert g[:axis] + g[axis + 1 :] == w[:axis] + w[axis + 1 :]
        n = min(g[axis], w[axis])
        ends = [np.moveaxis(values, axis, 0) for values in (got, want)]
        if "begins right" in text:
            assert np.array_equal(ends[0][:n], ends[1][:n])
        if "ends right" in text:
            assert np.array_equal(ends[0][-n:], ends[1][-n:])
    if "values are right otherwise" in text:
        assert sorted(got.ravel()) == sorted(want.ravel())
    if "the transpose" in text:
        turned = [want.transpose(perm) for perm in itertools.permutations(range(want.ndim))]
        assert any(np.array_equal(candidate, got) for candidate in turned if candidate.shape == g)
    if "same lengths in another order" in text:
        assert sorted(g) == sorted(w)
    if "has one axis instead of" in text:
        assert len(g) == 1 and got.size == want.size


@pytest.mark.parametrize(
    ("got", "want", "says", "never"),
    [
        # a small constant beside a large entry, and an entry that is all wrong beside it
        ([math.log(2), 1000.0, 0.0], [math.log(2), 1000.0, 1.9e-22], "wrong only in the last entry", "constant"),
        # a constant that its neighbor hides is not another one for each row
        (
            np.array([[0.0, -1.0], [1000.0, 0.0], [1.0, 1.0]]) + 1e-8,
            np.array([[0.0, -1.0], [1000.0, 0.0], [1.0, 1.0]]),
            "is close, but not to the tolerance",
            "row to row",
        ),
        # an epsilon in the wrong place is no matter of precision
        (
            np.log(normal(0, (4, 4)) ** 2 + 1e-8),
            np.log(normal(0, (4, 4)) ** 2),
            "every wrong entry is above the right value",
            "float32",
        ),
        (1 / (0.7123 + 1e-8), 1 / 0.7123, "right to about 7 digits", "float32"),
        # and one that is
        (
            np.float64(np.float32(np.log(normal(0, (4, 4)) ** 2))),
            np.log(normal(0, (4, 4)) ** 2),
            "float32 holds exactly",
            "every wrong",
        ),
        ([-1.3717, 1.3717], [1.3717, -1.3717], "opposite sign everywhere", ""),
        (
            [0.51, -1.3717, 1.3717],
            [0.51, 1.3717, -1.3717],
            "wrong sign in 2 of 3 entries (none of them in the first entry)",
            "",
        ),
        (
            [5.1, 7.2, 3.3],
            [1.7, 2.9, 3.3],
            "is right in the last entry, and wrong everywhere else (2 of 3 entries)",
            "only in part",
        ),
        (np.ones((2, 3)), np.zeros((2, 3)), "should be zero everywhere, and is not in every entry", "wrong"),
        (
            (0.5, [[0.1], [0.2]]),
            (0.5, [0.1, 0.2]),
            "output[1][0] is a list of 1 item instead of a float",
            "right length",
        ),
        ((0.5, np.ones((2, 1))), (0.5, np.ones(2)), "output[1] has shape (2, 1) instead of (2,)", "right length"),
        (1.03 * 0.7123, 0.7123, "is too large by about 3%", "wrong number"),
        (-0.7123, 0.7123, "has the wrong sign", "wrong number"),
        (-0.5, 0.7123, "has the wrong sign, and is too small in magnitude by about 30%", "wrong number"),
        (1.71234567, 0.71234567, "is one too large", "wrong number"),
        (2 * 0.71234567, 0.71234567, "is 2 times the right answer", "wrong number"),
        (7 * 0.71234567, 0.71234567, "is about 7 times the right answer", "is 7 times"),
        (12, 40, "is about 0.3 times the right answer", "wrong number"),
        (12, 10, "is too large by 2", "wrong number"),
    ],
)
def test_what_was_said_wrongly_is_said_rightly(got, want, says, never):
    """Answers of which something untrue was said once, or nothing."""
    tolerance = {"atol": 0.0} if isinstance(want, list) and 1000.0 in want else {}

    summary = compare(got, want, **tolerance).summary

    assert says in summary
    assert not never or never not in summary


def test_the_unbiased_deviation_is_recognized():
    """Dividing by n - 1 where n is due shows as the root of that ratio, with the axis that n counts."""
    x = normal(0, (5, 8))
    centred = x - x.mean(-1, keepdims=True)

    difference = compare(centred / x.std(-1, ddof=1, keepdims=True), centred / x.std(-1, keepdims=True))

    assert "√(7/8) times" in difference.summary
    assert "the root of n - 1 over n, with n the length of axis 1" in difference.summary


def test_a_mask_aligned_at_the_wrong_corner_is_placed():
    """A causal mask aligned with the first key instead of the last is wrong between the two diagonals."""
    right, wrong = np.tri(4, 6, 2) > 0, np.tri(4, 6) > 0

    assert "above the main diagonal, up to the one that ends in the last corner" in compare(wrong, right).summary


def test_log_probabilities_with_removed_tokens_are_judged():
    """Filtered log-probabilities that were not renormalized are told so, though some of them are -inf."""
    logits = normal(0, (4, 9))
    kept = logits > np.median(logits, axis=1, keepdims=True)
    want = np.where(kept, logits, -np.inf)
    want -= np.log(np.exp(want).sum(1, keepdims=True))
    got = np.where(kept, logits - np.log(np.exp(logits).sum(1, keepdims=True)), -np.inf)

    assert "exponentials of its entries should sum to 1" in compare(got, want).summary


def test_a_small_factor_is_not_taken_for_a_length():
    """Where an axis happens to be two long, twice is called twice, and the length is only mentioned."""
    want = normal(0, (2, 5))

    assert "is 2 times the right answer, everywhere (also the length of axis 0)" in compare(2 * want, want).summary
    assert "√2 times the right answer, everywhere (also the root of" in compare(2**0.5 * want, want).summary
    assert "1/5 of the right answer, everywhere (one over the length of axis 1)" in compare(want / 5, want).summary


@pytest.mark.parametrize("change", [np.negative, lambda w: w.swapaxes(1, 2), lambda w: w[:, ::-1], lambda w: 3 * w])
def test_large_arrays_are_explained_alike(change):
    """Arrays large enough for a quick look first get the diagnosis that small ones get."""
    large, little = normal(0, (4, 40, 40)), normal(0, (4, 5, 5))

    kinds = {compare(change(want), want).kind for want in (large, little)}
    almost = change(large).copy()
    almost[1, 2, 3] += 1

    assert len(kinds) == 1 and kinds != {"value"}
    assert compare(almost, large).kind not in kinds
