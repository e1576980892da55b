"""Counts the prompt's tokens as actions of the policy."""

TASK = "logps"
HINT = """Your mask ends where it should, but begins at once. Who wrote the prompt, and should the policy be
praised or blamed for it?"""


def response_mask(prompt_lengths, lengths, n_tokens):
    _same_shape(prompt_lengths=prompt_lengths, lengths=lengths)
    if not ((prompt_lengths >= 1) & (prompt_lengths <= lengths) & (lengths <= n_tokens)).all():
        raise ValueError(
            f"lengths must obey 1 <= prompt_length <= length <= T = {n_tokens}, "
            f"got prompt_lengths {prompt_lengths.tolist()} and lengths {lengths.tolist()}"
        )
    chosen = torch.arange(1, n_tokens, device=lengths.device)  # the token that each action chose
    return (chosen < lengths[:, None])  # (B, T - 1)
