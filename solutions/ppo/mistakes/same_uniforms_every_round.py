"""Uses the uniform numbers of round 0 throughout."""

TASK = "rlhf"
HINT = """Your first round is right, and the others draw with its numbers again. What does a policy learn
from few responses that come again and again?"""


def rlhf(
    params,
    ref_params,
    prompts,
    prompt_lengths,
    score,
    uniforms,
    minibatches,
    *,
    beta,
    lr,
    gamma=1.0,
    lam=0.95,
    max_grad_norm=math.inf,
    sample=None,
    collect=collect,
    update=ppo_update,
    watch=None,
    **options,
):
    sample = sample_responses if sample is None else sample
    n = len(uniforms)
    for i in range(n):
        tokens, lengths = sample(params, prompts, prompt_lengths, uniforms[0])
        logits, values = forward(params, tokens)
        ref_logits, _ = forward(ref_params, tokens)
        rollout = {
            "tokens": tokens,
            "prompt_lengths": prompt_lengths,
            "lengths": lengths,
            "logits": logits,
            "values": values,
            "ref_logits": ref_logits,
            "scores": score(tokens, prompt_lengths, lengths),
        }
        batch = collect(rollout, beta=beta, gamma=gamma, lam=lam)
        params = update(
            params, batch, minibatches, lr=lr * (1 - i / n), max_grad_norm=max_grad_norm, **options
        )
        if watch is not None:
            watch(i, params, batch)
    return params
