"""Marks where response tokens stand, not where they were chosen."""

TASK = "logps"
HINT = """Your mask is one place late: the choice of the first response token is missing, and one at the end
is too many. Action t is the choice of token t + 1: at which position was the first response token
chosen?"""


def response_mask(prompt_lengths, lengths, n_tokens):
    _same_shape(prompt_lengths=prompt_lengths, lengths=lengths)
    if not ((prompt_lengths >= 1) & (prompt_lengths <= lengths) & (lengths <= n_tokens)).all():
        raise ValueError(
            f"lengths must obey 1 <= prompt_length <= length <= T = {n_tokens}, "
            f"got prompt_lengths {prompt_lengths.tolist()} and lengths {lengths.tolist()}"
        )
    chosen = torch.arange(0, n_tokens - 1, device=lengths.device)  # the token that each action chose
    return (chosen >= prompt_lengths[:, None]) & (chosen < lengths[:, None])  # (B, T - 1)
