"""Graded checks of the attention assignment.

Later tasks are handed working parts (`attend`, `step`, layers) from the reference or from this file, so
that a student stuck on one task still gets the points of the next. Inputs are drawn in float64 unless a
check is about another dtype, and no two stand-in layers commute: an exchanged order always shows.

Values are compared with the reference's in one check for each feature. The others choose inputs on which
a misread convention makes no difference (heads of one feature don't show the scale, a variance far below
eps doesn't show how it was divided), or assert a property of the submission's own answers and compare
`ROUGHLY`: no trivial answer passes, and a deviation is charged once, under the claim that it breaks.
"""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close

# Far from zeros, halves and opposites, and near to an answer that misreads one convention. Only ever
# beside an exact check of the same function.
ROUGHLY = (0.3, 0.15)


def normal(generator, *shape, dtype=torch.float64, device="cpu"):
    """Standard normal numbers, drawn in float64 on the CPU: the same ones for every dtype and device."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype=dtype, device=device)


def integers(generator, low, high, *shape):
    """Integers in low .. high - 1."""
    return torch.randint(low, high, shape, generator=generator)


# --- Task 1: softmax ---------------------------------------------------------------------------


@number("1.1")
@weight(2)
@tags("softmax")
@pytest.mark.parametrize(
    ("shape", "dim", "dtype"),
    [
        pytest.param((5,), -1, torch.float64, id="vector"),
        pytest.param((3, 4), -1, torch.float64, id="rows"),
        pytest.param((4, 4), 0, torch.float64, id="columns"),
        pytest.param((2, 3, 4), 1, torch.float32, id="middle-dim-float32"),
        pytest.param((3, 1), -1, torch.float64, id="length-one"),
    ],
)
def test_softmax_normalizes_exponentials_along_dim(agree, torch_rng, shape, dim, dtype):
    """Weights are proportional to exp(x) and add up to 1 along `dim`, whatever the shape."""
    x = normal(torch_rng, *shape, dtype=dtype)

    agree("softmax", x, dim=dim)


@number("1.2")
@weight(1)
@tags("softmax")
def test_softmax_of_large_logits_is_finite(agree, torch_rng):
    """Only differences within a row matter: rows near 10 000, near 0 and near -10 000 are weighed alike."""
    x = normal(torch_rng, 3, 6) + torch.tensor([[1e4], [0.0], [-1e4]], dtype=torch.float64)

    agree("softmax", x)


@number("1.3")
@weight(0.5)
@tags("softmax")
def test_softmax_gives_nothing_to_entries_that_are_not_there(agree, torch_rng):
    """An entry of -inf gets weight 0, and a row of nothing else is all zeros."""
    x = normal(torch_rng, 4, 5)
    x[0, 1:3] = -math.inf
    x[2] = -math.inf

    weights = agree("softmax", x)

    assert_close(weights[2], torch.zeros(5, dtype=torch.float64))


@number("1.4")
@weight(1)
@tags("softmax")
def test_softmax_has_the_right_gradient(agree, torch_rng):
    """The gradient is right in every coordinate, also where entries or whole rows are -inf."""
    x = normal(torch_rng, 4, 5)
    x[0, 1:3] = -math.inf
    x[2] = -math.inf

    agree("softmax", x)
    agree.vjp("softmax", x, cotangent=normal(torch_rng, 4, 5))


@number("1.5")
@weight(1)
@tags("softmax")
def test_softmax_leaves_its_logits_alone(impl, agree, torch_rng):
    """Softmax changes nothing in the logits that it is given."""
    x = normal(torch_rng, 3, 4)

    assert_leaves_arguments(impl.softmax, x, name="softmax")
    agree("softmax", x)


# --- Task 2: sinusoidal positions --------------------------------------------------------------


@number("2.1")
@weight(1.5)
@tags("positions")
@pytest.mark.parametrize(
    ("d_model", "options"),
    [
        pytest.param(2, {"dtype": torch.float64}, id="one-pair"),
        pytest.param(8, {"dtype": torch.float64}, id="four-pairs"),
        pytest.param(6, {"dtype": torch.float64, "base": 100.0}, id="another-base"),
        pytest.param(2, {}, id="default-dtype"),
    ],
)
def test_positions_interleave_sines_and_cosines(agree, rng, d_model, options):
    """Columns 2i and 2i + 1 hold the sine and the cosine of the position at the i-th frequency."""
    n_positions = int(rng.integers(5, 20))

    agree("sinusoidal_positions", n_positions, d_model, **options)


def products_and_sign(impl, n_positions, d_model):
    """What is the same in whichever order the columns stand, and wherever the positions begin."""
    table = impl.sinusoidal_positions(n_positions, d_model, dtype=torch.float64)
    return table @ table.T, table.sum() > 0


@number("2.2")
@weight(2)
@tags("positions")
def test_product_of_two_position_rows_depends_on_their_distance(impl, agree, rng):
    """The product of two rows depends on their distance and nothing else, also ten thousand rows on."""
    n_positions = int(rng.integers(10_000, 10_100))

    table = impl.sinusoidal_positions(n_positions, 10)

    near, far = table[:8] @ table[:8].T, table[-8:] @ table[-8:].T
    # Rounding a sine of float64 to float32 costs 6e-8, ten of them 1e-6; an angle of ten thousand kept
    # in float32 is off by up to 5e-4.
    assert_close(far, near, rtol=0.0, atol=1e-5, name="table of products of the last eight rows")
    agree(products_and_sign, 8, 10)  # zeros and constants have the property as well


@number("2.3")
@weight(1)
@tags("positions")
@pytest.mark.parametrize(
    ("lead", "d_model", "options"),
    [
        pytest.param((), 2, {}, id="one-pair"),
        pytest.param((6,), 8, {}, id="rows"),
        pytest.param((2, 3), 6, {"base": 100.0}, id="another-base"),
        pytest.param((4,), 4, {"dtype": torch.float32}, id="float32"),
    ],
)
@pytest.mark.parametrize("direction", [1, -1], ids=["ahead", "back"])
def test_rows_shift_without_their_positions(
    agree, reference, rng, torch_rng, lead, d_model, options, direction
):
    """Rows of unknown positions move n steps ahead or back, every pair at its own frequency."""
    base = options.get("base", 10000.0)
    dtype = options.get("dtype", torch.float64)
    table = reference.sinusoidal_positions(60, d_model, base=base, dtype=dtype)
    rows = table[integers(torch_rng, 30, 60, *lead)]
    n_steps = direction * int(rng.integers(2, 30))

    agree("shift_positions", rows, n_steps, base=base)


def overlap(impl, rows, n_steps):
    """What each row has in common with itself n steps on, or n steps back: the same."""
    return (rows * impl.shift_positions(rows, n_steps)).sum(-1)


@number("2.4")
@weight(2)
@tags("positions")
def test_shifts_add_up(impl, agree, reference, rng):
    """Shifting by m and then by n is shifting by m + n, and shifting by 0 changes nothing."""
    rows = reference.sinusoidal_positions(40, 8, dtype=torch.float64)[25:31]
    m, n = (int(steps) for steps in rng.integers(2, 10, 2))

    twice = impl.shift_positions(impl.shift_positions(rows, m), n)

    assert_close(twice, impl.shift_positions(rows, m + n), name="table shifted twice")
    assert_close(impl.shift_positions(rows, 0), rows, name="table shifted by 0")
    agree(overlap, rows, n)


@number("2.5")
@weight(1)
@tags("positions")
def test_shift_leaves_its_table_alone(impl, agree, reference, rng):
    """Shifting rows changes nothing in the table that they come from."""
    table = reference.sinusoidal_positions(9, 6, dtype=torch.float64)
    n_steps = int(rng.integers(2, 9))

    assert_leaves_arguments(impl.shift_positions, table, n_steps, name="shift_positions")
    agree(overlap, table, n_steps)


# --- Task 3: scaled dot-product attention ------------------------------------------------------


@number("3.1")
@weight(1)
@tags("sdpa")
@pytest.mark.parametrize(("T_q", "T_k"), [(1, 1), (4, 4), (2, 5), (1, 6)])
def test_causal_mask_aligns_the_last_query_with_the_last_key(agree, T_q, T_k):
    """Each query sees its own position and all before it, and the last query sits at the last key."""
    agree("causal_mask", T_q, T_k)


@number("3.2")
@weight(3)
@tags("sdpa")
@pytest.mark.parametrize(
    ("lead", "T_q", "T_k", "d_v", "scale", "dtype"),
    [
        pytest.param((), 5, 5, 4, 1, torch.float64, id="one-sequence"),
        pytest.param((), 3, 7, 6, 1, torch.float64, id="more-keys-than-queries"),
        pytest.param((), 6, 2, 4, 1, torch.float64, id="fewer-keys-than-queries"),
        pytest.param((2, 3), 5, 5, 4, 1, torch.float64, id="batch-and-heads"),
        pytest.param((2,), 4, 1, 3, 1, torch.float64, id="one-key"),
        pytest.param((2, 3), 5, 6, 4, 1, torch.float32, id="float32"),
        pytest.param((2,), 5, 6, 4, 5000, torch.float64, id="large-scores"),
    ],
)
def test_attention_averages_values_by_scaled_scores(
    agree, torch_rng, device, lead, T_q, T_k, d_v, scale, dtype
):
    """The output is softmax(q k^T / sqrt(d_k)) v, for any number of queries, keys and batch dimensions."""
    d_k = 4
    q = scale * normal(torch_rng, *lead, T_q, d_k, dtype=dtype, device=device)
    # A transposed view: keys need not be contiguous in memory.
    k = normal(torch_rng, *lead, d_k, T_k, dtype=dtype, device=device).transpose(-2, -1)
    v = normal(torch_rng, *lead, T_k, d_v, dtype=dtype, device=device)

    agree("scaled_dot_product_attention", q, k, v)
    if lead == (2, 3) and dtype is torch.float64:
        agree("scaled_dot_product_attention", q[:0], k[:0], v[:0])  # an empty batch


@number("3.3")
@weight(1)
@tags("sdpa")
@pytest.mark.parametrize(("T_q", "T_k"), [(5, 5), (3, 7)])
def test_causal_attention_sees_no_future(impl, agree, torch_rng, device, T_q, T_k):
    """What changes at the last position reaches no earlier query, also with more keys than queries."""
    # Heads of one feature: there the scale is 1.
    q = normal(torch_rng, 2, T_q, 1, device=device)
    k, v = normal(torch_rng, 2, T_k, 1, device=device), normal(torch_rng, 2, T_k, 3, device=device)
    late_k, late_v = k.clone(), v.clone()
    late_k[:, -1] += 1
    late_v[:, -1] -= 1

    before = impl.scaled_dot_product_attention(q, k, v, causal=True)
    after = impl.scaled_dot_product_attention(q, late_k, late_v, causal=True)

    assert_close(after[:, :-1], before[:, :-1], name="output of the earlier queries")
    agree("scaled_dot_product_attention", q, late_k, late_v, causal=True)


@number("3.4")
@weight(3)
@tags("sdpa")
@pytest.mark.parametrize("causal", [False, True], ids=["mask", "mask-and-causal"])
def test_attention_uses_only_keys_the_mask_allows(agree, torch_rng, causal):
    """A key counts only where the mask is True and, with causal set, only if it isn't in the future."""
    # Heads of one feature: there the scale is 1.
    q, k = normal(torch_rng, 2, 3, 5, 1), normal(torch_rng, 2, 3, 7, 1)
    v = normal(torch_rng, 2, 3, 7, 6)
    padding = torch.ones(2, 1, 1, 7, dtype=torch.bool)
    padding[0, ..., 1] = padding[1, ..., 5:] = False
    each_its_own = torch.rand(2, 3, 5, 7, generator=torch_rng) < 0.6
    each_its_own[..., 0] = True

    agree("scaled_dot_product_attention", q, k, v, mask=padding, causal=causal)
    agree("scaled_dot_product_attention", q, k, v, mask=each_its_own, causal=causal)


@number("3.5")
@weight(1)
@tags("sdpa")
def test_query_that_sees_nothing_gets_zeros(agree, torch_rng):
    """Where every key of a query is hidden the output is zeros, and the other queries are as ever."""
    q, k, v = (normal(torch_rng, 2, 4, d) for d in (1, 1, 4))
    mask = torch.ones(2, 4, 4, dtype=torch.bool)
    mask[1, :2] = False
    mask[0, 2] = False

    agree("scaled_dot_product_attention", q, k, v, mask=mask)


@number("3.6")
@weight(1)
@tags("sdpa")
def test_attention_has_the_right_gradients(agree, torch_rng):
    """The gradients in q, k and v are right in every coordinate, and not NaN where a query sees nothing."""
    q, k, v = normal(torch_rng, 2, 4, 3), normal(torch_rng, 2, 5, 3), normal(torch_rng, 2, 5, 2)
    mask = torch.ones(2, 4, 5, dtype=torch.bool)
    mask[0, 1] = False
    mask[1, :, 3] = False
    cotangent = normal(torch_rng, 2, 4, 2)

    agree.vjp("scaled_dot_product_attention", q, k, v, wrt=(0, 1, 2), cotangent=cotangent, mask=mask)


@number("3.7")
@weight(2)
@tags("sdpa")
def test_attention_adds_the_bias_to_the_scaled_scores(agree, torch_rng):
    """The bias joins the scores after the scaling; a zero query's weights are the softmax of the bias."""
    k, v = normal(torch_rng, 2, 3, 5, 4), normal(torch_rng, 2, 3, 5, 3)
    q = torch.zeros(2, 3, 4, 4, dtype=torch.float64)

    agree("scaled_dot_product_attention", q, k, v, bias=normal(torch_rng, 3, 4, 5))
    agree("scaled_dot_product_attention", q, k, v, bias=normal(torch_rng, 5))
    # One feature: there the scale is 1, and products and bias add up.
    q, k = normal(torch_rng, 2, 3, 4, 1), k[..., :1]
    agree("scaled_dot_product_attention", q, k, v, bias=normal(torch_rng, 4, 5))


@number("3.8")
@weight(1)
@tags("sdpa")
@pytest.mark.parametrize(
    ("dtype", "ulp"),
    [
        pytest.param(torch.bfloat16, 2.0**-7, id="bfloat16"),
        pytest.param(torch.float16, 2.0**-10, id="float16"),
    ],
)
def test_half_precision_attention_is_computed_in_float32(agree, torch_rng, device, dtype, ulp):
    """In half precision only inputs and result are rounded, not the scores, weights and sums between."""
    q, k = (normal(torch_rng, 2, 12, 16, dtype=dtype, device=device) for _ in range(2))
    v = normal(torch_rng, 2, 12, 8, dtype=dtype, device=device)

    # Two float32 results, at most 1e-6 apart, may be rounded to neighboring numbers, one ulp apart.
    agree("scaled_dot_product_attention", q, k, v, tol=(ulp, 1e-5))


@number("3.9")
@weight(2)
@tags("sdpa")
def test_attention_knows_no_order_of_its_own(impl, agree, torch_rng):
    """Without positions and masks, shuffling the tokens shuffles the outputs the same way, no more."""
    # Heads of one feature: there the scale is 1.
    q, k, v = (normal(torch_rng, 6, d) for d in (1, 1, 4))
    order = torch.randperm(6, generator=torch_rng)

    output = impl.scaled_dot_product_attention(q, k, v)
    shuffled = impl.scaled_dot_product_attention(q[order], k[order], v[order])

    assert_close(shuffled, output[order])
    agree("scaled_dot_product_attention", q, k, v)


@number("3.10")
@weight(1)
@tags("sdpa")
def test_attention_leaves_its_inputs_alone(impl, agree, torch_rng):
    """Attention changes nothing in queries, keys, values, mask and bias."""
    q, k, v = (normal(torch_rng, 2, 4, d) for d in (1, 1, 3))
    options = {"mask": torch.tensor([True, False, True, True]), "bias": normal(torch_rng, 4, 4)}

    assert_leaves_arguments(
        impl.scaled_dot_product_attention, q, k, v, **options, name="scaled_dot_product_attention"
    )
    agree("scaled_dot_product_attention", q, k, v)


# --- Task 4: many heads ------------------------------------------------------------------------


def projections(generator, d_model, d_context=None):
    """w_q, w_k, w_v, w_o for a model of width d_model that looks at tokens of width d_context."""
    d_context = d_model if d_context is None else d_context
    widths = (d_model, d_context, d_context, d_model)
    return [normal(generator, width, d_model) / math.sqrt(width) for width in widths]


@number("4.1")
@weight(2)
@tags("multi_head")
@pytest.mark.parametrize(
    ("shape", "n_heads"),
    [
        pytest.param((5, 6), 2, id="two-heads"),
        pytest.param((4, 12), 3, id="three-heads"),
        pytest.param((2, 3, 4, 8), 4, id="batch"),
        pytest.param((3, 4), 1, id="one-head"),
    ],
)
def test_split_gives_each_head_a_run_of_every_tokens_features(agree, torch_rng, shape, n_heads):
    """Head h holds features h * d_k to (h + 1) * d_k - 1 of every token, tokens in order."""
    agree("split_heads", normal(torch_rng, *shape), n_heads)


@number("4.2")
@weight(1)
@tags("multi_head")
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((2, 5, 3), id="two-heads"),
        pytest.param((3, 4, 4), id="three-heads"),
        pytest.param((2, 3, 4, 5, 2), id="batch"),
    ],
)
def test_join_puts_the_heads_of_a_token_side_by_side(agree, torch_rng, shape):
    """A token's features come back as head 0's, then head 1's and so on."""
    agree("join_heads", normal(torch_rng, *shape))


@number("4.3")
@weight(2)
@tags("multi_head")
@pytest.mark.parametrize(
    ("lead", "n_heads"),
    [
        pytest.param((), 1, id="one-head"),
        pytest.param((), 2, id="two-heads"),
        pytest.param((2,), 4, id="four-heads-batch"),
    ],
)
def test_self_attention_projects_splits_attends_and_joins(agree, reference, torch_rng, lead, n_heads):
    """Each head attends within its own d_k features, and W_O mixes the joined heads."""
    x = normal(torch_rng, *lead, 5, 8)

    agree(
        "multi_head_attention",
        x,
        *projections(torch_rng, 8),
        n_heads=n_heads,
        attend=reference.scaled_dot_product_attention,
    )


@number("4.4")
@weight(3)
@tags("multi_head")
@pytest.mark.parametrize(
    ("T_k", "d_context", "n_heads"),
    [
        pytest.param(7, 6, 1, id="longer-context"),
        pytest.param(5, 6, 1, id="context-of-the-same-length"),
        pytest.param(3, 10, 3, id="context-of-another-width"),
    ],
)
def test_cross_attention_asks_the_context(agree, reference, torch_rng, T_k, d_context, n_heads):
    """Queries come from x, keys and values from the context: one output for every token of x."""
    x, context = normal(torch_rng, 2, 5, 6), normal(torch_rng, 2, T_k, d_context)

    agree(
        "multi_head_attention",
        x,
        *projections(torch_rng, 6, d_context),
        n_heads=n_heads,
        context=context,
        attend=reference.scaled_dot_product_attention,
    )


@number("4.5")
@weight(2)
@tags("multi_head")
@pytest.mark.parametrize(
    ("masks", "n_heads"),
    [
        pytest.param("padding", 2, id="padding"),
        pytest.param("causal", 1, id="causal"),
        pytest.param("padding and causal", 1, id="padding-and-causal"),
    ],
)
def test_masks_reach_every_head(agree, reference, torch_rng, masks, n_heads):
    """Padding is hidden from every query of every head, and so is the future when causal is set."""
    x = normal(torch_rng, 3, 5, 8)
    lengths = torch.tensor([5, 3, 1])
    key_mask = torch.arange(5) < lengths[:, None] if "padding" in masks else None

    agree(
        "multi_head_attention",
        x,
        *projections(torch_rng, 8),
        n_heads=n_heads,
        key_mask=key_mask,
        causal="causal" in masks,
        attend=reference.scaled_dot_product_attention,
    )


@number("4.6")
@weight(1)
@tags("multi_head")
def test_any_attention_can_stand_behind_the_heads(agree, torch_rng):
    """`attend` is called once, with all heads; what it answers is joined and projected, whatever it is."""
    x, weights = normal(torch_rng, 2, 5, 6), projections(torch_rng, 6)

    def scenario(impl, x, *weights):
        calls = []

        def attend(q, k, v, *, mask=None, causal=False):
            calls.append((q, k, v, causal))
            return q.cumsum(-2) - 2 * k.flip(-2) + v.square()

        output = impl.multi_head_attention(x, *weights, n_heads=3, causal=True, attend=attend)
        return output, calls

    agree(scenario, x, *weights)


@number("4.7")
@weight(1)
@tags("multi_head")
@pytest.mark.parametrize("name", ["split_heads", "join_heads", "multi_head_attention"])
def test_heads_leave_their_inputs_alone(impl, agree, reference, torch_rng, name):
    """Splitting, joining and attending change nothing in tokens, weights, context and mask."""
    x = normal(torch_rng, 3, 4)
    args, options = {
        "split_heads": ((x, 2), {}),
        "join_heads": ((x[None],), {}),
        "multi_head_attention": (
            (x, *projections(torch_rng, 4)),
            {
                "n_heads": 1,
                "context": normal(torch_rng, 2, 4),
                "key_mask": torch.tensor([True, True]),
                "attend": reference.scaled_dot_product_attention,
            },
        ),
    }[name]

    assert_leaves_arguments(getattr(impl, name), *args, **options, name=name)
    agree(name, *args, **options)


# --- Task 5: layer norm ------------------------------------------------------------------------


@number("5.1")
@weight(1)
@tags("layer_norm")
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        pytest.param((6,), torch.float64, id="one-token"),
        pytest.param((4, 6), torch.float64, id="sequence"),
        pytest.param((3, 4, 4), torch.float64, id="batch"),
        pytest.param((2, 3, 8), torch.float32, id="float32"),
    ],
)
def test_layer_norm_normalizes_the_features_of_each_token(agree, torch_rng, shape, dtype):
    """Each token is shifted and scaled by its own mean and biased variance, then by gain and bias."""
    x = 2 * normal(torch_rng, *shape, dtype=dtype) + 3
    gain, bias = (normal(torch_rng, shape[-1], dtype=dtype) for _ in range(2))

    agree("layer_norm", x, gain, bias, eps=1e-12)


@number("5.2")
@weight(1)
@tags("layer_norm")
def test_layer_norm_adds_eps_to_the_variance(agree, torch_rng):
    """For tokens that hardly vary the result is governed by eps, which is added before the root."""
    # A variance of 1e-12 is lost beside eps: how it was divided makes no difference here.
    x = 1e-6 * normal(torch_rng, 3, 6)
    gain, bias = torch.ones(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)

    agree("layer_norm", x, gain, bias)
    agree("layer_norm", x, gain, bias, eps=1e-3)
    agree("layer_norm", torch.ones_like(x), gain, bias)


@number("5.3")
@weight(2)
@tags("layer_norm")
def test_gradient_knows_that_mean_and_variance_move(impl, agree, reference, vjp, torch_rng):
    """Shifting a token changes no output, nor, at eps = 0, does its size: the gradient is 0 in both ways."""
    x, cotangent = normal(torch_rng, 3, 6), normal(torch_rng, 3, 6)
    gain, bias = torch.ones(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
    leaf = x.clone().requires_grad_()
    reference.layer_norm(leaf, gain, bias, eps=0.0).backward(cotangent)

    (gradient,) = vjp(impl.layer_norm, x, gain, bias, eps=0.0, wrt=(0,), cotangent=cotangent)

    nothing = torch.zeros(3, dtype=torch.float64)
    assert_close(gradient.sum(-1), nothing, name="change of the loss when a token is shifted")
    assert_close((gradient * x).sum(-1), nothing, name="change of the loss when a token grows")
    assert_close(gradient / gradient.norm(), leaf.grad / leaf.grad.norm(), name="direction of the gradient")
    agree.vjp("layer_norm", x, gain, bias, eps=0.0, wrt=(0,), cotangent=cotangent, tol=ROUGHLY)


def direction(impl, x, gain, bias):
    """The normalized tokens up to one common factor: what the variance was divided by makes no difference."""
    y = impl.layer_norm(x, gain, bias, eps=1e-14)
    return y / y.norm()


@number("5.4")
@weight(1.5)
@tags("layer_norm")
def test_layer_norm_treats_tokens_apart(impl, agree, torch_rng):
    """Changing one token of one sequence changes that token's output and no other."""
    x = normal(torch_rng, 2, 4, 6)
    gain, bias = torch.ones(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
    changed = x.clone()
    changed[0, 1] = 5 * normal(torch_rng, 6)

    before, after = impl.layer_norm(x, gain, bias), impl.layer_norm(changed, gain, bias)

    assert_close(after[1], before[1], name="output of the other sequence")
    assert_close(after[0, 2:], before[0, 2:], name="output of the later tokens")
    assert_close(after[0, :1], before[0, :1], name="output of the token before")
    agree(direction, changed, gain, bias)
    agree("layer_norm", changed, gain, bias, tol=ROUGHLY)


@number("5.5")
@weight(1)
@tags("layer_norm")
def test_layer_norm_leaves_its_inputs_alone(impl, agree, torch_rng):
    """Layer norm changes nothing in the tokens, the gain and the bias."""
    x, gain = normal(torch_rng, 3, 6), torch.ones(6, dtype=torch.float64)
    bias = torch.zeros(6, dtype=torch.float64)

    assert_leaves_arguments(impl.layer_norm, x, gain, bias, name="layer_norm")
    agree(direction, x, gain, bias)
    agree("layer_norm", x, gain, bias, tol=ROUGHLY)


# --- Task 6: the transformer block -------------------------------------------------------------


def stand_in_layers(generator, T, d):
    """Four layers, no two of which commute: one mixes tokens, one is non-linear, two are affine maps."""
    mix, turn = normal(generator, T, T), normal(generator, d, d)
    gain_1, bias_1, gain_2, bias_2 = (normal(generator, d) for _ in range(4))
    return {
        "attention_layer": lambda x: mix @ x,
        "mlp_layer": lambda x: torch.tanh(x @ turn),
        "norm_1": lambda x: x * gain_1 + bias_1,
        "norm_2": lambda x: x * gain_2 + bias_2,
    }


@number("6.1")
@weight(2)
@tags("block")
@pytest.mark.parametrize("shape", [(4, 6), (2, 4, 6)], ids=["sequence", "batch"])
def test_post_norm_block_normalizes_the_sum(agree, torch_rng, shape):
    """Post-norm: each layer's output is added to its input, and that layer's norm normalizes the sum."""
    agree("transformer_block", normal(torch_rng, *shape), **stand_in_layers(torch_rng, *shape[-2:]))


@number("6.2")
@weight(2)
@tags("block")
@pytest.mark.parametrize("shape", [(4, 6), (2, 4, 6)], ids=["sequence", "batch"])
def test_pre_norm_block_leaves_the_residual_stream_alone(agree, torch_rng, shape):
    """Pre-norm: only what goes into a layer is normalized; the input itself runs through by addition."""
    layers = stand_in_layers(torch_rng, *shape[-2:])

    agree("transformer_block", normal(torch_rng, *shape), **layers, pre_norm=True)


@number("6.3")
@weight(1)
@tags("block")
def test_block_leaves_the_tokens_alone(impl, agree, torch_rng):
    """The block changes nothing in the tokens that it is given, in either norm order."""
    x, layers = normal(torch_rng, 4, 6), stand_in_layers(torch_rng, 4, 6)

    assert_leaves_arguments(impl.transformer_block, x, *layers.values(), name="transformer_block")
    assert_leaves_arguments(
        impl.transformer_block, x, *layers.values(), pre_norm=True, name="transformer_block"
    )
    agree("transformer_block", x, **layers, pre_norm=True)


# --- Task 7: the language model ----------------------------------------------------------------


@number("7.1")
@weight(2.5)
@tags("language_model")
@pytest.mark.parametrize(
    ("lead", "n_blocks", "d_model"),
    [
        pytest.param((), 0, 1, id="no-blocks"),
        pytest.param((), 1, 1, id="one-block"),
        pytest.param((3,), 3, 4, id="three-blocks-batch"),
    ],
)
def test_language_model_embeds_transforms_and_reads_out(agree, torch_rng, lead, n_blocks, d_model):
    """Embeddings plus positions go through the blocks in order; the same table reads out the logits."""
    tokens = integers(torch_rng, 0, 9, *lead, 5)
    embedding, positions = normal(torch_rng, 9, d_model), normal(torch_rng, 8, d_model)
    turns = [normal(torch_rng, d_model, d_model) for _ in range(n_blocks)]
    blocks = [lambda x, turn=turn: torch.tanh(x @ turn) for turn in turns]

    agree("language_model", tokens, embedding, positions, blocks)


@number("7.2")
@weight(1)
@tags("language_model")
def test_embedding_table_is_trained_from_both_ends(agree, torch_rng):
    """The table's gradient has two parts: from looking tokens up, and from reading the logits out."""
    tokens = integers(torch_rng, 0, 7, 5)
    embedding, positions = normal(torch_rng, 7, 1), normal(torch_rng, 6, 1)
    cotangent = normal(torch_rng, 5, 7)

    agree.vjp("language_model", tokens, embedding, positions, [], wrt=(1, 2), cotangent=cotangent)


@number("7.3")
@weight(2)
@tags("language_model")
@pytest.mark.parametrize(
    ("lead", "T", "scale"),
    [
        pytest.param((), 6, 1.0, id="one-sequence"),
        pytest.param((3,), 5, 1.0, id="batch"),
        pytest.param((), 2, 1.0, id="one-prediction"),
        pytest.param((2,), 4, 1000.0, id="large-logits"),
    ],
)
def test_loss_is_the_mean_surprise_at_the_next_tokens(agree, torch_rng, lead, T, scale):
    """The logits at each position are judged by the token that follows, on average, and without overflow."""
    logits, tokens = scale * normal(torch_rng, *lead, T, 7), integers(torch_rng, 0, 7, *lead, T)

    agree("next_token_loss", logits, tokens)


@number("7.4")
@weight(1)
@tags("language_model")
def test_loss_ignores_padding(agree, torch_rng):
    """Only unmasked next tokens count, each of them alike, in sequences of different lengths."""
    logits, tokens = normal(torch_rng, 3, 6, 7), integers(torch_rng, 0, 7, 3, 6)
    right_padded = torch.arange(6) < torch.tensor([[6], [4], [2]])

    agree("next_token_loss", logits, tokens, mask=right_padded)
    agree("next_token_loss", logits, tokens, mask=right_padded.flip(-1))


@number("7.5")
@weight(1)
@tags("language_model")
def test_loss_has_the_right_gradient(agree, torch_rng):
    """A counted prediction's gradient is (probabilities - what came) / count; the last position's is zero."""
    logits, tokens = normal(torch_rng, 2, 5, 6), integers(torch_rng, 0, 6, 2, 5)
    mask = torch.arange(5) < torch.tensor([[5], [2]])
    cotangent = torch.tensor(1.5, dtype=torch.float64)

    agree("next_token_loss", logits, tokens, mask=mask)
    agree.vjp("next_token_loss", logits, tokens, wrt=(0,), cotangent=cotangent, mask=mask)


@number("7.6")
@weight(0.5)
@tags("language_model")
@pytest.mark.parametrize("pre_norm", [False, True], ids=["post-norm", "pre-norm"])
def test_pieces_fit_together(impl, agree, reference, rng, torch_rng, pre_norm):
    """All your pieces assembled are a language model: right logits, and no look into the future."""
    seed = int(rng.integers(2**31))
    params = reference.init_transformer(
        seed, n_vocab=11, d_model=8, d_mlp=12, n_blocks=2, dtype=torch.float64
    )
    # Larger than at the start of training, so that every part leaves its mark on the logits.
    params["embedding"] = normal(torch_rng, 11, 8)
    tokens = integers(torch_rng, 0, 11, 2, 6)
    changed = tokens.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 11

    before = impl.transformer(tokens, params, n_heads=2, pre_norm=pre_norm)
    after = impl.transformer(changed, params, n_heads=2, pre_norm=pre_norm)

    assert_close(after[:, :-1], before[:, :-1], name="logits of the earlier positions")
    agree("transformer", tokens, params, n_heads=2, pre_norm=pre_norm)


@number("7.7")
@weight(1)
@tags("language_model")
@pytest.mark.parametrize("name", ["language_model", "next_token_loss"])
def test_language_model_and_loss_leave_their_inputs_alone(impl, agree, torch_rng, name):
    """Neither the model nor its loss changes tokens, tables, logits or mask."""
    tokens, embedding = integers(torch_rng, 0, 7, 2, 5), normal(torch_rng, 7, 1)
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])
    args, options = {
        "language_model": ((tokens, embedding, normal(torch_rng, 6, 1), [torch.tanh]), {}),
        "next_token_loss": ((normal(torch_rng, 2, 5, 7), tokens), {"mask": mask}),
    }[name]

    assert_leaves_arguments(getattr(impl, name), *args, **options, name=name)
    agree(name, *args, **{key: torch.ones_like(value) for key, value in options.items()})


# --- Task 8: positions inside the attention ----------------------------------------------------


@number("8.1")
@weight(2)
@tags("relative")
@pytest.mark.parametrize(
    ("lead", "d", "positions", "options"),
    [
        pytest.param((), 2, [0, 1, 2], {}, id="one-pair"),
        pytest.param((), 6, [0, 1, 2, 3], {"base": 100.0}, id="another-base"),
        pytest.param((2, 3), 8, [7, 8, 9, 10, 11], {}, id="heads-after-a-cache"),
        pytest.param((2,), 4, [5, 0, 3], {}, id="any-order"),
    ],
)
def test_rope_turns_neighboring_features_by_the_position(agree, torch_rng, lead, d, positions, options):
    """Features 2i and 2i + 1 turn counter-clockwise by position * base^(-2i / d), wherever the tokens sit."""
    x = normal(torch_rng, *lead, len(positions), d)

    agree("apply_rope", x, torch.tensor(positions), **options)


def turned_products(impl, x, positions):
    """What is the same whichever way round pairs turn: products of equal vectors, and position 0 itself."""
    turned = impl.apply_rope(x, positions)
    return turned @ turned.transpose(-2, -1), turned[0]


@number("8.2")
@weight(1)
@tags("relative")
def test_rope_scores_are_the_same_all_along_the_sequence(impl, agree, rng, torch_rng):
    """Moving query and key along by the same number of places changes none of their products."""
    q, k = normal(torch_rng, 4, 2), normal(torch_rng, 4, 2)
    positions, shift = torch.arange(4) * 2, int(rng.integers(1, 50))

    here = impl.apply_rope(q, positions) @ impl.apply_rope(k, positions).T
    there = impl.apply_rope(q, positions + shift) @ impl.apply_rope(k, positions + shift).T

    assert_close(there, here, name="table of products further along")
    agree(turned_products, torch.ones(4, 2, dtype=torch.float64), positions)


@number("8.3")
@weight(2)
@tags("relative")
@pytest.mark.parametrize(
    ("n_heads", "T_q", "T_k"),
    [
        pytest.param(1, 3, 3, id="one-head"),
        pytest.param(8, 4, 4, id="eight-heads"),
        pytest.param(4, 2, 5, id="more-keys-than-queries"),
        pytest.param(2, 3, 8, id="after-a-cache"),
    ],
)
def test_alibi_penalizes_distance_by_head(agree, n_heads, T_q, T_k):
    """Each step back costs head h another 2^(-8 (h + 1) / n_heads), counted from where the query sits."""
    agree("alibi_bias", n_heads, T_q, T_k, dtype=torch.float64)


@number("8.4")
@weight(1)
@tags("relative")
def test_rope_is_as_exact_a_million_tokens_on(impl, agree, torch_rng):
    """In float32, too, products near position 1,000,000 are those at the start: no angle loses its digits."""
    x = normal(torch_rng, 4, 4, dtype=torch.float32)
    positions = torch.tensor([0, 1, 3, 7])

    near = impl.apply_rope(x, positions, base=10.0)
    far = impl.apply_rope(x, positions + 1_000_000, base=10.0)

    # The second pair has turned by 316 228 radians: kept in float32, that is off by up to 0.02.
    assert_close(far @ far.T, near @ near.T, name="table of products a million tokens on")
    agree(turned_products, torch.ones(4, 2), positions)


@number("8.5")
@weight(1)
@tags("relative")
def test_rope_leaves_its_inputs_alone(impl, agree, torch_rng):
    """RoPE changes nothing in the vectors and the positions that it is given."""
    x, positions = normal(torch_rng, 4, 2), torch.tensor([0, 1, 3, 7])

    assert_leaves_arguments(impl.apply_rope, x, positions, name="apply_rope")
    agree(turned_products, torch.ones(4, 2, dtype=torch.float64), positions)


# --- Task 9: attention in blocks ---------------------------------------------------------------


def fresh_state(*lead, d_v):
    """The state before the first block, for queries of shape `lead`."""
    return (
        torch.full(lead, -math.inf, dtype=torch.float64),
        torch.zeros(*lead, dtype=torch.float64),
        torch.zeros(*lead, d_v, dtype=torch.float64),
    )


@number("9.1")
@weight(2)
@tags("blockwise")
@pytest.mark.parametrize(
    "case",
    [
        "first-block",
        "larger-scores-come-later",
        "larger-scores-came-before",
        "hidden-keys",
        "nothing-seen-yet",
    ],
)
def test_step_keeps_sums_relative_to_the_largest_score(agree, reference, torch_rng, case):
    """The state is the largest score so far and two sums relative to it, with hidden keys left out."""
    state = fresh_state(2, 3, d_v=4)
    if case != "first-block" and case != "nothing-seen-yet":
        state = reference.online_softmax_step(state, normal(torch_rng, 2, 3, 6), normal(torch_rng, 2, 6, 4))
    scores, values = normal(torch_rng, 2, 3, 5), normal(torch_rng, 2, 5, 4)
    if case == "larger-scores-come-later":
        scores = scores + 1000
    if case == "larger-scores-came-before":
        scores = scores - 3
    if case == "hidden-keys":
        scores[0, :, 1:3] = -math.inf
        scores[1, 0] = -math.inf
    if case == "nothing-seen-yet":
        scores[0, 1] = -math.inf

    agree("online_softmax_step", state, scores, values)


@number("9.2")
@weight(2)
@tags("blockwise")
@pytest.mark.parametrize("block_size", [1, 3, 7, 100])
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
def test_blocks_of_any_size_equal_the_whole(agree, reference, torch_rng, device, block_size, causal):
    """Attention in blocks is plain attention, whether block_size divides T_k, doesn't, or exceeds it."""
    q = normal(torch_rng, 2, 4, 5, device=device)
    k, v = normal(torch_rng, 2, 7, 5, device=device), normal(torch_rng, 2, 7, 3, device=device)

    step = reference.online_softmax_step
    agree("blockwise_attention", q, k, v, block_size=block_size, causal=causal, step=step)


@number("9.3")
@weight(1)
@tags("blockwise")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=["float64", "bfloat16"])
def test_blocks_may_be_hidden(agree, reference, torch_rng, device, dtype):
    """Left padding may hide whole blocks; a query that sees nothing gets zeros, and none gets NaN."""
    # One feature: there the scale is 1.
    q, k, v = (normal(torch_rng, 2, 3, 8, d, dtype=dtype, device=device) for d in (1, 1, 4))
    mask = (torch.arange(8) >= torch.tensor([[0], [5]]))[:, None, None, :].to(device)

    # As above: in bfloat16 two float32 results may be rounded to neighboring numbers, one ulp apart.
    tol = (2.0**-7, 1e-5) if dtype is torch.bfloat16 else None
    agree(
        "blockwise_attention",
        q,
        k,
        v,
        block_size=2,
        mask=mask,
        causal=True,
        step=reference.online_softmax_step,
        tol=tol,
    )


@number("9.4")
@weight(2)
@tags("blockwise")
def test_blocks_hold_few_scores_at_a_time(agree, reference, torch_rng, device):
    """Each key is taken in once, in order; no step holds more than T_q * block_size scores."""
    # One feature: there the scale is 1.
    q, k = normal(torch_rng, 6, 1, device=device), normal(torch_rng, 48, 1, device=device)
    v = normal(torch_rng, 48, 3, device=device)
    visible = torch.arange(48, device=device) >= 8  # the first block is hidden from every query

    def scenario(impl, q, k, v):
        seen, scores_held, state_held = [], [], []

        def step(state, scores, values):
            seen.append(values)
            scores_held.append(scores.numel())
            state_held.append(sum(part.numel() for part in state))
            return reference.online_softmax_step(state, scores, values)

        output = impl.blockwise_attention(q, k, v, block_size=8, mask=visible, step=step)
        return output, torch.cat(seen), max(scores_held), max(state_held)

    _, values, scores_held, state_held = agree(scenario, q, k, v)

    assert_close(values, v)
    assert scores_held == 6 * 8
    assert state_held == 6 * (3 + 2)


@number("9.5")
@weight(0.5)
@tags("blockwise")
@pytest.mark.parametrize("name", ["online_softmax_step", "blockwise_attention"])
def test_blocks_leave_their_inputs_alone(impl, agree, reference, torch_rng, name):
    """A step changes nothing in the state it is given, nor blockwise attention in q, k, v and mask."""
    state = reference.online_softmax_step(
        fresh_state(2, d_v=3), normal(torch_rng, 2, 4), normal(torch_rng, 4, 3)
    )
    q, k, v = (normal(torch_rng, 4, d) for d in (1, 1, 3))
    mask = torch.tensor([True, True, False, True])
    args, options = {
        "online_softmax_step": ((state, normal(torch_rng, 2, 4) + 2, normal(torch_rng, 4, 3)), {}),
        "blockwise_attention": (
            (q, k, v), {"block_size": 2, "mask": mask, "step": reference.online_softmax_step}
        ),
    }[name]  # fmt: skip

    assert_leaves_arguments(getattr(impl, name), *args, **options, name=name)
    agree(name, *args, **options)
