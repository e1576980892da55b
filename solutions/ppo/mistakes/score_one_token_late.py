"""Uses the length as the index of the last token."""

TASK = "reward_model"
HINT = """Your scores come from one token further than they should. Tokens are counted from 0: at which
index does a sequence of n tokens end?"""


def final_scores(token_scores, lengths):
    _check_lengths(lengths, token_scores, "token_scores")
    rows = torch.arange(len(lengths), device=lengths.device)
    return token_scores[rows, lengths.clamp(max=token_scores.shape[1] - 1)]
