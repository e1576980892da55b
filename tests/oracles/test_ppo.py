"""The RLHF reference against torch.distributions, torch.nn.functional, differences, loops, and the exact optimum.

Everything about the optimum is derived a second time: responses are enumerated here, and the best policy is found
by a general optimizer on the simplex, in which neither an exponential tilt nor log Z occurs.
"""

import itertools
import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.gradcheck import check_vjp
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Categorical, kl_divergence

F64 = torch.float64


ppo = staff_files.reference("ppo")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng([9, request.param])


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def masks(rng, *shape):
    mask = torch.from_numpy(rng.uniform(size=shape) < 0.6)
    mask.view(-1)[0] = True
    return mask


def same(got, want, **tolerance):
    torch.testing.assert_close(got, want, **({"rtol": 1e-10, "atol": 1e-12} | tolerance))


# --- the reward model, log-probabilities, masks ------------------------------------------------


def test_bradley_terry_is_logistic_regression_on_the_margin(rng):
    """binary_cross_entropy_with_logits with the label 1 for every pair."""
    chosen, rejected = 30 * normal(rng, 20), 30 * normal(rng, 20)
    due = torch.nn.functional.binary_cross_entropy_with_logits(chosen - rejected, torch.ones(20, dtype=F64))

    same(ppo.bradley_terry_loss(chosen, rejected), due)
    check_vjp(ppo.bradley_terry_loss, (normal(rng, 4), normal(rng, 4)))


def test_final_scores_by_loop(rng):
    scores, lengths = normal(rng, 6, 5), torch.from_numpy(rng.integers(1, 6, size=6))
    assert ppo.final_scores(scores, lengths).tolist() == [float(s[n - 1]) for s, n in zip(scores, lengths)]


def test_token_logps_are_minus_cross_entropy(rng):
    """F.cross_entropy of the logits at t with token t + 1."""
    logits, tokens = 5 * normal(rng, 3, 6, 7), torch.from_numpy(rng.integers(0, 7, size=(3, 6)))
    due = -torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none")

    same(ppo.token_logps(logits, tokens), due)
    same(ppo.token_logps(logits, tokens), Categorical(logits=logits[:, :-1]).log_prob(tokens[:, 1:]))


def test_response_mask_by_definition():
    """All prompt lengths and lengths of rows of up to six tokens."""
    for T in range(2, 7):
        pairs = [(p, n) for p in range(1, T + 1) for n in range(p, T + 1)]
        prompt_lengths, lengths = torch.tensor(pairs).T
        mask = ppo.response_mask(prompt_lengths, lengths, T)
        for (p, n), row in zip(pairs, mask.tolist()):
            text = ["prompt"] * p + ["response"] * (n - p) + ["filler"] * (T - n)
            assert row == [text[t + 1] == "response" for t in range(T - 1)]


def test_masked_mean_is_numpys(rng):
    x, mask = normal(rng, 4, 5), masks(rng, 4, 5)
    same(ppo.masked_mean(x, mask), torch.tensor(np.ma.array(x, mask=~mask).mean(), dtype=F64))


# --- the divergence and its estimates ----------------------------------------------------------


def test_divergence_and_entropy_are_torchs(rng):
    logits, ref_logits, mask = 2 * normal(rng, 4, 3, 6), 2 * normal(rng, 4, 3, 6), masks(rng, 4, 3)
    pi, ref = Categorical(logits=logits), Categorical(logits=ref_logits)

    same(ppo.kl_divergence(logits, ref_logits), kl_divergence(pi, ref))
    same(ppo.mean_entropy(logits, mask), pi.entropy()[mask].mean())


def test_estimates_have_the_means_that_are_claimed(rng):
    """k1 and k3 have the divergence as their mean; k2 has it to second order in the distance."""
    ref_logits, direction = normal(rng, 8), normal(rng, 8)
    errors = []
    for step in (0.5, 0.05):
        logits = ref_logits + step * direction
        pi, ref = Categorical(logits=logits), Categorical(logits=ref_logits)
        means = {
            kind: (pi.probs * ppo.kl_estimates(pi.logits, ref.logits, kind=kind)).sum() for kind in ("k1", "k2", "k3")
        }
        same(means["k1"], kl_divergence(pi, ref))
        same(means["k3"], kl_divergence(pi, ref))
        errors.append(abs(float(means["k2"] - kl_divergence(pi, ref))))
    assert errors[1] < errors[0] / 300  # third order: a thousandth, give or take the fourth


def test_approximate_kl_has_its_mean_under_the_old_policy(rng):
    """Over all actions, each as often as the old policy draws it, in units of 1/64."""
    counts = np.array([20, 5, 30, 9])
    old = torch.tensor(counts / 64).log()
    new = old + 0.3 * normal(rng, 4)
    new = new - new.logsumexp(-1)
    drawn = torch.from_numpy(np.repeat(np.arange(4), counts))[None]

    estimate = ppo.approximate_kl(new[drawn], old[drawn], torch.ones_like(drawn, dtype=torch.bool))

    same(estimate, kl_divergence(Categorical(logits=old), Categorical(logits=new)))


# --- rewards and advantages --------------------------------------------------------------------


def test_shaped_rewards_by_loop(rng):
    prompt_lengths = torch.from_numpy(rng.integers(1, 4, size=8))
    lengths = prompt_lengths + torch.from_numpy(rng.integers(1, 4, size=8))
    mask, scores = ppo.response_mask(prompt_lengths, lengths, 7), normal(rng, 8)
    logp, ref_logp = normal(rng, 8, 6), normal(rng, 8, 6)

    rewards = ppo.shaped_rewards(logp, ref_logp, mask, scores, beta=0.3)

    for b in range(8):
        due = [0.0] * 6
        for token in range(int(prompt_lengths[b]), int(lengths[b])):
            due[token - 1] = -0.3 * float(logp[b, token - 1] - ref_logp[b, token - 1])
        due[int(lengths[b]) - 2] += float(scores[b])
        same(rewards[b], torch.tensor(due, dtype=F64))


@settings(max_examples=60, deadline=None)
@given(
    steps=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
    gamma=st.floats(0, 1),
    lam=st.floats(0, 1),
    share=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_gae_is_a_mean_of_n_step_advantages(steps, seed, gamma, lam, share):
    """(1 - lam) sum_n lam^(n-1) A^(n) with the rest of the weight on the longest, per episode, in plain Python."""
    rng = np.random.default_rng(seed)
    rewards, values, last = rng.normal(size=steps), rng.normal(size=steps), float(rng.normal())
    dones = rng.uniform(size=steps) < share
    got, returns = ppo.gae(
        torch.from_numpy(rewards),
        torch.from_numpy(values),
        torch.from_numpy(dones),
        torch.tensor(last, dtype=F64),
        gamma=gamma,
        lam=lam,
    )

    for t in range(steps):
        end = next((k + 1 for k in range(t, steps) if dones[k]), steps)
        tail = 0.0 if dones[end - 1] else last
        n_step = []
        for n in range(1, end - t + 1):
            after = values[t + n] if t + n < end else tail
            n_step.append(sum(gamma**k * rewards[t + k] for k in range(n)) + gamma**n * after - values[t])
        weights = [(1 - lam) * lam ** (n - 1) for n in range(1, end - t)] + [lam ** (end - t - 1)]
        due = sum(w * a for w, a in zip(weights, n_step, strict=True))
        assert math.isclose(float(got[t]), due, rel_tol=1e-9, abs_tol=1e-9)
        assert math.isclose(float(returns[t]), due + values[t], rel_tol=1e-9, abs_tol=1e-9)


def test_whiten_is_a_batch_norm_of_the_unmasked(rng):
    x, mask = 3 + 2 * normal(rng, 4, 6), masks(rng, 4, 6)

    white = ppo.whiten(x, mask, eps=1e-3)

    due = torch.nn.functional.batch_norm(x[mask][:, None], None, None, training=True, eps=1e-3)[:, 0]
    same(white[mask], due)
    assert not white[~mask].any()


# --- the losses --------------------------------------------------------------------------------


def test_policy_loss_by_cases(rng):
    """The four corners of the clipped objective, written out; gradients by finite differences."""
    old, mask = normal(rng, 5, 4), masks(rng, 5, 4)
    logp, advantages = old + 0.4 * normal(rng, 5, 4), normal(rng, 5, 4)

    total, fraction = [], []
    for i, j in itertools.product(range(5), range(4)):
        if mask[i, j]:
            ratio, a = math.exp(logp[i, j] - old[i, j]), float(advantages[i, j])
            total.append(min(ratio, 1.2) * a if a > 0 else max(ratio, 0.8) * a)
            fraction.append(not 0.8 <= ratio <= 1.2)

    def loss(logp):
        return ppo.clipped_policy_loss(logp, old, advantages, mask)

    assert math.isclose(float(loss(logp)), -np.mean(total), rel_tol=1e-10)
    assert math.isclose(float(ppo.clip_fraction(logp, old, mask)), np.mean(fraction), rel_tol=1e-12)
    check_vjp(loss, (logp,))


def test_value_loss_by_cases(rng):
    old, mask, returns = normal(rng, 5, 4), masks(rng, 5, 4), normal(rng, 5, 4)
    values = old + 0.5 * normal(rng, 5, 4)
    near = torch.from_numpy(np.clip(values.numpy(), old.numpy() - 0.2, old.numpy() + 0.2))
    mse = torch.nn.functional.mse_loss
    due = torch.maximum(mse(values, returns, reduction="none"), mse(near, returns, reduction="none"))

    def loss(values):
        return ppo.clipped_value_loss(values, old, returns, mask)

    same(loss(values), due[mask].mean() / 2)
    check_vjp(loss, (values,))


# --- the update --------------------------------------------------------------------------------


def a_batch(rng, n_rows=6, V=4, T=6):
    prompt_lengths = torch.from_numpy(rng.integers(1, 4, size=n_rows))
    lengths = prompt_lengths + torch.from_numpy(rng.integers(1, 4, size=n_rows)).clamp(max=3)
    rollout = {
        "tokens": torch.from_numpy(rng.integers(0, V, size=(n_rows, T))),
        "prompt_lengths": prompt_lengths,
        "lengths": lengths.clamp(max=T),
        "logits": normal(rng, n_rows, T, V),
        "values": normal(rng, n_rows, T),
        "ref_logits": normal(rng, n_rows, T, V),
        "scores": normal(rng, n_rows),
    }
    return rollout, ppo.collect(rollout, beta=0.3)


def test_rows_do_not_know_their_filler(rng):
    """Cut to its own length and collected alone, a row has the same returns and log-probabilities."""
    rollout, batch = a_batch(rng)
    for b, n in enumerate(rollout["lengths"].tolist()):
        short = {name: part[b : b + 1, :n] if part.ndim > 1 else part[b : b + 1] for name, part in rollout.items()}
        alone = ppo.collect(short, beta=0.3)
        kept = alone["mask"]
        for name in ("old_logp", "ref_logp", "old_values", "returns"):
            same(alone[name][kept], batch[name][b : b + 1, : n - 1][kept])


def test_loss_gradients_by_differences(rng):
    _, batch = a_batch(rng)
    check_vjp(
        lambda logits, values: ppo.ppo_loss(logits, values, batch, entropy_coef=0.1),
        (normal(rng, 6, 6, 4), normal(rng, 6, 6)),
    )


@pytest.mark.parametrize("bound", [0.05, 1.0, 1e9])
def test_update_is_torchs_sgd_with_clip_grad_norm(rng, bound):
    params = {"logits": normal(rng, 3 + 9 + 27, 3), "values": normal(rng, 3 + 9 + 27)}
    tokens = torch.from_numpy(rng.integers(0, 3, size=(8, 3)))
    logits, values = ppo.forward(params, tokens)
    lengths = torch.full((8,), 3)
    rollout = {
        "tokens": tokens,
        "prompt_lengths": torch.ones(8, dtype=torch.int64),
        "lengths": lengths,
        "logits": logits,
        "values": values,
        "ref_logits": normal(rng, 8, 3, 3),
        "scores": normal(rng, 8),
    }
    batch = ppo.collect(rollout, beta=0.3)
    minibatches = [torch.tensor(rows) for rows in ([0, 1, 2, 3], [4, 5, 6, 7], [1, 3, 5])]

    got = ppo.ppo_update(params, batch, minibatches, lr=0.5, max_grad_norm=bound, entropy_coef=0.1)

    leaves = {name: torch.nn.Parameter(value.clone()) for name, value in params.items()}
    optimizer = torch.optim.SGD(leaves.values(), lr=0.5)
    for rows in minibatches:
        optimizer.zero_grad()
        part = {name: value[rows] for name, value in batch.items()}
        ppo.ppo_loss(*ppo.forward(leaves, part["tokens"]), part, entropy_coef=0.1).backward()
        torch.nn.utils.clip_grad_norm_(leaves.values(), bound)
        optimizer.step()
    for name, value in got.items():
        same(value, leaves[name].detach(), rtol=1e-5)  # clip_grad_norm_ adds 1e-6 to the norm


# --- the small world, and its optimum ----------------------------------------------------------


def a_world(rng, V=3, max_new=3):
    params = ppo.init_params(V, 1 + max_new)
    params["logits"] = normal(rng, *params["logits"].shape)
    return params, *ppo.all_responses([1], V, max_new)


def logps_of(params, tokens, prompt_lengths, lengths):
    logp = ppo.token_logps(ppo.forward(params, tokens)[0], tokens)
    return torch.where(ppo.response_mask(prompt_lengths, lengths, tokens.shape[1]), logp, 0.0).sum(-1)


@pytest.mark.parametrize(("V", "max_new"), [(2, 1), (3, 3), (4, 2)])
def test_responses_are_all_there_are(rng, V, max_new):
    """They are different, end properly, and have probability 1 together."""
    params, tokens, prompt_lengths, lengths = a_world(rng, V, max_new)

    texts = {tuple(row[1:n].tolist()) for row, n in zip(tokens, lengths)}

    assert len(texts) == len(tokens) == sum((V - 1) ** k for k in range(max_new)) + (V - 1) ** max_new
    assert all(0 not in text[:-1] and (text[-1] == 0 or len(text) == max_new) for text in texts)
    same(logps_of(params, tokens, prompt_lengths, lengths).exp().sum(), torch.tensor(1.0, dtype=F64))


def test_states_are_different_for_different_prefixes():
    for T, V in ((3, 2), (4, 3)):
        seen = {}
        for text in itertools.product(range(V), repeat=T):
            for t, state in enumerate(ppo.prefix_states(torch.tensor([text]), V)[0].tolist()):
                assert seen.setdefault(state, text[: t + 1]) == text[: t + 1]
        assert sorted(seen) == list(range(len(ppo.init_params(V, T)["values"])))


def test_responses_are_drawn_as_often_as_is_likely(rng):
    """60 000 responses from a grid of uniform numbers in the first place and random ones after it."""
    n = 60_000
    params, tokens, prompt_lengths, lengths = a_world(rng)
    uniforms = torch.from_numpy(rng.uniform(size=(n, 3)))
    drawn, ends = ppo.sample_responses(
        params, torch.ones(n, 1, dtype=torch.int64), torch.ones(n, dtype=torch.int64), uniforms
    )

    probs = logps_of(params, tokens, prompt_lengths, lengths).exp()
    place = {tuple(row.tolist()): i for i, row in enumerate(tokens)}
    counts = torch.zeros(len(tokens), dtype=F64)
    for row in drawn:
        counts[place[tuple(row.tolist())]] += 1
    # Hoeffding for each of 15 shares: 2 * 15 * exp(-2 n d^2) < 1e-9
    assert (counts / n - probs).abs().max() < math.sqrt(math.log(30e9) / (2 * n))
    assert (ends == (drawn[:, 1:] != 0).sum(1) + 1 + ((drawn[:, 1:] == 0).any(1))).all()


def test_no_policy_beats_the_optimum(rng):
    """A general optimizer on the simplex finds pi*, and J there is beta log Z."""
    optimize = pytest.importorskip("scipy.optimize")
    beta, ref, rewards = 0.7, normal(rng, 6).log_softmax(-1), normal(rng, 6)
    logps, log_z = ppo.optimal_policy(ref, rewards, beta=beta)

    def loss(x):
        policy = torch.from_numpy(x).log_softmax(-1)
        return -float(ppo.kl_objective(policy, ref, rewards, beta=beta))

    found = optimize.minimize(loss, np.zeros(6), tol=1e-12)

    same(torch.from_numpy(found.x).softmax(-1), logps.exp(), rtol=1e-4, atol=1e-5)
    assert math.isclose(-found.fun, beta * float(log_z), rel_tol=1e-8)
    same(ppo.kl_objective(logps, ref, rewards, beta=beta), beta * log_z)


def test_first_gradient_is_that_of_the_objective(rng):
    """On a batch that holds each response as often as the policy draws it, PPO's first step climbs J.

    Unwhitened and with lambda = 1, its gradient is that of J, over the mean number of actions in a response.
    """
    beta, V = 0.5, 2
    params, tokens, prompt_lengths, lengths = a_world(rng, V, 2)
    ref_params = {name: value + 0.3 for name, value in params.items()}
    ref_params["logits"] = normal(rng, *params["logits"].shape)
    # responses 0, 1 0 and 1 1 with probabilities 4/8, 3/8 and 1/8
    for text, probabilities in (([1], (0.5, 0.5)), ([1, 1], (0.75, 0.25))):
        state = int(ppo.prefix_states(torch.tensor([text]), V)[0, -1])
        params["logits"][state] = torch.tensor(probabilities, dtype=F64).log()
    copies = (8 * logps_of(params, tokens, prompt_lengths, lengths).exp()).round().long()
    assert copies.tolist() == [4, 3, 1]
    rows = torch.repeat_interleave(torch.arange(3), copies)
    rewards = normal(rng, 3)
    logits, values = ppo.forward(params, tokens[rows])
    rollout = {
        "tokens": tokens[rows],
        "prompt_lengths": prompt_lengths[rows],
        "lengths": lengths[rows],
        "logits": logits,
        "values": values,
        "ref_logits": ppo.forward(ref_params, tokens[rows])[0],
        "scores": rewards[rows],
    }
    batch = ppo.collect(rollout, beta=beta, lam=1.0, whitened=lambda x, mask: x)

    gradients = ppo.loss_gradients(params, batch, value_coef=0.0)

    table = params["logits"].clone().requires_grad_()
    logps = logps_of(params | {"logits": table}, tokens, prompt_lengths, lengths)
    ref_logps = logps_of(ref_params, tokens, prompt_lengths, lengths)
    (due,) = torch.autograd.grad(ppo.kl_objective(logps, ref_logps, rewards, beta=beta), table)
    per_response = batch["mask"].sum() / len(rows)
    same(gradients["logits"], -due / per_response, atol=1e-10)


def test_loop_approaches_the_optimum(rng):
    """J rises from the reference's to within 5 % of the gap below beta log Z, and never beyond it."""
    beta = 0.5
    ref_params, tokens, prompt_lengths, lengths = a_world(rng)
    ref_params["logits"] = 0.5 * ref_params["logits"]
    rewards = torch.from_numpy(rng.uniform(-1, 1, size=len(tokens)))
    place = {tuple(row.tolist()): i for i, row in enumerate(tokens)}

    def score(drawn, prompt_lengths, lengths):
        return torch.stack([rewards[place[tuple(row.tolist())]] for row in drawn])

    uniforms = torch.from_numpy(rng.uniform(size=(40, 96, 3)))
    prompts = torch.ones(96, 1, dtype=torch.int64), torch.ones(96, dtype=torch.int64)
    minibatches = [torch.arange(96)] * 2
    after = ppo.rlhf(ref_params, ref_params, *prompts, score, uniforms, minibatches, beta=beta, lr=8.0)

    ref_logps = logps_of(ref_params, tokens, prompt_lengths, lengths)
    _, log_z = ppo.optimal_policy(ref_logps, rewards, beta=beta)
    start, end = (
        float(ppo.kl_objective(logps_of(p, tokens, prompt_lengths, lengths), ref_logps, rewards, beta=beta))
        for p in (ref_params, after)
    )
    best = beta * float(log_z)
    assert start < end <= best + 1e-12
    assert best - end < 0.05 * (best - start)


# --- bad input ---------------------------------------------------------------------------------

X, M = torch.zeros(2, 3, dtype=F64), torch.ones(2, 3, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: ppo.final_scores(X, torch.tensor([0, 1])), "lengths"),
        (lambda: ppo.final_scores(X, torch.tensor([1])), "lengths"),
        (lambda: ppo.bradley_terry_loss(X[0], X[0, :2]), "chosen and rejected"),
        (lambda: ppo.bradley_terry_loss(X[0, :0], X[0, :0]), "chosen"),
        (lambda: ppo.token_logps(X[None], torch.zeros(2, 2, dtype=torch.int64)), "logits"),
        (lambda: ppo.response_mask(torch.tensor([0]), torch.tensor([2]), 3), "prompt_length"),
        (lambda: ppo.response_mask(torch.tensor([2]), torch.tensor([4]), 3), "length"),
        (lambda: ppo.masked_mean(X, ~M), "mask"),
        (lambda: ppo.masked_mean(X, X), "mask"),
        (lambda: ppo.kl_divergence(X, X[0]), "logits and ref_logits"),
        (lambda: ppo.kl_estimates(X, X, kind="k4"), "kind"),
        (lambda: ppo.shaped_rewards(X, X, M, X[:, 0], beta=-1.0), "beta"),
        (lambda: ppo.shaped_rewards(X, X, M, X[0], beta=1.0), "scores"),
        (lambda: ppo.shaped_rewards(X, X, M & torch.tensor([[True], [False]]), X[:, 0], beta=1.0), "row"),
        (lambda: ppo.gae(X, X, M, X[0], gamma=1.0, lam=1.0), "last_value"),
        (lambda: ppo.gae(X, X, X, X[:, 0], gamma=1.0, lam=1.0), "dones"),
        (lambda: ppo.gae(X, X, M, X[:, 0], gamma=1.1, lam=1.0), "gamma"),
        (lambda: ppo.whiten(X, ~M), "mask"),
        (lambda: ppo.clipped_policy_loss(X, X, X[0], M), "advantages"),
        (lambda: ppo.clipped_policy_loss(X, X, X, M, clip=0.0), "clip"),
        (lambda: ppo.clip_fraction(X, X, M, clip=-1.0), "clip"),
        (lambda: ppo.approximate_kl(X, X, ~M), "mask"),
        (lambda: ppo.clipped_value_loss(X, X, X, ~M), "mask"),
        (lambda: ppo.mean_entropy(X, M), "mask and logits"),
        (lambda: ppo.optimal_policy(X, X, beta=0.0), "beta"),
        (lambda: ppo.kl_objective(X, X, X[0], beta=1.0), "rewards"),
    ],
)
def test_bad_input(call, named):
    """Errors name the argument."""
    with pytest.raises(ValueError, match=named):
        call()
