r"""Training on answers that a program can check: rewards, group advantages, a clipped loss, its divisors, and their faults.

Each of P prompts has G answers, which are the *group* of the prompt. Rewards and advantages have shape (P, G). Numbers for
each token have shape (P, G, T), because answers are padded to T positions. A boolean mask is True at the tokens of an answer,
including the token that ends the answer. Losses are minimized. A *table* lists all K possible answers to a prompt. Results
keep the dtype and device of the inputs, and no input is changed in place.

The language model itself is left out. Random numbers are handed in.
"""

import itertools
import math
import re
from fractions import Fraction

import torch

END_OF_THOUGHT = "</think>"
BOX = "\\boxed{"

CRITIQUE = "Request: {prompt}\nAnswer: {answer}\nHow does this answer violate the following principle? {principle}"
REVISION = "Request: {prompt}\nAnswer: {answer}\nCritique: {critique}\nRewrite the answer so that it meets the critique."

# --- Task 1: a reward that a program can give --------------------------------------------------


def final_answer(text):
    r"""What stands in the last closed box of a text.

    A box is `\boxed{...}`. It ends at the brace that closes the brace after `boxed`, so braces inside a box come in pairs. A
    box that is never closed doesn't count. Texts with a box inside a box are not tested.

    Args:
        text: Any text.

    Returns:
        The contents of the last closed box, without blanks at both ends. None if there is no such box.

    Example:
        "So \boxed{ \frac{1}{2} }, not \boxed{" gives "\frac{1}{2}".
    """
    # BEGIN SOLUTION reward
    found = None
    for match in re.finditer(re.escape(BOX), text):
        depth = 1
        for at in range(match.end(), len(text)):
            depth += (text[at] == "{") - (text[at] == "}")
            if depth == 0:
                found = text[match.end() : at].strip()
                break
    return found
    # END SOLUTION


def equivalent(answer, truth):
    r"""Whether two answers mean the same.

    Two numbers mean the same if they are the same **rational number**, exactly. A number may begin with a sign, + or -. Then
    comes one of four forms: digits ("12"); digits on both sides of a decimal point ("0.50"); digits, a slash and digits ("1/2");
    \frac{1}{2} with digits in both braces. A fraction with the denominator 0 is a text, and so is everything else. Two texts
    mean the same if they are equal, letter by letter. A number never means the same as a text. Blanks at both ends don't count.

    Args:
        answer: Text, or None if there is no answer. None never means the same as the truth.
        truth: Text.

    Returns:
        True or False.

    Example:
        "0.50" and "1/2": True. "x" and "X": False.
    """
    # BEGIN SOLUTION reward
    if answer is None:
        return False
    digits = "([0-9]+)"
    forms = (digits, r"([0-9]+\.[0-9]+)", f"{digits}/{digits}", rf"\\frac\{{{digits}\}}\{{{digits}\}}")

    def value(text):
        """The rational number that a text names; the text itself if it names none."""
        negative = text.startswith("-")
        rest = text[1:] if text.startswith(("+", "-")) else text
        for form in forms:
            if match := re.fullmatch(form, rest):
                top, bottom = (*match.groups(), "1")[:2]
                if int(bottom):
                    return Fraction(top) / int(bottom) * (-1 if negative else 1)
        return text

    return value(answer.strip()) == value(truth.strip())
    # END SOLUTION


def reward(text, prompt_length, truth):
    """The reward of one answer: 1.0 for a right answer in the right format, else 0.0.

    The first `prompt_length` characters are the prompt, which earns nothing. The rest is the response. The format is right
    if `</think>` stands in the response exactly once. The answer is the last closed box **after** `</think>`. The reward is
    1.0 if the format is right and the answer is equivalent to the truth. Otherwise, the reward is 0.0, even if the format or
    the answer is right.

    Args:
        text: The prompt and, right behind it, the response.
        prompt_length: How many characters belong to the prompt.
        truth: The right answer, as text.

    Returns:
        1.0 or 0.0.

    Raises:
        ValueError: If the text is shorter than its prompt.
    """
    if not 0 <= prompt_length <= len(text):
        raise ValueError(f"prompt_length must be in 0 .. {len(text)}, the length of the text, got {prompt_length}")
    # BEGIN SOLUTION reward
    parts = text[prompt_length:].split(END_OF_THOUGHT)
    if len(parts) != 2:
        return 0.0
    return float(equivalent(final_answer(parts[1]), truth))
    # END SOLUTION


# --- Task 2: better than the rest of the group -------------------------------------------------


def group_advantages(rewards, *, kind, eps=1e-6):
    """How much better each answer is than its own group.

    "centered":      the reward minus the mean of the group.
    "scaled":        the centered advantage, divided by (s + eps). s is the standard deviation of the group: the root of
                     the mean squared distance from the group's mean (divided by G, not G - 1).
    "leave_one_out": the reward minus the mean of the **other** answers of the group.

    Args:
        rewards: Shape (..., G), G at least 2, floating point.
        kind: One of the three names.
        eps: Not negative. Only "scaled" uses it.

    Returns:
        Shape (..., G). If all rewards of a group are equal, its advantages are exactly 0, also for eps = 0.

    Raises:
        ValueError: If kind is unknown, G is below 2, or eps is negative.

    Example:
        Rewards 3, 0, 0: centered 2, -1, -1; leave_one_out 3, -1.5, -1.5; scaled with eps = 0: 1.414, -0.707, -0.707.
    """
    if kind not in ("centered", "scaled", "leave_one_out"):
        raise ValueError(f"kind must be centered, scaled or leave_one_out, got {kind!r}")
    if rewards.shape[-1] < 2 or eps < 0:
        raise ValueError(f"G must be at least 2 and eps at least 0, got G = {rewards.shape[-1]}, eps = {eps}")
    # BEGIN SOLUTION advantages
    G = rewards.shape[-1]
    mean = rewards.mean(-1, keepdim=True)
    constant = (rewards == rewards[..., :1]).all(-1, keepdim=True)  # a mean can miss equal rewards by rounding
    advantages = torch.where(constant, 0.0, rewards - mean)
    if kind == "scaled":
        deviation = rewards.std(-1, correction=0, keepdim=True)
        return torch.where(constant, 0.0, advantages / torch.where(constant, 1.0, deviation + eps))
    if kind == "leave_one_out":
        others = (rewards.sum(-1, keepdim=True) - rewards) / (G - 1)
        return torch.where(constant, 0.0, rewards - others)
    return advantages
    # END SOLUTION


# --- Task 3: the clipped loss of each token ----------------------------------------------------


def policy_loss(logp, old_logp, advantages, mask, *, level, clip_low, clip_high):
    """The loss of each token, before anything is averaged.

        loss = -min(ratio * A, clamp(ratio, 1 - clip_low, 1 + clip_high) * A)

    A is the advantage of the answer, the same for all its tokens. At level "token", each token has its own ratio,
    pi(token) / pi_old(token). At level "sequence", all tokens of an answer share one ratio: the exponential of the **mean**,
    over the answer's tokens, of log pi - log pi_old.

    Args:
        logp: log pi of each token, shape (P, G, T). Only this argument gets a gradient.
        old_logp: log pi_old of each token, from the policy that wrote the answers, shape (P, G, T).
        advantages: Shape (P, G).
        mask: Boolean, shape (P, G, T): True at the tokens of the answer. Each answer has at least one.
        level: "token" or "sequence".
        clip_low, clip_high: The limits: how far below 1, and how far above 1, the loss still pushes the ratio.

    Returns:
        Shape (P, G, T). Where the mask is False, the loss and its gradient are 0, even if NaN or -inf stands there.

    Raises:
        ValueError: If level is unknown or an answer has no token.
    """
    if level not in ("token", "sequence"):
        raise ValueError(f"level must be token or sequence, got {level!r}")
    _check_mask(mask)
    # BEGIN SOLUTION policy_loss
    difference = torch.where(mask, logp, 0.0) - torch.where(mask, old_logp.detach(), 0.0)  # (P, G, T)
    if level == "sequence":
        mean = difference.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True)
        difference = mean.expand_as(difference)
    ratio = difference.exp()
    A = advantages.detach()[..., None]  # (P, G, 1)
    worse = torch.minimum(ratio * A, ratio.clamp(1 - clip_low, 1 + clip_high) * A)
    return torch.where(mask, -worse, 0.0)
    # END SOLUTION


# --- Task 4: what to divide by -----------------------------------------------------------------


def aggregate(losses, mask, *, how, max_len):
    """One loss from the losses of all tokens.

    "sequence": the mean over the tokens of each answer; then the mean of these means over all answers.
    "token":    the sum over all tokens, divided by the number of tokens in the batch.
    "constant": the sum over all tokens, divided by (the number of answers times max_len).

    Args:
        losses: Shape (P, G, T), T at most max_len.
        mask: Boolean, shape (P, G, T). Each answer has at least one token.
        how: One of the three names.
        max_len: A fixed length, the same for every batch. Only "constant" uses it.

    Returns:
        A single number, shape (). Where the mask is False, losses don't count and have gradient 0, even if they are NaN.

    Raises:
        ValueError: If how is unknown or an answer has no token.

    Example:
        One prompt, an answer of one token with loss 6 and one of two tokens with losses 1 and 3, max_len = 4:
        sequence (6 + 2) / 2 = 4; token 10/3; constant 10/8.
    """
    _check_how(how)
    _check_mask(mask)
    # BEGIN SOLUTION aggregate
    per_answer = torch.where(mask, losses, 0.0).sum(-1)  # (P, G)
    if how == "sequence":
        return (per_answer / mask.sum(-1)).mean()
    if how == "token":
        return per_answer.sum() / mask.sum()
    return per_answer.sum() / (per_answer.numel() * max_len)
    # END SOLUTION


def micro_batch_losses(parts, *, how, max_len):
    """What each part of a batch adds to the loss of the whole batch.

    If a batch doesn't fit into memory, it is cut into parts, which are handled one after the other. The gradients of all
    parts are added up. So the numbers returned here must add up to what `aggregate` gives for the whole batch.

    Args:
        parts: List of (losses, mask) of shape (P, G, T), where P and T may differ from part to part.
        how, max_len: As for `aggregate`.

    Returns:
        A list with one number of shape () for each part, differentiable in the losses of this part.

    Raises:
        ValueError: If how is unknown or an answer has no token.

    Example:
        The two answers of `aggregate`'s example as two parts of shape (1, 1, T): sequence 3 and 1; token 2 and 4/3.
    """
    _check_how(how)
    for _, mask in parts:
        _check_mask(mask)
    # BEGIN SOLUTION aggregate
    n_answers = sum(mask.shape[0] * mask.shape[1] for _, mask in parts)
    n_tokens = sum(int(mask.sum()) for _, mask in parts)
    results = []
    for losses, mask in parts:
        per_answer = torch.where(mask, losses, 0.0).sum(-1)  # (P, G)
        if how == "sequence":
            results.append((per_answer / mask.sum(-1)).sum() / n_answers)
        elif how == "token":
            results.append(per_answer.sum() / n_tokens)
        else:
            results.append(per_answer.sum() / (n_answers * max_len))
    return results
    # END SOLUTION


# --- Task 5: the update, exactly ---------------------------------------------------------------


def exact_gradient(logits, rewards):
    """The gradient of the mean reward on a table, by your formula.

    Args:
        logits: Shape (K,): the policy is softmax(logits).
        rewards: The reward of each answer, shape (K,).

    Returns:
        d (mean reward) / d logits, shape (K,), without autograd.

    Example:
        Two answers with logits 0 and 0, rewards 1 and 0: (1/4, -1/4).
    """
    # BEGIN SOLUTION expected
    p = logits.softmax(-1)
    return p * (rewards - (p * rewards).sum())
    # END SOLUTION


def expected_update(logits, rewards, *, group_size, advantages_of):
    """The mean, over all groups that can be drawn, of the update that a group gives.

    A group is G = `group_size` answers, drawn independently from softmax(logits). Its update is the direction

        (1/G) sum_i A_i grad log pi(y_i)

    where y_i is the i-th answer of the group and A_i is its advantage. The gradient is taken in the logits.

    Args:
        logits: Shape (K,).
        rewards: Shape (K,).
        group_size: G, at least 2. K^G is at most a few hundred.
        advantages_of: A function from rewards of shape (..., G) to advantages of the same shape.

    Returns:
        Shape (K,).

    Raises:
        ValueError: If G is below 2.

    Example:
        Two answers with logits 0 and 0, rewards 1 and 0, G = 2, and an `advantages_of` that returns the rewards: (1/4, -1/4).
    """
    if group_size < 2:
        raise ValueError(f"group_size must be at least 2, got {group_size}")
    # BEGIN SOLUTION expected
    K = len(logits)
    p = logits.softmax(-1)
    groups = torch.tensor(list(itertools.product(range(K), repeat=group_size)), device=logits.device)  # (K^G, G)
    chance = p[groups].prod(-1)  # (K^G,)
    advantages = advantages_of(rewards[groups])  # (K^G, G)
    scores = torch.eye(K, dtype=p.dtype, device=p.device) - p  # row y: the gradient of log pi(y)
    updates = (advantages[..., None] * scores[groups]).mean(1)  # (K^G, K)
    return chance @ updates
    # END SOLUTION


# --- Task 6: staying near the reference --------------------------------------------------------


def kl_term(logp, ref_logp, mask, *, kind):
    """For each token, an estimate of the divergence from the reference, which is added to the loss.

    With d = log pi - log pi_ref of the token:

        k1 = d        k2 = d^2 / 2        k3 = exp(-d) - 1 + d

    Args:
        logp: log pi of each token, shape (P, G, T). Only this argument gets a gradient.
        ref_logp: log pi_ref of each token, shape (P, G, T).
        mask: Boolean, shape (P, G, T).
        kind: "k1", "k2" or "k3".

    Returns:
        Shape (P, G, T). Where the mask is False, the term and its gradient are 0, even if NaN or -inf stands there.

    Raises:
        ValueError: If kind is unknown.

    Example:
        pi = 1/2 and pi_ref = 1/4: k1 = 0.693, k2 = 0.240, k3 = 0.193.
    """
    if kind not in ("k1", "k2", "k3"):
        raise ValueError(f"kind must be k1, k2 or k3, got {kind!r}")
    # BEGIN SOLUTION kl
    d = torch.where(mask, logp, 0.0) - torch.where(mask, ref_logp.detach(), 0.0)
    if kind == "k1":
        return d
    if kind == "k2":
        return d.square() / 2
    return torch.expm1(-d) + d
    # END SOLUTION


def penalized_rewards(rewards, logp, ref_logp, mask, *, beta):
    """Rewards from which the price of leaving the reference is subtracted.

    Each answer gets its reward, minus beta times the **sum** of k1 over the tokens of the answer.

    Args:
        rewards: Shape (P, G).
        logp, ref_logp: log pi and log pi_ref of each token, shape (P, G, T).
        mask: Boolean, shape (P, G, T).
        beta: The price of one nat.

    Returns:
        Shape (P, G). Rewards are data, so no argument gets a gradient.

    Example:
        Reward 1, beta = 0.1 and two tokens with pi / pi_ref = 2 and 8: 1 - 0.1 log 16.
    """
    # BEGIN SOLUTION kl
    with torch.no_grad():
        difference = torch.where(mask, logp, 0.0) - torch.where(mask, ref_logp, 0.0)
        return rewards.detach() - beta * difference.sum(-1)
    # END SOLUTION


# --- Task 7: which prompts teach, and how much -------------------------------------------------


def informative(rewards):
    """Which groups can teach anything: those whose rewards are not all equal.

    Args:
        rewards: Shape (P, G).

    Returns:
        Boolean, shape (P,). Only the rewards themselves decide, not what their mean or deviation rounds to.
    """
    # BEGIN SOLUTION shaping
    return (rewards != rewards[:, :1]).any(-1)
    # END SOLUTION


def overlong_penalty(lengths, *, max_len, margin):
    """A penalty for answers that come close to max_len, where they are cut off.

    Up to max_len - margin tokens, the penalty is 0. From there, the penalty falls along a straight line and reaches -1 at
    max_len. Longer answers get -1.

    Args:
        lengths: Integers, any shape.
        max_len: The length at which answers are cut off.
        margin: Over how many tokens before max_len the penalty falls, in 1 .. max_len.

    Returns:
        float64, the shape of `lengths`.

    Raises:
        ValueError: If margin is not in 1 .. max_len.
    """
    if not 1 <= margin <= max_len:
        raise ValueError(f"margin must be in 1 .. max_len = {max_len}, got {margin}")
    # BEGIN SOLUTION shaping
    return -((lengths.double() - (max_len - margin)) / margin).clamp(0, 1)
    # END SOLUTION


def pass_at_k_weights(success, k):
    """The weight of each prompt if the goal is pass@k.

    p is the probability that one answer to a prompt is right. pass@k is the probability that at least one of k independent
    answers to this prompt is right. The gradient of pass@k is the weight times the gradient of p.

    Args:
        success: p of each prompt, any shape, floating point, in [0, 1].
        k: At least 1.

    Returns:
        The shape of `success`. 1 for k = 1.

    Raises:
        ValueError: If k is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    # BEGIN SOLUTION shaping
    return k * (1 - success) ** (k - 1)
    # END SOLUTION


# --- Task 8: learning from right answers, and from a judge -------------------------------------


def filtered_step(logp, rewards):
    """The policy after training to the end on its own right answers.

    Infinitely many answers are drawn from the policy, and the wrong answers are thrown away. The new policy maximizes the
    mean log-probability of the right answers that are left.

    Args:
        logp: Log-probabilities of the answers of each prompt, shape (P, K). An impossible answer has -inf.
        rewards: Shape (P, K), 1 for a right answer and 0 for a wrong one.

    Returns:
        Log-probabilities, shape (P, K), -inf for an answer that the new policy never gives. If no right answer of a prompt
        is possible, its row stays as it is. An answer with log-probability -900 is possible.
    """
    # BEGIN SOLUTION feedback
    kept = torch.where(rewards > 0, logp, -math.inf)
    total = kept.logsumexp(-1, keepdim=True)
    return torch.where(total > -math.inf, kept - total, logp)
    # END SOLUTION


def critique_and_revise(prompt, principles, *, generate):
    """Let a model improve its own answer, one principle after the other.

    The model is first shown the prompt alone, and writes an answer. Then the principles take turns. For each principle, the
    model is shown CRITIQUE, filled in with the **newest** answer, and writes a critique. Next it is shown REVISION, filled in
    with the newest answer and this critique, and writes a new answer.

    Args:
        prompt: What was asked.
        principles: List of texts. It may be empty.
        generate: A function from the text that the model is shown to the text that it writes.

    Returns:
        (prompt, answer), the pair that the model will be trained on: the prompt as it was asked, and the last answer.
    """
    # BEGIN SOLUTION feedback
    answer = generate(prompt)
    for principle in principles:
        critique = generate(CRITIQUE.format(prompt=prompt, answer=answer, principle=principle))
        answer = generate(REVISION.format(prompt=prompt, answer=answer, critique=critique))
    return prompt, answer
    # END SOLUTION


def ai_preference(logp_a_first, logp_b_first):
    """The probability with which a judge prefers answer A to answer B, asked in both orders.

    The judge is shown two answers and says "1" for the first or "2" for the second. The judge may favor a place, so we ask
    twice: with A first, and with B first. In each order, the probability of A is A's share of the probabilities of "1" and
    "2". The result is the **mean of the two probabilities**.

    Args:
        logp_a_first: Log-probabilities of "1" and of "2" when A is shown first, shape (..., 2).
        logp_b_first: Log-probabilities of "1" and of "2" when B is shown first, shape (..., 2).

    Returns:
        Shape (...). The judge may say other things as well, so the probabilities of "1" and "2" need not add up to 1. Both
        may be tiny: log-probabilities may be -900.

    Example:
        A first: "1" 0.6, "2" 0.2. B first: "1" 0.3, "2" 0.3. The result is (0.75 + 0.5) / 2.
    """
    # BEGIN SOLUTION feedback
    first = logp_a_first.softmax(-1)[..., 0]
    second = logp_b_first.softmax(-1)[..., 1]
    return (first + second) / 2
    # END SOLUTION


# --- Task 9: training, and too much of it ------------------------------------------------------


def draw_answers(p, uniforms):
    """Draw answers from probabilities, by uniform numbers. Given.

    Args:
        p: Probabilities, shape (P, K).
        uniforms: In [0, 1), shape (P, G).

    Returns:
        Indices, shape (P, G).
    """
    return torch.searchsorted(p.cumsum(-1), uniforms * p.sum(-1, keepdim=True), right=True).clamp(max=p.shape[-1] - 1)


def train(logits, rewards, uniforms, *, advantages_of, lr):
    """The policy after training on groups of its own answers.

    Each step draws a group for each prompt from the newest policy, with `draw_answers`. The update of a prompt is
    (1/G) sum_i A_i grad log pi(y_i), with the gradient in the logits of this prompt. A group is *informative* if its rewards
    are not all equal. The row of a prompt with an informative group moves by lr / (number of informative groups) times its
    update. All other rows stay as they are. If no group is informative, the step changes nothing.

    Args:
        logits: Shape (P, K): row x is the policy softmax(logits[x]) for prompt x.
        rewards: Shape (P, K).
        uniforms: Shape (n_steps, P, G). Step i draws with uniforms[i].
        advantages_of: A function from rewards of shape (P, G) to advantages of the same shape.
        lr: Step size.

    Returns:
        (logits, history): the new logits, shape (P, K), and a list with one float for each step. This float is the mean
        reward of the policy **before** the step, without luck: the mean over prompts of the sum of probability times reward.
    """
    # Steps, in each round: the policy and its mean reward; a group for each prompt; rewards and advantages of the groups;
    # which groups are informative; the update of each row.
    # BEGIN SOLUTION train
    history = []
    for u in uniforms:
        p = logits.softmax(-1)
        history.append((p * rewards).sum(-1).mean().item())
        answers = draw_answers(p, u)  # (P, G)
        earned = rewards.gather(-1, answers)
        advantages = advantages_of(earned)
        teaches = (earned != earned[:, :1]).any(-1)
        if not teaches.any():
            continue
        scores = torch.nn.functional.one_hot(answers, p.shape[-1]).to(p) - p[:, None]  # (P, G, K)
        updates = (advantages[..., None] * scores).mean(1)  # (P, K)
        logits = logits + lr * torch.where(teaches[:, None], updates, 0.0) / teaches.sum()
    return logits, history
    # END SOLUTION


def overoptimize(proxy, true, pressures):
    """What more and more optimization of a proxy does to the true reward.

    N answers are equally likely under the reference. Under the policy with pressure s, the probability of an answer is
    proportional to exp(s * proxy). (This policy is the best for the proxy if a nat costs beta = 1/s.)

    Args:
        proxy: The proxy's reward of each answer, shape (N,).
        true: The true reward of each answer, shape (N,).
        pressures: s, shape (S,), not negative.

    Returns:
        A dict of tensors of shape (S,): "proxy" and "true", the mean rewards under each policy; "kl", its divergence from the
        reference; "proxy_slope" and "true_slope", the derivatives of both means in s, by your formula, without autograd.
        All numbers are finite for rewards and pressures up to 1e5. 0 log 0 counts as 0.

    Example:
        Proxy (log 3, 0), true (0, 1), s = 1: probabilities 3/4 and 1/4, true 0.25, kl 0.1308, true_slope -0.206.
    """
    # BEGIN SOLUTION train
    logp = (pressures[:, None] * proxy).log_softmax(-1)  # (S, N)
    p = logp.exp()
    mean_proxy, mean_true = p @ proxy, p @ true
    off = proxy - mean_proxy[:, None]
    return {
        "proxy": mean_proxy,
        "true": mean_true,
        "kl": torch.where(p > 0, p * (logp + math.log(len(proxy))), 0.0).sum(-1),
        "proxy_slope": (p * off.square()).sum(-1),
        "true_slope": (p * off * (true - mean_true[:, None])).sum(-1),
    }
    # END SOLUTION


# --- Checks of arguments -----------------------------------------------------------------------


def _check_mask(mask):
    if not mask.any(-1).all():
        raise ValueError("mask must mark at least one token of each answer")


def _check_how(how):
    if how not in ("sequence", "token", "constant"):
        raise ValueError(f"how must be sequence, token or constant, got {how!r}")
