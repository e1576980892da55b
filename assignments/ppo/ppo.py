"""RLHF with PPO: from a reward model's loss to a loop whose optimum is known exactly.

Holds the pairwise loss of a reward model; token log-probabilities; the KL divergence and its estimators; rewards,
advantages and the losses of proximal policy optimization; one update; and the loop. Leaves out any large
model: the policy is a table with a row for each prefix, small enough that all responses can be listed and
the best policy computed. Nothing here is random: whatever is drawn is drawn with uniform numbers that are
given.

A batch has B rows of T tokens: a prompt, then a response, then filler. The A = T - 1 **actions** of a row are
its tokens 1 .. T - 1: action t is the choice of token t + 1, made at position t, after tokens 0 .. t. All that
has shape (B, A) is ordered like that. Filler stands at the end of a row and means nothing. No function changes
what it is given.
"""

import math

import torch

EOS = 0  # the token that ends a response; filler is 0 as well, and lengths tell the two apart


# --- Task 1: a reward model --------------------------------------------------------------------


def final_scores(token_scores, lengths):
    """The score of each sequence: what the reward model says at its last token that is no filler.

    Args:
        token_scores: The model's output at every token, shape (B, T), floating point.
        lengths: Tokens of each sequence, prompt and response, shape (B,), int64, from 1 to T.

    Returns:
        Shape (B,), with the dtype of `token_scores`, and differentiable in it.

    Raises:
        ValueError: If the shapes do not fit or a length is not in 1 .. T.
    """
    _check_lengths(lengths, token_scores, "token_scores")
    # YOUR CODE HERE
    raise NotImplementedError("task reward_model is not written yet")


def bradley_terry_loss(chosen, rejected):
    """The mean surprise at people's choices: minus the log-probability of each, averaged over the pairs.

    A response with reward r has the strength exp(r), and wins in proportion to its share of the two strengths.

    Args:
        chosen: Rewards of the preferred responses, shape (n,), n >= 1.
        rejected: Rewards of the others, shape (n,), each in the place of its partner.

    Returns:
        A number (0-d tensor), finite with a right gradient for margins as large as 10 000.

    Raises:
        ValueError: If the shapes differ or there is no pair.

    Example:
        One pair with equal rewards: log 2. With rewards -10 000 and 0: 10 000, and the gradients are -1 and +1.

    Source:
        Bradley and Terry 1952; Ouyang et al. 2022, equation 1.
    """
    _same_shape(chosen=chosen, rejected=rejected)
    _not_empty("chosen", chosen)
    # YOUR CODE HERE
    raise NotImplementedError("task reward_model is not written yet")


# --- Task 2: which tokens count, and how likely they are ---------------------------------------


def token_logps(logits, tokens):
    """The log-probability of every token but the first, given those before it.

    Args:
        logits: The model's output, shape (..., T, V): those at position t are about token t + 1, and free up to a
            constant.
        tokens: Shape (..., T), int64.

    Returns:
        Shape (..., T - 1), one for each action. Finite for logits as large as 10 000, and differentiable in them.

    Raises:
        ValueError: If the shapes do not fit.
    """
    _check_logits(logits, tokens)
    # Steps: bring positions and tokens into line; normalize; pick each token's entry.
    # YOUR CODE HERE
    raise NotImplementedError("task logps is not written yet")


def response_mask(prompt_lengths, lengths, n_tokens):
    """Which actions wrote the response: True where the token that action t chose belongs to it.

    Token j of a row is in the prompt for j < prompt_length, in the response for
    prompt_length <= j < length, and filler after that. An end-of-sequence token is part of the response.

    Args:
        prompt_lengths: Shape (B,), int64, at least 1.
        lengths: Tokens of prompt and response together, shape (B,), int64.
        n_tokens: T.

    Returns:
        Boolean, shape (B, T - 1).

    Raises:
        ValueError: If the shapes differ, or 1 <= prompt_length <= length <= T does not hold somewhere.

    Example:
        Prompt length 2, length 4, T = 5: False, True, True, False.
    """
    _same_shape(prompt_lengths=prompt_lengths, lengths=lengths)
    if not ((prompt_lengths >= 1) & (prompt_lengths <= lengths) & (lengths <= n_tokens)).all():
        raise ValueError(
            f"lengths must obey 1 <= prompt_length <= length <= T = {n_tokens}, "
            f"got prompt_lengths {prompt_lengths.tolist()} and lengths {lengths.tolist()}"
        )
    # YOUR CODE HERE
    raise NotImplementedError("task logps is not written yet")


def masked_mean(x, mask):
    """The mean of `x` where the mask is True: one mean over all of them, each entry with the same weight.

    What stands where the mask is False has no influence, not even if it is NaN or infinite, and its gradient is
    zero.

    Args:
        x: Any shape, floating point.
        mask: Boolean, the shape of `x`, True at least once.

    Returns:
        A number (0-d tensor).

    Raises:
        ValueError: If the shapes differ, the mask is not boolean, or nothing is True.
    """
    _check_mask(mask, x=x)
    # YOUR CODE HERE
    raise NotImplementedError("task logps is not written yet")


# --- Task 3: the divergence, and three estimates of it -----------------------------------------


def kl_divergence(logits, ref_logits):
    """How far the policy is from the reference: KL(pi || pi_ref) for each pair of distributions, in nats.

    It is the mean of log pi(a) / pi_ref(a) when a is drawn from pi.

    Args:
        logits: Of pi, shape (..., V).
        ref_logits: Of pi_ref, shape (..., V).

    Returns:
        Shape (...): never negative but for rounding, and 0 where the two are equal. Finite for logits as large
        as 10 000.

    Raises:
        ValueError: If the shapes differ.

    Example:
        (3/4, 1/4) from (1/2, 1/2): 0.1308.
    """
    _same_shape(logits=logits, ref_logits=ref_logits)
    # YOUR CODE HERE
    raise NotImplementedError("task kl is not written yet")


def kl_estimates(logp, ref_logp, *, kind):
    """What one drawn token says about KL(pi || pi_ref), if it was drawn from pi.

    With rho = pi_ref(a) / pi(a):

        k1 = -log rho
        k2 = (log rho)^2 / 2
        k3 = rho - 1 - log rho

    Args:
        logp: log pi(a) of the drawn tokens, any shape.
        ref_logp: log pi_ref(a) of the same tokens, the same shape.
        kind: "k1", "k2" or "k3".

    Returns:
        One estimate per token, in their shape; nothing is averaged. Differentiable in `logp`.

    Raises:
        ValueError: If the shapes differ or the kind is none of the three.

    Source:
        Schulman 2020, "Approximating KL divergence".
    """
    _same_shape(logp=logp, ref_logp=ref_logp)
    if kind not in ("k1", "k2", "k3"):
        raise ValueError(f"kind must be 'k1', 'k2' or 'k3', got {kind!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task kl is not written yet")


# --- Task 4: a reward for every token ----------------------------------------------------------


def shaped_rewards(logp, ref_logp, mask, scores, *, beta):
    """The reward of every action: minus beta times k1 for each response action, and the score for the last one as well.

    Args:
        logp: log pi of the actions, under the policy that chose them, shape (B, A).
        ref_logp: log pi_ref of the same actions, shape (B, A).
        mask: The response's actions, boolean, (B, A), at least one in every row.
        scores: The reward model's score of each response, shape (B,).
        beta: Price of one nat, not negative.

    Returns:
        Shape (B, A); 0 outside the response.

    Raises:
        ValueError: If the shapes do not fit, a row has no response, or beta is negative.

    Example:
        beta = 0.5, score 10, log pi - log pi_ref = (8, 1, -2, 8), of which the middle two count: (0, -0.5, 11, 0).

    Source:
        Ziegler et al. 2019, equation 2; Stiennon et al. 2020.
    """
    _check_mask(mask, logp=logp, ref_logp=ref_logp)
    if not mask.any(-1).all():
        raise ValueError("mask must be True at least once in every row")
    if scores.shape != mask.shape[:1]:
        raise ValueError(f"scores must have shape {tuple(mask.shape[:1])}, got {tuple(scores.shape)}")
    if not beta >= 0:
        raise ValueError(f"beta must not be negative, got {beta}")
    # Steps: what leaving the reference costs each response action; which action is a row's last; the score.
    # YOUR CODE HERE
    raise NotImplementedError("task rewards is not written yet")


# --- Task 5: advantages ------------------------------------------------------------------------


def gae(rewards, values, dones, last_value, *, gamma, lam):
    """How much better each action turned out than the critic expected, and the returns the critic should learn.

        delta_t = r_t + gamma V_{t+1} - V_t
        A_t     = delta_t + gamma lam A_{t+1}
        R_t     = A_t + V_t

    dones[t] says that the episode ends **after** step t. Then nothing that comes later belongs to it: V_{t+1}
    and A_{t+1} count as 0 in these formulas. A row may hold several episodes, one after the other. After the
    last step of a row V is `last_value`, and A is 0.

    Args:
        rewards: r, shape (..., A), A >= 1.
        values: V, the critic's opinion **before** each action, shape (..., A).
        dones: Boolean, shape (..., A).
        last_value: V after the last step, shape (...). It counts only where that step is not done.
        gamma: Discount, in [0, 1].
        lam: How far errors are carried back, in [0, 1].

    Returns:
        (advantages, returns), both of shape (..., A), in the dtype of `rewards` and to its full precision.

    Raises:
        ValueError: If the shapes do not fit, dones is not boolean, or gamma or lam is outside [0, 1].

    Example:
        r = (0, 0, 0, 1), done after the last, V = 0, gamma = 1, lam = 1/2: advantages (1/8, 1/4, 1/2, 1).

    Source:
        Schulman et al. 2016, equations 11 to 16.
    """
    _check_mask(dones, name="dones", at_least_one=False, rewards=rewards, values=values)
    if last_value.shape != rewards.shape[:-1]:
        shapes = f"{tuple(rewards.shape[:-1])}, got {tuple(last_value.shape)}"
        raise ValueError(f"last_value must have shape {shapes}")
    for name, value in (("gamma", gamma), ("lam", lam)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {value}")
    # Steps: go backwards; carry the next value and the next advantage; a done cuts both.
    # YOUR CODE HERE
    raise NotImplementedError("task advantages is not written yet")


def whiten(x, mask, *, eps=1e-8):
    """`x` with mean 0 and variance 1 over the entries where the mask is True, and 0 elsewhere.

        (x - mean) / sqrt(variance + eps)

    Mean and variance are those of all unmasked entries together, not per row; the variance is the biased
    one (divided by their number).

    Args:
        x: Any shape, finite.
        mask: Boolean, the shape of `x`, True at least once.
        eps: Keeps equal entries from being divided by 0. It stands inside the root.

    Returns:
        The shape of `x`.

    Raises:
        ValueError: If the shapes differ, the mask is not boolean, or nothing is True.

    Example:
        0 and 2 with eps = 3: -1/2 and +1/2.
    """
    _check_mask(mask, x=x)
    # YOUR CODE HERE
    raise NotImplementedError("task advantages is not written yet")


# --- Task 6: the clipped objective -------------------------------------------------------------


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    """PPO's loss: minus the clipped surrogate, averaged over the response's actions.

    With the ratio rho_t = pi(a_t) / pi_old(a_t), the objective to **maximize** is

        mean of min(rho_t A_t, clamp(rho_t, 1 - clip, 1 + clip) A_t)

    over all unmasked actions of the batch, each with the same weight. The loss is its negative. Only `logp` is
    differentiated: `old_logp` and `advantages` count as constants, whatever they carry.

    Args:
        logp: log pi of the actions under the policy being trained, shape (B, A).
        old_logp: The same under the policy that chose them, shape (B, A).
        advantages: Shape (B, A).
        mask: Boolean, (B, A), True at least once. All inputs are finite, also where it is False.
        clip: Greater than 0.

    Returns:
        A number (0-d tensor).

    Raises:
        ValueError: If the shapes differ, the mask is not boolean or all False, or clip is not positive.

    Source:
        Schulman et al. 2017, equation 7.
    """
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    # YOUR CODE HERE
    raise NotImplementedError("task policy_loss is not written yet")


def clip_fraction(logp, old_logp, mask, *, clip=0.2):
    """The share of unmasked actions whose ratio pi / pi_old is further than `clip` from 1, on either side. Given.

    Args:
        logp, old_logp, mask, clip: As for `clipped_policy_loss`.

    Returns:
        A number (0-d tensor) between 0 and 1, with the dtype of `logp`.

    Raises:
        ValueError: As `clipped_policy_loss`.
    """
    _check_mask(mask, logp=logp, old_logp=old_logp)
    _check_clip(clip)
    far = ((logp - old_logp).exp() - 1).abs() > clip
    return far[mask].to(logp.dtype).mean()


def approximate_kl(logp, old_logp, mask):
    """How far the update has gone: an estimate of KL(pi_old || pi), the mean of k3 over unmasked actions.

    The actions were drawn from pi_old. So k3 here is the one whose mean **under pi_old** is that divergence: mind which
    of the two probabilities stands in which place.

    Args:
        logp, old_logp, mask: As for `clipped_policy_loss`.

    Returns:
        A number (0-d tensor), never negative but for rounding.

    Raises:
        ValueError: As `clipped_policy_loss`.

    Example:
        One action that has become twice as likely: 0.3069.
    """
    _check_mask(mask, logp=logp, old_logp=old_logp)
    # YOUR CODE HERE
    raise NotImplementedError("task policy_loss is not written yet")


# --- Task 7: the critic ------------------------------------------------------------------------


def clipped_value_loss(values, old_values, returns, mask, *, clip=0.2):
    """The critic's loss: half the mean squared error, by the worse of two predictions.

    The second prediction is the first, kept within `clip` of what the critic said when the batch was made:

        v'_t = v_old_t + clamp(v_t - v_old_t, -clip, clip)
        loss = 1/2 mean of max((v_t - R_t)^2, (v'_t - R_t)^2)

    over all unmasked actions, each with the same weight. Only `values` is differentiated: the others count as
    constants, whatever they carry.

    Args:
        values: Shape (B, A).
        old_values: Shape (B, A).
        returns: R, shape (B, A).
        mask: Boolean, (B, A), True at least once.
        clip: Greater than 0, in the unit of the values.

    Returns:
        A number (0-d tensor).

    Raises:
        ValueError: If the shapes differ, the mask is not boolean or all False, or clip is not positive.
    """
    _check_mask(mask, values=values, old_values=old_values, returns=returns)
    _check_clip(clip)
    # YOUR CODE HERE
    raise NotImplementedError("task critic is not written yet")


def mean_entropy(logits, mask):
    """How undecided the policy is: the entropy of its next-token distributions in nats, averaged over the unmasked. Given.

    Args:
        logits: Shape (..., V), finite, as large as 10 000.
        mask: Boolean, shape (...), True at least once.

    Returns:
        A number (0-d tensor) between 0 and log V.

    Raises:
        ValueError: If the shapes do not fit, or the mask is not boolean or all False.
    """
    _check_mask(mask, logits=logits[..., 0])
    logp = logits.log_softmax(-1)
    return -(logp.exp() * logp).sum(-1)[mask].mean()


# --- Task 8: one update ------------------------------------------------------------------------


def collect(
    rollout,
    *,
    beta,
    gamma=1.0,
    lam=0.95,
    logps_of=token_logps,
    mask_of=response_mask,
    rewards_of=shaped_rewards,
    advantages_of=gae,
    whitened=whiten,
):
    """Everything about a batch of responses that stays fixed while the policy is trained on it.

    Every response is an episode: it is done after its last action. What follows is filler. The critic's
    opinion before action t is its value at position t. Advantages are whitened over the response actions of the
    whole batch; the returns are those from before the whitening.

    Args:
        rollout: What was drawn, and what the models say about it, a dict of tensors:
            "tokens" (B, T); "prompt_lengths" (B,); "lengths" (B,); "logits" (B, T, V) and "values" (B, T) of
            the policy that drew; "ref_logits" (B, T, V); "scores" (B,).
        beta: Price of one nat of KL, as for `shaped_rewards`.
        gamma, lam: As for `gae`.
        logps_of, mask_of, rewards_of, advantages_of, whitened: Called like `token_logps`, `response_mask`,
            `shaped_rewards`, `gae` and `whiten`, the arguments in the order of their signatures, and those
            after the * (beta, gamma, lam) by keyword.

    Returns:
        A dict: "tokens" (B, T); "scores" (B,); and, all (B, A), "mask", "old_logp", "ref_logp", "old_values",
        "advantages", "returns". Outside the mask the returns mean nothing.
    """
    # Steps: mask; log-probabilities; values on the actions; rewards; where episodes end; advantages.
    # YOUR CODE HERE
    raise NotImplementedError("task update is not written yet")


def ppo_loss(
    logits,
    values,
    batch,
    *,
    clip=0.2,
    value_clip=0.2,
    value_coef=0.5,
    entropy_coef=0.0,
):
    """The number whose gradient trains policy and critic together. Given.

        policy loss + value_coef * value loss - entropy_coef * mean entropy

    Args:
        logits: What the policy being trained says about the batch's tokens, shape (B, T, V).
        values: What its critic says, shape (B, T).
        batch: As `collect` returns.
        clip, value_clip: As for the two losses.
        value_coef, entropy_coef: Weights, not negative.

    Returns:
        A number (0-d tensor), differentiable in logits and values.
    """
    logp, mask = token_logps(logits, batch["tokens"]), batch["mask"]
    policy = clipped_policy_loss(logp, batch["old_logp"], batch["advantages"], mask, clip=clip)
    value = clipped_value_loss(values[:, :-1], batch["old_values"], batch["returns"], mask, clip=value_clip)
    return policy + value_coef * value - entropy_coef * mean_entropy(logits[:, :-1], mask)


def loss_gradients(params, batch, **options):
    """Given: the gradients of `ppo_loss` in the parameters, a dict like them.

    Args:
        params: As `init_params` returns.
        batch: As `collect` returns, or some rows of it.
        **options: Passed on to `ppo_loss`.
    """
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    with torch.enable_grad():
        loss = ppo_loss(*forward(leaves, batch["tokens"]), batch, **options)
        gradients = torch.autograd.grad(loss, list(leaves.values()))
    return dict(zip(leaves, gradients, strict=True))


def ppo_update(
    params, batch, minibatches, *, lr, max_grad_norm=math.inf, gradients_of=loss_gradients, **options
):
    """The parameters after one step of gradient descent for each minibatch, one after the other.

    The gradients of a step are taken at the parameters that the step before left, on the minibatch's rows of
    **everything** in the batch, none of it computed anew. If their norm, over all parameters together, exceeds
    max_grad_norm, they are all scaled by the same factor, so that it is max_grad_norm; otherwise they
    are left alone.

    Args:
        params: A dict of tensors. They are not changed.
        batch: As `collect` returns.
        minibatches: A list of int64 tensors: the rows of each step, in order, for all epochs.
        lr: Length of a step per unit of gradient.
        max_grad_norm: Greater than 0. Checked to 1e-6, so the 1e-6 that torch's `clip_grad_norm_` adds to the norm does
            no harm.
        gradients_of: Called as gradients_of(params, rows of the batch, **options), once per step; returns
            a dict like `params`.
        **options: Passed on to `gradients_of`.

    Returns:
        The new parameters, a dict like `params`.
    """
    # Steps, for each minibatch: its rows; the gradients; their common norm; descend.
    # YOUR CODE HERE
    raise NotImplementedError("task update is not written yet")


# --- Task 9: the loop, and what it should find -------------------------------------------------


def optimal_policy(ref_logps, rewards, *, beta):
    """The policy that no other beats at `kl_objective`, and the log of its normalizer Z.

    Before it is divided by Z, the best policy is the reference times a factor that depends on reward and beta only and
    is 1 for reward 0. Which factor, you derive.

    Args:
        ref_logps: log pi_ref of all responses, shape (..., n), finite; each row of exp adds up to 1.
        rewards: r of the same responses, shape (..., n).
        beta: Greater than 0. r / beta may be as large as 10 000.

    Returns:
        (logps, log_z): log pi* of shape (..., n), and log Z of shape (...).

    Raises:
        ValueError: If the shapes differ or beta is not positive.

    Example:
        Even odds, rewards (log 3, 0), beta = 1: logarithms of (3/4, 1/4), and log 2.
    """
    _same_shape(ref_logps=ref_logps, rewards=rewards)
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}")
    # YOUR CODE HERE
    raise NotImplementedError("task rlhf is not written yet")


def kl_objective(logps, ref_logps, rewards, *, beta):
    """What RLHF maximizes, computed over all responses: the mean reward minus the price of the divergence. Given.

        J(pi) = sum_y pi(y) r(y) - beta KL(pi || pi_ref)

    Args:
        logps: log pi of all responses, shape (..., n), finite.
        ref_logps: log pi_ref of them, shape (..., n), finite.
        rewards: r of them, shape (..., n).
        beta: Price of one nat.

    Returns:
        Shape (...).

    Raises:
        ValueError: If the shapes differ.
    """
    _same_shape(logps=logps, ref_logps=ref_logps, rewards=rewards)
    return (logps.exp() * (rewards - beta * (logps - ref_logps))).sum(-1)


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
    """The parameters of the policy after as many rounds as there are uniform numbers for.

    Round i = 0 .. n - 1: the policy as it is draws a response to each prompt with uniforms[i]; policy and
    reference look at them, and `score` judges them; the batch is made; the policy is updated with the
    learning rate lr (1 - i / n).

    Args:
        params: Of the policy at the start, as `init_params` returns.
        ref_params: Of the reference, which stays as it is.
        prompts: Shape (B, P), int64, filler at the end.
        prompt_lengths: Shape (B,), int64.
        score: Called as score(tokens, prompt_lengths, lengths), once a round; returns the scores, (B,).
        uniforms: Shape (n, B, L), in [0, 1).
        minibatches: As for `ppo_update`, the same in every round.
        beta, gamma, lam: For `collect`, by keyword.
        lr: Learning rate of the first round.
        max_grad_norm: For `update`, by keyword.
        sample: Called like `sample_responses`, which is the default.
        collect, update: Called like `collect` and `ppo_update`.
        watch: If given, called as watch(i, params, batch) at the end of round i, with the new parameters.
        **options: Passed on to `update`.

    Returns:
        The parameters after the last round.
    """
    sample = sample_responses if sample is None else sample
    # Steps of a round: draw; ask `forward` for policy and reference; score; collect; update; watch.
    # YOUR CODE HERE
    raise NotImplementedError("task rlhf is not written yet")


# --- Given: a language model that is a table ---------------------------------------------------


def init_params(vocab_size, n_tokens, *, device=None):
    """A policy and critic for sequences of up to n_tokens tokens: a row of logits and a value per prefix.

    Returns:
        {"logits": (S, V), "values": (S,)}, zeros in float64, S = V + V^2 + ... + V^n_tokens.
    """
    n_states = sum(vocab_size**length for length in range(1, n_tokens + 1))
    return {
        "logits": torch.zeros(n_states, vocab_size, dtype=torch.float64, device=device),
        "values": torch.zeros(n_states, dtype=torch.float64, device=device),
    }


def prefix_states(tokens, vocab_size):
    """The row of the tables that belongs to each prefix: shape (B, T), for tokens of that shape."""
    states = [tokens[:, 0]]
    for column in tokens[:, 1:].unbind(1):
        states.append(vocab_size * (states[-1] + 1) + column)
    return torch.stack(states, 1)


def forward(params, tokens):
    """What a language model with a value head would say.

    Returns:
        (logits, values): (B, T, V) and (B, T); those at position t have seen tokens 0 .. t.
    """
    states = prefix_states(tokens, params["logits"].shape[1])
    return params["logits"][states], params["values"][states]


def sample_responses(params, prompts, prompt_lengths, uniforms):
    """Draw a response to each prompt: the smallest token whose cumulative probability exceeds the uniform number.

    A response ends with EOS, or after L tokens.

    Args:
        params: Of the policy.
        prompts: Shape (B, P), int64, filler at the end.
        prompt_lengths: Shape (B,), int64.
        uniforms: Shape (B, L), in [0, 1).

    Returns:
        (tokens, lengths): (B, P + L), each response right after its prompt, then filler; and (B,).
    """
    n_rows, vocab_size = len(prompts), params["logits"].shape[1]
    rows = torch.arange(n_rows, device=prompts.device)
    tokens = torch.cat([prompts, prompts.new_zeros(uniforms.shape)], 1)  # (B, P + L)
    lengths = prompt_lengths.clone()
    open_rows = rows
    for column in uniforms.unbind(1):
        logits, _ = forward(params, tokens[open_rows])
        at_end = logits[torch.arange(len(open_rows), device=rows.device), lengths[open_rows] - 1]
        below = at_end.softmax(-1).cumsum(-1) <= column[open_rows, None]
        drawn = below.sum(-1).clamp(max=vocab_size - 1)
        tokens[open_rows, lengths[open_rows]] = drawn
        lengths[open_rows] += 1
        open_rows = open_rows[drawn != EOS]
    return tokens, lengths


def all_responses(prompt, vocab_size, max_new):
    """Every response to a prompt (a list of tokens): those that end with EOS, and those of max_new tokens without.

    Returns:
        (tokens, prompt_lengths, lengths): (n, len(prompt) + max_new), filler at the end; (n,); (n,).
    """
    finished, growing = [], [[]]
    for _ in range(max_new):
        grown = [response + [token] for response in growing for token in range(vocab_size)]
        finished += [response for response in grown if response[-1] == EOS]
        growing = [response for response in grown if response[-1] != EOS]
    responses = finished + growing
    tokens = torch.zeros(len(responses), len(prompt) + max_new, dtype=torch.int64)
    for row, response in zip(tokens, responses, strict=True):
        row[: len(prompt) + len(response)] = torch.tensor(prompt + response)
    lengths = torch.tensor([len(prompt) + len(response) for response in responses])
    return tokens, torch.full_like(lengths, len(prompt)), lengths


# --- Given: input checks -----------------------------------------------------------------------


def _same_shape(**tensors):
    (first, one), *others = tensors.items()
    for name, other in others:
        if other.shape != one.shape:
            raise ValueError(
                f"{first} and {name} must have the same shape, got {tuple(one.shape)} and {tuple(other.shape)}"
            )


def _not_empty(name, tensor):
    if tensor.numel() == 0:
        raise ValueError(f"{name} must not be empty, got shape {tuple(tensor.shape)}")


def _check_mask(mask, *, name="mask", at_least_one=True, **tensors):
    if mask.dtype != torch.bool:
        raise ValueError(f"{name} must be boolean, got {mask.dtype}")
    _same_shape(**{name: mask}, **tensors)
    if at_least_one and not mask.any():
        raise ValueError(f"{name} must be True somewhere, got shape {tuple(mask.shape)} without any")


def _check_clip(clip):
    if not clip > 0:
        raise ValueError(f"clip must be positive, got {clip}")


def _check_lengths(lengths, x, name):
    if x.ndim != 2 or lengths.shape != x.shape[:1]:
        raise ValueError(
            f"{name} must be (B, T) and lengths (B,), got {tuple(x.shape)} and {tuple(lengths.shape)}"
        )
    if not ((lengths >= 1) & (lengths <= x.shape[1])).all():
        raise ValueError(f"lengths must lie in 1..{x.shape[1]}, got {lengths.tolist()}")


def _check_logits(logits, tokens):
    if logits.shape[:-1] != tokens.shape:
        raise ValueError(
            f"logits must be (..., T, V) for tokens (..., T), got {tuple(logits.shape)} and {tuple(tokens.shape)}"
        )
