"""Attention and the transformer block: from a softmax to a small language model.

Every tensor keeps its features last and its tokens next to last, (..., T, d), where "..." stands
for any number of batch dimensions, none included. Weights multiply from the right, `x @ w`.
A mask is boolean and True means "may be seen". Results keep the dtype and device of the inputs.
Inputs are float32 or float64; the attention of tasks 3 and 9 also takes half precision.
Nothing that is handed in is changed in place.

There is no dropout and no training loop here, and nothing is random except `init_transformer`.
"""

import math
from functools import partial

import torch

# --- Task 1: softmax ---------------------------------------------------------------------------


def softmax(x, *, dim=-1):
    """Weights that are positive, add up to 1 along `dim`, and keep the ratios exp(x_i) / exp(x_j).

        softmax(x)_i = exp(x_i) / sum_j exp(x_j)

    An entry of -inf is an entry that is not there: its weight is exactly 0. Where every entry
    along `dim` is -inf nothing is there to be weighed, and all weights are 0.

    Args:
        x: Logits of any shape, float32 or float64. Entries may be -inf, but not +inf or NaN.
        dim: The dimension that adds up to 1; at least 1 entry long.

    Returns:
        Weights with the shape of `x`. Finite for every finite `x`, however large, and so are
        its gradients, also where a whole row is -inf.

    Example:
        softmax(tensor([0, log 2, log 3])) is [1/6, 2/6, 3/6].
    """
    # Steps: make the exponentials safe; take them; divide by their sum.
    # What becomes of each step when every entry is -inf?
    # YOUR CODE HERE
    raise NotImplementedError("task softmax is not written yet")


# --- Task 2: sinusoidal positions --------------------------------------------------------------


def sinusoidal_positions(n_positions, d_model, *, base=10000.0, dtype=torch.float32):
    """The position table: row p holds the sines and cosines of p at d_model / 2 frequencies.

        PE[p, 2i]     = sin(p / base^(2i / d_model))
        PE[p, 2i + 1] = cos(p / base^(2i / d_model))        i = 0 .. d_model/2 - 1

    Args:
        n_positions: Number of rows, counted from position 0. May be 0.
        d_model: Width of a row; even.
        base: The slowest pair has a wavelength of nearly 2 pi base positions.
        dtype: Floating dtype of the table. Angles, sines and cosines are computed in float64 and
            rounded to it at the end.

    Returns:
        Shape (n_positions, d_model).

    Raises:
        ValueError: If d_model is odd.

    Source:
        Vaswani et al. 2017, section 3.5.
    """
    if d_model % 2:
        raise ValueError(f"d_model must be even (one sine and one cosine per frequency), got {d_model}")
    # Steps: one angle per position and pair; from each, two columns that are neighbors.
    # YOUR CODE HERE
    raise NotImplementedError("task positions is not written yet")


def shift_positions(table, n_steps, *, base=10000.0):
    """The rows that stand n_steps further down in the position table, made from the given rows alone.

    It isn't told which positions the rows belong to.

    Args:
        table: Rows of a sinusoidal table, of any positions and in any order, shape (..., d_model).
        n_steps: How many positions further, an integer; negative for back.
        base: That of the table.

    Returns:
        Row p of the table becomes row p + n_steps. With the shape and dtype of `table`.

    Raises:
        ValueError: If d_model is odd.

    Example:
        The row (0, 1, 0, 1) of position 0, shifted by 2, is (sin 2, cos 2, sin 0.02, cos 0.02).
    """
    if table.shape[-1] % 2:
        raise ValueError(f"table must have an even number of columns, got table {tuple(table.shape)}")
    # Steps: by which angle each pair moves on; what that makes of its sine and of its cosine.
    # YOUR CODE HERE
    raise NotImplementedError("task positions is not written yet")


# --- Task 3: scaled dot-product attention ------------------------------------------------------


def causal_mask(T_q, T_k, *, device=None):
    """Which keys each query may see when it must not look into the future.

    The last query is aligned with the last key: with T_k - T_q keys already read, query i sits at
    position i + T_k - T_q and sees keys 0 up to that position, its own included.

    Args:
        T_q: Number of queries.
        T_k: Number of keys, at least T_q.
        device: Where to make the mask.

    Returns:
        Boolean, shape (T_q, T_k), True where the key may be seen.

    Raises:
        ValueError: If T_q > T_k: the first queries would sit before the first key.
    """
    if T_q > T_k:
        raise ValueError(f"T_q must not exceed T_k, got T_q = {T_q} and T_k = {T_k}")
    # Steps: where does every query sit, where every key, and who may see whom?
    # YOUR CODE HERE
    raise NotImplementedError("task sdpa is not written yet")


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    """For each query, the mean of the values, weighted by how well their keys match the query.

        softmax(q k^T / sqrt(d_k) + bias) v

    The softmax runs over the keys a query may see. A query that may see none gets zeros.
    Inputs in half precision (bfloat16, float16) are computed in float32, scores, softmax and
    average alike, and only the result is rounded.

    Args:
        q: Queries, shape (..., T_q, d_k). A leading dimension may be 0.
        k: Keys, shape (..., T_k, d_k) with T_k >= 1, and with the leading dimensions of `q`.
        v: Values, shape (..., T_k, d_v), with the leading dimensions of `q`.
        mask: Boolean, broadcastable to (..., T_q, T_k); True where the key may be seen.
        causal: Also hide the future, as `causal_mask` does. With `mask`, a key is seen
            only where both allow it.
        bias: Added to the scores after the scaling; broadcastable to (..., T_q, T_k). The caller
            brings it on the device of `q` and in the dtype of the scores: float32 for half
            precision, otherwise that of `q`.

    Returns:
        Shape (..., T_q, d_v), with the dtype and device of `q`.

    Raises:
        ValueError: If q and k differ in d_k, k and v in T_k, or causal is set and T_q > T_k.

    Source:
        Vaswani et al. 2017, equation 1.
    """
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q and k must share d_k, got q {tuple(q.shape)} and k {tuple(k.shape)}")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k and v must share T_k, got k {tuple(k.shape)} and v {tuple(v.shape)}")
    # At least float32, and float64 where the inputs are.
    dtype = torch.promote_types(q.dtype, torch.float32)
    # Steps: the score order of the conventions, in `dtype`; average the values; round to q's dtype.
    # YOUR CODE HERE
    raise NotImplementedError("task sdpa is not written yet")


# --- Task 4: many heads ------------------------------------------------------------------------


def split_heads(x, n_heads):
    """Cut every token's features into n_heads runs of neighbors, one run per head.

    Head h gets features h * d_k up to (h + 1) * d_k - 1 of every token, d_k = d_model / n_heads.

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
    # Steps: tell the heads apart; give them their own dimension, before the tokens.
    # YOUR CODE HERE
    raise NotImplementedError("task multi_head is not written yet")


def join_heads(x):
    """Put the heads of every token side by side again: the inverse of `split_heads`.

    Args:
        x: Shape (..., n_heads, T, d_k).

    Returns:
        Shape (..., T, n_heads * d_k); head 0 comes first.
    """
    # Steps: undo the steps of split_heads, the last one first.
    # YOUR CODE HERE
    raise NotImplementedError("task multi_head is not written yet")


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
        key_mask: Boolean, shape (..., T_k), False at padding: no query of any head sees it.
        causal: Hide the future from every head.
        attend: The attention of one head, called once for all heads together as
            `attend(q, k, v, mask=mask, causal=causal)`, on (..., n_heads, T, d_k). The mask is
            None or boolean and broadcastable to (..., n_heads, T_q, T_k).
            Default: `scaled_dot_product_attention`.

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
    # Steps: project; split; give key_mask a place for heads and queries; attend once; join; W_O.
    # YOUR CODE HERE
    raise NotImplementedError("task multi_head is not written yet")


# --- Task 5: layer norm ------------------------------------------------------------------------


def layer_norm(x, gain, bias, *, eps=1e-5):
    """Each token's features, shifted and scaled to mean 0 and variance 1, then `gain` and `bias`.

    Mean and variance run over the d features of one token, and over nothing else. The variance is
    the biased one: the sum of the squared deviations, divided by d. eps is added to the variance,
    before the root is taken. `gain` multiplies the result feature by feature, `bias` is added last.

    Args:
        x: Shape (..., d).
        gain: Shape (d,).
        bias: Shape (d,).
        eps: Added to the variance.

    Returns:
        Shape (..., d).

    Example:
        The token (1, 3) has mean 2 and variance 1: with gain 1, bias 0 and eps 0 it becomes (-1, 1).

    Source:
        Ba, Kiros and Hinton 2016.
    """
    # Steps: the token's mean and variance; normalize; gain and bias.
    # YOUR CODE HERE
    raise NotImplementedError("task layer_norm is not written yet")


# --- Task 6: the transformer block -------------------------------------------------------------


def mlp(x, w_1, b_1, w_2, b_2):
    """Two layers with a ReLU between them, applied to every token on its own (given; nothing to write here).

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
    """The tokens after one round of looking at each other and one round of thinking alone.

    Each of the two layers is wrapped in a residual connection and a norm of its own. Post-norm, as in
    2017: the layer's output is added to its input, and the norm acts on the sum. Pre-norm, as in most
    models since: the norm acts on what goes into the layer, and the output is added to x itself.

    Args:
        x: Shape (..., T, d_model).
        attention_layer: Function of one tensor, shape (..., T, d_model) in and out. Comes first.
        mlp_layer: Function of one tensor, the same shapes. Comes second.
        norm_1: Function of one tensor, the same shapes: the norm that goes with attention_layer.
        norm_2: The norm that goes with mlp_layer.
        pre_norm: Where the norms stand.

    Returns:
        Shape (..., T, d_model).

    Source:
        Vaswani et al. 2017, section 3.1 (post-norm); Xiong et al. 2020 (pre-norm).
    """
    # Steps: the attention's half; then, on what comes out of it, the MLP's half; in both norm orders.
    # YOUR CODE HERE
    raise NotImplementedError("task block is not written yet")


# --- Task 7: the language model ----------------------------------------------------------------


def language_model(tokens, embedding, positions, layers):
    """Logits for the next token at every position, from a table used at both ends.

    A token's vector is its row of the table plus the row of its position. It goes through each layer
    in turn; its logits are then its products with all rows of the table. The output layer is tied: it
    is the table itself, no copy, so both uses train it. The embeddings are not multiplied by
    sqrt(d_model), and the logits are not put through a softmax.

    Args:
        tokens: Integers in 0 .. V - 1, shape (..., T).
        embedding: The table E, shape (V, d_model).
        positions: The position table, shape (T_max, d_model) with T_max >= T; row p goes with
            position p, and the rows beyond T are not used.
        layers: Functions of one tensor, (..., T, d_model) in and out, in the order they are
            applied. May be empty.

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
    # Steps: into the model's width; through the layers; back to the vocabulary.
    # YOUR CODE HERE
    raise NotImplementedError("task language_model is not written yet")


def next_token_loss(logits, tokens, *, mask=None):
    """Mean surprise, in nats, at the tokens that came next.

        mean over t of  -log softmax(logits[t])[tokens[t + 1]]

    The logits at position t predict token t + 1. So the last logits predict nothing that is known,
    and nothing predicts the first token.

    Args:
        logits: Shape (..., T, V), T >= 2, float32 or float64. Finite, however large.
        tokens: Integers in 0 .. V - 1, shape (..., T).
        mask: Boolean, shape (..., T): True at the tokens whose prediction counts, False at padding.
            The mean runs over these tokens, all sequences together. Entry 0 of a sequence never
            matters. Default: every token counts.

    Returns:
        The loss, a scalar (0-d tensor) with the dtype of `logits`.

    Raises:
        ValueError: If T < 2, or no token with a prediction counts.

    Example:
        Logits of 0 everywhere give log V, whatever the tokens are.
    """
    if tokens.shape[-1] < 2:
        raise ValueError(f"tokens must have T >= 2, or nothing is next, got tokens {tuple(tokens.shape)}")
    if mask is not None and not mask[..., 1:].any():
        raise ValueError("mask must be True at one token after the first at least, or the mean is empty")
    # Steps: pair each prediction with what came next; its log-probability, without the probability;
    # the mean over what counts.
    # YOUR CODE HERE
    raise NotImplementedError("task language_model is not written yet")


# --- Task 8: positions inside the attention ----------------------------------------------------


def apply_rope(x, positions, *, base=10000.0):
    """Rotate each pair of features by an angle that grows with the token's position (RoPE).

    Features 2i and 2i + 1 of a token at position p are the coordinates of a point in the plane. It is
    turned counter-clockwise by the angle p * theta_i, where theta_i = base^(-2i / d). Angles, sines and
    cosines are computed in float64, then rounded to the dtype of `x`.

    Args:
        x: Queries or keys, shape (..., T, d), d even.
        positions: Integers, shape (T,): where each token sits. Need not start at 0.
        base: As for the sinusoidal table.

    Returns:
        Shape (..., T, d), with the dtype of `x`.

    Raises:
        ValueError: If d is odd, or positions does not have one entry per token.

    Example:
        (1, 0) at position p becomes (cos p, sin p), since theta_0 = 1. Position 0 changes nothing.

    Source:
        Su et al. 2021 (RoFormer), equation 34.
    """
    if x.shape[-1] % 2:
        raise ValueError(f"x must have an even number of features to pair, got x {tuple(x.shape)}")
    if tuple(positions.shape) != (x.shape[-2],):
        raise ValueError(
            f"positions must have shape (T,), got positions {tuple(positions.shape)} and x {tuple(x.shape)}"
        )
    # Steps: one angle per token and pair; turn each pair; put the features back where they were.
    # YOUR CODE HERE
    raise NotImplementedError("task relative is not written yet")


def alibi_bias(n_heads, T_q, T_k, *, dtype=torch.float32):
    """A penalty on the scores that grows linearly with how far back the key lies (ALiBi).

    A query's own position gets 0, and each step back from there costs head h another
    m_h = 2^(-8 (h + 1) / n_heads), h = 0 .. n_heads - 1. The last query sits at the last key, as in
    `causal_mask`. Keys in the future lie on the same straight line, each step ahead worth m_h more
    than 0, which doesn't matter: the causal mask that ALiBi is used with hides them.

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
    # Steps: one slope per head; where does every query sit, and how far back lies every key?
    # YOUR CODE HERE
    raise NotImplementedError("task relative is not written yet")


# --- Task 9: attention in blocks ---------------------------------------------------------------


def online_softmax_step(state, scores, values):
    """What is known about the attention's result after one more block of keys.

    The state is what there is to know of the keys seen so far, kept relative to their largest score:

        largest    m = max_j s_j                    shape (..., T_q)
        total      sum_j exp(s_j - m)               shape (..., T_q)
        weighted   sum_j exp(s_j - m) v_j           shape (..., T_q, d_v)

    so that weighted / total is the attention over those keys. Before the first block, and as long
    as a query has seen nothing (all its scores are -inf), they are -inf, 0 and 0.

    Args:
        state: The tuple (largest, total, weighted) before this block.
        scores: Scores of this block's keys, shape (..., T_q, block), block >= 1; -inf where hidden.
            All of them may be.
        values: Values of this block, shape (..., block, d_v).

    Returns:
        The tuple (largest, total, weighted) with this block taken in.

    Example:
        Scores 0 and log 2 with values 10 and 100 give (log 2, 1.5, 105). If log 4 with value 1000 comes
        next, the state is (log 4, 1.75, 1052.5).

    Source:
        Milakov and Gimelshein 2018; Dao et al. 2022 (FlashAttention).
    """
    largest, total, weighted = state
    # Steps: the new largest score; both sums in terms of it, old keys and new ones.
    # YOUR CODE HERE
    raise NotImplementedError("task blockwise is not written yet")


def blockwise_attention(q, k, v, *, block_size, mask=None, causal=False, step=None):
    """`scaled_dot_product_attention`, without ever holding more than T_q x block_size scores.

    Keys and values are taken block_size at a time, in order; the last block may be shorter.
    Everything said of `scaled_dot_product_attention` holds: the scale, the alignment of the causal
    mask, zeros for a query that sees nothing, half precision computed in float32. There is no bias.
    Only scores are counted: a boolean mask may be made for all keys at once.

    Args:
        q: Queries, shape (..., T_q, d_k).
        k: Keys, shape (..., T_k, d_k) with T_k >= 1, and with the leading dimensions of `q`.
        v: Values, shape (..., T_k, d_v), with the leading dimensions of `q`.
        block_size: Keys per block, at least 1.
        mask: Boolean, broadcastable to (..., T_q, T_k), its last dimension T_k.
        causal: Also hide the future.
        step: What takes in a block, called once per block as `step(state, scores, values)`, also
            where the whole block is hidden, with scores and values in the dtype of the state.
            Default: `online_softmax_step`.

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
    # Steps: block after block: its scores, what is hidden in it, one step; then the answer from the state.
    # YOUR CODE HERE
    raise NotImplementedError("task blockwise is not written yet")


# --- Given: your pieces, assembled -------------------------------------------------------------


def init_transformer(seed, *, n_vocab, d_model, d_mlp, n_layers, dtype=torch.float32):
    """Small random parameters for `transformer` (given; nothing to write here).

    Args:
        seed: Integer that the random numbers grow from: the same one gives the same parameters.
        n_vocab: Size of the vocabulary, V.
        d_model: Width of the model.
        d_mlp: Width inside the MLP.
        n_layers: Number of blocks.
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

    # A tied table must be small: the logits of a fresh model are then near 0, its loss near log V.
    return {
        "embedding": normal(n_vocab, d_model, std=0.02),
        "blocks": [block() for _ in range(n_layers)],
        "final_norm": norm(),
    }


def transformer(tokens, params, *, n_heads, pre_norm=False, causal=True):
    """A whole decoder-only transformer made of the pieces above (given; nothing to write here).

    Args:
        tokens: Integers, shape (..., T).
        params: What `init_transformer` returns, or the like.
        n_heads: Number of heads in every block.
        pre_norm: Where the norms stand. With pre-norm one more norm comes after the last block.
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
    layers = [block(weights, hides) for weights, hides in zip(params["blocks"], masked, strict=True)]
    if pre_norm:
        layers.append(norm(params["final_norm"]))
    positions = sinusoidal_positions(tokens.shape[-1], embedding.shape[1], dtype=embedding.dtype)
    return language_model(tokens, embedding, positions.to(embedding.device), layers)
