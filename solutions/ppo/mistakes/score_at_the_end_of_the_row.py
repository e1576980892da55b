"""Reads the score in the last column, filler or not."""

TASK = "reward_model"
HINT = """Your scores are right for sequences without filler. What has the reward model read at the last
column of a short one, and where does its judgement of the whole response stand?"""


def final_scores(token_scores, lengths):
    _check_lengths(lengths, token_scores, "token_scores")
    rows = torch.arange(len(lengths), device=lengths.device)
    return token_scores[:, -1]
