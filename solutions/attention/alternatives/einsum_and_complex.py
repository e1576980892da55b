"""The whole assignment again in another idiom: einsum for matmul, complex numbers for rotations.

Heads are never cut out: W_Q, W_K, W_V and W_O are reshaped instead. Hidden keys are dropped by multiplying
exponentials with the mask, so that no -inf ever arises in the attention.
"""

import math

import torch


def softmax(x, *, dim=-1):
    there = x > float("-inf")
    finite = torch.where(there, x, torch.zeros_like(x))
    lowest = torch.where(there, x, torch.full_like(x, torch.finfo(x.dtype).min)).amax(dim, keepdim=True)
    shift = torch.where(there.any(dim, keepdim=True), lowest, torch.zeros_like(lowest)).detach()
    # Where nothing is there the difference is cut off, so that no exponential overflows before it is dropped.
    weights = torch.exp((finite - shift).clamp(max=0.0)) * there
    return weights / weights.sum(dim, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)


def turns(positions, d, base):
    """exp(i p base^(-2i / d)) for every position and pair, complex128, shape (T, d / 2)."""
    exponents = torch.arange(0, d, 2, dtype=torch.float64, device=positions.device) / d
    angles = torch.outer(positions.double(), torch.exp2(-exponents * math.log2(base)))
    return torch.polar(torch.ones_like(angles), angles)


def sinusoidal_positions(n_positions, d_model, *, base=10000.0, dtype=torch.float32):
    if d_model % 2:
        raise ValueError(f"d_model must be even, got {d_model}")
    circle = turns(torch.arange(n_positions), d_model, base)
    # real and imaginary parts are (cos, sin); the table has the sine first
    return torch.view_as_real(circle).flip(-1).reshape(n_positions, d_model).to(dtype)


def shift_positions(table, n_steps, *, base=10000.0):
    # (sin a, cos a), swapped, is the number exp(i a)
    points = torch.view_as_complex(table.double().unflatten(-1, (-1, 2)).flip(-1).contiguous())
    moved = points * turns(torch.tensor([n_steps], device=table.device), table.shape[-1], base)[0]
    return torch.view_as_real(moved).flip(-1).flatten(-2).to(table.dtype)


def causal_mask(T_q, T_k, *, device=None):
    if T_q > T_k:
        raise ValueError(f"T_q must not exceed T_k, got {T_q} and {T_k}")
    return torch.ones(T_q, T_k, dtype=torch.bool, device=device).tril(T_k - T_q)


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.float64 if q.dtype == torch.float64 else torch.float32
    visible = torch.ones((), dtype=torch.bool, device=q.device)
    if causal:
        visible = visible & causal_mask(q.shape[-2], k.shape[-2], device=q.device)
    if mask is not None:
        visible = visible & mask
    scores = torch.einsum("...qd,...kd->...qk", q.to(dtype) * q.shape[-1] ** -0.5, k.to(dtype))
    scores = scores if bias is None else scores + bias
    lowest = torch.finfo(dtype).min / 4
    exponents = torch.where(visible, scores, torch.full_like(scores, lowest))
    weights = torch.exp(exponents - exponents.amax(-1, keepdim=True)) * visible
    # At least 1 for the best visible key, so 1 is no change where anything is seen.
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=1.0)
    return torch.einsum("...qk,...kd->...qd", weights, v.to(dtype)).to(q.dtype)


def split_heads(x, n_heads):
    cut = x.reshape(*x.shape[:-1], n_heads, -1)
    return torch.einsum("...thk->...htk", cut)


def join_heads(x):
    side_by_side = torch.einsum("...htk->...thk", x)
    return side_by_side.reshape(*side_by_side.shape[:-2], -1)


def multi_head_attention(
    x, w_q, w_k, w_v, w_o, *, n_heads, context=None, key_mask=None, causal=False, attend=None
):
    context = x if context is None else context
    attend = scaled_dot_product_attention if attend is None else attend

    def project(y, w):
        return torch.einsum("...td,dhk->...htk", y, w.reshape(w.shape[0], n_heads, -1))

    mask = None if key_mask is None else key_mask.reshape(*key_mask.shape[:-1], 1, 1, -1)
    heads = attend(project(x, w_q), project(context, w_k), project(context, w_v), mask=mask, causal=causal)
    return torch.einsum("...htk,hkd->...td", heads, w_o.reshape(n_heads, -1, w_o.shape[-1]))


def layer_norm(x, gain, bias, *, eps=1e-5):
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return torch.addcmul(bias, (x - mean) * torch.rsqrt(variance + eps), gain)


def mlp(x, w_1, b_1, w_2, b_2):
    hidden = (torch.einsum("...d,dm->...m", x, w_1) + b_1).clamp(min=0)
    return torch.einsum("...m,md->...d", hidden, w_2) + b_2


def transformer_block(x, attention_layer, mlp_layer, norm_1, norm_2, *, pre_norm=False):
    if not pre_norm:
        after_attention = norm_1(attention_layer(x) + x)
        return norm_2(mlp_layer(after_attention) + after_attention)
    found = attention_layer(norm_1(x))
    thought = mlp_layer(norm_2(x + found))
    return x + found + thought


def language_model(tokens, embedding, positions, blocks):
    one_hot = torch.nn.functional.one_hot(tokens, embedding.shape[0]).to(embedding.dtype)
    x = one_hot @ embedding + positions.narrow(0, 0, tokens.shape[-1])
    for block in blocks:
        x = block(x)
    return torch.einsum("...d,vd->...v", x, embedding)


def next_token_loss(logits, tokens, *, mask=None):
    counts = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
    rows = logits[..., :-1, :][counts[..., 1:]]  # (n, V)
    targets = tokens[..., 1:][counts[..., 1:]]  # (n,)
    rows = rows - rows.detach().amax(-1, keepdim=True)
    return (rows.exp().sum(-1).log() - rows[torch.arange(len(targets)), targets]).sum() / len(targets)


def apply_rope(x, positions, *, base=10000.0):
    points = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)).contiguous())
    turned = points * turns(positions, x.shape[-1], base)
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)


def alibi_bias(n_heads, T_q, T_k, *, dtype=torch.float32):
    exponents = torch.linspace(-8.0 / n_heads, -8.0, n_heads, dtype=torch.float64)
    positions = torch.arange(T_k, dtype=torch.float64)
    steps = positions - positions[T_k - T_q :, None]  # (T_q, T_k)
    return torch.einsum("h,qk->hqk", torch.exp2(exponents), steps).to(dtype)


def online_softmax_step(state, scores, values):
    # The old state is one more key, whose score is `largest` and which stands for all keys before it.
    largest, total, weighted = state
    new = torch.cat([largest[..., None], scores], dim=-1).amax(-1)
    seen = new > float("-inf")
    shift = torch.where(seen, new, torch.zeros_like(new))
    old = torch.exp(largest - shift)
    weights = torch.exp(scores - shift[..., None])
    return (
        new,
        torch.addcmul(weights.sum(-1), total, old),
        torch.einsum("...qk,...kd->...qd", weights, values) + old[..., None] * weighted,
    )


def blockwise_attention(q, k, v, *, block_size, mask=None, causal=False, step=None):
    step = online_softmax_step if step is None else step
    dtype = torch.float64 if q.dtype == torch.float64 else torch.float32
    T_q, T_k = q.shape[-2], k.shape[-2]
    q_scaled = q.to(dtype) * q.shape[-1] ** -0.5
    visible = torch.ones(1, T_k, dtype=torch.bool, device=q.device) if mask is None else mask
    lead = q.shape[:-1]
    state = (
        q_scaled.new_full(lead, float("-inf")),
        q_scaled.new_zeros(lead),
        q_scaled.new_zeros(*lead, v.shape[-1]),
    )
    begin = 0
    while begin < T_k:
        keys = slice(begin, begin + block_size)
        scores = torch.einsum("...qd,...kd->...qk", q_scaled, k[..., keys, :].to(dtype))
        shown = visible[..., keys]
        if causal:
            here = torch.ones(T_q, scores.shape[-1], dtype=torch.bool, device=q.device)
            shown = shown & here.tril(T_k - T_q - begin)
        scores = torch.where(shown, scores, torch.full_like(scores, float("-inf")))
        state = step(state, scores, v[..., keys, :].to(dtype))
        begin += block_size
    return torch.nan_to_num(state[2] / state[1].unsqueeze(-1)).to(q.dtype)


def init_transformer(seed, *, n_vocab, d_model, d_mlp, n_blocks, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape, std):
        return std * torch.randn(*shape, generator=generator, dtype=dtype)

    def norm():
        return torch.ones(d_model, dtype=dtype), torch.zeros(d_model, dtype=dtype)

    return {
        "embedding": normal(n_vocab, d_model, std=0.02),
        "blocks": [
            {
                "attention": tuple(normal(d_model, d_model, std=d_model**-0.5) for _ in range(4)),
                "mlp": (
                    normal(d_model, d_mlp, std=d_model**-0.5),
                    torch.zeros(d_mlp, dtype=dtype),
                    normal(d_mlp, d_model, std=d_mlp**-0.5),
                    torch.zeros(d_model, dtype=dtype),
                ),
                "norm_1": norm(),
                "norm_2": norm(),
            }
            for _ in range(n_blocks)
        ],
        "final_norm": norm(),
    }


def transformer(tokens, params, *, n_heads, pre_norm=False):
    def norm(weights):
        return lambda x: layer_norm(x, *weights)

    def block(weights):
        return lambda x: transformer_block(
            x,
            lambda y: multi_head_attention(y, *weights["attention"], n_heads=n_heads, causal=True),
            lambda y: mlp(y, *weights["mlp"]),
            norm(weights["norm_1"]),
            norm(weights["norm_2"]),
            pre_norm=pre_norm,
        )

    blocks = [block(weights) for weights in params["blocks"]]
    blocks += [norm(params["final_norm"])] if pre_norm else []
    embedding = params["embedding"]
    positions = sinusoidal_positions(tokens.shape[-1], embedding.shape[1], dtype=embedding.dtype)
    return language_model(tokens, embedding, positions.to(embedding.device), blocks)
