"""Leaves out the last action of each response."""

TASK = "logps"
HINT = """Your mask has one action too few in each row: the one that ended the response. If nobody is
rewarded for ending, what does a policy learn about when to stop?"""


def response_mask(prompt_lengths, lengths, n_tokens):
    _same_shape(prompt_lengths=prompt_lengths, lengths=lengths)
    if not ((prompt_lengths >= 1) & (prompt_lengths <= lengths) & (lengths <= n_tokens)).all():
        raise ValueError(
            f"lengths must obey 1 <= prompt_length <= length <= T = {n_tokens}, "
            f"got prompt_lengths {prompt_lengths.tolist()} and lengths {lengths.tolist()}"
        )
    chosen = torch.arange(1, n_tokens, device=lengths.device)  # the token that each action chose
    return (chosen >= prompt_lengths[:, None]) & (chosen < (lengths - 1)[:, None])  # (B, T - 1)
