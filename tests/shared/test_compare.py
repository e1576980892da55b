"""What `compare` calls the same, what it refuses, and what it says."""

import collections
import copy
import dataclasses
import enum
import math
import pickle
import re
import time

import numpy as np
import pytest
import torch
from coursekit.closeness import TOLERANCES, default_tolerance
from coursekit.compare import MAX_DEPTH, Difference, Mismatch, assert_close, compare
from coursekit.describe import describe
from coursekit.diagnosis import KINDS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

TORCH_FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]

# Values

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.binary(max_size=6),
    st.complex_numbers(),
    hnp.from_dtype(np.dtype("float32")),
    hnp.from_dtype(np.dtype("int16")),
)
arrays = hnp.arrays(
    st.sampled_from(["f8", "f4", "f2", "i8", "u1", "?", "c16", "U3", "O"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
number_arrays = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int64, np.bool_]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
tensors = number_arrays.map(lambda a: torch.from_numpy(np.array(a)))
hashable = st.one_of(st.integers(), st.text(max_size=3), st.binary(max_size=3), st.booleans())
plain = st.recursive(
    st.one_of(leaves, arrays, tensors),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(hashable, inner, max_size=3),
        st.sets(hashable, max_size=4),
    ),
    max_leaves=8,
)
comparable = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), number_arrays),
    lambda inner: st.one_of(
        tensors,
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(hashable, inner, max_size=3),
        st.sets(hashable, max_size=4),
    ),
    max_leaves=8,
)
exact = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from(["", "a", "b", "ab"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(0, 2), inner, max_size=2),
    max_leaves=6,
)


# Properties


@given(comparable)
@settings(max_examples=300)
def test_every_value_equals_its_copy(value):
    """A value equals a deep copy of itself, NaN and infinity included."""
    assert compare(copy.deepcopy(value), value) is None


@given(plain, plain)
@settings(max_examples=300)
def test_never_raises_on_plain_values(got, want):
    """Any two plain values give None or a Difference of a known kind with a summary."""
    difference = compare(got, want)

    assert difference is None or difference.kind in KINDS
    assert difference is None or difference.summary.startswith("output")


@given(exact, exact)
@settings(max_examples=400)
def test_equality_is_symmetric(one, other):
    """Whether two values without floats are equal does not depend on which of them is due."""
    assert (compare(one, other) is None) == (compare(other, one) is None)


@given(exact, exact)
@settings(max_examples=400)
def test_exact_values_are_equal_only_when_python_and_their_types_say_so(one, other):
    """Among values without floats, equal means the same repr, but for the order of a dict."""

    def normal(value):
        if isinstance(value, dict):
            return {key: normal(value[key]) for key in sorted(value)}
        return [normal(item) for item in value] if isinstance(value, list) else value

    assert (compare(one, other) is None) == (repr(normal(one)) == repr(normal(other)))


@given(
    st.sampled_from(["float64", "float32", "float16", "bfloat16"]),
    st.lists(st.integers(1, 4), min_size=0, max_size=3),
    st.integers(0, 2**32 - 1),
    st.floats(-3, 3),
)
@settings(max_examples=300)
def test_the_tolerance_is_where_it_is_said_to_be(dtype, shape, seed, exponent):
    """One coordinate moved by more than atol + rtol |want| differs, and by less does not, in every dtype."""
    rng = np.random.default_rng(seed)
    rtol, atol = default_tolerance(dtype)
    # Wide steps: the numbers have to be representable on both sides of the bound.
    want = torch.from_numpy(np.asarray(rng.normal(size=shape) * 10**exponent)).to(getattr(torch, dtype))
    flat = int(rng.integers(want.numel()))
    values = want.double().flatten()
    bound = atol + rtol * abs(float(values[flat]))

    for factor, same in ((0.3, True), (-0.3, True), (3.0, False), (-3.0, False)):
        moved = values.clone()
        moved[flat] += factor * bound
        got = moved.reshape(want.shape).to(want.dtype)
        if dtype in ("float16", "bfloat16") and not torch.isfinite(got).all():
            continue

        assert (compare(got, want) is None) == same


@given(hnp.arrays("f8", hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-1e6, 1e6)), st.data())
@settings(max_examples=200)
def test_a_perturbed_value_is_never_equal(want, data):
    """No structure in the values hides a single coordinate moved by a thousandth."""
    index = tuple(data.draw(st.integers(0, n - 1)) for n in want.shape)
    got = want.copy()
    got[index] += 1e-3 * max(1.0, abs(want[index]))

    assert compare(got, want) is not None
    assert compare(want, got) is not None


@given(st.integers(0, 2**32 - 1), st.sampled_from("T - 2x noise row nan drop list dict".split()))
@settings(max_examples=200)
def test_a_summary_holds_no_values(seed, how):
    """Whatever is wrong, no number of the input or of the expected output can be read in the summary."""
    rng = np.random.default_rng(seed)
    want = rng.normal(size=(4, 4)) * 100
    got = {
        "T": want.T,
        "-": -want,
        "2x": 2 * want,
        "noise": want + rng.normal(size=want.shape),
        "row": np.where(np.arange(4)[:, None] == 1, 7.25, want),
        "nan": np.where(np.eye(4) > 0, np.nan, want),
        "drop": want[:3],
        "list": want + 1.2345,
        "dict": want * 1.2345,
    }[how]
    if how == "list":
        got, want = got.ravel().tolist(), want.ravel().tolist()
    if how == "dict":
        got, want = {"secret": got, "key": 1}, {"secret": want, "key": 2}

    difference = compare(got, want)

    pair = (got["secret"], want["secret"]) if how == "dict" else (got, want)
    numbers = np.concatenate([np.ravel(values) for values in pair])
    for number in numbers[np.isfinite(numbers)]:
        assert f"{abs(number):.4g}" not in difference.summary
        assert f"{abs(number):.2f}" not in difference.summary


def test_dict_keys_that_are_data_stay_out_of_the_summary():
    """Keys that are words of a text or pairs of bytes are named in the detail only."""
    for got, want in (
        ({"owl": 1, "cat": 2}, {"owl": 1, "cat": 3}),
        ({(b"a", b"b"): 1.0}, {(b"a", b"b"): 2.0}),
        ({"owl": 1}, {"owl": 1, "cat": 3}),
        ({"owl", "cat"}, {"owl", "dog"}),
    ):
        difference = compare(got, want)

        assert not any(word in difference.summary for word in ("owl", "cat", "dog", "b'"))
        assert any(word in difference.detail for word in ("cat", "dog", "b'a'"))


# Honest variants


@pytest.mark.parametrize(
    "got",
    [
        2.5,
        np.float64(2.5),
        np.float32(2.5),
        np.array(2.5),
        torch.tensor(2.5),
        torch.tensor(2.5, dtype=torch.float64, requires_grad=True),
        torch.tensor(2.5, dtype=torch.bfloat16),
    ],
    ids=["float", "float64", "float32", "array", "tensor", "requires_grad", "bfloat16"],
)
def test_a_float_may_come_in_any_scalar(got):
    """Where a Python float is due, a NumPy scalar and a 0-d array or tensor of that value are right."""
    assert compare(got, 2.5) is None


@pytest.mark.parametrize("want", [np.float64(2.5), np.float32(2.5), np.array(2.5), torch.tensor(2.5)])
def test_a_python_float_may_come_for_any_scalar(want):
    """Where a NumPy scalar or a 0-d tensor is due, a Python float is right."""
    assert compare(2.5, want) is None


@pytest.mark.parametrize("got", [3, np.int32(3), np.array(3), torch.tensor(3)])
@pytest.mark.parametrize("want", [3, 3.0, np.float32(3), torch.tensor(3.0), np.uint8(3)])
def test_an_integer_counts_for_an_integer_and_for_a_float(got, want):
    """An integer of any width is right where that integer is due, or that value as a float."""
    assert compare(got, want) is None


def test_an_integer_array_counts_for_a_float_array():
    """An array or tensor of integers is right where those values are due as floats."""
    assert compare(np.array([0, 1]), np.array([0.0, 1.0])) is None
    assert compare(torch.tensor([0, 1]), torch.tensor([0.0, 1.0])) is None
    assert compare([0, 1], [0.0, 1.0]) is None


def test_layout_and_gradient_do_not_matter():
    """Non-contiguous, expanded and gradient-requiring answers are judged by their values."""
    want = np.arange(12.0).reshape(3, 4)

    assert compare(np.asfortranarray(want), want) is None
    assert compare(np.arange(24.0)[::2].reshape(3, 4) / 2, want) is None
    tensor = torch.from_numpy(want.copy())
    assert compare(tensor.T.contiguous().T.requires_grad_(), tensor) is None
    assert compare(torch.ones(1, 3).expand(4, 3), torch.ones(4, 3)) is None
    assert compare(torch.nn.Parameter(torch.ones(2)), torch.ones(2)) is None
    assert compare(want.astype(">f8"), want) is None


def test_plain_relatives_count():
    """A list counts for a tuple, a Counter for a dict, a frozenset for a set, a bytearray for bytes."""
    assert compare([1, 2.0], (1, 2.0)) is None
    assert compare(collections.Counter("aab"), {"a": 2, "b": 1}) is None
    assert compare(collections.OrderedDict(b=1, a=2), {"a": 2, "b": 1}) is None
    assert compare(frozenset({1}), {1}) is None
    assert compare(bytearray(b"ab"), b"ab") is None
    assert compare(np.str_("ab"), "ab") is None


# What is not alike


@pytest.mark.parametrize(
    ("got", "want", "kind", "text"),
    [
        ([1.0, 2.0], np.ones(2), "type", "is a list of 2 items instead of a NumPy array of shape (2,)"),
        (np.ones(2), torch.ones(2), "type", "is a NumPy array of shape (2,) instead of a torch tensor of shape"),
        (torch.ones(2), np.ones(2), "type", "is a torch tensor of shape (2,) instead of a NumPy array of shape"),
        (np.ones(2), [1.0, 1.0], "type", "is a NumPy array of shape (2,) instead of a list of 2 items"),
        (np.ones(2), np.ones(2, np.float32), "dtype", "has dtype float64 instead of float32"),
        (torch.ones(2).bfloat16(), torch.ones(2), "dtype", "has dtype bfloat16 instead of float32"),
        (np.ones(2), np.ones(2, int), "dtype", "has dtype float64 instead of int64"),
        (np.ones(2, bool), np.ones(2), "dtype", "has dtype bool instead of float64"),
        (np.ones(2, int), np.ones(2, bool), "dtype", "has dtype int64 instead of bool"),
        (np.float32(1), np.float64(1), "dtype", "has dtype float32 instead of float64"),
        (np.ones(1), 1.0, "shape", "has shape (1,) instead of being a single number"),
        (torch.ones(1, 1), torch.tensor(1.0), "shape", "has shape (1, 1) instead of being a single number"),
        (1.0, np.ones(1), "shape", "is a single number instead of a NumPy array of shape (1,)"),
        (np.ones((2, 3)), np.ones((3, 3)), "shape", "has shape (2, 3) instead of (3, 3)"),
        (True, 1, "type", "is a bool instead of an int"),
        (1, True, "type", "is an int instead of a bool"),
        (True, 1.0, "type", "is a bool instead of a float"),
        (1.0, 1, "type", "is a float instead of an int"),
        (None, 1.0, "type", "is None instead of a float (was it returned?)"),
        ("1", 1, "type", "is a str instead of an int"),
        (b"a", "a", "type", "is bytes instead of a str"),
        ([1], {1}, "type", "is a list of 1 item instead of a set of 1 item"),
    ],
)  # fmt: skip
def test_what_is_not_alike_is_said_exactly(got, want, kind, text):
    """Another type, library, dtype or shape is named on both sides."""
    difference = compare(got, want)

    assert difference.kind == kind
    assert text in difference.summary


@pytest.mark.parametrize(
    ("got", "text"),
    [
        (1j, "complex"),
        (np.ones(2) * 1j, "complex"),
        (torch.ones(2) * 1j, "complex"),
        (torch.ones(2).to_sparse(), "sparse tensor"),
        (torch.ones(2, device="meta"), "meta tensor"),
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "quantized tensor"),
        (np.array([None, 1]), "array of objects"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "masked array"),
        (torch.ones(2).to(torch.float8_e4m3fn), "unsupported dtype"),
    ],
)
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_odd_arrays_are_refused_by_name(got, text):
    """Complex, sparse, quantized, meta, masked and object arrays are refused on either side."""
    got = got() if callable(got) else got

    for difference in (compare(got, np.ones(2)), compare(np.ones(2), got)):
        assert difference.kind == "refused"
        assert text in difference.summary


@pytest.mark.parametrize("shape", [(1,), (1, 4), (3, 1), (4,)])
def test_nothing_is_broadcast(shape):
    """An answer that would broadcast to the right one is not the right one."""
    assert compare(np.zeros(shape), np.zeros((3, 4))).kind == "shape"
    assert compare(torch.zeros(shape), torch.zeros(3, 4)).kind == "shape"


def test_nan_and_infinity_are_exact():
    """NaN equals only NaN, and an infinity only itself, alone and in arrays, at any tolerance."""
    nan, inf = math.nan, math.inf
    for got in (nan, inf, -inf, 1.0):
        for want in (nan, inf, -inf, 1.0):
            same = got == want or (math.isnan(got) and math.isnan(want))

            assert (compare(got, want) is None) == same
            assert (compare(got, want, rtol=10.0, atol=10.0) is None) == same
            assert (compare(np.array([got, 1.0]), np.array([want, 1.0])) is None) == same
            assert (compare(torch.tensor([got, 1.0]), torch.tensor([want, 1.0]), rtol=1.0) is None) == same
            assert (compare([got, "a"], [want, "a"]) is None) == same


def test_half_precision_is_subtracted_in_double():
    """The largest float16 values differ without an overflow that would look like agreement."""
    want = torch.tensor([60000.0, -60000.0], dtype=torch.float16)

    assert compare(-want, want) is not None
    assert compare(torch.tensor([65504.0]).half(), torch.tensor([-65504.0]).half()) is not None


def test_huge_integers_are_compared():
    """Integers beyond any float are compared exactly, and never raise."""
    assert compare(10**400, 10**400) is None
    assert compare(10**400 + 1, 10**400) is not None
    assert compare(10**400, 1.0) is not None
    assert compare(2**53 + 1, 2**53) is not None
    assert compare([10**400, 1.0], [10**401, 1.0]) is not None


# Where


@dataclasses.dataclass(frozen=True)
class Pair:
    first: object
    second: object
    note: str = dataclasses.field(default="", compare=False)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def test_the_path_leads_to_the_part():
    """A difference deep inside is named by its path, through lists, dicts and dataclasses."""
    want = [0, 1, {"keys": Pair(np.ones(2), ["a"])}]
    got = [0, 1, {"keys": Pair(np.zeros(2), ["a"])}]

    difference = compare(got, want)

    assert difference.summary.startswith("output[2]['keys'].first is zero everywhere")
    assert "1 of 3 items of output is wrong" in difference.summary
    assert compare(1, 2, name="loss").summary.startswith("loss ")


def test_a_list_of_whole_numbers_and_floats_says_which_type_is_wrong():
    """Of a right value with the wrong type nothing is said but that; a huge count that is off by one is still told."""
    mixed = compare([1.0, 2.5], [1, 2.5])
    count = compare([10**12 + 1, 2.5], [10**12, 2.5])

    assert mixed.kind == "type"
    assert mixed.summary == "output[0] is a float instead of an int. 1 of 2 items of output is wrong."
    assert "1 item is wrong, the first at index 0" in count.summary


def test_a_part_of_something_with_a_phrase_for_a_name_is_named_in_words():
    """Calls are counted as people count them; brackets after a phrase could not be read."""
    calls = compare(
        [([1.0, 3.0], 3), ([2.0], 2)], [([1.0, 3.0], 3), ([2.0], 3)], name="targets and n_total of each call"
    )
    fed = compare([[3, 4], [3, 4]], [[3, 4], [3, 5]], name="what the model was fed, call by call")
    others = compare({"loss": [1, 2, 9]}, {"loss": [1, 2, 3], "step": 1}, name="what was logged")
    gradient = compare({"x": np.zeros(3)}, {"x": np.ones(3)}, name="gradient of softmax")

    assert calls.summary == (
        "in the second call, the second item of targets and n_total is one too small. "
        "1 of 2 items of targets and n_total in the second call is wrong. "
        "1 of 2 items of targets and n_total of each call is wrong."
    )
    assert fed.summary.startswith("in the second call, what the model was fed has the right length")
    assert "in the second call, the second item of what the model was fed: got 4" in fed.detail
    assert others.summary == "what was logged lacks 1 of the 2 keys that it should have."
    assert gradient.summary.startswith("gradient of softmax in x is zero everywhere")


def test_values_that_differ_look_different():
    """As many digits are shown as it takes."""
    close = [(np.array([0.94 + 1e-9]), np.array([0.94])), (np.array([0.1, 2.0 + 4e-16]), np.array([0.1, 2.0]))]
    for got, want in close:
        detail = compare(got, want, rtol=0.0, atol=0.0).detail
        shown, due = detail.split("got:\n")[1].split("want:\n")

        assert shown.strip() != due.strip()
        first, second = re.search(r"got (\S+), want (\S+)", detail).groups()
        assert first != second


def test_dataclasses_compare_by_their_fields():
    """Fields that take part in equality are compared, others not; another class is another type."""
    assert compare(Pair(1, 2, "x"), Pair(1, 2, "y")) is None
    assert compare(Pair(1, 3), Pair(1, 2)).summary.startswith("output.second")

    @dataclasses.dataclass
    class Other:
        first: int

    assert compare(Other(1), Pair(1, 2)).kind == "type"


def test_other_objects_compare_by_their_own_equality():
    """Dtypes, enumerations and functions are compared as they compare themselves, and never raise."""

    class Awkward:
        def __eq__(self, other):
            raise RuntimeError

    assert compare(torch.float32, torch.float32) is None
    assert compare(torch.float64, torch.float32).kind == "value"
    assert compare(Colour.RED, Colour.RED) is None
    assert compare(Colour.RED, Colour.BLUE).kind == "value"
    assert compare(np.dtype("f4"), np.dtype("f4")) is None
    assert compare(Awkward(), Awkward()).kind == "value"
    assert compare(len, max).kind == "value"


def test_nesting_is_bounded():
    """Values nested too deeply are refused instead of exhausting the stack."""
    got, want = 1, 2
    for _ in range(MAX_DEPTH + 5):
        got, want = [got], [want]

    assert compare(got, want).kind == "refused"


# Text, sequences, keys


@pytest.mark.parametrize(
    ("got", "want", "kind", "text"),
    [
        ("", "abc", "length", "is empty, and should have 3 characters"),
        ("abc", "", "length", "has 3 characters, and should be empty"),
        ("ab", "abc", "length", "has 2 characters instead of 3: the last one is missing"),
        ("a", "abc", "length", "it begins right, and the last 2 characters are missing"),
        ("abcde", "abc", "length", "it begins right, with 2 extra characters at the end"),
        ("bc", "abc", "length", "it ends right, with 1 character missing at the start"),
        ("xabc", "abc", "length", "it ends right, with 1 extra character at the start"),
        ("abd", "abcd", "length", "it is right but for 1 character missing at index 2"),
        ("xyz", "abcd", "length", "the first difference is at index 0"),
        ("cba", "abc", "reversed", "has the right characters in reverse order"),
        ("cab", "abc", "shifted", "every character one place too late"),
        ("bca", "abc", "shifted", "every character one place too early"),
        ("acdb", "abcd", "order", "in another order; the first difference is at index 1"),
        ("ABC", "abc", "value", "only in upper and lower case"),
        ("abx", "abc", "value", "1 character is wrong, the first at index 2"),
        (b"ab", b"abc", "length", "has 2 bytes instead of 3"),
        ([1, 2], [1, 2, 3], "length", "has 2 items instead of 3: the last one is missing"),
        ([3, 1, 2], [1, 2, 3], "shifted", "one place too late"),
        ([1, 9, 3], [1, 2, 3], "value", "1 item is wrong, the first at index 1"),
        (["a", "c", "b", "d"], ["a", "b", "c", "d"], "order", "in another order"),
        ([[1], [2]], [[1], [2], [3]], "length", "the last one is missing"),
        ([2.0, 4.0, 6.2], [1.0, 2.0, 3.1], "scaled", "is 2 times the right answer"),
        ({1: 2}, {1: 2, 3: 4}, "keys", "lacks 1 of the 2 keys that it should have"),
        ({1: 2, 3: 4}, {1: 2}, "keys", "has 1 extra key"),
        ({1, 5}, {1, 2, 3}, "keys", "lacks 2 of the 3 members that it should have and has 1 extra member"),
    ],
)  # fmt: skip
def test_sequences_and_keys_are_described(got, want, kind, text):
    """A wrong string, list, dict or set is described by its length, order, prefix and first difference."""
    difference = compare(got, want)

    assert difference.kind == kind
    assert text in difference.summary


@given(st.text(max_size=8), st.text(max_size=8))
@settings(max_examples=400)
def test_text_descriptions_are_true(got, want):
    """What is said of two strings holds: prefixes, missing and extra runs, orders and first differences."""
    difference = compare(got, want)

    if difference is None:
        assert got == want
        return
    text = difference.summary
    if "the last one is missing" in text:
        assert got == want[:-1]
    if "it begins right, with" in text:
        assert got.startswith(want)
    if "it begins right, and the last" in text:
        assert want.startswith(got)
    if "it is right but for" in text:
        index = int(text.rstrip(".").rsplit("index ", 1)[1])
        longer, shorter = sorted((got, want), key=len, reverse=True)
        assert longer[:index] + longer[index + len(longer) - len(shorter) :] == shorter
    if "at the start" in text:
        assert got.endswith(want) or want.endswith(got)
    if "reverse order" in text:
        assert got == want[::-1]
    if difference.kind in ("order", "reversed", "shifted"):
        assert sorted(got) == sorted(want)
    if "first at index" in text or "first difference is at index" in text:
        index = int(text.rstrip(".").rsplit("index ", 1)[1])
        assert got[:index] == want[:index]
        assert got[index : index + 1] != want[index : index + 1]


# Tolerances, the rest of the interface


def test_default_tolerances():
    """Tolerances belong to the dtype, however it is named; what is no float compares exactly."""
    for dtype in TORCH_FLOATS:
        name = str(dtype).removeprefix("torch.")
        assert default_tolerance(dtype) == default_tolerance(name) == TOLERANCES[name]
    assert default_tolerance(np.float64) == default_tolerance(np.dtype("f8")) == default_tolerance(float)
    assert default_tolerance(np.longdouble) == TOLERANCES["float64"]
    for dtype in (torch.int64, np.int32, bool, "int8"):
        assert default_tolerance(dtype) == (0.0, 0.0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_reordered_sum_is_within_tolerance_and_the_next_precision_is_not(dtype):
    """Summing in another order stays within the default tolerance; computing in half the bits does not."""
    a, b = torch.randn(2, 64, 512, dtype=dtype, generator=torch.Generator().manual_seed(0)).unbind()
    want = torch.softmax(a, -1) @ b.T
    reordered = torch.softmax(a, -1).flip(-1) @ b.flip(-1).T
    lower = torch.float32 if dtype is torch.float64 else torch.bfloat16
    rough = (torch.softmax(a.to(lower), -1) @ b.to(lower).T).to(dtype)

    assert compare(reordered, want) is None
    assert compare(rough, want) is not None


def test_given_tolerances_replace_the_default_one_by_one():
    """rtol and atol each replace the dtype's own."""
    assert compare(1.01, 1.0) is not None
    assert compare(1.01, 1.0, rtol=0.02) is None
    assert compare(1.01, 1.0, atol=0.02) is None
    assert compare(np.array([1e-11]), np.zeros(1), rtol=0.0) is None
    assert compare(np.array([1e-11]), np.zeros(1), atol=0.0) is not None


def test_assert_close_raises_what_compare_returns():
    """The Mismatch is an AssertionError that carries the Difference and says summary and detail."""
    assert assert_close(1.0, 1.0) is None
    with pytest.raises(AssertionError) as caught:
        assert_close(np.zeros(3), np.ones(3), name="grad")

    assert isinstance(caught.value, Mismatch)
    assert caught.value.difference == compare(np.zeros(3), np.ones(3), name="grad")
    assert "grad is zero everywhere" in str(caught.value)
    assert "want 1" in str(caught.value)


def test_a_mismatch_survives_pickling():
    """A Mismatch crosses process pools whole."""
    mismatch = Mismatch(Difference("value", "s", "d"))

    assert pickle.loads(pickle.dumps(mismatch)).difference == mismatch.difference


def test_inputs_are_left_alone():
    """Comparing changes neither value."""
    got, want = np.arange(6.0).reshape(2, 3), torch.arange(6.0).reshape(2, 3).requires_grad_()

    compare(got, got.T.copy())
    compare(want, want.detach() * 2)

    assert np.array_equal(got, np.arange(6.0).reshape(2, 3))
    assert want.requires_grad and want.is_leaf


def test_descriptions_hold_no_contents():
    """`describe` names a type and a size."""
    assert describe([1, 2]) == "a list of 2 items"
    assert describe(np.ones((2, 3))) == "a NumPy array of shape (2, 3)"
    assert describe(3) == "an int"
    assert describe("secret") == "a str"
    assert describe(object()) == "an object"


def test_the_equal_path_is_fast():
    """Comparing equal small arrays takes some ten microseconds, so that checks cost what they compute.

    The bound is thirty times the time measured on an idle machine, since this one may be busy.
    """
    array = np.random.default_rng(0).normal(size=(3, 4))
    tensor = torch.from_numpy(array)
    numbers = list(range(9))
    for got, want in ((array, array + 1e-12), (tensor, tensor + 1e-12), (1.0, 1.0), (numbers, numbers[:])):
        best = math.inf
        for _ in range(20):
            begun = time.perf_counter()
            for _ in range(20):
                compare(got, want)
            best = min(best, (time.perf_counter() - begun) / 20)

        assert best < 300e-6


def test_sizes_that_a_submission_chose_are_not_told_in_full():
    """A shape of seven digits, or of thirty axes, could be an input's."""
    assert describe(np.empty((0, 750_474))) == "a NumPy array of shape (0, 10000 or more)"
    assert describe(np.empty((0,) * 12)).endswith("(0, 0, 0, 0, 0, 0, 0, 0, ...)")
    assert describe([0] * 12_345) == "a list of 10000 or more items"
    assert "has shape (3, 10000 or more)" in compare(np.ones((3, 20_000)), np.ones((3, 2))).summary
    assert "has shape (3,) instead of" in compare(np.ones(3), np.ones((3, 1))).summary
