"""The attention reference against torch's own layers, and against formulas written another way."""

import itertools
import math

import pytest
import staff_files
import torch
from torch.nn import functional

F64 = torch.float64


@pytest.fixture(scope="module")
def reference():
    return staff_files.reference("attention")


@pytest.fixture(params=range(5), ids="seed{}".format)
def generator(request):
    return torch.Generator().manual_seed(request.param)


def normal(generator, *shape, dtype=F64):
    return torch.randn(*shape, generator=generator, dtype=F64).to(dtype)


def same(got, want, *, rtol=1e-10, atol=1e-12):
    torch.testing.assert_close(got, want, rtol=rtol, atol=atol)


# --- softmax -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_softmax(reference, generator, dim, scale):
    """torch.softmax, along every dimension, for small and large logits, with some of them -inf."""
    x = scale * normal(generator, 3, 4, 5)
    x[0, 1, 2] = x[2, 0, 0] = -math.inf

    same(reference.softmax(x, dim=dim), torch.softmax(x, dim))


def test_softmax_gradient(reference, generator):
    """Finite differences, and torch's gradient where torch has one."""
    x = normal(generator, 4, 5).requires_grad_()
    cotangent = normal(generator, 4, 5)

    assert torch.autograd.gradcheck(reference.softmax, x)
    (ours,) = torch.autograd.grad(reference.softmax(x), x, cotangent)
    (theirs,) = torch.autograd.grad(torch.softmax(x, -1), x, cotangent)
    same(ours, theirs)


# --- positions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_positions", "d_model"), [(0, 4), (1, 2), (30, 16)])
def test_positions(reference, n_positions, d_model):
    """The formula, entry by entry, with Python's sines and cosines."""
    table = reference.sinusoidal_positions(n_positions, d_model, dtype=F64)

    entries = [
        (math.cos if column % 2 else math.sin)(p / 10000 ** ((column - column % 2) / d_model))
        for p, column in itertools.product(range(n_positions), range(d_model))
    ]
    same(table, torch.tensor(entries, dtype=F64).reshape(n_positions, d_model))


@pytest.mark.parametrize("n_steps", [-7, 0, 1, 1000])
def test_shift(reference, n_steps):
    """Python's sines and cosines at the shifted positions, those before position 0 included."""
    d_model, base = 6, 50.0

    def row(p):
        angles = [p / base ** (2 * i / d_model) for i in range(d_model // 2)]
        return [f(angle) for angle in angles for f in (math.sin, math.cos)]

    rows = torch.tensor([row(p) for p in (0, 3, 40)], dtype=F64)
    moved = torch.tensor([row(p + n_steps) for p in (0, 3, 40)], dtype=F64)

    same(reference.shift_positions(rows, n_steps, base=base), moved)


# --- attention ---------------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("lead", "T"), [((), 1), ((), 6), ((2, 3), 5)])
@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_attention(reference, generator, lead, T, causal, dtype):
    """F.scaled_dot_product_attention on one sequence, alone and in batches of heads."""
    q, k = normal(generator, *lead, T, 4, dtype=dtype), normal(generator, *lead, T, 4, dtype=dtype)
    v = normal(generator, *lead, T, 7, dtype=dtype)

    ours = reference.scaled_dot_product_attention(q, k, v, causal=causal)

    theirs = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("T_q", "T_k"), [(1, 1), (1, 6), (3, 6), (6, 6)])
def test_causal_alignment(reference, generator, T_q, T_k):
    """torch's lower-right causal bias, which is the alignment that decoding needs."""
    from torch.nn.attention.bias import causal_lower_right

    q, k, v = normal(generator, T_q, 4), normal(generator, T_k, 4), normal(generator, T_k, 4)

    ours = reference.scaled_dot_product_attention(q, k, v, causal=True)

    visible = torch.ones(T_q, T_k, dtype=torch.bool).tril(T_k - T_q)
    assert torch.equal(reference.causal_mask(T_q, T_k), visible)
    same(ours, functional.scaled_dot_product_attention(q, k, v, attn_mask=visible))
    theirs = functional.scaled_dot_product_attention(
        q[None, None], k[None, None], v[None, None], attn_mask=causal_lower_right(T_q, T_k)
    )
    same(ours, theirs[0, 0])


def test_masks_and_bias(reference, generator):
    """F.scaled_dot_product_attention with a boolean mask, and with a bias that has -inf where it is False."""
    q, k, v = normal(generator, 2, 3, 5, 4), normal(generator, 2, 3, 7, 4), normal(generator, 2, 3, 7, 6)
    mask = torch.rand(2, 1, 5, 7, generator=generator) < 0.5
    mask[..., 0] = True
    bias = normal(generator, 3, 5, 7)

    both = (mask & torch.ones(5, 7, dtype=torch.bool).tril(2)).broadcast_to(2, 3, 5, 7)
    additive = bias.expand(2, 3, 5, 7).masked_fill(~both, -math.inf)
    same(
        reference.scaled_dot_product_attention(q, k, v, mask=mask),
        functional.scaled_dot_product_attention(q, k, v, attn_mask=mask),
    )
    same(
        reference.scaled_dot_product_attention(q, k, v, mask=mask, bias=bias, causal=True),
        functional.scaled_dot_product_attention(q, k, v, attn_mask=additive),
    )


def test_attention_gradient(reference, generator):
    """Finite differences, also with a query that sees nothing."""
    q, k, v = (normal(generator, 4, 3).requires_grad_() for _ in range(3))
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[1] = False

    def attention(q, k, v):
        return reference.scaled_dot_product_attention(q, k, v, mask=mask)

    assert torch.autograd.gradcheck(attention, (q, k, v))
    assert torch.equal(attention(q, k, v)[1], torch.zeros(3, dtype=F64))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_the_rounded_exact_result(reference, generator, dtype):
    """In half precision the result is the exact one, rounded once."""
    q, k, v = (normal(generator, 2, 64, 16, dtype=dtype) for _ in range(3))

    ours = reference.scaled_dot_product_attention(q, k, v, causal=True)

    exact = functional.scaled_dot_product_attention(q.double(), k.double(), v.double(), is_causal=True)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours.double(), exact, rtol=torch.finfo(dtype).eps, atol=1e-5)


# --- heads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_heads", [1, 2, 4])
@pytest.mark.parametrize("cross", [False, True], ids=["self", "cross"])
def test_multi_head_attention(reference, generator, n_heads, cross):
    """nn.MultiheadAttention with the same weights, padding and, for self-attention, a causal mask."""
    d_model, d_context, T_k = (8, 6, 7) if cross else (8, 8, 5)
    x = normal(generator, 3, 5, d_model)
    context = normal(generator, 3, T_k, d_context) if cross else None
    widths = (d_model, d_context, d_context, d_model)
    w_q, w_k, w_v, w_o = (normal(generator, width, d_model) for width in widths)
    key_mask = torch.arange(T_k) < torch.tensor([[T_k], [3], [1]])

    ours = reference.multi_head_attention(
        x, w_q, w_k, w_v, w_o, n_heads=n_heads, context=context, key_mask=key_mask, causal=not cross
    )

    theirs = torch.nn.MultiheadAttention(
        d_model, n_heads, bias=False, batch_first=True, kdim=d_context, vdim=d_context, dtype=F64
    )
    with torch.no_grad():
        if cross:
            theirs.q_proj_weight.copy_(w_q.T)
            theirs.k_proj_weight.copy_(w_k.T)
            theirs.v_proj_weight.copy_(w_v.T)
        else:
            theirs.in_proj_weight.copy_(torch.cat([w_q.T, w_k.T, w_v.T]))
        theirs.out_proj.weight.copy_(w_o.T)
        source = x if context is None else context
        future = None if cross else torch.ones(5, 5, dtype=torch.bool).triu(1)
        expected, _ = theirs(x, source, source, key_padding_mask=~key_mask, attn_mask=future)
    same(ours, expected)


# --- norm, block, model ------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6,), (4, 6), (2, 3, 6)])
@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_layer_norm(reference, generator, shape, eps):
    """F.layer_norm over the last dimension."""
    x, gain, bias = normal(generator, *shape), normal(generator, 6), normal(generator, 6)

    same(reference.layer_norm(x, gain, bias, eps=eps), functional.layer_norm(x, (6,), gain, bias, eps))


@pytest.mark.parametrize("pre_norm", [False, True], ids=["post-norm", "pre-norm"])
def test_block(reference, generator, pre_norm):
    """nn.TransformerEncoderLayer with the same weights, under a causal mask."""
    d_model, d_mlp, n_heads = 8, 12, 2
    x = normal(generator, 3, 5, d_model)
    attention = [normal(generator, d_model, d_model) / 3 for _ in range(4)]
    mlp = [
        normal(generator, d_model, d_mlp),
        normal(generator, d_mlp),
        normal(generator, d_mlp, d_model),
        normal(generator, d_model),
    ]
    norms = [(normal(generator, d_model), normal(generator, d_model)) for _ in range(2)]

    ours = reference.transformer_block(
        x,
        lambda y: reference.multi_head_attention(y, *attention, n_heads=n_heads, causal=True),
        lambda y: reference.mlp(y, *mlp),
        lambda y: reference.layer_norm(y, *norms[0]),
        lambda y: reference.layer_norm(y, *norms[1]),
        pre_norm=pre_norm,
    )

    theirs = torch.nn.TransformerEncoderLayer(
        d_model, n_heads, d_mlp, dropout=0.0, batch_first=True, norm_first=pre_norm, dtype=F64
    ).train()
    with torch.no_grad():
        theirs.self_attn.in_proj_weight.copy_(torch.cat([w.T for w in attention[:3]]))
        theirs.self_attn.in_proj_bias.zero_()
        theirs.self_attn.out_proj.weight.copy_(attention[3].T)
        theirs.self_attn.out_proj.bias.zero_()
        for linear, w, b in ((theirs.linear1, *mlp[:2]), (theirs.linear2, *mlp[2:])):
            linear.weight.copy_(w.T)
            linear.bias.copy_(b)
        for norm, (gain, bias) in zip((theirs.norm1, theirs.norm2), norms, strict=True):
            norm.weight.copy_(gain)
            norm.bias.copy_(bias)
        expected = theirs(x, src_mask=torch.ones(5, 5, dtype=torch.bool).triu(1))
    same(ours, expected)


def test_language_model_lookup(reference, generator):
    """F.embedding at one end and F.linear with the same table at the other, and both ends' gradients."""
    tokens = torch.randint(0, 9, (3, 5), generator=generator)
    table, positions = normal(generator, 9, 4).requires_grad_(), normal(generator, 8, 4)
    cotangent = normal(generator, 3, 5, 9)

    ours = reference.language_model(tokens, table, positions, [torch.tanh])

    theirs = functional.linear(torch.tanh(functional.embedding(tokens, table) + positions[:5]), table)
    same(ours, theirs)
    same(torch.autograd.grad(ours, table, cotangent), torch.autograd.grad(theirs, table, cotangent))


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_loss(reference, generator, scale):
    """F.cross_entropy on the shifted sequences, with padding as its ignore_index."""
    logits = scale * normal(generator, 3, 6, 7)
    tokens = torch.randint(0, 7, (3, 6), generator=generator)
    mask = torch.arange(6) < torch.tensor([[6], [4], [2]])

    flat = logits[:, :-1].flatten(0, 1)
    padded = tokens.masked_fill(~mask, -100)
    whole = functional.cross_entropy(flat, tokens[:, 1:].flatten())
    masked = functional.cross_entropy(flat, padded[:, 1:].flatten(), ignore_index=-100)
    same(reference.next_token_loss(logits, tokens), whole)
    same(reference.next_token_loss(logits, tokens, mask=mask), masked)


@pytest.mark.parametrize("pre_norm", [False, True], ids=["post-norm", "pre-norm"])
def test_transformer_can_be_trained(reference, pre_norm):
    """A hundred steps of Adam on one sequence bring the loss from log V to under a tenth of it."""
    params = reference.init_transformer(0, n_vocab=12, d_model=16, d_mlp=32, n_blocks=2)
    leaves, tokens = list(_leaves(params)), torch.tensor([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8])
    optimizer = torch.optim.Adam([leaf.requires_grad_() for leaf in leaves], lr=0.02)

    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = reference.next_token_loss(reference.transformer(tokens, params, n_heads=2, pre_norm=pre_norm), tokens)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert abs(losses[0] - math.log(12)) < 0.2
    assert losses[-1] < math.log(12) / 10


def _leaves(params):
    if isinstance(params, torch.Tensor):
        yield params
    else:
        for part in params.values() if isinstance(params, dict) else params:
            yield from _leaves(part)


# --- relative positions ------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 100])
def test_rope_is_multiplication_by_complex_numbers(reference, generator, first):
    """A pair of features is a complex number, and its turn a multiplication by exp(i p theta)."""
    x, positions = normal(generator, 2, 5, 8), torch.arange(first, first + 5)

    ours = reference.apply_rope(x, positions)

    theta = 10000.0 ** (-torch.arange(0, 8, 2, dtype=F64) / 8)
    factors = torch.exp(1j * positions[:, None] * theta)
    same(ours, torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (4, 2))) * factors).flatten(-2))
    same(ours.norm(dim=-1), x.norm(dim=-1))


def test_rope_products_depend_on_the_distance(reference, generator):
    """All products of queries and keys are the same at every offset."""
    q, k = normal(generator, 6, 8), normal(generator, 6, 8)

    products = []
    for offset in (0, 3, 500):
        positions = torch.arange(6) + offset
        products.append(reference.apply_rope(q, positions) @ reference.apply_rope(k, positions).T)

    same(products[1], products[0])
    same(products[2], products[0])


def test_alibi_slopes_are_the_papers(reference):
    """For 8 heads the slopes are 1/2, 1/4 ... 1/256, and the last query's own position has no penalty."""
    bias = reference.alibi_bias(8, 3, 5, dtype=F64)

    assert torch.equal(bias[:, -1, -2], -(0.5 ** torch.arange(1, 9, dtype=F64)))
    assert torch.equal(bias[:, -1, -1], torch.zeros(8, dtype=F64))
    same(bias[0, 0], torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0], dtype=F64))


# --- blocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("block_size", [1, 2, 3, 8, 50])
@pytest.mark.parametrize("causal", [False, True])
def test_blocks(reference, generator, block_size, causal):
    """F.scaled_dot_product_attention in blocks of any size, with large scores and a mask."""
    q, k = 5 * normal(generator, 2, 3, 8, 4), 5 * normal(generator, 2, 3, 8, 4)
    v = normal(generator, 2, 3, 8, 5)
    mask = torch.rand(2, 1, 8, 8, generator=generator) < 0.5
    mask |= torch.eye(8, dtype=torch.bool)

    ours = reference.blockwise_attention(q, k, v, block_size=block_size, mask=mask, causal=causal)

    visible = mask & torch.ones(8, 8, dtype=torch.bool).tril() if causal else mask
    same(ours, functional.scaled_dot_product_attention(q, k, v, attn_mask=visible))


def test_state_is_the_softmax_so_far(reference, generator):
    """After every block the state is logsumexp taken apart: largest + log total, and the mean so far."""
    scores, values = 10 * normal(generator, 4, 12), normal(generator, 12, 3)
    state = (
        torch.full((4,), -math.inf, dtype=F64),
        torch.zeros(4, dtype=F64),
        torch.zeros(4, 3, dtype=F64),
    )

    for stop in range(3, 13, 3):
        state = reference.online_softmax_step(state, scores[:, stop - 3 : stop], values[stop - 3 : stop])

        largest, total, weighted = state
        same(largest, scores[:, :stop].amax(-1))
        same(largest + total.log(), scores[:, :stop].logsumexp(-1))
        same(weighted / total[:, None], torch.softmax(scores[:, :stop], -1) @ values[:stop])


@pytest.mark.parametrize("bad", ["d_k", "T_k", "causal", "heads", "rope", "alibi", "block", "loss", "table"])
def test_bad_input_is_named(reference, bad):
    """Input that makes no sense raises ValueError with the argument's name and what arrived."""
    x = torch.zeros(4, 6)
    calls = {
        "d_k": (lambda: reference.scaled_dot_product_attention(x, x[:, :4], x), "share d_k.*6.*4"),
        "T_k": (lambda: reference.scaled_dot_product_attention(x, x, x[:2]), "share T_k"),
        "causal": (lambda: reference.causal_mask(3, 2), "T_q = 3 and T_k = 2"),
        "heads": (lambda: reference.split_heads(x, 4), "n_heads = 4"),
        "rope": (lambda: reference.apply_rope(x, torch.arange(3)), "positions"),
        "alibi": (lambda: reference.alibi_bias(6, 2, 2), "power of two, got 6"),
        "block": (lambda: reference.blockwise_attention(x, x, x, block_size=0), "block_size"),
        "loss": (lambda: reference.next_token_loss(x[:1], torch.tensor([0])), "T >= 2"),
        "table": (lambda: reference.language_model(torch.arange(4), x, x[:3], []), "positions"),
    }
    call, message = calls[bad]

    with pytest.raises(ValueError, match=message):
        call()
