"""Attention and the transformer block: from a softmax to a small language model.

The shape of a tensor is (..., T, d): tokens next to last, features last. "..." stands for any number
of batch dimensions, also none. Weights multiply from the right, `x @ w`.
A mask is boolean and True means "may be seen". Results keep the dtype and device of the inputs.
Inputs are float32 or float64. The attention of Tasks 3 and 9 also takes half precision.
No argument is changed in place.

There is no dropout and no training loop here. Only `init_transformer` is random.
"""

import math
from functools import partial

import torch

# --- Task 1: softmax ---------------------------------------------------------------------------


def softmax(x, *, dim=-1):
    """Weights that are positive, add up to 1 along `dim`, and keep the ratios exp(x_i) / exp(x_j).

        softmax(x)_i = exp(x_i) / sum_j exp(x_j)

    An entry of -inf stands for an entry that is not there: its weight is exactly 0. If every entry
    along `dim` is -inf, all weights are 0.

    Args:
        x: Logits of any shape, float32 or float64. Entries may be -inf, but not +inf or NaN.
        dim: The dimension along which the weights add up to 1, at least 1 entry long.

    Returns:
        Weights with the shape of `x`. For every finite `x`, however large, the weights and their
        gradients are finite. Both are finite, too, if a whole row is -inf.

    Example:
        softmax(tensor([0, log 2, log 3])) is [1/6, 2/6, 3/6].
    """
    # Steps: make the exponentials safe; compute them; divide by their sum.
    # If every entry is -inf, what does each step give?
    # BEGIN SOLUTION softmax
    largest = x.amax(dim=dim, keepdim=True)
    # (-inf) - (-inf) is NaN; shifted by 0 instead, exp(-inf) is the 0 we want.
    largest = largest.masked_fill(largest == -math.inf, 0.0)
    weights = torch.exp(x - largest)
    total = weights.sum(dim=dim, keepdim=True)
    return weights / total.masked_fill(total == 0, 1.0)
    # END SOLUTION


# --- Task 2: sinusoidal positions --------------------------------------------------------------


def sinusoidal_positions(n_positions, d_model, *, base=10000.0, dtype=torch.float32):
    """The position table: row p holds a sine and a cosine of position p for each of d_model / 2 frequencies.

        PE[p, 2i]     = sin(p * base^(-2i / d_model))
        PE[p, 2i + 1] = cos(p * base^(-2i / d_model))        i = 0 .. d_model/2 - 1

    Args:
        n_positions: Number of rows, counted from position 0. May be 0.
        d_model: Width of a row; even.
        base: The base of the frequencies in the formula.
        dtype: Floating dtype of the table. Angles, sines and cosines are computed in float64. The
            results are rounded to `dtype` at the end.

    Returns:
        Shape (n_positions, d_model).

    Raises:
        ValueError: If d_model is odd.

    Source:
        Vaswani et al. 2017, section 3.5.
    """
    if d_model % 2:
        raise ValueError(f"d_model must be even (one sine and one cosine per frequency), got {d_model}")
    # Steps: one angle for each position and pair; two neighboring columns from each angle.
    # BEGIN SOLUTION positions
    positions = torch.arange(n_positions, dtype=torch.float64)
    frequencies = base ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    angles = positions[:, None] * frequencies  # (n_positions, d_model / 2)
    pairs = torch.stack([angles.sin(), angles.cos()], dim=-1)  # (n_positions, d_model / 2, 2)
    return pairs.flatten(-2).to(dtype)
    # END SOLUTION


def shift_positions(table, n_steps, *, base=10000.0):
    """The rows that stand n_steps further down in the position table, made from the given rows alone.

    The function isn't told which positions the rows belong to.

    Args:
        table: Rows of a sinusoidal table, shape (..., d_model). The rows may belong to any positions.
        n_steps: The number of positions to move, an integer. A negative number moves back.
        base: The base with which the table was made.

    Returns:
        Row p + n_steps in place of each row p. Its shape and dtype are those of `table`. Angles, sines
        and cosines are computed in float64 and then rounded to this dtype.

    Raises:
        ValueError: If d_model is odd.

    Example:
        The row (0, 1, 0, 1) of position 0, shifted by 2, is (sin 2, cos 2, sin 0.02, cos 0.02).
    """
    if table.shape[-1] % 2:
        raise ValueError(f"table must have an even number of columns, got table {tuple(table.shape)}")
    # Steps: the angle by which each pair moves on; the pair's new sine; its new cosine.
    # BEGIN SOLUTION positions
    d_model = table.shape[-1]
    pairs = torch.arange(0, d_model, 2, dtype=torch.float64, device=table.device)
    angles = n_steps * base ** (-pairs / d_model)
    cos, sin = angles.cos().to(table.dtype), angles.sin().to(table.dtype)
    sines, cosines = table[..., 0::2], table[..., 1::2]
    moved = torch.stack([sines * cos + cosines * sin, cosines * cos - sines * sin], dim=-1)
    return moved.flatten(-2)
    # END SOLUTION


# --- Task 3: scaled dot-product attention ------------------------------------------------------


def causal_mask(T_q, T_k, *, device=None):
    """Which keys each query may see if it must not look into the future.

    The last query is aligned with the last key. So T_k - T_q keys come before the first query, and
    query i sits at position i + T_k - T_q. This query sees the keys from 0 to its own position.

    Args:
        T_q: Number of queries.
        T_k: Number of keys, at least T_q.
        device: The device of the mask.

    Returns:
        Boolean, shape (T_q, T_k), True where the key may be seen.

    Raises:
        ValueError: If T_q > T_k, because the first queries would sit before the first key.
    """
    if T_q > T_k:
        raise ValueError(f"T_q must not exceed T_k, got T_q = {T_q} and T_k = {T_k}")
    # Steps: the position of every query; the position of every key; which queries see which keys.
    # BEGIN SOLUTION sdpa
    queries = torch.arange(T_q, device=device) + (T_k - T_q)
    keys = torch.arange(T_k, device=device)
    return keys <= queries[:, None]  # (T_q, T_k)
    # END SOLUTION


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    """For each query, the mean of the values, weighted by how well their keys match the query.

        softmax(q k^T / sqrt(d_k) + bias) v

    The softmax runs over the keys that a query may see. A query that may see no key gets zeros.
    If the inputs are in half precision (bfloat16, float16), scores, softmax and average are computed
    in float32, and only the result is rounded.

    Args:
        q: Queries, shape (..., T_q, d_k). A leading dimension may be 0.
        k: Keys, shape (..., T_k, d_k) with T_k >= 1, and with the leading dimensions of `q`.
        v: Values, shape (..., T_k, d_v), with the leading dimensions of `q`.
        mask: Boolean, broadcastable to (..., T_q, T_k); True where the key may be seen.
        causal: Also hide the future, as `causal_mask` does. If `mask` is given, too, a key is seen
            only where both masks are True.
        bias: Added to the scores after the scaling; broadcastable to (..., T_q, T_k). It is on the
            device of `q`, and its dtype is that of the scores: float32 if `q` is in half precision,
            otherwise the dtype of `q`.

    Returns:
        Shape (..., T_q, d_v), with the dtype and device of `q`.

    Raises:
        ValueError: If q and k differ in d_k, if k and v differ in T_k, or if causal is set and T_q > T_k.

    Source:
        Vaswani et al. 2017, equation 1.
    """
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q and k must share d_k, got q {tuple(q.shape)} and k {tuple(k.shape)}")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k and v must share T_k, got k {tuple(k.shape)} and v {tuple(v.shape)}")
    # The dtype of the scores: float64 for float64, otherwise float32.
    dtype = torch.promote_types(q.dtype, torch.float32)
    # Steps: scores in `dtype`, in the order of the handout's conventions; softmax; average of the
    # values; rounding to the dtype of q.
    # BEGIN SOLUTION sdpa
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])  # (..., T_q, T_k)
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores.masked_fill(~causal_mask(q.shape[-2], k.shape[-2], device=q.device), -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = softmax(scores, dim=-1)  # each row sums to 1, or to 0 where nothing may be seen
    return (weights @ v.to(dtype)).to(q.dtype)  # (..., T_q, d_v)
    # END SOLUTION


# --- Task 4: many heads ------------------------------------------------------------------------


def split_heads(x, n_heads):
    """Cut every token's features into n_heads runs of neighbors, one run per head.

    With d_k = d_model / n_heads, head h gets features h * d_k up to (h + 1) * d_k - 1 of every token.

    Args:
        x: Shape (..., T, d_model).
        n_heads: Number of heads; divides d_model.

    Returns:
        Shape (..., n_heads, T, d_k).

    Raises:
        ValueError: If n_heads does not divide d_model.
    """
    if x.shape[-1] % n_heads:
        raise ValueError(f"n_heads must divide d_model, got n_heads = {n_heads} and x {tuple(x.shape)}")
    # Steps: cut the features into heads; move the dimension of the heads before the tokens.
    # BEGIN SOLUTION multi_head
    return x.unflatten(-1, (n_heads, x.shape[-1] // n_heads)).transpose(-3, -2)
    # END SOLUTION


def join_heads(x):
    """Put the heads of every token side by side again: the inverse of `split_heads`.

    Args:
        x: Shape (..., n_heads, T, d_k).

    Returns:
        Shape (..., T, n_heads * d_k); head 0 comes first.
    """
    # Steps: undo the last step of split_heads; undo its first step.
    # BEGIN SOLUTION multi_head
    return x.transpose(-3, -2).flatten(-2)
    # END SOLUTION


def multi_head_attention(
    x, w_q, w_k, w_v, w_o, *, n_heads, context=None, key_mask=None, causal=False, attend=None
):
    """Attention by n_heads heads at once, each in its own d_k of the d_model features.

        Q = x W_Q,  K = c W_K,  V = c W_V,  head_h = attend(Q_h, K_h, V_h)
        output = [head_0 | head_1 | ... ] W_O

    c is the context: `x` itself (self-attention) or another sequence (cross-attention).

    Args:
        x: Where the queries come from, shape (..., T_q, d_model).
        w_q: Shape (d_model, d_model).
        w_k: Shape (d_context, d_model); d_context is d_model in self-attention.
        w_v: Shape (d_context, d_model).
        w_o: Shape (d_model, d_model).
        n_heads: Number of heads; divides d_model.
        context: Where keys and values come from, shape (..., T_k, d_context) with T_k >= 1, and
            with the leading dimensions of `x`. Default: `x`.
        key_mask: Boolean, shape (..., T_k), False at padding. No query of any head sees padding.
        causal: Hide the future from every head.
        attend: The attention function. It is called once for all heads together, as
            `attend(q, k, v, mask=mask, causal=causal)` with q of shape (..., n_heads, T_q, d_k) and
            k, v of shape (..., n_heads, T_k, d_k). Its mask is None, or boolean and broadcastable to
            (..., n_heads, T_q, T_k). Default: `scaled_dot_product_attention`.

    Returns:
        Shape (..., T_q, d_model).

    Raises:
        ValueError: If n_heads does not divide d_model, or key_mask does not fit the context.

    Source:
        Vaswani et al. 2017, section 3.2.2.
    """
    context = x if context is None else context
    attend = scaled_dot_product_attention if attend is None else attend
    if key_mask is not None and key_mask.shape != context.shape[:-1]:
        raise ValueError(
            f"key_mask must have one entry per token of the context, "
            f"got key_mask {tuple(key_mask.shape)} and context {tuple(context.shape)}"
        )
    # Steps: project; split; give key_mask dimensions for heads and queries; attend once; join; W_O.
    # BEGIN SOLUTION multi_head
    q = split_heads(x @ w_q, n_heads)  # (..., n_heads, T_q, d_k)
    k = split_heads(context @ w_k, n_heads)  # (..., n_heads, T_k, d_k)
    v = split_heads(context @ w_v, n_heads)
    mask = None if key_mask is None else key_mask[..., None, None, :]  # (..., 1, 1, T_k)
    heads = attend(q, k, v, mask=mask, causal=causal)
    return join_heads(heads) @ w_o  # (..., T_q, d_model)
    # END SOLUTION


# --- Task 5: layer norm ------------------------------------------------------------------------


def layer_norm(x, gain, bias, *, eps=1e-5):
    """Each token, shifted and scaled to mean 0 and variance 1, then multiplied by `gain`, plus `bias`.

    Mean and variance are those of the d features of one token. The variance is the biased one: the
    sum of the squared deviations, divided by d. eps is added to the variance before the root is
    taken. `gain` multiplies the result feature by feature. `bias` is added last.

    Args:
        x: Shape (..., d).
        gain: Shape (d,).
        bias: Shape (d,).
        eps: Added to the variance.

    Returns:
        Shape (..., d).

    Example:
        The token (1, 3) has mean 2 and variance 1. With gain 1, bias 0 and eps 0 it becomes (-1, 1).

    Source:
        Ba, Kiros and Hinton 2016.
    """
    # Steps: the token's mean and variance; normalize; gain and bias.
    # BEGIN SOLUTION layer_norm
    mean = x.mean(dim=-1, keepdim=True)
    variance = (x - mean).square().mean(dim=-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * gain + bias
    # END SOLUTION


# --- Task 6: the transformer block -------------------------------------------------------------


def mlp(x, w_1, b_1, w_2, b_2):
    """Two affine maps with a ReLU between them, applied to every token on its own (given; nothing to write).

    Args:
        x: Shape (..., T, d_model).
        w_1: Shape (d_model, d_mlp).
        b_1: Shape (d_mlp,).
        w_2: Shape (d_mlp, d_model).
        b_2: Shape (d_model,).

    Returns:
        Shape (..., T, d_model).
    """
    return torch.relu(x @ w_1 + b_1) @ w_2 + b_2


def transformer_block(x, attention_layer, mlp_layer, norm_1, norm_2, *, pre_norm=False):
    """The tokens after both layers of a block: the attention layer and then the MLP layer.

    Each layer has a residual connection and a norm of its own. In post-norm, the layer's output is
    added to its input, and the norm acts on the sum. In pre-norm, the norm acts on the layer's input,
    and the layer's output is added to x itself.

    Args:
        x: Shape (..., T, d_model).
        attention_layer: The first layer: a function from (..., T, d_model) to the same shape.
        mlp_layer: The second layer, with the same shapes.
        norm_1: The norm of attention_layer, with the same shapes.
        norm_2: The norm of mlp_layer, with the same shapes.
        pre_norm: True for pre-norm, False for post-norm.

    Returns:
        Shape (..., T, d_model).

    Source:
        Vaswani et al. 2017, section 3.1 (post-norm); Xiong et al. 2020 (pre-norm).
    """
    # Steps: the attention layer with its residual and norm; the same for the MLP layer; both norm orders.
    # BEGIN SOLUTION block
    if pre_norm:
        x = x + attention_layer(norm_1(x))
        return x + mlp_layer(norm_2(x))
    x = norm_1(x + attention_layer(x))
    return norm_2(x + mlp_layer(x))
    # END SOLUTION


# --- Task 7: the language model ----------------------------------------------------------------


def language_model(tokens, embedding, positions, blocks):
    """Logits for the next token at every position, from a table E used at both ends.

    A token starts as its row of E plus the row of its position. This vector goes through all blocks in
    turn. The logits are the products of the result with all rows of E. Input and output are tied: both
    use E itself, not a copy, so both uses train it. The rows of E are not multiplied by sqrt(d_model).
    No softmax is taken of the logits.

    Args:
        tokens: Integers in 0 .. V - 1, shape (..., T).
        embedding: The table E, shape (V, d_model).
        positions: The position table, shape (T_max, d_model) with T_max >= T. Row p belongs to
            position p. Only the first T rows are used.
        blocks: Functions from (..., T, d_model) to the same shape, in the order of their use. The
            list may be empty.

    Returns:
        Logits, shape (..., T, V).

    Raises:
        ValueError: If the sequence is longer than the position table.
    """
    if tokens.shape[-1] > positions.shape[0]:
        raise ValueError(
            f"positions must have a row for every token, "
            f"got tokens {tuple(tokens.shape)} and positions {tuple(positions.shape)}"
        )
    # Steps: from tokens to vectors; through the blocks; from vectors to logits.
    # BEGIN SOLUTION language_model
    x = embedding[tokens] + positions[: tokens.shape[-1]]  # (..., T, d_model)
    for block in blocks:
        x = block(x)
    return x @ embedding.T  # (..., T, V)
    # END SOLUTION


def next_token_loss(logits, tokens, *, mask=None):
    """How surprising the tokens that came next were, on average and in nats (natural logarithm).

        mean over t of  -log softmax(logits[t])[tokens[t + 1]]

    The logits at position t predict token t + 1. The last logits don't count, because no token is
    given after the last one. The first token doesn't count, because no logits predict it.

    Args:
        logits: Shape (..., T, V), T >= 2, float32 or float64. Finite, however large.
        tokens: Integers in 0 .. V - 1, shape (..., T).
        mask: Boolean, shape (..., T). Token t + 1 counts if entry t + 1 is True. Padding has False.
            The mean runs over the tokens that count, in all sequences together. Entry 0 of a sequence
            never matters. Default: every token after the first counts.

    Returns:
        The loss, a scalar (0-d tensor) with the dtype of `logits`.

    Raises:
        ValueError: If T < 2, or no token after the first counts.

    Example:
        Logits of 0 everywhere give log V, whatever the tokens are.
    """
    if tokens.shape[-1] < 2:
        raise ValueError(f"tokens must have T >= 2, or nothing is next, got tokens {tuple(tokens.shape)}")
    if mask is not None and not mask[..., 1:].any():
        raise ValueError("mask must be True at one token after the first at least, or the mean is empty")
    # Steps: pair each prediction with the next token; compute its log-probability without the
    # probability; take the mean over the tokens that count.
    # BEGIN SOLUTION language_model
    predictions, targets = logits[..., :-1, :], tokens[..., 1:]
    predictions = predictions - predictions.amax(dim=-1, keepdim=True)  # no exponential above 1
    logp = predictions - predictions.exp().sum(dim=-1, keepdim=True).log()  # (..., T - 1, V)
    surprise = -logp.gather(-1, targets[..., None]).squeeze(-1)  # (..., T - 1)
    return surprise.mean() if mask is None else surprise[mask[..., 1:]].mean()
    # END SOLUTION


# --- Task 8: positions inside the attention ----------------------------------------------------


def apply_rope(x, positions, *, base=10000.0):
    """Rotate each pair of features by an angle that grows with the token's position (RoPE).

    Features 2i and 2i + 1 of a token at position p are the coordinates of a point in the plane. The
    point is turned counter-clockwise by the angle p * theta_i, with theta_i = base^(-2i / d). Angles,
    sines and cosines are computed in float64. The sines and cosines are rounded to the dtype of `x`.

    Args:
        x: Queries or keys, shape (..., T, d), d even.
        positions: The position of each token, integers of shape (T,). They may start anywhere and
            come in any order.
        base: The base of the frequencies in the formula.

    Returns:
        Shape (..., T, d), with the dtype of `x`.

    Raises:
        ValueError: If d is odd, or positions does not have one entry per token.

    Example:
        At position p, (1, 0) becomes (cos p, sin p), because theta_0 = 1. At position 0 nothing changes.

    Source:
        Su et al. 2021 (RoFormer), equation 34.
    """
    if x.shape[-1] % 2:
        raise ValueError(f"x must have an even number of features to pair, got x {tuple(x.shape)}")
    if tuple(positions.shape) != (x.shape[-2],):
        raise ValueError(
            f"positions must have shape (T,), got positions {tuple(positions.shape)} and x {tuple(x.shape)}"
        )
    # Steps: one angle for each token and pair; turn each pair; put the features back in their order.
    # BEGIN SOLUTION relative
    d = x.shape[-1]
    frequencies = base ** (-torch.arange(0, d, 2, dtype=torch.float64, device=x.device) / d)
    angles = positions[:, None].to(torch.float64) * frequencies  # (T, d / 2)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]  # (..., T, d / 2)
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return turned.flatten(-2)  # (..., T, d)
    # END SOLUTION


def alibi_bias(n_heads, T_q, T_k, *, dtype=torch.float32):
    """A penalty on the scores that grows linearly with how far back the key lies (ALiBi).

    The key at a query's own position gets 0. In head h, each step back from there costs
    m_h = 2^(-8 (h + 1) / n_heads), with h = 0 .. n_heads - 1. The last query sits at the last key, as in
    `causal_mask`. Keys in the future continue the same straight line: a key n steps ahead gets +n m_h.
    A causal mask usually hides these keys anyway.

    Args:
        n_heads: Number of heads; a power of two.
        T_q: Number of queries.
        T_k: Number of keys, at least T_q.
        dtype: Floating dtype of the bias.

    Returns:
        Shape (n_heads, T_q, T_k), on the CPU: the `bias` of `scaled_dot_product_attention`.

    Raises:
        ValueError: If n_heads is not a power of two, or T_q > T_k.

    Source:
        Press, Smith and Lewis 2022, section 3.

    Example:
        Two heads, one query, three keys: (-1/8, -1/16, 0) and (-1/128, -1/256, 0).
    """
    if n_heads < 1 or n_heads & (n_heads - 1):
        raise ValueError(f"n_heads must be a power of two, got {n_heads}")
    if T_q > T_k:
        raise ValueError(f"T_q must not exceed T_k, got T_q = {T_q} and T_k = {T_k}")
    # Steps: one slope for each head; the position of every query; how far back every key lies; the bias.
    # BEGIN SOLUTION relative
    slopes = 2.0 ** (-8.0 * torch.arange(1, n_heads + 1, dtype=dtype) / n_heads)  # (n_heads,)
    queries = torch.arange(T_q) + (T_k - T_q)
    distance = queries[:, None] - torch.arange(T_k)  # (T_q, T_k)
    return -slopes[:, None, None] * distance.to(dtype)  # (n_heads, T_q, T_k)
    # END SOLUTION


# --- Task 9: attention in blocks ---------------------------------------------------------------


def online_softmax_step(state, scores, values):
    """The state of the attention after one more block of keys.

    The state sums up all keys so far, relative to their largest score:

        largest    m = max_j s_j                    shape (..., T_q)
        total      l = sum_j exp(s_j - m)           shape (..., T_q)
        weighted   o = sum_j exp(s_j - m) v_j       shape (..., T_q, d_v)

    So weighted / total is the attention over all keys so far. As long as all scores of a query are
    -inf, its state is -inf, 0 and 0. This is also the state before the first block.

    Args:
        state: The tuple (largest, total, weighted) before this block.
        scores: Scores of this block's keys, shape (..., T_q, block), block >= 1. Hidden keys have -inf.
            All keys may be hidden.
        values: Values of this block, shape (..., block, d_v).

    Returns:
        The tuple (largest, total, weighted) after this block.

    Example:
        The scores (0, log 2) with the values (10, 100) give (log 2, 1.5, 105). If the score log 4 with the
        value 1000 comes next, the state is (log 4, 1.75, 1052.5).

    Source:
        Milakov and Gimelshein 2018; Dao et al. 2022 (FlashAttention).
    """
    largest, total, weighted = state
    # Steps: the new largest score; both sums relative to it, over old keys and new keys.
    # BEGIN SOLUTION blockwise
    new_largest = torch.maximum(largest, scores.amax(dim=-1))
    # As in softmax: a query that has seen nothing yet has no finite largest score to shift by.
    shift = new_largest.masked_fill(new_largest == -math.inf, 0.0)
    rescale = torch.exp(largest - shift)  # 0 at the first block, 1 where the largest stayed
    weights = torch.exp(scores - shift[..., None])  # (..., T_q, block)
    total = total * rescale + weights.sum(dim=-1)
    weighted = weighted * rescale[..., None] + weights @ values
    return new_largest, total, weighted
    # END SOLUTION


def blockwise_attention(q, k, v, *, block_size, mask=None, causal=False, step=None):
    """`scaled_dot_product_attention`, without ever holding more than T_q x block_size scores.

    Each block has the next block_size keys and values, in their order. The last block may be shorter.
    All rules of `scaled_dot_product_attention` hold: the scale, the alignment of the causal mask, zeros
    for a query that sees no key, half precision computed in float32. There is no bias. The limit is on
    scores only: a boolean mask may be made for all keys at once.

    Args:
        q: Queries, shape (..., T_q, d_k).
        k: Keys, shape (..., T_k, d_k) with T_k >= 1, and with the leading dimensions of `q`.
        v: Values, shape (..., T_k, d_v), with the leading dimensions of `q`.
        block_size: Keys per block, at least 1.
        mask: Boolean, broadcastable to (..., T_q, T_k), its last dimension T_k.
        causal: Also hide the future.
        step: The function that updates the state. It is called once for each block, as
            `step(state, scores, values)`, even if the whole block is hidden. Scores and values have
            the dtype of the state. Default: `online_softmax_step`.

    Returns:
        Shape (..., T_q, d_v), with the dtype and device of `q`.

    Raises:
        ValueError: If block_size < 1, or causal is set and T_q > T_k.

    Source:
        Rabe and Staats 2021.
    """
    T_q, T_k = q.shape[-2], k.shape[-2]
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, got {block_size}")
    if causal and T_q > T_k:
        raise ValueError(f"T_q must not exceed T_k, got T_q = {T_q} and T_k = {T_k}")
    step = online_softmax_step if step is None else step
    dtype = torch.promote_types(q.dtype, torch.float32)
    state = (
        torch.full(q.shape[:-1], -math.inf, dtype=dtype, device=q.device),
        torch.zeros(q.shape[:-1], dtype=dtype, device=q.device),
        torch.zeros(*q.shape[:-1], v.shape[-1], dtype=dtype, device=q.device),
    )
    # Steps for each block: its scores; -inf where they are hidden; one call of step.
    # After the last block: the result from the state.
    # BEGIN SOLUTION blockwise
    queries = torch.arange(T_q, device=q.device) + (T_k - T_q)
    for start in range(0, T_k, block_size):
        stop = min(start + block_size, T_k)
        k_block, v_block = k[..., start:stop, :].to(dtype), v[..., start:stop, :].to(dtype)
        scores = q.to(dtype) @ k_block.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (..., T_q, block)
        if causal:
            keys = torch.arange(start, stop, device=q.device)
            scores = scores.masked_fill(keys > queries[:, None], -math.inf)
        if mask is not None:
            scores = scores.masked_fill(~mask[..., start:stop], -math.inf)
        state = step(state, scores, v_block)
    _, total, weighted = state
    return (weighted / total.masked_fill(total == 0, 1.0)[..., None]).to(q.dtype)
    # END SOLUTION


# --- Given: your pieces, assembled -------------------------------------------------------------


def init_transformer(seed, *, n_vocab, d_model, d_mlp, n_blocks, dtype=torch.float32):
    """Small random parameters for `transformer` (given; nothing to write here).

    Args:
        seed: Integer. The same seed gives the same parameters.
        n_vocab: Size of the vocabulary, V.
        d_model: Width of the model.
        d_mlp: Width inside the MLP.
        n_blocks: Number of blocks.
        dtype: Floating dtype of the parameters.

    Returns:
        A dict: "embedding" (V, d_model), "final_norm" (gain, bias) and "blocks", a list of dicts
        "attention" (w_q, w_k, w_v, w_o), "mlp" (w_1, b_1, w_2, b_2), "norm_1" and "norm_2"
        (gain, bias).
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape, std):
        return std * torch.randn(*shape, generator=generator, dtype=dtype)

    def norm():
        return torch.ones(d_model, dtype=dtype), torch.zeros(d_model, dtype=dtype)

    def block():
        return {
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

    # If a tied table is small, a fresh model has logits near 0 and a loss near log V.
    return {
        "embedding": normal(n_vocab, d_model, std=0.02),
        "blocks": [block() for _ in range(n_blocks)],
        "final_norm": norm(),
    }


def transformer(tokens, params, *, n_heads, pre_norm=False, causal=True):
    """A whole decoder-only transformer made of the pieces above (given; nothing to write here).

    Args:
        tokens: Integers, shape (..., T).
        params: Parameters as `init_transformer` returns them.
        n_heads: Number of heads in every block.
        pre_norm: True for pre-norm, with one more norm after the last block. False for post-norm.
        causal: Whether the blocks hide the future: one bool for all, or a list with one for each.

    Returns:
        Logits, shape (..., T, V).
    """
    embedding = params["embedding"]

    def norm(weights):
        return lambda x: layer_norm(x, *weights)

    def block(weights, masked):
        return partial(
            transformer_block,
            attention_layer=lambda x: multi_head_attention(
                x, *weights["attention"], n_heads=n_heads, causal=masked
            ),
            mlp_layer=lambda x: mlp(x, *weights["mlp"]),
            norm_1=norm(weights["norm_1"]),
            norm_2=norm(weights["norm_2"]),
            pre_norm=pre_norm,
        )

    masked = [causal] * len(params["blocks"]) if isinstance(causal, bool) else causal
    blocks = [block(weights, hides) for weights, hides in zip(params["blocks"], masked, strict=True)]
    if pre_norm:
        blocks.append(norm(params["final_norm"]))
    positions = sinusoidal_positions(tokens.shape[-1], embedding.shape[1], dtype=embedding.dtype)
    return language_model(tokens, embedding, positions.to(embedding.device), blocks)
