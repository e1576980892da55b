"""Graded checks of the RLHF assignment.

Each compares with the reference on random inputs, and many hold the answer to an identity besides. Tasks 8 and
9 are handed working parts from the reference, or stand-ins that keep a record, so that a student stuck
on one task still gets the points of the next; 8.4, 9.4 and 9.5 are for the student's own pieces together.
"""

import itertools
import math
from functools import partial

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close

F64 = torch.float64


def normal(generator, *shape, dtype=F64, device="cpu"):
    """Standard normal numbers, drawn in float64 on the CPU: the same ones for every dtype and device."""
    return torch.randn(shape, generator=generator, dtype=F64).to(dtype=dtype, device=device)


def integers(generator, low, high, *shape):
    """Integers in low .. high - 1."""
    return torch.randint(low, high, shape, generator=generator)


def some(generator, *shape, share=0.6):
    """A boolean mask that is neither all True nor all False, and counts differently in each row."""
    mask = torch.rand(shape, generator=generator) < share
    mask.view(-1)[0] = True
    mask.view(-1)[-1] = False
    return mask


def lengths_of(generator, n_rows, n_tokens):
    """Prompt and whole lengths; the first row has no filler and the second a response of one token."""
    prompt_lengths = integers(generator, 1, n_tokens - 1, n_rows)
    lengths = prompt_lengths + 1 + (torch.rand(n_rows, generator=generator) * (n_tokens - prompt_lengths)).long()
    lengths[0] = n_tokens
    if n_rows > 1:
        lengths[1] = prompt_lengths[1] + 1
    return prompt_lengths, lengths


# --- Task 1: a reward model --------------------------------------------------------------------


@number("1.1")
@weight(2)
@tags("reward_model")
@pytest.mark.parametrize("case", ["filler", "no-filler", "one-token", "float32"])
def test_final_score_is_read_at_the_last_real_token(agree, torch_rng, device, case):
    """What the reward model says at filler, or half-way through a response, is no score."""
    dtype = torch.float32 if case == "float32" else F64
    token_scores = normal(torch_rng, 6, 5, dtype=dtype, device=device)
    lengths = integers(torch_rng, 1, 6, 6)
    lengths[:2] = torch.tensor([2, 4])
    if case == "no-filler":
        lengths[:] = 5
    elif case == "one-token":
        lengths[:] = 1

    agree("final_scores", token_scores, lengths.to(device))
    if dtype == F64:
        w = normal(torch_rng, 6, device=device)
        agree.vjp("final_scores", token_scores, lengths.to(device), wrt=(0,), cotangent=w)


@number("1.2")
@weight(2)
@tags("reward_model")
@pytest.mark.parametrize("n", [1, 2, 7])
def test_reward_loss_depends_on_differences_within_pairs(agree, torch_rng, n):
    """A constant added to both rewards of a pair changes nothing; equal rewards cost log 2."""
    chosen, rejected = 2 * normal(torch_rng, n), 2 * normal(torch_rng, n)
    constants = 5 * normal(torch_rng, n)

    loss = agree("bradley_terry_loss", chosen, rejected)
    shifted = agree("bradley_terry_loss", chosen + constants, rejected + constants)
    even = agree("bradley_terry_loss", constants, constants)

    assert_close(shifted, loss)
    assert_close(even, math.log(2))


@number("1.3")
@weight(2)
@tags("reward_model")
@pytest.mark.parametrize("scale", [1.0, 5000.0], ids=["near", "far-apart"])
def test_reward_loss_has_the_right_gradient(agree, torch_rng, scale):
    """A pair pulls with the probability given to the wrong choice, and however far apart, nothing overflows."""
    chosen, rejected = scale * normal(torch_rng, 6), scale * normal(torch_rng, 6)
    chosen[0], rejected[0] = -scale, scale  # at least one pair in the wrong order
    cotangent = torch.tensor(1.5, dtype=F64)

    agree("bradley_terry_loss", chosen, rejected)
    agree.vjp("bradley_terry_loss", chosen, rejected, wrt=(0, 1), cotangent=cotangent)


# --- Task 2: which tokens count, and how likely they are ---------------------------------------


@number("2.1")
@weight(3)
@tags("logps")
@pytest.mark.parametrize(
    ("lead", "T", "V", "scale", "dtype"),
    [
        pytest.param((), 6, 5, 1.0, F64, id="one-sequence"),
        pytest.param((3,), 4, 4, 1.0, F64, id="batch"),
        pytest.param((2, 3), 2, 7, 1.0, F64, id="one-action"),
        pytest.param((2,), 5, 6, 5000.0, F64, id="large-logits"),
        pytest.param((2,), 5, 6, 1.0, torch.float32, id="float32"),
    ],
)
def test_logits_judge_the_next_token(agree, torch_rng, device, lead, T, V, scale, dtype):
    """Entry t is the log-probability of token t + 1 under the normalised logits at position t."""
    logits = scale * normal(torch_rng, *lead, T, V, dtype=dtype, device=device)
    tokens = integers(torch_rng, 0, V, *lead, T).to(device)

    agree("token_logps", logits, tokens)


@number("2.2")
@weight(1)
@tags("logps")
def test_token_logps_have_the_right_gradient(agree, torch_rng):
    """At each position: what came, minus the probabilities; at the last, nothing."""
    logits, tokens = normal(torch_rng, 2, 5, 6), integers(torch_rng, 0, 6, 2, 5)

    agree.vjp("token_logps", logits, tokens, wrt=(0,), cotangent=normal(torch_rng, 2, 4))


@number("2.3")
@weight(3)
@tags("logps")
@pytest.mark.parametrize(("n_rows", "T"), [(1, 4), (6, 7), (40, 12)])
def test_mask_holds_the_actions_that_wrote_the_response(agree, torch_rng, device, n_rows, T):
    """The first response token was chosen at the prompt's last position; nobody chose the prompt or the filler."""
    prompt_lengths, lengths = lengths_of(torch_rng, n_rows, T)
    if n_rows > 6:
        lengths[2] = prompt_lengths[2]  # an empty response

    mask = agree("response_mask", prompt_lengths.to(device), lengths.to(device), T)

    assert_close(mask.sum(-1).cpu(), lengths - prompt_lengths)


@number("2.4")
@weight(2)
@tags("logps")
@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4)], ids=str)
def test_masked_mean_gives_every_entry_the_same_weight(agree, torch_rng, device, shape):
    """One mean over all unmasked entries: a long response has more say than a short one."""
    x, mask = 3 + normal(torch_rng, *shape, device=device), some(torch_rng, *shape).to(device)

    agree("masked_mean", x, mask)
    agree.vjp("masked_mean", x, mask, wrt=(0,), cotangent=torch.tensor(1.5, dtype=F64, device=device))


@number("2.5")
@weight(1)
@tags("logps")
@pytest.mark.parametrize("filler", [math.nan, math.inf, -math.inf], ids=str)
def test_masked_mean_is_deaf_to_filler(agree, torch_rng, filler):
    """What a model says after the end of a text may be anything, NaN and infinity included."""
    x, mask = normal(torch_rng, 4, 5), some(torch_rng, 4, 5)
    x[~mask] = filler

    agree("masked_mean", x, mask)
    agree.vjp("masked_mean", x, mask, wrt=(0,), cotangent=torch.tensor(1.5, dtype=F64))


# --- Task 3: the divergence, and three estimates of it -----------------------------------------


@number("3.1")
@weight(4)
@tags("kl")
@pytest.mark.parametrize(
    ("shape", "scale"),
    [
        pytest.param((4,), 1.0, id="one-pair"),
        pytest.param((3, 3), 1.0, id="square"),
        pytest.param((2, 3, 6), 1.0, id="batch"),
        pytest.param((5, 4), 300.0, id="far-apart"),
    ],
)
def test_divergence_is_a_mean_under_the_policy(agree, torch_rng, shape, scale):
    """KL is zero between equals, never negative, not symmetric, and blind to constants added to logits."""
    logits, ref_logits = scale * normal(torch_rng, *shape), scale * normal(torch_rng, *shape)

    divergence = agree("kl_divergence", logits, ref_logits)
    shifted = agree("kl_divergence", logits + 3, ref_logits - 2)
    agree("kl_divergence", ref_logits, logits)
    same = agree("kl_divergence", logits, logits + 1)

    assert (divergence >= -1e-12).all()
    assert_close(shifted, divergence)
    assert_close(same, torch.zeros(shape[:-1], dtype=F64))


@number("3.2")
@weight(3)
@tags("kl")
@pytest.mark.parametrize("kind", ["k1", "k2", "k3"])
def test_estimates_follow_their_formulas(agree, torch_rng, device, kind):
    """Each drawn token gives one estimate, from how likely it is under either policy."""
    logp, ref_logp = -normal(torch_rng, 2, 3, 4, device=device).exp(), -normal(torch_rng, 2, 3, 4).exp().to(device)

    estimates = agree("kl_estimates", logp, ref_logp, kind=kind)

    if kind != "k1":
        assert (estimates >= -1e-12).all()


@number("3.3")
@weight(2)
@tags("kl")
@pytest.mark.parametrize("kind", ["k1", "k3"])
def test_unbiased_estimates_have_the_divergence_as_their_mean(agree, reference, torch_rng, kind):
    """Averaged over all tokens, each as often as the policy draws it, k1 and k3 are KL(pi || pi_ref)."""
    logits, ref_logits = normal(torch_rng, 5, 6), normal(torch_rng, 5, 6)
    logp, ref_logp = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    estimates = agree("kl_estimates", logp, ref_logp, kind=kind)

    assert_close((logp.exp() * estimates).sum(-1), reference.kl_divergence(logits, ref_logits))


# --- Task 4: a reward for every token ----------------------------------------------------------


def a_batch(reference, generator, n_rows=6, T=7, device="cpu"):
    """log pi, log pi_ref, the response's mask, and scores."""
    prompt_lengths, lengths = lengths_of(generator, n_rows, T)
    mask = reference.response_mask(prompt_lengths, lengths, T).to(device)
    logp, ref_logp = -normal(generator, n_rows, T - 1).exp(), -normal(generator, n_rows, T - 1).exp()
    return logp.to(device), ref_logp.to(device), mask, 3 * normal(generator, n_rows, device=device)


@number("4.1")
@weight(4)
@tags("rewards")
@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 4.0])
def test_score_comes_with_the_last_action_and_every_action_pays(agree, reference, torch_rng, device, beta):
    """The last response action gets its price and the score, the others their price, all else nothing."""
    logp, ref_logp, mask, scores = a_batch(reference, torch_rng, device=device)

    agree("shaped_rewards", logp, ref_logp, mask, scores, beta=beta)


@number("4.2")
@weight(3)
@tags("rewards")
@pytest.mark.parametrize(("n_rows", "T"), [(1, 3), (8, 12)])
def test_rewards_of_a_response_add_up(agree, reference, torch_rng, n_rows, T):
    """Together, a response's actions earn its score minus beta times its whole log-ratio to the reference."""
    logp, ref_logp, mask, scores = a_batch(reference, torch_rng, n_rows, T)

    rewards = agree("shaped_rewards", logp, ref_logp, mask, scores, beta=0.7)

    log_ratio = torch.where(mask, logp - ref_logp, 0.0).sum(-1)
    assert_close(rewards.sum(-1), scores - 0.7 * log_ratio)


# --- Task 5: advantages ------------------------------------------------------------------------


def a_trajectory(generator, *shape, case="several-episodes", device="cpu"):
    """rewards, values, dones, last_value."""
    dones = {
        "no-end": torch.zeros(*shape, dtype=torch.bool),
        "ends-at-the-last-step": torch.arange(shape[-1]).expand(shape) == shape[-1] - 1,
        "several-episodes": torch.rand(shape, generator=generator) < 0.35,
        "ends-before-the-last-step": torch.arange(shape[-1]).expand(shape) == shape[-1] - 2,
    }[case]
    parts = normal(generator, *shape), 2 * normal(generator, *shape), dones, 3 + normal(generator, *shape[:-1])
    return [part.to(device) for part in parts]


@number("5.1")
@weight(4)
@tags("advantages")
@pytest.mark.parametrize(
    ("shape", "case"),
    [
        pytest.param((6,), "no-end", id="no-end"),
        pytest.param((4, 5), "ends-at-the-last-step", id="ends-at-the-last-step"),
        pytest.param((4, 5), "ends-before-the-last-step", id="ends-before-the-last-step"),
        pytest.param((3, 12), "several-episodes", id="several-episodes"),
        pytest.param((2, 3, 8), "several-episodes", id="more-batch-dimensions"),
        pytest.param((3, 1), "no-end", id="one-step"),
    ],
)
def test_advantages_add_up_discounted_errors_of_the_critic(agree, rng, torch_rng, device, shape, case):
    """Each error counts less by gamma lambda per step back, and none crosses the end of an episode."""
    gamma, lam = rng.uniform(0.5, 0.95, size=2).tolist()

    agree("gae", *a_trajectory(torch_rng, *shape, case=case, device=device), gamma=gamma, lam=lam)


@number("5.2")
@weight(2)
@tags("advantages")
def test_lambda_zero_trusts_the_critic_after_one_step(agree, rng, torch_rng):
    """With lambda = 0 an advantage is the critic's one-step error, and a return is reward plus next value."""
    rewards, values, dones, last_value = a_trajectory(torch_rng, 3, 9)
    gamma = float(rng.uniform(0.5, 0.95))

    _, returns = agree("gae", rewards, values, dones, last_value, gamma=gamma, lam=0.0)

    following = torch.cat([values[:, 1:], last_value[:, None]], 1)
    assert_close(returns, rewards + gamma * torch.where(dones, 0.0, following))


@number("5.3")
@weight(2)
@tags("advantages")
def test_lambda_one_never_trusts_the_critic(agree, rng, torch_rng):
    """With lambda = 1 the returns are sums of discounted rewards, whatever the critic says within an episode."""
    rewards, values, dones, last_value = a_trajectory(torch_rng, 3, 9)
    gamma = float(rng.uniform(0.5, 0.95))

    _, returns = agree("gae", rewards, values, dones, last_value, gamma=gamma, lam=1.0)

    later, due = last_value, []
    for t in reversed(range(9)):
        later = rewards[:, t] + gamma * torch.where(dones[:, t], 0.0, later)
        due.append(later)
    assert_close(returns, torch.stack(due[::-1], 1))


@number("5.4")
@weight(1)
@tags("advantages")
@pytest.mark.parametrize("done", [0, 3, 5])
def test_nothing_crosses_the_end_of_an_episode(agree, torch_rng, done):
    """What happens after a done step changes nothing up to it, not even if it is a million times larger."""
    rewards, values, dones, last_value = a_trajectory(torch_rng, 2, 7, case="no-end")
    dones[:, done] = True
    other_rewards, other_values = rewards.clone(), values.clone()
    other_rewards[:, done + 1 :] += 1e6
    other_values[:, done + 1 :] -= 1e6

    one, _ = agree("gae", rewards, values, dones, last_value, gamma=0.9, lam=0.8)
    other, _ = agree("gae", other_rewards, other_values, dones, last_value + 1e6, gamma=0.9, lam=0.8)

    assert_close(other[:, : done + 1], one[:, : done + 1])


@number("5.5")
@weight(3)
@tags("advantages")
@pytest.mark.parametrize("shape", [(8,), (4, 6), (2, 3, 5)], ids=str)
def test_whitening_looks_at_the_response_only(agree, torch_rng, device, shape):
    """Over all unmasked entries together the mean is 0 and the variance 1; filler has no say and becomes 0."""
    x, mask = 5 + 3 * normal(torch_rng, *shape), some(torch_rng, *shape)
    mask.view(-1)[1] = True
    x[~mask] += 100

    white = agree("whiten", x.to(device), mask.to(device)).cpu()

    assert_close(white[mask].mean(), 0.0)
    # eps = 1e-8 on a variance of about 9
    assert_close(white[mask].square().mean(), 1.0, rtol=1e-7)


@number("5.6")
@weight(1)
@tags("advantages")
def test_whitening_survives_entries_that_hardly_differ(agree, torch_rng):
    """eps joins the variance: entries as small as its root are halved or so, equal ones become 0."""
    x, mask = 1e-4 * normal(torch_rng, 3, 5), some(torch_rng, 3, 5)

    agree("whiten", x, mask)
    agree("whiten", 1e3 * x, mask, eps=1e-2)
    agree("whiten", torch.full_like(x, 2.0), mask)


# --- Task 6: the clipped objective -------------------------------------------------------------


def an_update(generator, n_rows=5, n_actions=8, spread=0.4, device="cpu"):
    """logp, old_logp, advantages and mask after a policy has moved away from the one that drew."""
    old_logp = -normal(generator, n_rows, n_actions).exp()
    logp = old_logp + spread * normal(generator, n_rows, n_actions)
    advantages, mask = normal(generator, n_rows, n_actions), some(generator, n_rows, n_actions)
    return [part.to(device) for part in (logp, old_logp, advantages, mask)]


@number("6.1")
@weight(4)
@tags("policy_loss")
@pytest.mark.parametrize(
    ("spread", "clip"),
    [
        pytest.param(0.05, 0.2, id="nothing-clipped"),
        pytest.param(0.4, 0.2, id="some-clipped"),
        pytest.param(2.0, 0.1, id="most-clipped"),
        pytest.param(0.5, 0.5, id="wide-clip"),
    ],
)
def test_policy_loss_is_the_clipped_surrogates_negative(agree, torch_rng, device, spread, clip):
    """Of the plain and the clipped objective the smaller one counts, averaged over the response's actions."""
    parts = an_update(torch_rng, spread=spread, device=device)

    agree("clipped_policy_loss", *parts, clip=clip)


@number("6.2")
@weight(3)
@tags("policy_loss")
@pytest.mark.parametrize("spread", [0.1, 0.4])
def test_policy_loss_trains_nothing_but_the_policy(agree, torch_rng, spread):
    """Gradients flow into logp; the old policy and the advantages are constants, whatever they depend on."""
    parts = an_update(torch_rng, spread=spread)
    cotangent = torch.tensor(1.5, dtype=F64)

    agree("clipped_policy_loss", *parts)
    agree.vjp("clipped_policy_loss", *parts, wrt=(0, 1, 2), cotangent=cotangent)


@number("6.3")
@weight(1)
@tags("policy_loss")
def test_gradient_stops_only_where_the_ratio_went_far_the_right_way(agree, torch_rng):
    """At ratio 1 the gradient is the policy gradient; beyond the clip it vanishes only on the profitable side."""
    _, old_logp, advantages, mask = an_update(torch_rng)
    cotangent, n = torch.tensor(1.0, dtype=F64), mask.sum()

    (at_one,) = agree.vjp(
        "clipped_policy_loss", old_logp, old_logp, advantages, mask, wrt=(0,), cotangent=cotangent
    )
    assert_close(at_one, torch.where(mask, -advantages / n, 0.0))

    ratio = torch.where(torch.arange(8) % 2 == 0, 1.7, 0.4).double()
    (far,) = agree.vjp(
        "clipped_policy_loss", old_logp + ratio.log(), old_logp, advantages, mask, wrt=(0,), cotangent=cotangent
    )
    wrong_way = (ratio > 1) != (advantages > 0)
    assert_close(far, torch.where(mask & wrong_way, -advantages * ratio / n, 0.0))


@number("6.4")
@weight(2)
@tags("policy_loss")
@pytest.mark.parametrize(("spread", "clip"), [(0.3, 0.2), (1.0, 0.4), (0.01, 0.2)])
def test_clip_fraction_counts_both_sides(agree, torch_rng, device, spread, clip):
    """Actions that became much more likely and actions that became much less likely count alike, filler never."""
    logp, old_logp, _, mask = an_update(torch_rng, 7, 9, spread=spread, device=device)
    logp[~mask] = old_logp[~mask] + 3

    agree("clip_fraction", logp, old_logp, mask, clip=clip)


@number("6.5")
@weight(1)
@tags("policy_loss")
def test_approximate_kl_is_k3_of_the_policy_that_drew(agree, torch_rng, device):
    """The actions came from the old policy, so the estimate is of KL(pi_old || pi); it is never negative."""
    logp, old_logp, _, mask = an_update(torch_rng, device=device)
    logp[~mask] = old_logp[~mask] + 3

    estimate = agree("approximate_kl", logp, old_logp, mask)

    assert estimate >= -1e-12


# --- Task 7: the critic, and the entropy -------------------------------------------------------


def a_critic(generator, n_rows=5, n_actions=8, device="cpu"):
    """values, old_values, returns and mask; about half of the values have moved by more than 0.3."""
    old_values = 2 * normal(generator, n_rows, n_actions)
    values = old_values + 0.45 * normal(generator, n_rows, n_actions)
    returns = old_values + normal(generator, n_rows, n_actions)
    parts = values, old_values, returns, some(generator, n_rows, n_actions)
    return [part.to(device) for part in parts]


@number("7.1")
@weight(3)
@tags("value_entropy")
@pytest.mark.parametrize("clip", [0.05, 0.3, 10.0])
def test_critic_is_judged_by_the_worse_prediction(agree, torch_rng, device, clip):
    """Half the mean of the larger squared error: of the value, or of the value kept near the old one."""
    agree("clipped_value_loss", *a_critic(torch_rng, device=device), clip=clip)


@number("7.2")
@weight(1)
@tags("value_entropy")
def test_value_loss_trains_nothing_but_the_critic(agree, torch_rng):
    """Gradients flow into the values only; where the clipped prediction is the worse one, there is none."""
    parts = a_critic(torch_rng)

    agree("clipped_value_loss", *parts, clip=0.3)
    agree.vjp(
        "clipped_value_loss", *parts, clip=0.3, wrt=(0, 1, 2), cotangent=torch.tensor(1.5, dtype=F64)
    )


@number("7.3")
@weight(2)
@tags("value_entropy")
@pytest.mark.parametrize(
    ("lead", "V", "scale"),
    [
        pytest.param((6,), 5, 1.0, id="sequence"),
        pytest.param((4, 6), 6, 1.0, id="batch"),
        pytest.param((3, 4), 2, 1.0, id="two-tokens"),
        pytest.param((4, 5), 6, 3000.0, id="large-logits"),
    ],
)
def test_entropy_is_averaged_over_the_response(agree, torch_rng, device, lead, V, scale):
    """The entropy in nats of each distribution, averaged over the unmasked: log V if nothing is preferred."""
    logits, mask = scale * normal(torch_rng, *lead, V, device=device), some(torch_rng, *lead).to(device)

    agree("mean_entropy", logits, mask)
    assert_close(agree("mean_entropy", torch.ones_like(logits), mask), math.log(V))


@number("7.4")
@weight(1)
@tags("value_entropy")
def test_entropy_has_the_right_gradient(agree, torch_rng):
    """Raising the entropy flattens unmasked distributions and leaves the others alone."""
    logits, mask = normal(torch_rng, 3, 4, 5), some(torch_rng, 3, 4)
    cotangent = torch.tensor(1.5, dtype=F64)

    agree("mean_entropy", logits, mask)
    agree.vjp("mean_entropy", logits, mask, wrt=(0,), cotangent=cotangent)


# --- Task 8: one update ------------------------------------------------------------------------


def a_rollout(generator, n_rows=6, T=7, V=4, device="cpu"):
    """What was drawn, and what policy, critic, reference and reward model say about it."""
    prompt_lengths, lengths = lengths_of(generator, n_rows, T)
    rollout = {
        "tokens": integers(generator, 0, V, n_rows, T),
        "prompt_lengths": prompt_lengths,
        "lengths": lengths,
        "logits": normal(generator, n_rows, T, V),
        "values": normal(generator, n_rows, T),
        "ref_logits": normal(generator, n_rows, T, V),
        "scores": 3 * normal(generator, n_rows),
    }
    return {name: part.to(device) for name, part in rollout.items()}


def parts_of_collect(reference):
    return {
        "logps_of": reference.token_logps,
        "mask_of": reference.response_mask,
        "rewards_of": reference.shaped_rewards,
        "advantages_of": reference.gae,
        "whitened": reference.whiten,
    }


def collected(impl, rollout, **options):
    """What `collect` returns, without the returns of actions that wrote no response: they mean nothing."""
    batch = impl.collect(rollout, **options)
    return batch | {"returns": torch.where(batch["mask"], batch["returns"], 0.0)}


def parts_of_loss(reference):
    return {
        "logps_of": reference.token_logps,
        "policy_loss_of": reference.clipped_policy_loss,
        "value_loss_of": reference.clipped_value_loss,
        "entropy_of": reference.mean_entropy,
    }


@number("8.1")
@weight(3)
@tags("update")
@pytest.mark.parametrize(
    ("gamma", "lam"), [(1.0, 0.95), (0.9, 0.6), (1.0, 0.0)], ids=["usual", "discounted", "one-step"]
)
def test_collect_fixes_everything_about_a_batch(agree, reference, torch_rng, device, gamma, lam):
    """Old log-probabilities and values, whitened advantages, and returns from before the whitening."""
    rollout = a_rollout(torch_rng, device=device)

    agree(collected, rollout, beta=0.4, gamma=gamma, lam=lam, **parts_of_collect(reference))


@number("8.2")
@weight(2)
@tags("update")
@pytest.mark.parametrize("entropy_coef", [0.0, 0.3])
def test_loss_weighs_policy_critic_and_entropy(agree, reference, torch_rng, entropy_coef):
    """The policy's loss, plus the critic's by its weight, minus the entropy by its weight, on the same actions."""
    batch = reference.collect(a_rollout(torch_rng), beta=0.4)
    logits, values = normal(torch_rng, 6, 7, 4), normal(torch_rng, 6, 7)

    for weights in ({}, {"clip": 0.1, "value_clip": 0.7, "value_coef": 0.3}):
        agree(
            "ppo_loss", logits, values, batch, entropy_coef=entropy_coef, **weights, **parts_of_loss(reference)
        )


@number("8.3")
@weight(2)
@tags("update")
@pytest.mark.parametrize("max_grad_norm", [0.1, 2.0, math.inf], ids=["clipped", "sometimes", "free"])
def test_update_takes_a_step_for_each_minibatch(agree, torch_rng, max_grad_norm):
    """Every step starts where the last one ended, sees its own rows of the batch, and is bounded in length."""
    params = {"logits": normal(torch_rng, 3, 2), "values": normal(torch_rng, 4)}
    batch = {"tokens": integers(torch_rng, 0, 9, 6, 3), "returns": normal(torch_rng, 6, 2)}
    batch["mask"] = batch["returns"] > 0
    minibatches = [torch.tensor(rows) for rows in ([0, 3], [5, 1, 2], [4], [3, 0, 4], [1, 2, 5])]

    def scenario(impl, params, batch, minibatches):
        calls = []

        def gradients_of(params, part, **options):
            calls.append((params, part, options))
            pull = part["returns"].mean() * len(calls)
            return {"logits": 2 * params["logits"] - pull, "values": params["values"] + part["tokens"].sum()}

        new = impl.ppo_update(
            params,
            batch,
            minibatches,
            lr=0.03,
            max_grad_norm=max_grad_norm,
            gradients_of=gradients_of,
            clip=0.3,
        )
        return new, calls

    agree(scenario, params, batch, minibatches)


@number("8.4")
@weight(1)
@tags("update")
def test_pieces_of_the_update_fit_together(agree, torch_rng):
    """With all of your own pieces the batch, the loss and its gradients in logits and values are right."""
    batch = agree(collected, a_rollout(torch_rng), beta=0.4)
    logits, values = normal(torch_rng, 6, 7, 4), normal(torch_rng, 6, 7)
    cotangent = torch.tensor(1.5, dtype=F64)

    agree("ppo_loss", logits, values, batch, entropy_coef=0.2)
    agree.vjp("ppo_loss", logits, values, batch, entropy_coef=0.2, wrt=(0, 1), cotangent=cotangent)


# --- Task 9: the loop, and what it should find -------------------------------------------------

# A world small enough to be listed: three tokens, of which 0 ends a response, and responses of at most three.
# No prompt begins another one: the table would have to give two answers where their texts are equal.
VOCAB, MAX_NEW, BETA = 3, 3, 0.5
PROMPTS = ([1], [2, 1], [2, 2])
N_TOKENS = 2 + MAX_NEW


def a_world(reference, generator):
    """A reference policy, and a score for each text, by the row of the table that the text has."""
    ref_params = reference.init_params(VOCAB, N_TOKENS)
    ref_params["logits"] = 0.7 * normal(generator, *ref_params["logits"].shape)
    table = 2 * uniform(generator, *ref_params["values"].shape) - 1

    def score(tokens, prompt_lengths, lengths):
        states = reference.prefix_states(tokens, VOCAB)
        return table.to(tokens.device)[states[torch.arange(len(tokens)), lengths - 1]]

    return ref_params, score


def batch_of_prompts(n_rows, device="cpu"):
    """Prompts in turn, with filler where they are short."""
    chosen = [PROMPTS[row % len(PROMPTS)] for row in range(n_rows)]
    prompts = torch.tensor([prompt + [0] * (2 - len(prompt)) for prompt in chosen])
    return prompts.to(device), torch.tensor([len(prompt) for prompt in chosen]).to(device)


def uniform(generator, *shape, device="cpu"):
    return torch.rand(shape, generator=generator, dtype=F64).to(device)


def best_params(reference, ref_params, score, beta=BETA):
    """The best policy as a table, with its exact values, by going back from the ends of all responses.

    V(s) = beta log sum_a pi_ref(a | s) exp(Q(s, a) / beta), and pi*(a | s) = pi_ref(a | s) exp((Q - V) / beta).
    """
    params = {name: table.clone() for name, table in ref_params.items()}

    def row(text):
        return int(reference.prefix_states(torch.tensor([text]), VOCAB)[0, -1])

    def solve(prompt, text):
        ended = len(text) > len(prompt) and (text[-1] == 0 or len(text) == len(prompt) + MAX_NEW)
        if ended:
            padded = torch.tensor([text + [0] * (N_TOKENS - len(text))])
            return score(padded, torch.tensor([len(prompt)]), torch.tensor([len(text)]))[0]
        q = torch.stack([solve(prompt, text + [token]) for token in range(VOCAB)])
        tilted = ref_params["logits"][row(text)].log_softmax(-1) + q / beta
        params["values"][row(text)] = beta * tilted.logsumexp(-1)
        params["logits"][row(text)] = tilted.log_softmax(-1)
        return params["values"][row(text)]

    for prompt in PROMPTS:
        solve(prompt, prompt)
    return params


def response_logps(reference, params, prompt):
    """log pi of every response to a prompt, and what `all_responses` says about them."""
    tokens, prompt_lengths, lengths = reference.all_responses(prompt, VOCAB, MAX_NEW)
    mask = reference.response_mask(prompt_lengths, lengths, tokens.shape[1])
    logp = reference.token_logps(reference.forward(params, tokens)[0], tokens)
    return torch.where(mask, logp, 0.0).sum(-1), (tokens, prompt_lengths, lengths)


@number("9.1")
@weight(2)
@tags("rlhf")
@pytest.mark.parametrize(
    ("lead", "beta", "scale"),
    [
        pytest.param((), 1.0, 1.0, id="one-prompt"),
        pytest.param((4,), 0.3, 1.0, id="prompts"),
        pytest.param((2, 3), 5.0, 1.0, id="stay-close"),
        pytest.param((3,), 0.01, 100.0, id="large-exponents"),
    ],
)
def test_optimum_tilts_the_reference_by_the_reward(agree, torch_rng, lead, beta, scale):
    """pi* is a distribution, and under it every response has the same return: beta log Z."""
    ref_logps, rewards = normal(torch_rng, *lead, 7).log_softmax(-1), scale * normal(torch_rng, *lead, 7)

    logps, log_z = agree("optimal_policy", ref_logps, rewards, beta=beta)

    assert_close(logps.exp().sum(-1), torch.ones(lead, dtype=F64))
    # a difference of rewards: rounding is relative to the largest of them
    assert_close(
        rewards - beta * (logps - ref_logps), beta * log_z[..., None].expand_as(rewards), atol=1e-10 * scale
    )


@number("9.2")
@weight(1)
@tags("rlhf")
@pytest.mark.parametrize("beta", [0.3, 1.0, 2.0])
def test_objective_is_the_optimum_minus_the_distance_to_it(agree, reference, torch_rng, beta):
    """At any policy, J = beta log Z - beta KL(pi || pi*): exactly, constant included."""
    logits, ref_logits, rewards = (normal(torch_rng, 4, 9) for _ in range(3))
    logps, ref_logps = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    objective = agree("kl_objective", logps, ref_logps, rewards, beta=beta)

    best, log_z = reference.optimal_policy(ref_logps, rewards, beta=beta)
    assert_close(objective, beta * log_z - beta * reference.kl_divergence(logits, best))


@number("9.3")
@weight(3)
@tags("rlhf")
@pytest.mark.parametrize(
    "options",
    [{}, {"gamma": 0.9, "lam": 0.7, "max_grad_norm": 0.05, "entropy_coef": 0.1}],
    ids=["usual", "other-settings"],
)
def test_loop_draws_scores_collects_and_updates_in_turn(agree, reference, torch_rng, device, options):
    """Each round draws from the newest policy with its own uniforms, and compares with the same old reference."""
    ref_params, score = a_world(reference, torch_rng)
    params = {name: table + 0.5 * normal(torch_rng, *table.shape) for name, table in ref_params.items()}
    params, ref_params = ({name: table.to(device) for name, table in p.items()} for p in (params, ref_params))
    prompts, prompt_lengths = batch_of_prompts(9, device)
    minibatches = [rows.to(device) for rows in torch.randperm(9, generator=torch_rng).split(4)]

    def scenario(impl, params, ref_params, prompts, prompt_lengths, uniforms, minibatches):
        calls = []

        def recorded(name, function):
            def call(*args, **kwargs):
                calls.append((name, args, kwargs))
                return function(*args, **kwargs)

            return call

        after = impl.rlhf(
            params,
            ref_params,
            prompts,
            prompt_lengths,
            recorded("score", score),
            uniforms,
            minibatches,
            beta=BETA,
            lr=4.0,
            sample=recorded("sample", reference.sample_responses),
            collect=recorded("collect", reference.collect),
            update=recorded("update", partial(reference.ppo_update, gradients_of=reference.loss_gradients)),
            watch=recorded("watch", lambda i, params, batch: None),
            **options,
        )
        return after, calls

    uniforms = uniform(torch_rng, 4, 9, MAX_NEW, device=device)
    agree(scenario, params, ref_params, prompts, prompt_lengths, uniforms, minibatches)


@number("9.4")
@weight(1)
@tags("rlhf")
def test_optimum_is_a_fixed_point(agree, reference, torch_rng):
    """Started at the best policy with its true values a round changes nothing, whichever responses it draws."""
    ref_params, score = a_world(reference, torch_rng)
    best = best_params(reference, ref_params, score)
    prompts, prompt_lengths = batch_of_prompts(24)
    # One round: whitening would blow up its rounding errors, 1e-16, a thousandfold in every further one.
    uniforms, minibatches = uniform(torch_rng, 1, 24, MAX_NEW), [torch.arange(24)] * 2

    after = agree(
        "rlhf", best, ref_params, prompts, prompt_lengths, score, uniforms, minibatches, beta=BETA, lr=1.0
    )

    assert_close(after, best)


@number("9.5")
@weight(2)
@tags("rlhf")
def test_loop_approaches_the_optimum(agree, reference, torch_rng, device):
    """All of your pieces together: from the reference, the loop closes most of the gap to the best objective."""
    ref_params, score = a_world(reference, torch_rng)
    ref_params = {name: table.to(device) for name, table in ref_params.items()}
    uniforms = uniform(torch_rng, 24, 96, MAX_NEW, device=device)

    def scenario(impl, n_rounds, n_rows):
        prompts, prompt_lengths = batch_of_prompts(n_rows, device)
        data = prompts, prompt_lengths, score, uniforms[:n_rounds, :n_rows]
        minibatches = [torch.arange(n_rows, device=device)] * 2
        return impl.rlhf(ref_params, ref_params, *data, minibatches, beta=BETA, lr=15.0)

    # Two rounds first: hints go by the first answer that differs, and this one is quick to repeat.
    agree(scenario, 2, 6)
    after = agree(scenario, 24, 96)

    gap, gap_at_start = 0.0, 0.0
    for prompt in PROMPTS:
        ref_logps, responses = response_logps(
            reference, {name: table.cpu() for name, table in ref_params.items()}, prompt
        )
        padded = torch.nn.functional.pad(responses[0], (0, N_TOKENS - responses[0].shape[1]))
        rewards = score(padded, *responses[1:])
        logps, _ = response_logps(reference, {name: table.cpu() for name, table in after.items()}, prompt)
        best, _ = reference.optimal_policy(ref_logps, rewards, beta=BETA)
        gap += float((logps.exp() * (logps - best)).sum())
        gap_at_start += float((ref_logps.exp() * (ref_logps - best)).sum())
    # Of 400 worlds the median kept 0.6 % of the gap, and the worst 4.2 %.
    assert gap <= 0.2 * gap_at_start
