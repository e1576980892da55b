"""Keeps every token at least as large as the k-th, so more than k where they tie."""

TASK = "top_k"
HINT = """You keep k tokens where all logits differ, and more than k where some are equal. A comparison
with the k-th largest value cannot tell equals apart: what else do you know about the tokens that
could?"""


def keep_top_k(logits, k):
    bar = logits.sort(dim=-1, descending=True).values[..., min(k, logits.shape[-1]) - 1 :][..., :1]
    return torch.log_softmax(logits.masked_fill(logits < bar, NEVER), dim=-1)
