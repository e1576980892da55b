"""The whole assignment again with loops: one query, one head, one feature, one key at a time."""

import itertools
import math

import torch


def each(*sizes):
    """All index tuples into leading dimensions; one empty tuple where there are none."""
    return itertools.product(*(range(size) for size in sizes))


def filled(shape, like, entries):
    """A tensor of the given shape from its entries in order, keeping their gradients."""
    entries = list(entries)
    if not entries:
        return torch.zeros(shape, dtype=like.dtype, device=like.device)
    return torch.stack(entries).reshape(shape)


def weigh(logits):
    """Softmax of a vector."""
    present = logits > -math.inf
    if not present.any():
        return torch.zeros_like(logits)
    exponentials = torch.exp(logits[present] - logits[present].max())
    return torch.zeros_like(logits).masked_scatter(present, exponentials / exponentials.sum())


def softmax(x, *, dim=-1):
    moved = x.movedim(dim, -1)
    rows = [weigh(moved[index]) for index in each(*moved.shape[:-1])]
    return filled(moved.shape, x, rows).movedim(-1, dim)


def sinusoidal_positions(n_positions, d_model, *, base=10000.0, dtype=torch.float32):
    if d_model % 2:
        raise ValueError(f"d_model must be even, got {d_model}")
    table = torch.zeros(n_positions, d_model, dtype=torch.float64)
    for p in range(n_positions):
        for i in range(d_model // 2):
            angle = p / base ** (2 * i / d_model)
            table[p, 2 * i], table[p, 2 * i + 1] = math.sin(angle), math.cos(angle)
    return table.to(dtype)


def shift_positions(table, n_steps, *, base=10000.0):
    d_model = table.shape[-1]
    moved = torch.zeros(table.shape, dtype=torch.float64)
    for index in each(*table.shape[:-1]):
        for i in range(d_model // 2):
            angle = math.atan2(table[index][2 * i], table[index][2 * i + 1]) + n_steps / base ** (2 * i / d_model)
            moved[index][2 * i], moved[index][2 * i + 1] = math.sin(angle), math.cos(angle)
    return moved.to(table.dtype)


def causal_mask(T_q, T_k, *, device=None):
    if T_q > T_k:
        raise ValueError(f"T_q must not exceed T_k, got {T_q} and {T_k}")
    rows = [[j <= i + T_k - T_q for j in range(T_k)] for i in range(T_q)]
    return torch.tensor(rows, dtype=torch.bool, device=device).reshape(T_q, T_k)


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    *lead, T_q, d_k = q.shape
    T_k, d_v = k.shape[-2], v.shape[-1]
    visible = torch.ones(*lead, T_q, T_k, dtype=torch.bool, device=q.device)
    if causal:
        visible = visible & causal_mask(T_q, T_k, device=q.device)
    if mask is not None:
        visible = visible & mask
    bias = torch.zeros(*lead, T_q, T_k, dtype=dtype, device=q.device) if bias is None else bias.expand(*lead, T_q, T_k)
    outputs = []
    for *index, i in each(*lead, T_q):
        index = tuple(index)
        answer = torch.zeros(d_v, dtype=dtype, device=q.device)
        keys = [j for j in range(T_k) if visible[(*index, i, j)]]
        if keys:
            query = q[index][i].to(dtype)
            scores = [query.dot(k[index][j].to(dtype)) / d_k**0.5 + bias[(*index, i, j)] for j in keys]
            for j, share in zip(keys, weigh(torch.stack(scores)), strict=True):
                answer = answer + share * v[index][j].to(dtype)
        outputs.append(answer.to(q.dtype))
    return filled((*lead, T_q, d_v), q, outputs)


def split_heads(x, n_heads):
    d_k = x.shape[-1] // n_heads
    return torch.stack([x[..., h * d_k : (h + 1) * d_k] for h in range(n_heads)], dim=-3)


def join_heads(x):
    return torch.cat([x[..., h, :, :] for h in range(x.shape[-3])], dim=-1)


def multi_head_attention(
    x, w_q, w_k, w_v, w_o, *, n_heads, context=None, key_mask=None, causal=False, attend=None
):
    context = x if context is None else context
    attend = scaled_dot_product_attention if attend is None else attend
    mask = None
    if key_mask is not None:
        shape = (*key_mask.shape[:-1], n_heads, x.shape[-2], key_mask.shape[-1])
        mask = key_mask.unsqueeze(-2).unsqueeze(-2).expand(shape)
    parts = [split_heads(source @ w, n_heads) for source, w in ((x, w_q), (context, w_k), (context, w_v))]
    heads = attend(*parts, mask=mask, causal=causal)
    d_k = heads.shape[-1]
    output = 0
    for h in range(n_heads):
        output = output + heads[..., h, :, :] @ w_o[h * d_k : (h + 1) * d_k]
    return output


def layer_norm(x, gain, bias, *, eps=1e-5):
    d = x.shape[-1]
    tokens = []
    for index in each(*x.shape[:-1]):
        token = x[index]
        mean = sum(token) / d
        variance = sum((feature - mean) ** 2 for feature in token) / d
        tokens.append((token - mean) * (variance + eps) ** -0.5 * gain + bias)
    return filled(x.shape, x, tokens)


def mlp(x, w_1, b_1, w_2, b_2):
    tokens = []
    for index in each(*x.shape[:-1]):
        output = b_2
        for unit in range(w_1.shape[1]):
            hidden = x[index].dot(w_1[:, unit]) + b_1[unit]
            if hidden > 0:
                output = output + hidden * w_2[unit]
        tokens.append(output)
    return filled(x.shape, x, tokens)


def transformer_block(x, attention_layer, mlp_layer, norm_1, norm_2, *, pre_norm=False):
    for layer, norm in ((attention_layer, norm_1), (mlp_layer, norm_2)):
        x = x + layer(norm(x)) if pre_norm else norm(x + layer(x))
    return x


def language_model(tokens, embedding, positions, blocks):
    vectors = []
    for index in each(*tokens.shape):
        vectors.append(embedding[tokens[index]] + positions[index[-1]])
    x = filled((*tokens.shape, embedding.shape[1]), embedding, vectors)
    for block in blocks:
        x = block(x)
    return torch.stack([x @ row for row in embedding], dim=-1)


def next_token_loss(logits, tokens, *, mask=None):
    total, count = 0, 0
    for *index, t in each(*tokens.shape[:-1], tokens.shape[-1] - 1):
        index = tuple(index)
        if mask is not None and not mask[index][t + 1]:
            continue
        row = logits[index][t]
        largest = max(row)
        log_sum = largest + sum((logit - largest).exp() for logit in row).log()
        total = total + log_sum - row[tokens[index][t + 1]]
        count += 1
    return total / count


def apply_rope(x, positions, *, base=10000.0):
    d = x.shape[-1]
    columns = [None] * d
    for i in range(d // 2):
        sin = torch.tensor([math.sin(int(p) * base ** (-2 * i / d)) for p in positions], dtype=x.dtype).to(x)
        cos = torch.tensor([math.cos(int(p) * base ** (-2 * i / d)) for p in positions], dtype=x.dtype).to(x)
        columns[2 * i] = cos * x[..., 2 * i] - sin * x[..., 2 * i + 1]
        columns[2 * i + 1] = sin * x[..., 2 * i] + cos * x[..., 2 * i + 1]
    return torch.stack(columns, dim=-1)


def alibi_bias(n_heads, T_q, T_k, *, dtype=torch.float32):
    bias = torch.zeros(n_heads, T_q, T_k, dtype=torch.float64)
    for h, i, j in each(n_heads, T_q, T_k):
        bias[h, i, j] = -(2.0 ** (-8 * (h + 1) / n_heads)) * (i + T_k - T_q - j)
    return bias.to(dtype)


def online_softmax_step(state, scores, values):
    largest, total, weighted = (part.clone() for part in state)
    for j in range(scores.shape[-1]):
        for index in each(*largest.shape):
            score, value = scores[index][j], values[index[:-1]][j]
            if score == -math.inf:
                continue
            if score > largest[index]:
                shrink = torch.exp(largest[index] - score)
                total[index], weighted[index] = total[index] * shrink, weighted[index] * shrink
                largest[index] = score
            share = torch.exp(score - largest[index])
            total[index] += share
            weighted[index] += share * value
    return largest, total, weighted


def blockwise_attention(q, k, v, *, block_size, mask=None, causal=False, step=None):
    step = online_softmax_step if step is None else step
    dtype = torch.promote_types(q.dtype, torch.float32)
    *lead, T_q, d_k = q.shape
    T_k, d_v = k.shape[-2], v.shape[-1]
    state = (
        torch.full((*lead, T_q), -math.inf, dtype=dtype, device=q.device),
        torch.zeros(*lead, T_q, dtype=dtype, device=q.device),
        torch.zeros(*lead, T_q, d_v, dtype=dtype, device=q.device),
    )
    pairs = list(zip(k.split(block_size, dim=-2), v.split(block_size, dim=-2), strict=True))
    seen = 0
    for keys, values in pairs:
        width = keys.shape[-2]
        columns = []
        for j in range(width):
            column = (q.to(dtype) * keys[..., j : j + 1, :].to(dtype)).sum(-1) / math.sqrt(d_k)
            for i in range(T_q):
                if causal and seen + j > i + T_k - T_q:
                    column[..., i] = -math.inf
            if mask is not None:
                column = column.masked_fill(~mask[..., seen + j], -math.inf)
            columns.append(column)
        state = step(state, torch.stack(columns, dim=-1), values.to(dtype))
        seen += width
    _, total, weighted = state
    for index in each(*lead, T_q):
        if total[index] > 0:
            weighted[index] /= total[index]
    return weighted.to(q.dtype)


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
    embedding = params["embedding"]
    blocks = []
    for weights in params["blocks"]:

        def block(x, weights=weights):
            return transformer_block(
                x,
                lambda y: multi_head_attention(y, *weights["attention"], n_heads=n_heads, causal=True),
                lambda y: mlp(y, *weights["mlp"]),
                lambda y: layer_norm(y, *weights["norm_1"]),
                lambda y: layer_norm(y, *weights["norm_2"]),
                pre_norm=pre_norm,
            )

        blocks.append(block)
    if pre_norm:
        blocks.append(lambda x: layer_norm(x, *params["final_norm"]))
    positions = sinusoidal_positions(tokens.shape[-1], embedding.shape[1], dtype=embedding.dtype)
    return language_model(tokens, embedding, positions, blocks)
