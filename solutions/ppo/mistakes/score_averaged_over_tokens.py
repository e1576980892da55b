"""Averages what the model says over the sequence."""

TASK = "reward_model"
HINT = """Your score is an average over the tokens of a sequence. After the first word, what can a reward
model know about the response, and which of its outputs has seen all of it?"""


def final_scores(token_scores, lengths):
    _check_lengths(lengths, token_scores, "token_scores")
    real = torch.arange(token_scores.shape[1], device=lengths.device) < lengths[:, None]
    return (token_scores * real).sum(1) / lengths
