"""Applies the causal mask within each block as if every block began at position 0."""

TASK = "blockwise"
HINT = """Without `causal`, or with a single block, you are right; with several, later blocks let
queries see keys that lie ahead of them. A block's first key sits at position `start` of the
sequence, not at 0. What are the positions of the keys in the third block of 4?"""


def blockwise_attention(q, k, v, *, block_size, mask=None, causal=False, step=None):
    step = online_softmax_step if step is None else step
    dtype = torch.promote_types(q.dtype, torch.float32)
    T_q, T_k = q.shape[-2], k.shape[-2]
    state = (
        torch.full(q.shape[:-1], -math.inf, dtype=dtype),
        torch.zeros(q.shape[:-1], dtype=dtype),
        torch.zeros(*q.shape[:-1], v.shape[-1], dtype=dtype),
    )
    queries = torch.arange(T_q) + (T_k - T_q)
    for start in range(0, T_k, block_size):
        stop = min(start + block_size, T_k)
        scores = q.to(dtype) @ k[..., start:stop, :].to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])
        if causal:
            scores = scores.masked_fill(torch.arange(stop - start) > queries[:, None], -math.inf)
        if mask is not None:
            scores = scores.masked_fill(~mask[..., start:stop], -math.inf)
        state = step(state, scores, v[..., start:stop, :].to(dtype))
    _, total, weighted = state
    return (weighted / total.masked_fill(total == 0, 1.0)[..., None]).to(q.dtype)
