"""The checks you can run yourself: `pytest` in this folder, or `pytest --task softmax` for one task's.

They are about a quarter of the points. The graded checks ask for the same on other shapes, dtypes and masks.
"""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close


def normal(generator, *shape):
    """Standard normal numbers in float64."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def tensor(values):
    """A float64 tensor of numbers written out by hand."""
    return torch.tensor(values, dtype=torch.float64)


def zeros(*shape):
    """A float64 tensor of zeros."""
    return torch.zeros(*shape, dtype=torch.float64)


def torch_attention(q, k, v, *, mask=None, causal=False):
    """torch's own attention, to compare with, and to stand in for yours."""
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)


# --- Task 1: softmax ---------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("softmax")
def test_softmax_by_hand(impl):
    """Logits 0, log 2 and log 3 give the weights 1/6, 2/6 and 3/6. With `dim=0`, each column adds up to 1."""
    logits = torch.log(tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))

    rows = impl.softmax(logits)
    columns = impl.softmax(logits, dim=0)

    assert_close(rows, tensor([[1 / 6, 2 / 6, 3 / 6], [3 / 6, 2 / 6, 1 / 6]]), name="softmax of the rows")
    by_hand = tensor([[1 / 4, 1 / 2, 3 / 4], [3 / 4, 1 / 2, 1 / 4]])
    assert_close(columns, by_hand, name="softmax of the columns")


@number("1.p2")
@weight(1)
@tags("softmax")
def test_softmax_ignores_a_shift(impl, torch_rng):
    """If a number is added to a whole row, its weights stay the same, however large the number is."""
    logits = normal(torch_rng, 2, 4)

    weights = impl.softmax(logits + tensor([[1000.0], [-1000.0]]))

    # 1000 + x is rounded at the 13th decimal, so the weights agree to about 1e-13.
    assert_close(weights, impl.softmax(logits), name="softmax of the shifted rows")
    assert_close(weights.sum(-1), torch.ones(2, dtype=torch.float64), name="sum of each row")


@number("1.p3")
@weight(0.5)
@tags("softmax")
def test_softmax_of_what_is_not_there(impl, vjp):
    """An entry of -inf has the weight 0. A row of only -inf has the weights 0 and the gradient 0, not NaN."""
    logits = tensor([[0.0, -math.inf, math.log(3)], [-math.inf, -math.inf, -math.inf]])

    weights = impl.softmax(logits)
    (gradient,) = vjp(impl.softmax, logits, cotangent=tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    first_row = logits[0].clone().requires_grad_()
    torch.softmax(first_row, -1)[0].backward()  # torch's own, which is NaN in the second row

    assert_close(weights, tensor([[1 / 4, 0.0, 3 / 4], [0.0, 0.0, 0.0]]))
    assert_close(gradient, torch.stack([first_row.grad, zeros(3)]), name="gradient")


# --- Task 2: sinusoidal positions --------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("positions")
def test_positions_by_hand(impl):
    """At d_model = 4, the two pairs turn by 1 and 1/100 radians per position. With base 100: 1 and 1/10."""
    table = impl.sinusoidal_positions(3, 4, dtype=torch.float64)
    another_base = impl.sinusoidal_positions(3, 4, base=100.0, dtype=torch.float64)

    for rows, slow in ((table, 100), (another_base, 10)):
        by_hand = [[math.sin(p), math.cos(p), math.sin(p / slow), math.cos(p / slow)] for p in (0, 1, 2)]
        assert_close(rows, tensor(by_hand))


@number("2.p2")
@weight(0.5)
@tags("positions")
def test_positions_lie_on_circles(impl):
    """In every row, the squares of columns 2i and 2i + 1 add up to 1. The default dtype is float32."""
    table = impl.sinusoidal_positions(20, 10)

    pairs = table.reshape(20, 5, 2)
    assert_close(pairs.square().sum(-1), torch.ones(20, 5), name="squared length of each pair")


@number("2.p3")
@weight(1)
@tags("positions")
def test_positions_shift_by_hand(impl):
    """With n_steps = 2, rows 0 and 3 become rows 2 and 5. With n_steps = -2, they become rows -2 and 1."""

    def row(p):
        return [math.sin(p), math.cos(p), math.sin(p / 10), math.cos(p / 10)]

    ahead = impl.shift_positions(tensor([row(0), row(3)]), 2, base=100.0)
    back = impl.shift_positions(tensor([row(0), row(3)]), -2, base=100.0)

    assert_close(ahead, tensor([row(2), row(5)]), name="table shifted by two steps")
    assert_close(back, tensor([row(-2), row(1)]), name="table shifted back by two steps")


# --- Task 3: scaled dot-product attention ------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("sdpa")
def test_sdpa_causal_mask_by_hand(impl):
    """After two cached keys, three queries sit at positions 2, 3 and 4. Each sees the keys up to its position."""
    mask = impl.causal_mask(3, 5)

    by_hand = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    assert_close(mask, torch.tensor(by_hand, dtype=torch.bool), name="mask")


@number("3.p2")
@weight(1)
@tags("sdpa")
def test_sdpa_zero_query_averages_what_it_sees(impl, torch_rng):
    """A zero query gives the mean of the values that it may see. If it may see none, it gives zeros."""
    k, v = normal(torch_rng, 2, 4, 3), normal(torch_rng, 2, 4, 5)
    q = torch.zeros_like(k)
    mask = torch.tensor([[[True, False, True, False]], [[False, False, False, False]]])

    everything = impl.scaled_dot_product_attention(q, k, v)
    past = impl.scaled_dot_product_attention(q, k, v, causal=True)
    masked = impl.scaled_dot_product_attention(q, k, v, mask=mask)
    both = impl.scaled_dot_product_attention(q, k, v, mask=mask, causal=True)

    means_so_far = v.cumsum(1) / tensor([[1.0], [2.0], [3.0], [4.0]])
    first_and_third = (v[0, 0] + v[0, 2]) / 2
    assert_close(everything, v.mean(1, keepdim=True).expand(2, 4, 5), name="output without a mask")
    assert_close(past, means_so_far, name="causal output")
    assert_close(masked[0], first_and_third.expand(4, 5), name="output with a mask")
    assert_close(masked[1], zeros(4, 5), name="output with every key hidden")
    by_hand = torch.stack([v[0, 0], v[0, 0], first_and_third, first_and_third])
    assert_close(both[0], by_hand, name="causal output with a mask")


@number("3.p3")
@weight(1)
@tags("sdpa")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_sdpa_agrees_with_torch(impl, torch_rng, device, dtype):
    """Your attention agrees with torch's in float64, float32 and bfloat16."""
    q, k, v = (normal(torch_rng, 2, 3, 6, 8).to(dtype=dtype, device=device) for _ in range(3))

    output = impl.scaled_dot_product_attention(q, k, v)

    assert_close(output, torch_attention(q.double(), k.double(), v.double()).to(dtype))


@number("3.p5")
@weight(0)
@tags("sdpa")
@pytest.mark.gpu
def test_sdpa_where_float16_overflows(impl, torch_rng, device):
    """On a GPU, for no points: products of 102,400 in float16, whose largest number is 65,504. Computed in float32 they
    do no harm."""
    # Quarters around 40: every product and every sum of 64 of them is exact in float32, in any order.
    q, k = 40 + torch.randint(-32, 33, (2, 24, 64), generator=torch_rng) / 4, torch.full((2, 24, 64), 40.0)
    k[..., :4] += torch.randint(-1, 2, (2, 24, 4), generator=torch_rng) / 4
    v = normal(torch_rng, 2, 24, 8)
    q, k, v = (x.to(dtype=torch.float16, device=device) for x in (q, k, v))

    output = impl.scaled_dot_product_attention(q, k, v)

    assert_close(output, torch_attention(q.double(), k.double(), v.double()).to(torch.float16))


@number("3.p4")
@weight(1)
@tags("sdpa")
def test_sdpa_bias_alone(impl, torch_rng):
    """For a zero query, the biases log 1 and log 3 give two keys the weights 1/4 and 3/4, whatever the scale."""
    k, v = normal(torch_rng, 2, 4), tensor([[0.0], [4.0]])

    output = impl.scaled_dot_product_attention(zeros(1, 4), k, v, bias=torch.log(tensor([[1.0, 3.0]])))

    assert_close(output, tensor([[3.0]]))


# --- Task 4: many heads ------------------------------------------------------------------------


@number("4.p1")
@weight(1)
@tags("multi_head")
def test_multi_head_split_by_hand(impl):
    """Head 0 gets the first half of every token's features, and head 1 gets the second half."""
    x = torch.tensor([[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]])

    heads = impl.split_heads(x, 2)

    assert_close(heads, torch.tensor([[[0, 1], [10, 11], [20, 21]], [[2, 3], [12, 13], [22, 23]]]))


@number("4.p2")
@weight(1)
@tags("multi_head")
def test_multi_head_join_by_hand(impl):
    """Each token gets back its own features of head 0, followed by its own features of head 1."""
    heads = torch.tensor([[[0, 1], [10, 11], [20, 21]], [[2, 3], [12, 13], [22, 23]]])

    x = impl.join_heads(heads)

    assert_close(x, torch.tensor([[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]))


@number("4.p3")
@weight(1)
@tags("multi_head")
@pytest.mark.parametrize("n_heads", [1, 4])
def test_multi_head_agrees_with_torch(impl, torch_rng, n_heads):
    """With the same weights and hidden padding, your multi-head attention agrees with torch's."""
    x, weights = normal(torch_rng, 2, 5, 8), [normal(torch_rng, 8, 8) for _ in range(4)]
    key_mask = torch.tensor([[True] * 5, [True, True, True, False, False]])

    output = impl.multi_head_attention(
        x, *weights, n_heads=n_heads, key_mask=key_mask, attend=torch_attention
    )

    assert_close(output, torch_multi_head(x, x, weights, n_heads, ~key_mask))


@number("4.p4")
@weight(1)
@tags("multi_head")
def test_multi_head_crosses_over_and_passes_causal_on(impl, torch_rng):
    """Keys and values come from the context. With `causal`, changing a token changes no earlier output."""
    x, context = normal(torch_rng, 2, 3, 4), normal(torch_rng, 2, 5, 4)
    weights = [normal(torch_rng, 4, 4) for _ in range(4)]
    later = x.clone()
    later[:, -1] += 1

    crossed = impl.multi_head_attention(x, *weights, n_heads=1, context=context, attend=torch_attention)
    causal = impl.multi_head_attention(x, *weights, n_heads=1, causal=True, attend=torch_attention)
    causal_later = impl.multi_head_attention(later, *weights, n_heads=1, causal=True, attend=torch_attention)

    assert_close(crossed, torch_multi_head(x, context, weights, 1, None), name="output with a context")
    assert_close(causal_later[:, :-1], causal[:, :-1], name="output before the changed token")


def torch_multi_head(x, context, weights, n_heads, hidden):
    """torch's multi-head attention; its mask is True where a key is hidden."""
    d_model = x.shape[-1]
    theirs = torch.nn.MultiheadAttention(d_model, n_heads, bias=False, batch_first=True, dtype=torch.float64)
    # not as key_padding_mask: checking that, torch imports half a second of other libraries
    mask = None if hidden is None else hidden[:, None].repeat_interleave(n_heads, 0).expand(-1, x.shape[-2], -1)
    with torch.no_grad():
        # torch multiplies by transposed weights
        theirs.in_proj_weight.copy_(torch.cat([w.T for w in weights[:3]]))
        theirs.out_proj.weight.copy_(weights[3].T)
        return theirs(x, context, context, attn_mask=mask)[0]


# --- Task 5: layer norm ------------------------------------------------------------------------


@number("5.p1")
@weight(1)
@tags("layer_norm")
def test_layer_norm_by_hand(impl):
    """At eps = 0.25, (1, 3) becomes (-1, 1) / sqrt(1.25) and (5, 5) becomes (0, 0), before gain and bias."""
    x = tensor([[1.0, 3.0], [5.0, 5.0]])

    normalized = impl.layer_norm(x, tensor([10.0, 100.0]), tensor([1.0, 2.0]), eps=0.25)

    unit = 1 / math.sqrt(1.25)
    assert_close(normalized, tensor([[1 - 10 * unit, 2 + 100 * unit], [1.0, 2.0]]))


@number("5.p2")
@weight(0.5)
@tags("layer_norm")
def test_layer_norm_centers_every_token(impl, torch_rng):
    """With a tiny eps, every token comes out with mean 0, and all tokens with the same variance."""
    x, ones = normal(torch_rng, 2, 4, 8), torch.ones(8, dtype=torch.float64)

    y = impl.layer_norm(x, ones, 0 * ones, eps=1e-14)

    variance = y.square().mean(-1)
    assert_close(y.mean(-1), zeros(2, 4), name="mean of each token")
    assert_close(variance, variance[:1, :1].expand(2, 4), name="variance of each token")
    assert (variance > 0.5).all(), "a token that varies comes out as nothing"


# --- Task 6: the transformer block -------------------------------------------------------------


@number("6.p1")
@weight(2)
@tags("block")
@pytest.mark.parametrize(
    ("pre_norm", "by_hand"),
    [
        # x = 2: norm_1(2 + 3 * 2) = 80, then norm_2(80 + (80 + 1)) = 16100
        pytest.param(False, 16100.0, id="post-norm"),
        # x = 2: 2 + 3 * norm_1(2) = 62, then 62 + (norm_2(62) + 1) = 6263
        pytest.param(True, 6263.0, id="pre-norm"),
    ],
)
def test_block_by_hand(impl, pre_norm, by_hand):
    """With layers 3x and x + 1 and norms 10x and 100x, x = 2 gives 16100 in post-norm and 6263 in pre-norm."""
    output = impl.transformer_block(
        tensor([[2.0]]),
        lambda x: 3 * x,
        lambda x: x + 1,
        lambda x: 10 * x,
        lambda x: 100 * x,
        pre_norm=pre_norm,
    )

    assert_close(output, tensor([[by_hand]]))


# --- Task 7: the language model ----------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("language_model")
def test_language_model_by_hand(impl):
    """Token row plus position row goes through the blocks in order. Products with the table are the logits."""
    embedding = tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    positions = tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]])
    blocks = [lambda x: x + 1, lambda x: 2 * x]

    logits = impl.language_model(torch.tensor([2, 0]), embedding, positions, blocks)

    # Token 2 at position 0 is (1, 1), then (4, 4); token 0 at position 1 is (1.5, 0), then (5, 2).
    assert_close(logits, tensor([[4.0, 4.0, 8.0], [5.0, 2.0, 7.0]]))


# The tokens are 0, 1, 2, 0. Tokens 1, 2 and 0 were predicted with the probabilities 1/2, 1/4 and 1/8. The last row
# predicts a token that is not given.
TOKENS = [0, 1, 2, 0]
PROBABILITIES = [[1 / 4, 1 / 2, 1 / 4], [1 / 2, 1 / 4, 1 / 4], [1 / 8, 1 / 8, 3 / 4], [1 / 3, 1 / 3, 1 / 3]]


@number("7.p2")
@weight(0.5)
@tags("language_model")
def test_language_model_loss_by_hand(impl):
    """If the tokens that came next had the probabilities 1/2, 1/4 and 1/8, the loss is 2 log 2."""
    loss = impl.next_token_loss(tensor(PROBABILITIES).log(), torch.tensor(TOKENS))

    assert_close(loss, 2 * math.log(2), name="loss")


@number("7.p5")
@weight(0.5)
@tags("language_model")
def test_language_model_loss_of_padded_tokens(impl):
    """If the last two of four tokens are padding, only the prediction of token 1 counts: 1/2 costs log 2."""
    mask = torch.tensor([True, True, False, False])

    loss = impl.next_token_loss(tensor(PROBABILITIES).log(), torch.tensor(TOKENS), mask=mask)

    assert_close(loss, math.log(2), name="loss with the last two tokens masked")


@number("7.p3")
@weight(0.5)
@tags("language_model")
def test_language_model_starts_near_log_v(impl, torch_rng):
    """An untrained model with a small table has a loss near log V, like a guess among V tokens."""
    n_vocab, embedding = 50, 0.02 * normal(torch_rng, 50, 16)
    tokens = torch.randint(0, n_vocab, (4, 12), generator=torch_rng)

    logits = impl.language_model(tokens, embedding, normal(torch_rng, 12, 16), [post_norm_attention] * 2)
    loss = impl.next_token_loss(logits, tokens)

    # A logit is a sum of 16 products with a table of standard deviation 0.02: about 0.02 * 4 = 0.08 in
    # size. The loss differs from log V by a mean of 44 such numbers, and half their variance: 0.1 is far.
    assert_close(loss, math.log(n_vocab), rtol=0.0, atol=0.1, name="loss")
    assert logits.std() > 0.02, "all logits are nearly the same"


def post_norm_attention(x):
    """Half a transformer block, made of torch's parts, so that this check needs no other task."""
    return torch.nn.functional.layer_norm(x + torch_attention(x, x, x, causal=True), x.shape[-1:])


@number("7.p4")
@weight(0.5)
@tags("language_model")
def test_language_model_loss_survives_large_logits(impl, vjp):
    """With logits 5000 and -5000, one prediction costs 0 and the other 10 000 nats. The loss is 5000."""
    logits, tokens = tensor([[5000.0, -5000.0], [5000.0, -5000.0], [0.0, 0.0]]), torch.tensor([0, 0, 1])

    loss = impl.next_token_loss(logits, tokens)
    (gradient,) = vjp(impl.next_token_loss, logits, tokens, cotangent=tensor(1.0))

    assert_close(loss, 5000.0, name="loss")
    # The mean is over two predictions; the last position's logits predict nothing that is known.
    assert_close(gradient, tensor([[0.0, 0.0], [0.5, -0.5], [0.0, 0.0]]), name="gradient")


# --- Task 8: positions inside the attention ----------------------------------------------------


@number("8.p1")
@weight(1)
@tags("relative")
def test_relative_rope_by_hand(impl):
    """At position p, (1, 0) becomes (cos p, sin p). The second of two pairs turns sqrt(base) times more slowly."""
    x = tensor([[1.0, 0.0, 1.0, 0.0]]).expand(3, 4)
    second_axis = tensor([[0.0, 1.0, 0.0, 1.0]])

    turned = impl.apply_rope(x, torch.tensor([0, 1, 5]))
    turned_axis = impl.apply_rope(second_axis, torch.tensor([5]), base=100.0)

    by_hand = [[math.cos(p), math.sin(p), math.cos(p / 100), math.sin(p / 100)] for p in (0, 1, 5)]
    assert_close(turned, tensor(by_hand))
    # Turned by 5 and by 1/2 radians, by hand to four digits.
    by_hand = tensor([[0.9589, 0.2837, -0.4794, 0.8776]])
    assert_close(turned_axis, by_hand, rtol=0.0, atol=1e-4, name="the point (0, 1), turned at base 100,")


@number("8.p2")
@weight(1)
@tags("relative")
def test_relative_alibi_by_hand(impl):
    """Two heads have the slopes 1/16 and 1/256. The last query sits at the last key."""
    bias = impl.alibi_bias(2, 2, 3, dtype=torch.float64)

    steps_back = tensor([[1.0, 0.0, -1.0], [2.0, 1.0, 0.0]])
    assert_close(bias, torch.stack([-steps_back / 16, -steps_back / 256]))


# --- Task 9: attention in blocks ---------------------------------------------------------------


@number("9.p1")
@weight(1)
@tags("blockwise")
def test_blockwise_step_by_hand(impl):
    """Scores 0 and log 2 give total 1.5 and weighted 105. If log 4 comes next, they are 1.75 and 1052.5."""
    first = (tensor([-math.inf]), tensor([0.0]), tensor([[0.0]]))

    state = impl.online_softmax_step(first, tensor([[0.0, math.log(2)]]), tensor([[10.0], [100.0]]))
    later = impl.online_softmax_step(state, tensor([[math.log(4)]]), tensor([[1000.0]]))

    assert_state(state, ([math.log(2)], [1.5], [[105.0]]), when="after the first block")
    assert_state(later, ([math.log(4)], [1.75], [[1052.5]]), when="after the second block")


def assert_state(state, by_hand, *, when):
    """Compares a state part by part, so that a message names the part."""
    assert len(state) == 3, f"the state must hold largest, total and weighted, got {len(state)} parts"
    for name, part, values in zip(("largest", "total", "weighted"), state, by_hand, strict=True):
        assert_close(part, tensor(values), name=f"{name} {when}")


@number("9.p2")
@weight(0.5)
@tags("blockwise")
def test_blockwise_step_of_hidden_keys(impl):
    """Hidden keys do not count. As long as all keys of a query are hidden, its state stays -inf, 0 and 0."""
    nothing = (tensor([-math.inf, -math.inf]), zeros(2), zeros(2, 1))
    scores = tensor([[-math.inf, -math.inf], [-math.inf, 2.0]])

    state = impl.online_softmax_step(nothing, scores, tensor([[10.0], [100.0]]))

    by_hand = ([-math.inf, 2.0], [0.0, 1.0], [[0.0], [100.0]])
    assert_state(state, by_hand, when="after a block with hidden keys")


@number("9.p3")
@weight(1)
@tags("blockwise")
@pytest.mark.parametrize("block_size", [2, 4, 5])
def test_blockwise_agrees_with_torch(impl, torch_rng, device, block_size):
    """Attention in blocks agrees with torch's attention, with `causal` and with a mask."""
    q, k, v = (normal(torch_rng, 2, 9, 4).to(device) for _ in range(3))
    mask = (torch.arange(9) % 4 != 1).to(device)

    causal = impl.blockwise_attention(q, k, v, block_size=block_size, causal=True, step=whole_again())
    masked = impl.blockwise_attention(q, k, v, block_size=block_size, mask=mask, step=whole_again())

    assert_close(causal, torch_attention(q, k, v, causal=True), name="causal output")
    assert_close(masked, torch_attention(q, k, v, mask=mask.expand(9, 9)), name="output with a mask")


def whole_again():
    """A step that keeps all blocks and computes its state from all of them. It stands in for yours."""
    blocks = []

    def step(state, scores, values):
        blocks.append((scores, values))
        scores = torch.cat([scores for scores, _ in blocks], dim=-1)
        values = torch.cat([values for _, values in blocks], dim=-2)
        largest = scores.amax(-1)
        total = torch.exp(scores.logsumexp(-1) - largest)
        return largest, total, total[..., None] * (torch.softmax(scores, -1) @ values)

    return step
