"""Computes all scores at once and hands them to a single step."""

TASK = "blockwise"
HINT = """Your result is right for every block size, but a single step takes in all keys: T_q x T_k
scores are held at once. At 65 536 tokens that is 16 GiB for one head in float32. What is block_size
for?"""


def blockwise_attention(q, k, v, *, block_size, mask=None, causal=False, step=None):
    step = online_softmax_step if step is None else step
    dtype = torch.promote_types(q.dtype, torch.float32)
    T_q, T_k = q.shape[-2], k.shape[-2]
    state = (
        torch.full(q.shape[:-1], -math.inf, dtype=dtype, device=q.device),
        torch.zeros(q.shape[:-1], dtype=dtype, device=q.device),
        torch.zeros(*q.shape[:-1], v.shape[-1], dtype=dtype, device=q.device),
    )
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])
    if causal:
        scores = scores.masked_fill(~causal_mask(T_q, T_k, device=q.device), -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    _, total, weighted = step(state, scores, v.to(dtype))
    return (weighted / total.masked_fill(total == 0, 1.0)[..., None]).to(q.dtype)
