r"""Training on answers that a program can check: rewards, group advantages, a clipped loss, its divisors, and their faults.

P prompts have G answers each, the *group* of the prompt. Rewards and advantages have shape (P, G). What is given for each
token has shape (P, G, T): answers are padded to T positions, and a boolean mask is True at the tokens of the answer, its end
token included. Losses are minimized. A *table* is one prompt whose K possible answers are all listed. Results keep the dtype
and device of the inputs, and no input is changed in place.

Left out: the language model itself. Random numbers are handed in.
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
    r"""What stands in the last box of a text.

    A box is `\boxed{...}`. It ends at the brace that closes the one after `boxed`: braces inside come in pairs. A box whose
    brace is never closed is no box, and then an earlier one can be the last. No box stands inside another.

    Args:
        text: Any text.

    Returns:
        The contents of the last box, without blanks at both ends; None if there is no box.

    Example:
        "So \boxed{ \frac{1}{2} }, not \boxed{" gives "\frac{1}{2}".
    """
    # YOUR CODE HERE
    raise NotImplementedError("task reward is not written yet")


def equivalent(answer, truth):
    r"""Whether two answers mean the same.

    Two numbers are the same if they are the same **rational number**, exactly. A number is, after an optional sign + or -:
    digits ("12"), digits with a decimal point inside ("0.50"), two runs of digits with a slash ("1/2"), or
    \frac{1}{2} with digits in both braces. A denominator of 0 makes no number. Everything else is text, and two texts are the
    same if they are equal, letter by letter. A number is never the same as a text. Blanks at both ends don't count.

    Args:
        answer, truth: Text. `answer` may be None: there is no answer, which is never the same.

    Returns:
        True or False.

    Example:
        "0.50" and "1/2": True. "x" and "X": False.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task reward is not written yet")


def reward(text, prompt_length, truth):
    """The reward of one answer: 1.0 for a right answer in the right format, else 0.0.

    The first `prompt_length` characters are the prompt, which earns nothing. The rest is the response. Its format is right
    if `</think>` stands in it exactly once. The answer is the last box **after** `</think>`. The reward is 1.0 if the format
    is right and the answer is equivalent to the truth. A wrong format gives 0.0 even with a right answer, and a
    right format gives nothing by itself.

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
    # YOUR CODE HERE
    raise NotImplementedError("task reward is not written yet")


# --- Task 2: better than the rest of the group -------------------------------------------------


def group_advantages(rewards, *, kind, eps=1e-6):
    """How much better each answer is than its own group.

    "centered":      the reward minus the mean of the group.
    "scaled":        the same, divided by (s + eps). s is the standard deviation of the group: the root of the mean
                     squared distance from the group's mean (divided by G, not G - 1).
    "leave_one_out": the reward minus the mean of the **other** answers of the group.

    Args:
        rewards: Shape (..., G), G at least 2, floating point.
        kind: One of the three names.
        eps: Not negative. Only "scaled" uses it.

    Returns:
        Shape (..., G). A group whose rewards are all equal has advantages of exactly 0, for eps = 0 too.

    Raises:
        ValueError: If kind is unknown, G is below 2, or eps is negative.

    Example:
        Rewards 3, 0, 0: centered 2, -1, -1; leave_one_out 3, -1.5, -1.5; scaled with eps = 0: 1.414, -0.707, -0.707.
    """
    if kind not in ("centered", "scaled", "leave_one_out"):
        raise ValueError(f"kind must be centered, scaled or leave_one_out, got {kind!r}")
    if rewards.shape[-1] < 2 or eps < 0:
        raise ValueError(f"G must be at least 2 and eps at least 0, got G = {rewards.shape[-1]}, eps = {eps}")
    # YOUR CODE HERE
    raise NotImplementedError("task advantages is not written yet")


# --- Task 3: the clipped loss of each token ----------------------------------------------------


def policy_loss(logp, old_logp, advantages, mask, *, level, clip_low, clip_high):
    """The loss of each token, before anything is averaged.

        loss = -min(ratio * A, clamp(ratio, 1 - clip_low, 1 + clip_high) * A)

    All tokens of an answer have the advantage A of the answer. At level "token", the ratio is that of the token,
    pi(token) / pi_old(token). At level "sequence", all tokens of an answer share one ratio: the exponential of the **mean**,
    over the answer's tokens, of log pi - log pi_old.

    Args:
        logp: log pi of each token, shape (P, G, T). Only this argument gets a gradient.
        old_logp: log pi_old of each token, from the policy that wrote the answers, shape (P, G, T).
        advantages: Shape (P, G).
        mask: Boolean, shape (P, G, T): True at the tokens of the answer. Each answer has at least one.
        level: "token" or "sequence".
        clip_low, clip_high: How far the ratio may fall below 1, and how far it may rise above 1.

    Returns:
        Shape (P, G, T). 0 where the mask is False, with gradient 0, whatever stands there, NaN and -inf included.

    Raises:
        ValueError: If level is unknown or an answer has no token.
    """
    if level not in ("token", "sequence"):
        raise ValueError(f"level must be token or sequence, got {level!r}")
    _check_mask(mask)
    # YOUR CODE HERE
    raise NotImplementedError("task policy_loss is not written yet")


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
        A single number, shape (). What stands where the mask is False does not count, NaN included, and gets gradient 0.

    Raises:
        ValueError: If how is unknown or an answer has no token.

    Example:
        One prompt, an answer of one token with loss 6 and one of two tokens with losses 1 and 3, max_len = 4:
        sequence (6 + 2) / 2 = 4; token 10/3; constant 10/8.
    """
    _check_how(how)
    _check_mask(mask)
    # YOUR CODE HERE
    raise NotImplementedError("task aggregate is not written yet")


def micro_batch_losses(parts, *, how, max_len):
    """What each part of a batch adds to the loss of the whole batch.

    A batch that doesn't fit into memory is cut into parts, which are handled one after the other. Their gradients
    are added up. So the numbers returned here must add up to what `aggregate` gives for the whole batch.

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
    # YOUR CODE HERE
    raise NotImplementedError("task aggregate is not written yet")


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
    # YOUR CODE HERE
    raise NotImplementedError("task expected is not written yet")


def expected_update(logits, rewards, *, group_size, advantages_of):
    """The mean, over all groups that can be drawn, of the update that a group gives.

    A group is G = `group_size` answers, drawn independently from softmax(logits). Its update is the direction

        (1/G) sum_i A_i grad log pi(y_i)

    where y_i is the i-th answer, A_i its advantage, and the gradient is that in the logits.

    Args:
        logits: Shape (K,).
        rewards: Shape (K,).
        group_size: G, at least 2. K^G groups are at most a few hundred.
        advantages_of: A function from rewards of shape (..., G) to advantages of the same shape.

    Returns:
        Shape (K,).

    Raises:
        ValueError: If G is below 2.

    Example:
        Two answers with logits 0 and 0, rewards 1 and 0, G = 2, and advantages that are the rewards: (1/4, -1/4).
    """
    if group_size < 2:
        raise ValueError(f"group_size must be at least 2, got {group_size}")
    # YOUR CODE HERE
    raise NotImplementedError("task expected is not written yet")


# --- Task 6: staying near the reference --------------------------------------------------------


def kl_term(logp, ref_logp, mask, *, kind):
    """For each token, an estimate of the divergence from the reference, to be added to the loss.

    With d = log pi - log pi_ref of the token:

        k1 = d        k2 = d^2 / 2        k3 = exp(-d) - 1 + d

    Args:
        logp: log pi of each token, shape (P, G, T). Only this argument gets a gradient.
        ref_logp: log pi_ref of each token, same shape.
        mask: Boolean, same shape.
        kind: "k1", "k2" or "k3".

    Returns:
        Shape (P, G, T). 0 where the mask is False, with gradient 0, whatever stands there, NaN and -inf included.

    Raises:
        ValueError: If kind is unknown.

    Example:
        pi = 1/2 and pi_ref = 1/4: k1 = 0.693, k2 = 0.240, k3 = 0.193.
    """
    if kind not in ("k1", "k2", "k3"):
        raise ValueError(f"kind must be k1, k2 or k3, got {kind!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task kl is not written yet")


def penalized_rewards(rewards, logp, ref_logp, mask, *, beta):
    """Rewards that hold the price of leaving the reference.

    The reward of an answer, minus beta times the **sum** of k1 over the tokens of the answer.

    Args:
        rewards: Shape (P, G).
        logp, ref_logp: log pi and log pi_ref of each token, shape (P, G, T).
        mask: Boolean, shape (P, G, T).
        beta: Price of one nat.

    Returns:
        Shape (P, G). A reward is data: no gradient reaches any argument.

    Example:
        Reward 1, beta = 0.1 and two tokens with pi / pi_ref = 2 and 8: 1 - 0.1 log 16.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task kl is not written yet")


# --- Task 7: which prompts teach, and how much -------------------------------------------------


def informative(rewards):
    """Which groups can teach anything: those whose rewards are not all equal.

    Args:
        rewards: Shape (P, G).

    Returns:
        Boolean, shape (P,). Rewards that are equal as numbers are equal, whatever a mean or a deviation rounds to.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task shaping is not written yet")


def overlong_penalty(lengths, *, max_len, margin):
    """A penalty that warns an answer before it is cut off at max_len.

    0 for an answer of at most max_len - margin tokens. From there it falls along a straight line to -1, which it reaches
    at max_len, and it stays at -1 for longer answers.

    Args:
        lengths: Integers, any shape.
        max_len: The length at which answers are cut off.
        margin: In 1 .. max_len: the last tokens before max_len, in which the penalty falls.

    Returns:
        float64, the shape of `lengths`.

    Raises:
        ValueError: If margin is not in 1 .. max_len.
    """
    if not 1 <= margin <= max_len:
        raise ValueError(f"margin must be in 1 .. max_len = {max_len}, got {margin}")
    # YOUR CODE HERE
    raise NotImplementedError("task shaping is not written yet")


def pass_at_k_weights(success, k):
    """By how much the gradient of p grows when the goal is pass@k.

    pass@k is the probability that at least one of k independent answers to a prompt is right. p is the probability
    that one answer is right. The gradient of pass@k is this weight times the gradient of p.

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
    # YOUR CODE HERE
    raise NotImplementedError("task shaping is not written yet")


# --- Task 8: learning from right answers, and from a judge -------------------------------------


def filtered_step(logp, rewards):
    """The policy after training to the end on its own right answers.

    Infinitely many answers are drawn from the policy. The wrong ones are thrown away. The new policy is the one that
    maximizes the mean log-probability of what is left.

    Args:
        logp: Log-probabilities of the answers of each prompt, shape (P, K); -inf for an impossible one.
        rewards: Shape (P, K), 1 for a right answer and 0 for a wrong one.

    Returns:
        Log-probabilities, shape (P, K); -inf for what the new policy never says. If a prompt has no right
        answer that is possible, its row stays as it is. A log-probability of -900 is possible.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task feedback is not written yet")


def critique_and_revise(prompt, principles, *, generate):
    """Let a model improve its own answer, one principle after the other.

    The first answer is what the model makes of the prompt alone. Then, for each principle in its turn: the model writes a
    critique of the **newest** answer, and a new answer in view of this critique. The texts that it is shown are CRITIQUE and
    REVISION, filled in.

    Args:
        prompt: What was asked.
        principles: List of texts; may be empty.
        generate: A function from the text that the model is shown to the text that it writes.

    Returns:
        (prompt, answer), the pair that the model will be trained on: the prompt as it was asked, and the last answer.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task feedback is not written yet")


def ai_preference(logp_a_first, logp_b_first):
    """The probability with which a judge prefers answer A to answer B, asked in both orders.

    The judge is shown two answers and says "1" for the first or "2" for the second. It may favor a place. So it is
    asked twice: with A first, and with B first. In each order, the probability of A is A's share of the probabilities of
    "1" and "2". The result is the **mean of the two probabilities**.

    Args:
        logp_a_first: Log-probabilities of "1" and of "2" when A is shown first, shape (..., 2).
        logp_b_first: Log-probabilities of "1" and of "2" when B is shown first, shape (..., 2).

    Returns:
        Shape (...). The judge may say other things as well: the two need not add up to 1, and both may be tiny, as at -900.

    Example:
        A first: "1" 0.6, "2" 0.2. B first: "1" 0.3, "2" 0.3. The result is (0.75 + 0.5) / 2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task feedback is not written yet")


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
    (1/G) sum_i A_i grad log pi(y_i) in the logits of this prompt. A group is *informative* if its rewards are not all
    equal. The step changes the logits by lr times the **mean over the informative groups** of their updates: each prompt's
    row moves by lr / (number of informative groups) times its update. Rows of other groups stay as they are. If no group
    is informative, the step changes nothing.

    Args:
        logits: Shape (P, K): row x is the policy softmax(logits[x]) for prompt x.
        rewards: Shape (P, K).
        uniforms: Shape (n_steps, P, G): step i draws with uniforms[i].
        advantages_of: A function from rewards of shape (P, G) to advantages of the same shape.
        lr: Step size.

    Returns:
        The new logits, shape (P, K). And the history, a list with one float for each step: the mean reward of the policy
        **before** the step. It is exact: the mean over prompts of the sum of probability times reward.
    """
    # Steps, in each round: the policy and its mean reward; a group for each prompt; rewards and advantages of the groups;
    # which groups are informative; the update of each row.
    # YOUR CODE HERE
    raise NotImplementedError("task train is not written yet")


def overoptimize(proxy, true, pressures):
    """What more and more optimization of a proxy does to the true reward.

    N answers are equally likely under the reference. The policy with pressure s gives each a probability in proportion to
    exp(s * proxy). (It is the best policy for the proxy at the price beta = 1/s.)

    Args:
        proxy: The proxy's reward of each answer, shape (N,).
        true: The true reward of each answer, shape (N,).
        pressures: s, shape (S,), not negative.

    Returns:
        A dict of tensors of shape (S,): "proxy" and "true", the mean rewards under each policy; "kl", its divergence from the
        reference; "proxy_slope" and "true_slope", the derivatives of both means in s, by your formula, without autograd.
        All are finite for rewards and pressures of any size; 0 log 0 counts 0.

    Example:
        Proxy (log 3, 0), true (0, 1), s = 1: probabilities 3/4 and 1/4, true 0.25, kl 0.1308, true_slope -0.206.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task train is not written yet")


# --- Checks of arguments -----------------------------------------------------------------------


def _check_mask(mask):
    if not mask.any(-1).all():
        raise ValueError("mask must mark at least one token of each answer")


def _check_how(how):
    if how not in ("sequence", "token", "constant"):
        raise ValueError(f"how must be sequence, token or constant, got {how!r}")
