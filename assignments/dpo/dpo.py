"""Learning from preferences: rewards, the best policy for a reward, and a loss that finds it without the reward.

A policy is a table of log-probabilities, shape (..., K): a row for each prompt, a column for each response. An
impossible response has -inf. A batch of M pairs comes as tensors of shape (M,): log-probabilities of the whole chosen
responses, and of the whole rejected ones. A loss is a single number, the mean over pairs, and it is minimized. Results
keep the dtype and device of the inputs, and no input is changed in place.

Nothing here is random. Left out: sampling from a policy, and networks that predict rewards.
"""

import math

import torch
from torch.nn import functional as F

from coursekit.toys import forward

# --- Task 1: from comparisons to rewards -------------------------------------------------------


def preference_probability(reward_a, reward_b):
    """The probability that answer a is preferred to answer b: the Bradley-Terry model.

    An answer with reward r has the strength exp(r). The probability that a wins is its share of the two strengths:

        P(a > b) = exp(r_a) / (exp(r_a) + exp(r_b))

    Args:
        reward_a, reward_b: Rewards, floating point, of shapes that broadcast.

    Returns:
        Probabilities, in the shape to which the rewards broadcast. Right for rewards of any size, +-10 000 included.

    Example:
        Rewards log 3 and 0: 3/4. Rewards 10 000 + log 3 and 10 000: 3/4.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task bradley_terry is not written yet")


def bradley_terry_loss(reward_chosen, reward_rejected):
    """The loss that trains a reward model: minus the mean log-probability that the preferred response wins.

    Args:
        reward_chosen: Rewards of the preferred responses, shape (M,).
        reward_rejected: Rewards of the other responses, shape (M,).

    Returns:
        A single number, shape (): the mean over pairs. It and its gradients are finite for all finite rewards.

    Example:
        One pair with rewards log 3 and 0: log(4/3). With rewards -800 and 0: 800, and the gradients are -1 and +1.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task bradley_terry is not written yet")


def fit_bradley_terry(wins):
    """The rewards under which the observed comparisons are most probable.

    The comparisons determine the rewards r only up to a constant. Here the rewards add up to 0. With s_i = exp(r_i)
    and n_ij = wins[i, j] + wins[j, i], the most probable rewards satisfy

        s_i = (sum_j wins[i, j]) / (sum_j n_ij / (s_i + s_j))

    Start at any positive s. Compute the right side for all i at once, take it as the new s, and repeat (Zermelo 1929).
    If few answers were compared with each other, this takes thousands of steps: set no limit, or a generous one. Any
    other method that is as exact will do.

    Args:
        wins: Shape (K, K), floating point, K at least 2: wins[i, j] is how often i was preferred to j. The
            numbers need not be whole. The diagonal is 0.

    Returns:
        Shape (K,), adding up to 0, in the dtype of `wins` and computed in float64. Right to 1e-6, or to 1e-5 if
        `wins` is float32.

    Raises:
        ValueError: If wins is not such a table, or if some group of answers never loses (or never wins) against
            the rest: their rewards would be infinite.

    Example:
        Three wins to one: (log 3 / 2, -log 3 / 2).
    """
    _check_wins(wins)
    # Steps: set all strengths to 1; repeat the step above until no log of a strength changes by more than about 1e-12;
    # take logs; subtract the mean.
    # YOUR CODE HERE
    raise NotImplementedError("task bradley_terry is not written yet")


# --- Task 2: the best policy near the reference ------------------------------------------------


def log_partition(reference_logp, reward, *, beta):
    """The logarithm of Z, the number that makes the best policy add up to 1.

    The best policy is the reference times a factor, divided by Z. The factor depends only on the reward and on beta,
    and it is 1 for reward 0. You derive the factor in Task 2.

    Args:
        reference_logp: Log-probabilities of the reference, shape (..., K); -inf for impossible responses.
        reward: Shape (..., K), finite.
        beta: Price of one nat of divergence, positive.

    Returns:
        Shape (...): log Z, without a beta in front. Finite for every size of reward / beta.

    Raises:
        ValueError: If beta is not positive.

    Example:
        Reference (1/2, 1/2), rewards (2 log 3, 0), beta = 2: log 2. If all rewards are 0: 0.
    """
    _check_beta(beta)
    # YOUR CODE HERE
    raise NotImplementedError("task optimum is not written yet")


def optimal_policy(reference_logp, reward, *, beta):
    """The policy with the highest `kl_regularized_objective`, in log-probabilities: pi*.

    Args:
        reference_logp, reward, beta: As for `log_partition`.

    Returns:
        Log-probabilities, shape (..., K); -inf exactly where the reference has it.

    Raises:
        ValueError: If beta is not positive.

    Example:
        Reference (1/2, 1/2), rewards (2 log 3, 0), beta = 2: the logarithms of (3/4, 1/4).
        As beta grows: the reference.
    """
    _check_beta(beta)
    # YOUR CODE HERE
    raise NotImplementedError("task optimum is not written yet")


def kl_divergence(logp, logq):
    """How far p is from q, in nats: the mean of log p(y)/q(y) when y is drawn from p.

    Args:
        logp, logq: Log-probabilities, shape (..., K), -inf for impossible responses. No check has a finite logp below
            -700, where exp(logp) would be rounded to 0.

    Returns:
        Shape (...), at least 0 up to rounding. A response with p = 0 adds 0, even if q = 0 as well. If a response has
        p > 0 and q = 0, the divergence is +inf. No check takes gradients where a probability is 0.

    Example:
        (3/4, 1/4) from (1/2, 1/2): 0.1308.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task optimum is not written yet")


def kl_regularized_objective(logp, reference_logp, reward, *, beta):
    """What alignment maximizes: the mean reward, minus beta times the divergence from the reference. Given.

        J(pi) = E_{y ~ pi} [r(y)] - beta KL(pi || pi_ref)

    Args:
        logp: Log-probabilities of the policy, shape (..., K), finite.
        reference_logp: Log-probabilities of the reference, shape (..., K), finite.
        reward, beta: As for `log_partition`.

    Returns:
        Shape (...): one number for each prompt.

    Raises:
        ValueError: If beta is not positive.
    """
    _check_beta(beta)
    p = logp.exp()
    cross_entropy = -(p * reference_logp).sum(-1)
    divergence = cross_entropy - torch.special.entr(p).sum(-1)  # entr(p) sums to the entropy of p
    return (p * reward).sum(-1) - beta * divergence


# --- Task 3: the log-probability of a response -------------------------------------------------


def collate(prompts, responses, *, pad):
    """Prompts and their responses as one batch, padded on the right, and a mask that marks the responses.

    Args:
        prompts: List of M lists of token ids, none empty.
        responses: List of M lists of token ids, none empty. Add no token to a response: it has its own end.
        pad: The id that fills the rows. It may also stand in prompts and responses: many models pad with the token
            that ends responses.

    Returns:
        Two tensors of shape (M, T), where T is the greatest length of a prompt and its response together. The tokens,
        int64: each row has the prompt, its response and padding. The mask, bool: True at every token of the response,
        and False elsewhere.

    Raises:
        ValueError: If there is no prompt, if there are not as many responses as prompts, or if one of them is empty.

    Example:
        Prompt [5, 6], response [8, 2], padded with 2 to T = 5: tokens [5, 6, 8, 2, 2], True at the third and fourth.
    """
    if not prompts or len(prompts) != len(responses) or not all(map(len, [*prompts, *responses])):
        lengths = [len(x) for x in prompts], [len(x) for x in responses]
        raise ValueError(f"prompts and responses must come in pairs, none empty, got lengths {lengths}")
    # YOUR CODE HERE
    raise NotImplementedError("task logps is not written yet")


def response_logps(logits, tokens, mask):
    """The log-probability of each response given its prompt: a sum over the tokens of the response.

    Args:
        logits: Shape (..., T, V). Those at position t are computed from tokens 0 .. t. They are not normalized.
        tokens: Token ids, int64 of shape (..., T). Where the mask is False, they may be any numbers, even ones that
            are no token id, such as -100.
        mask: Bool, shape (..., T): True at the tokens that count. The first token never counts, even if it is marked.

    Returns:
        Shape (...), in the dtype of the logits: 0 if no token counts, and finite for finite logits.

    Raises:
        ValueError: If the shapes of logits, tokens and mask do not fit together.
    """
    if logits.shape[:-1] != tokens.shape or mask.shape != tokens.shape:
        shapes = [tuple(x.shape) for x in (logits, tokens, mask)]
        raise ValueError(f"logits must be (..., T, V), tokens and mask (..., T), got {shapes}")
    # Steps: align logits, tokens and mask; log-softmax; pick each token's log-probability; sum those that count.
    # YOUR CODE HERE
    raise NotImplementedError("task logps is not written yet")


# --- Task 4: the DPO loss ----------------------------------------------------------------------


def implicit_reward(policy_logps, reference_logps, *, beta):
    """The reward for which a policy is the best one, up to a constant for each prompt.

        r(x, y) = beta log(pi(y | x) / pi_ref(y | x))

    The constant is left out. It is the same for all responses to a prompt, so no comparison depends on it.

    Args:
        policy_logps: Log-probabilities of whole responses, any shape.
        reference_logps: Log-probabilities of the reference, in the same shape. No gradient reaches them.
        beta: Price of one nat of divergence, positive.

    Returns:
        The shape of policy_logps.

    Raises:
        ValueError: If beta is not positive.
    """
    _check_beta(beta)
    # YOUR CODE HERE
    raise NotImplementedError("task dpo is not written yet")


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    """The Bradley-Terry loss of the policy's own implicit rewards.

    The margin m_b of pair b is the difference of its two implicit rewards, chosen minus rejected. The loss is
    L = -mean_b log sigma(m_b), where sigma(t) = 1 / (1 + exp(-t)).

    Args:
        policy_chosen, policy_rejected: Log-probabilities of whole responses under the policy, shape (M,).
        reference_chosen, reference_rejected: Their log-probabilities under the reference, shape (M,). No gradient
            reaches them.
        beta: Price of one nat of divergence, positive.

    Returns:
        A single number, shape (). It and its gradients are finite for margins of any size.

    Raises:
        ValueError: If beta is not positive, or the shapes differ.

    Example:
        One pair with log-ratios log 9 and 0, beta = 1/2: log(4/3). At the reference: log 2.
    """
    _check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    # YOUR CODE HERE
    raise NotImplementedError("task dpo is not written yet")


def dpo_gradient(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    """How hard each pair pushes the policy: the gradient of `dpo_loss`, by your formula and without autograd.

    Args:
        policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: As for `dpo_loss`.

    Returns:
        (dL / d policy_chosen, dL / d policy_rejected), each of shape (M,).

    Raises:
        ValueError: If beta is not positive, or the shapes differ.

    Example:
        One pair with log-ratios log 9 and 0, beta = 1/2: (-1/8, +1/8).
        M pairs at the reference: every entry of dL / d policy_chosen is -beta / (2 M).

    Source:
        Rafailov et al. 2023, section 4.
    """
    _check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    # Steps: each pair's margin; the slope of its loss there; the chain rule to both log-probabilities; the mean.
    # YOUR CODE HERE
    raise NotImplementedError("task dpo is not written yet")


def preference_metrics(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    """What to watch in training: the mean implicit rewards, the mean margin, and the share of pairs in the right order.

    Args:
        policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: As for `dpo_loss`.

    Returns:
        Dict of Python floats: "chosen" and "rejected" are the mean implicit rewards, "margin" is the mean margin, and
        "accuracy" is the share of pairs whose margin is above 0 (so a tie is not a success).

    Raises:
        ValueError: If beta is not positive, or the shapes differ.
    """
    _check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    # YOUR CODE HERE
    raise NotImplementedError("task dpo is not written yet")


# --- Task 5: when labels are wrong or too sure -------------------------------------------------


def smoothed_dpo_loss(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta, label_smoothing
):
    """The DPO loss if a share eps of the labels is believed to be wrong ("conservative" DPO).

    Each pair has two losses: as it is labeled, and with chosen and rejected exchanged. The first has the weight
    1 - eps and the second the weight eps. The weights multiply losses, not probabilities.

    Args:
        policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: As for `dpo_loss`.
        label_smoothing: eps, with 0 <= eps < 0.5. With 0 the result is `dpo_loss`.

    Returns:
        A single number, shape (): the mean over pairs. Finite for margins of any size.

    Raises:
        ValueError: If beta or label_smoothing is out of range, or the shapes differ.

    Example:
        One pair with margin log 3, eps = 1/4: log 4 - (3/4) log 3.
    """
    _check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing must be in [0, 0.5), got {label_smoothing}")
    # YOUR CODE HERE
    raise NotImplementedError("task variants is not written yet")


def ipo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    """Identity preference optimization (IPO): pull the difference of log-ratios to a finite target.

        L = mean_b (h_b - 1 / (2 beta))^2

    h_b is the log-ratio of pair b's chosen response minus the log-ratio of its rejected one, without a factor beta.

    Args:
        policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: As for `dpo_loss`. The
            log-probabilities are sums over tokens here, too.

    Returns:
        A single number, shape ().

    Raises:
        ValueError: If beta is not positive, or the shapes differ.

    Source:
        Azar et al. 2023, equation 17.
    """
    _check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    # YOUR CODE HERE
    raise NotImplementedError("task variants is not written yet")


# --- Task 6: DPO on a table finds the optimum --------------------------------------------------


def population_dpo_loss(logits, reference_logp, preferences, *, beta):
    """The DPO loss for infinitely many comparisons of all pairs of responses.

    In the pair {i, j}, response i wins with probability P_ij, and j with P_ji. The pair's loss is the mean of
    `dpo_loss` over these two outcomes, weighted by their probabilities. L is the mean over prompts and pairs. Each
    pair counts once.

    Args:
        logits: Shape (N, K), K at least 2; the policy for prompt x is softmax(logits[x]).
        reference_logp: Log-probabilities of the reference, shape (N, K), finite; no gradient reaches them.
        preferences: P, shape (N, K, K): P[x, i, j] is the probability that i is preferred to j, and P[x, j, i]
            is 1 - P[x, i, j]. The diagonal may hold anything.
        beta: Price of one nat of divergence, positive.

    Returns:
        A single number, shape (). Finite for margins of any size.

    Raises:
        ValueError: If beta is not positive, or the shapes do not fit.

    Example:
        At the reference: log 2, for any preferences.
    """
    _check_beta(beta)
    _check_table(reference_logp, preferences)
    # YOUR CODE HERE
    raise NotImplementedError("task table is not written yet")


def fit_table(reference_logp, preferences, *, beta, lr, n_steps):
    """The policy after gradient descent on `population_dpo_loss`, in log-probabilities.

    Descent starts at logits = reference_logp. Each step is logits <- logits - lr * gradient.

    Args:
        reference_logp, preferences, beta: As for `population_dpo_loss`.
        lr: Step size.
        n_steps: Number of steps; with 0 the result is the reference.

    Returns:
        Log-probabilities, shape (N, K), normalized: the probabilities of each row add up to 1.

    Raises:
        ValueError: If beta is not positive, or the shapes do not fit.
    """
    _check_beta(beta)
    _check_table(reference_logp, preferences)
    # YOUR CODE HERE
    raise NotImplementedError("task table is not written yet")


# --- Task 7: best of n -------------------------------------------------------------------------


def best_of_n(reference_p, reward, n):
    """The distribution of the answer that is kept when n are drawn from the reference and the best one is kept.

    The best one has the highest reward. If several have this reward, the one drawn first is kept. So answers of equal
    reward share their probability of being kept in proportion to their probabilities under the reference.

    Args:
        reference_p: Probabilities (not their logarithms), shape (..., K); may be 0.
        reward: Shape (..., K). Rewards that are equal as numbers are tied.
        n: How many are drawn, at least 1. The draws are independent.

    Returns:
        Probabilities, shape (..., K); 0 where reference_p is 0.

    Raises:
        ValueError: If n is below 1.

    Example:
        Reference (0.5, 0.3, 0.2), rewards (0, 1, 1), n = 2: (0.25, 0.45, 0.3).
    """
    _check_n(n)
    # YOUR CODE HERE
    raise NotImplementedError("task best_of_n is not written yet")


def best_of_n_kl_bound(n):
    """The greatest possible KL(best-of-n || pi_ref).

    This is the divergence for continuous rewards, where every single answer's probability is vanishingly small. On a
    table, the divergence is never larger.

    Args:
        n: How many are drawn, at least 1.

    Returns:
        Float, in nats.

    Raises:
        ValueError: If n is below 1.

    Example:
        n = 1: 0. n = 2: 0.1931.
    """
    _check_n(n)
    # YOUR CODE HERE
    raise NotImplementedError("task best_of_n is not written yet")


def best_of_n_estimate(rewards, n):
    """The mean reward of best-of-n, estimated without bias from N >= n draws.

    For each choice of n of the N draws, take the highest reward of the chosen ones. The estimate is the mean over all
    choices. For N = 100 there are too many to list. In how many choices is the i-th smallest reward the highest?

    Args:
        rewards: Rewards of N draws from the reference, shape (..., N), in any order.
        n: 1 <= n <= N.

    Returns:
        Shape (...). With n = 1 this is the mean of the rewards, and with n = N their maximum.

    Raises:
        ValueError: If n is not in 1 .. N.

    Example:
        Rewards 3, 1, 2 and n = 2: (3 + 3 + 2) / 3.
    """
    _check_n(n)
    if n > rewards.shape[-1]:
        raise ValueError(f"n must be at most the number of rewards, {rewards.shape[-1]}, got {n}")
    # YOUR CODE HERE
    raise NotImplementedError("task best_of_n is not written yet")


# --- Task 8: low-rank adapters -----------------------------------------------------------------


def new_adapter(weight, noise):
    """An adapter of low rank that does not change its weight at first. Given.

    Args:
        weight: W, shape (d_in, d_out). A layer is x @ W.
        noise: Standard normal numbers, shape (d_in, rank).

    Returns:
        (A, B) in the dtype of the weight: A = noise / sqrt(d_in), shape (d_in, rank), and B = 0, shape (rank, d_out).

    Raises:
        ValueError: If noise does not have d_in rows.
    """
    if noise.ndim != 2 or len(noise) != len(weight):
        raise ValueError(f"noise must be ({len(weight)}, rank), got {tuple(noise.shape)}")
    A = (noise / math.sqrt(len(weight))).to(weight)
    return A, weight.new_zeros(noise.shape[1], weight.shape[1])


def lora_linear(x, weight, A, B, *, alpha):
    """A linear layer with an adapter beside its frozen weight.

    The output equals that of the merged weight W' of `adapted_weights`. But here W stays as it is, and the adapter's
    contribution is added to the output.

    Args:
        x: Shape (..., d_in).
        weight: W, shape (d_in, d_out). It is frozen: no gradient reaches it.
        A, B: The adapter, shapes (d_in, rank) and (rank, d_out).
        alpha: Scale of the adapter. It is divided by the rank, so that one learning rate fits every rank.

    Returns:
        Shape (..., d_out).

    Example:
        x = (1, 10), W the 2 x 2 identity, A the column (1, 1), B the row (2, 3), alpha = 2: (45, 76).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task lora is not written yet")


def adapted_weights(weights, adapters, *, alpha):
    """All weights of a model, where each adapter is merged into its weight.

        W' = W + (alpha / rank) A B

    Args:
        weights: Dict of the base model's weights by name. No gradient reaches them, neither those with an adapter
            nor those without.
        adapters: Dict from some of these names to (A, B).
        alpha: As for `lora_linear`.

    Returns:
        A new dict with the same names. A weight with an adapter becomes W', which is differentiable in A and B. The
        other weights stay as they are.

    Raises:
        ValueError: If an adapter names no weight.
    """
    if unknown := sorted(set(adapters) - set(weights)):
        raise ValueError(f"adapters must name weights of the model, got {unknown}")
    # YOUR CODE HERE
    raise NotImplementedError("task lora is not written yet")


# --- Task 9: a small model learns preferences --------------------------------------------------


def model_logps(config, weights, batch):
    """The log-probability of each response of a batch under the model of `coursekit.toys`. Given.

    Args:
        config, weights: The model's size and its weights.
        batch: (tokens, mask), as `collate` makes them.

    Returns:
        Shape (M,), differentiable in the weights.
    """
    tokens, mask = batch
    return response_logps(forward(config, weights, tokens), tokens, mask)


def train_dpo(config, weights, adapters, chosen, rejected, *, alpha, beta, lr, n_steps):
    """The adapters after gradient descent on the DPO loss of all pairs.

    The reference is the base model without adapters. Each step is A <- A - lr dL/dA and B <- B - lr dL/dB, for all
    adapters at once, on the whole batch.

    Args:
        config: The model's size.
        weights: The base model's weights.
        adapters: Where to start: a dict from names of weights to (A, B). They may have been trained before.
        chosen, rejected: (tokens, mask) of the chosen and of the rejected responses, as `collate` makes them. Row b
            of both has the same prompt. The two may differ in T.
        alpha: Scale of the adapters.
        beta: Price of one nat of divergence, positive.
        lr: Step size.
        n_steps: Number of steps.

    Returns:
        The new adapters, a dict like the old one, whose tensors do not require gradients. And the history, a list
        with a dict for each step, {"loss": ..., "margin": ...}: the loss and the mean margin **before** the step, as
        floats.

    Raises:
        ValueError: If beta is not positive.
    """
    _check_beta(beta)
    # Steps: before the loop, the reference's log-probabilities, which never change. In each step, the policy's
    # log-probabilities under the adapted weights, the loss, its gradient in every A and B, the history, the update.
    # YOUR CODE HERE
    raise NotImplementedError("task train is not written yet")


# --- Checks of arguments -----------------------------------------------------------------------


def _check_beta(beta):
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}")


def _check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    _check_beta(beta)
    shapes = [tuple(x.shape) for x in (policy_chosen, policy_rejected, reference_chosen, reference_rejected)]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0] == (0,):
        raise ValueError(f"all four log-probabilities must have one shape (M,), M at least 1, got {shapes}")


def _check_table(reference_logp, preferences):
    n, k = reference_logp.shape
    if preferences.shape != (n, k, k) or k < 2:
        shape = tuple(preferences.shape)
        raise ValueError(f"preferences must be (N, K, K) = {(n, k, k)} with K at least 2, got {shape}")


def _check_n(n):
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")


def _check_wins(wins):
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or len(wins) < 2:
        raise ValueError(f"wins must be (K, K) with K at least 2, got {tuple(wins.shape)}")
    if (wins < 0).any() or wins.diagonal().any():
        raise ValueError("wins must not be negative and must be 0 on the diagonal")
    # A maximum exists if everybody has beaten everybody, directly or through others.
    reached = torch.eye(len(wins), dtype=torch.bool, device=wins.device) | (wins > 0)
    for _ in range(len(wins).bit_length()):
        reached = (reached.double() @ reached.double()) > 0
    if not reached.all():
        raise ValueError("wins must leave no group that never loses to the rest: its rewards would be infinite")
