"""The preferences reference against torch.distributions, SciPy's optimizer, closed forms, and counting by loops.

Libraries that train with DPO (`trl`, `peft`) are not among the kit's dependencies; their formulas are here as
definitions.
"""

import itertools
import math

import numpy as np
import pytest
import scipy.optimize
import staff_files
import torch
from coursekit.gradcheck import check_vjp
from coursekit.toys import ModelConfig, forward, random_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Categorical, kl_divergence
from torch.nn import functional as F

F64 = torch.float64
SEEDS = st.integers(0, 2**32 - 1)


reference = staff_files.reference("dpo")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def logp_of(rng, *shape):
    return normal(rng, *shape).log_softmax(-1)


def same(got, want, rtol=1e-10, atol=1e-12):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=rtol, atol=atol)


# --- rewards -----------------------------------------------------------------------------------


def test_reward_loss_is_binary_cross_entropy(rng):
    """The label is 1 for every pair, the logit the difference of rewards."""
    chosen, rejected = 30 * normal(rng, 9), 30 * normal(rng, 9)

    want = F.binary_cross_entropy_with_logits(chosen - rejected, torch.ones(9, dtype=F64))

    same(reference.bradley_terry_loss(chosen, rejected), want)
    p = reference.preference_probability(chosen, rejected)
    small = chosen / 30, rejected / 30
    same(reference.preference_probability(*small), torch.stack(small, -1).softmax(-1)[:, 0])
    assert ((p >= 0) & (p <= 1)).all()


@pytest.mark.parametrize("K", [2, 3, 7])
def test_fit_is_the_optimizers(rng, K):
    """SciPy's trust-region method, on the log-likelihood with its Hessian, finds the same rewards."""
    wins = rng.integers(0, 9, size=(K, K)) + np.eye(K)[np.roll(range(K), 1)]  # somebody beats everybody
    np.fill_diagonal(wins, 0)

    def surprise(r):
        return np.sum(wins * np.logaddexp(0, r[None, :] - r[:, None])) + 0.5 * r.sum() ** 2

    def gradient(r):
        p = 1 / (1 + np.exp(r[None, :] - r[:, None]))
        return -(wins - (wins + wins.T) * p).sum(1) + r.sum()

    found = scipy.optimize.minimize(surprise, np.zeros(K), jac=gradient, method="BFGS", options={"gtol": 1e-9})
    fitted = reference.fit_bradley_terry(torch.from_numpy(wins.astype(float)))
    same(fitted, found.x, rtol=1e-5, atol=1e-5)
    in_float32 = reference.fit_bradley_terry(torch.from_numpy(wins.astype(np.float32)))
    assert torch.equal(in_float32, fitted.float())  # computed in float64 all the same


# --- tables ------------------------------------------------------------------------------------


def test_divergence_is_torchs(rng):
    """torch.distributions on dense tables, and by hand where something is impossible."""
    logp, logq = logp_of(rng, 4, 6), logp_of(rng, 4, 6)
    same(reference.kl_divergence(logp, logq), kl_divergence(Categorical(logits=logp), Categorical(logits=logq)))

    p, q = torch.tensor([0.0, 0.25, 0.75], dtype=F64), torch.tensor([0.0, 0.5, 0.5], dtype=F64)
    want = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    same(reference.kl_divergence(p.log(), q.log()), want)
    assert reference.kl_divergence(q.log(), torch.tensor([0.5, 0.5, 0.0], dtype=F64).log()) == math.inf


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, K=st.integers(2, 8), beta=st.floats(0.05, 20))
def test_no_policy_beats_the_optimum(seed, K, beta):
    """J = beta log Z - beta KL(pi || pi*) at random policies; the optimum's own value is beta log Z."""
    rng = np.random.default_rng(seed)
    start, other, reward = logp_of(rng, K), logp_of(rng, K), normal(rng, K)

    best = reference.optimal_policy(start, reward, beta=beta)
    highest = beta * reference.log_partition(start, reward, beta=beta)

    value = reference.kl_regularized_objective(best, start, reward, beta=beta)
    same(value, highest, rtol=1e-9, atol=1e-9)
    value = reference.kl_regularized_objective(other, start, reward, beta=beta)
    gap = beta * kl_divergence(Categorical(logits=other), Categorical(logits=best))
    same(value, highest - gap, rtol=1e-9, atol=1e-9)
    same(best.exp(), (start.exp() * (reward / beta).exp()) / (start.exp() * (reward / beta).exp()).sum())


def test_limits_of_the_price(rng):
    """A high price leaves the reference, a low one goes to the best answer that it knows."""
    start, reward = logp_of(rng, 6), normal(rng, 6)

    same(reference.optimal_policy(start, reward, beta=1e9), start, rtol=1e-7, atol=1e-7)
    assert float(reference.optimal_policy(start, reward, beta=1e-4).exp()[reward.argmax()]) > 1 - 1e-9


# --- log-probabilities of responses ------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(*[st.lists(st.integers(0, 5), min_size=1, max_size=6)] * 2), min_size=1, max_size=5),
    pad=st.integers(0, 5),
    seed=SEEDS,
)
def test_padding_changes_no_response(pairs, pad, seed):
    """Each row of a batch is the pair alone, and its log-probability that of cross-entropy, token by token."""
    rng = np.random.default_rng(seed)
    tokens, mask = reference.collate(*map(list, zip(*pairs, strict=True)), pad=pad)
    logits = normal(rng, *tokens.shape, 6)

    logps = reference.response_logps(logits, tokens, mask)

    for row, (prompt, response) in enumerate(pairs):
        end = len(prompt) + len(response)
        assert tokens[row].tolist() == [*prompt, *response] + [pad] * (tokens.shape[1] - end)
        assert mask[row].nonzero().flatten().tolist() == list(range(len(prompt), end))
        losses = F.cross_entropy(logits[row, len(prompt) - 1 : end - 1], torch.tensor(response), reduction="sum")
        same(logps[row], -losses)


def test_padding_is_not_seen_by_the_model(rng):
    """On the toy transformer a padded batch gives each pair what it gets alone."""
    config = ModelConfig(vocab_size=9, n_layers=2, n_heads=2, n_kv_heads=1, d_model=8, d_k=4)
    weights = random_weights(config, rng)
    prompts, responses = [[1, 2], [3], [4, 5, 6]], [[7, 0], [1, 2, 3, 0], [0]]

    together = reference.model_logps(config, weights, reference.collate(prompts, responses, pad=0))

    for row, (x, y) in enumerate(zip(prompts, responses, strict=True)):
        logp = forward(config, weights, torch.tensor(x + y)).log_softmax(-1)
        same(together[row], sum(float(logp[len(x) + i - 1, token]) for i, token in enumerate(y)))


# --- losses ------------------------------------------------------------------------------------


def test_losses_and_gradients(rng):
    """Closed forms in NumPy, and the formula of the gradient against autograd and finite differences."""
    pairs, beta = [3 * normal(rng, 6) for _ in range(4)], 0.3
    h = ((pairs[0] - pairs[2]) - (pairs[1] - pairs[3])).numpy()
    m = beta * h

    same(reference.dpo_loss(*pairs, beta=beta), np.mean(np.log1p(np.exp(-m))))
    for eps in (0.0, 0.2):
        want = np.mean((1 - eps) * np.log1p(np.exp(-m)) + eps * np.log1p(np.exp(m)))
        same(reference.smoothed_dpo_loss(*pairs, beta=beta, label_smoothing=eps), want)
    same(reference.ipo_loss(*pairs, beta=beta), np.mean((h - 1 / (2 * beta)) ** 2))
    metrics = reference.preference_metrics(*pairs, beta=beta)
    assert metrics["margin"] == pytest.approx(m.mean()) and metrics["accuracy"] == np.mean(m > 0)
    assert metrics["chosen"] - metrics["rejected"] == pytest.approx(metrics["margin"])

    leaves = [x.clone().requires_grad_() for x in pairs]
    loss = reference.dpo_loss(*leaves, beta=beta)
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
    for by_formula, by_autograd in zip(reference.dpo_gradient(*pairs, beta=beta), gradients, strict=False):
        same(by_formula, by_autograd)
    assert gradients[2] is None and gradients[3] is None
    check_vjp(lambda *x: reference.dpo_loss(*x, *pairs[2:], beta=beta), pairs[:2])


def test_losses_end_where_they_say(rng):
    """Smoothed DPO is least at log((1 - eps) / eps), IPO at 1 / (2 beta), by a search over margins."""
    zero = torch.zeros(1, dtype=F64)
    for eps in (0.05, 0.3):
        found = scipy.optimize.minimize_scalar(
            lambda m, eps=eps: float(
                reference.smoothed_dpo_loss(zero + m, zero, zero, zero, beta=1.0, label_smoothing=eps)
            ),
            bounds=(-10, 10),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert found.x == pytest.approx(math.log((1 - eps) / eps), abs=1e-6)
    for beta in (0.1, 0.7):
        found = scipy.optimize.minimize_scalar(
            lambda h, beta=beta: float(reference.ipo_loss(zero + h, zero, zero, zero, beta=beta))
        )
        assert found.x == pytest.approx(1 / (2 * beta), abs=1e-6)


def test_table_is_the_mean_over_samples(rng):
    """The population loss is the expected DPO loss of one pair drawn at random."""
    N, K, beta = 2, 4, 0.6
    logits, start = normal(rng, N, K), logp_of(rng, N, K)
    P = torch.sigmoid(normal(rng, N, K)[:, :, None] - normal(rng, N, K)[:, None, :])
    P = P / (P + P.transpose(1, 2))  # preferences of no reward at all
    logp = logits.log_softmax(-1)

    expected = 0.0
    for x, (i, j) in itertools.product(range(N), itertools.permutations(range(K), 2)):
        pair = [t[x, k][None] for t in (logp, start) for k in (i, j)]
        expected += float(P[x, i, j] * reference.dpo_loss(*pair, beta=beta))

    loss = reference.population_dpo_loss(logits, start, P, beta=beta)
    same(loss, expected / (N * math.comb(K, 2)))
    check_vjp(lambda x: reference.population_dpo_loss(x, start, P, beta=beta), [logits])


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, K=st.integers(2, 5), beta=st.floats(0.1, 3))
def test_table_recovers_the_reward(seed, K, beta):
    """From Bradley-Terry preferences the descent comes to pi*, and its log-ratios to the reward."""
    rng = np.random.default_rng(seed)
    start, reward = logp_of(rng, 1, K), normal(rng, 1, K).tanh()
    P = torch.sigmoid(reward[:, :, None] - reward[:, None, :])

    logp = reference.fit_table(start, P, beta=beta, lr=1.4 * 2 * (K - 1) / beta**2, n_steps=120)

    same(logp, reference.optimal_policy(start, reward, beta=beta), rtol=1e-8, atol=1e-8)
    implicit = beta * (logp - start)
    same(implicit - implicit.mean(), reward - reward.mean(), rtol=1e-8, atol=1e-8)


# --- best of n ---------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(st.integers(0, 5), min_size=2, max_size=4).filter(any),
    ranks=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    n=st.integers(1, 4),
)
def test_best_of_n_by_all_draws(weights, ranks, n):
    """Every possible sequence of n draws, the first of the best kept; and the divergence below its bound."""
    p = torch.tensor(weights, dtype=F64) / sum(weights)
    reward = torch.tensor(ranks[: len(weights)], dtype=F64)
    want = torch.zeros_like(p)
    for draw in itertools.product(range(len(p)), repeat=n):
        want[max(draw, key=lambda i: ranks[i])] += math.prod(float(p[i]) for i in draw)

    q = reference.best_of_n(p, reward, n)

    same(q, want)
    kl = float(reference.kl_divergence(q.log(), p.log()))
    assert -1e-12 <= kl <= reference.best_of_n_kl_bound(n) + 1e-12


def test_bound_is_reached_without_atoms():
    """With ever more equally likely answers the divergence climbs to the bound, for which no answer has a
    probability of its own: the integral of n u^(n-1) log(n u^(n-1)) over [0, 1]."""
    for n in (2, 5, 20):
        gaps = []
        for K in (10, 100, 1000):
            p = torch.full((K,), 1 / K, dtype=F64)
            q = reference.best_of_n(p, torch.arange(K, dtype=F64), n)
            gaps.append(reference.best_of_n_kl_bound(n) - float(reference.kl_divergence(q.log(), p.log())))
        assert gaps[0] > gaps[1] > gaps[2] > 0 and gaps[2] < 0.05
        u = (np.arange(100_000) + 0.5) / 100_000
        density = n * u ** (n - 1)
        assert np.mean(density * np.log(density)) == pytest.approx(reference.best_of_n_kl_bound(n), abs=1e-4)


@pytest.mark.parametrize("N", [1, 5, 9])
def test_estimate_by_all_choices(rng, N):
    """All ways to choose, one by one; and its mean over all samples is the reward of best-of-n."""
    rewards = normal(rng, N)
    for n in range(1, N + 1):
        choices = [max(chosen) for chosen in itertools.combinations(rewards.tolist(), n)]
        same(reference.best_of_n_estimate(rewards, n), np.mean(choices))

    p, reward = torch.tensor([0.2, 0.5, 0.3], dtype=F64), torch.tensor([1.0, 0.0, 4.0], dtype=F64)
    expected = 0.0
    for draw in itertools.product(range(3), repeat=4):
        weight = math.prod(float(p[i]) for i in draw)
        expected += weight * float(reference.best_of_n_estimate(reward[list(draw)], 2))
    assert expected == pytest.approx(float((reference.best_of_n(p, reward, 2) * reward).sum()))


# --- adapters and training ---------------------------------------------------------------------


def test_adapters(rng):
    """nn.Linear beside two thin ones; the gradient of a new adapter is zero in A and not in B."""
    x, weight, noise = normal(rng, 4, 6), normal(rng, 6, 5), normal(rng, 6, 2)
    A, B = reference.new_adapter(weight, noise)
    assert torch.equal(reference.lora_linear(x, weight, A, B, alpha=4.0), x @ weight)
    same(A * math.sqrt(6), noise)
    leaves = [A.requires_grad_(), B.requires_grad_()]
    gradients = torch.autograd.grad(reference.lora_linear(x, weight, *leaves, alpha=4.0).square().sum(), leaves)
    assert not gradients[0].any() and gradients[1].all()

    A, B = normal(rng, 6, 3), normal(rng, 3, 5)
    base, down, up = (torch.nn.Linear(*s, bias=False, dtype=F64) for s in ((6, 5), (6, 3), (3, 5)))
    for layer, matrix in ((base, weight), (down, A), (up, B)):
        layer.weight.data = matrix.T.clone()
    want = base(x) + 4.0 / 3 * up(down(x))
    same(reference.lora_linear(x, weight, A, B, alpha=4.0), want.detach())
    merged = reference.adapted_weights({"W": weight, "b": x}, {"W": (A, B)}, alpha=4.0)
    same(x @ merged["W"], want.detach())
    assert torch.equal(merged["b"], x)


def test_training_is_sgd(rng):
    """torch.optim.SGD on the same adapters, with a loss written out token by token, takes the same path."""
    config = ModelConfig(vocab_size=9, n_layers=1, n_heads=2, n_kv_heads=1, d_model=6, d_k=4)
    weights = random_weights(config, rng)
    kept = {name: weight.clone() for name, weight in weights.items()}
    prompts, beta, alpha, lr = [[1], [2, 3]], 0.5, 3.0, 0.3
    answers = [[[4, 0], [5, 6, 0]], [[7, 8, 0], [0]]]  # chosen, rejected
    batches = [reference.collate(prompts, responses, pad=0) for responses in answers]
    name = "blocks.0.W_V"
    start = {name: (normal(rng, 6, 2), normal(rng, 2, 4))}

    adapters, history = reference.train_dpo(config, weights, start, *batches, alpha=alpha, beta=beta, lr=lr, n_steps=5)

    A, B = (torch.nn.Parameter(factor.clone()) for factor in start[name])
    optimizer = torch.optim.SGD([A, B], lr=lr)

    def logp(w, x, y):
        out = forward(config, w, torch.tensor(x + y)).log_softmax(-1)
        return sum(out[len(x) + i - 1, token] for i, token in enumerate(y))

    for step in history:
        policy = {**weights, name: weights[name] + alpha / 2 * A @ B}
        margins = []
        for x, good, bad in zip(prompts, *answers, strict=True):
            ratios = [logp(policy, x, y) - logp(weights, x, y) for y in (good, bad)]
            margins.append(beta * (ratios[0] - ratios[1]))
        loss = torch.stack([torch.log1p(torch.exp(-m)) for m in margins]).mean()
        assert step["loss"] == pytest.approx(loss.item(), rel=1e-9)
        assert step["margin"] == pytest.approx(sum(margins).item() / 2, rel=1e-9, abs=1e-12)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    same(adapters[name][0], A.detach(), rtol=1e-9)
    same(adapters[name][1], B.detach(), rtol=1e-9)
    assert all(torch.equal(weights[key], kept[key]) for key in weights)
    assert not any(factor.requires_grad for factor in adapters[name])


# --- bad input ---------------------------------------------------------------------------------

ONE = torch.ones(2, dtype=F64)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: reference.fit_bradley_terry(torch.ones(2, 3)), "wins"),
        (lambda: reference.fit_bradley_terry(torch.ones(2, 2)), "wins"),
        (lambda: reference.fit_bradley_terry(-torch.ones(2, 2)), "wins"),
        (lambda: reference.fit_bradley_terry(torch.tensor([[0.0, 1], [0, 0]])), "never loses"),
        (lambda: reference.log_partition(ONE, ONE, beta=0.0), "beta"),
        (lambda: reference.optimal_policy(ONE, ONE, beta=-1.0), "beta"),
        (lambda: reference.kl_regularized_objective(ONE, ONE, ONE, beta=0), "beta"),
        (lambda: reference.collate([[1]], [[]], pad=0), "prompts and responses"),
        (lambda: reference.collate([], [], pad=0), "prompts and responses"),
        (lambda: reference.collate([[1], [2]], [[1]], pad=0), "prompts and responses"),
        (lambda: reference.response_logps(torch.ones(3, 4), torch.ones(2), torch.ones(2)), "logits"),
        (lambda: reference.implicit_reward(ONE, ONE, beta=0), "beta"),
        (lambda: reference.dpo_loss(ONE, ONE, ONE, ONE[:1], beta=1), "four log-probabilities"),
        (lambda: reference.dpo_gradient(ONE[:0], ONE[:0], ONE[:0], ONE[:0], beta=1), "four log-prob"),
        (lambda: reference.preference_metrics(ONE, ONE, ONE, ONE, beta=math.nan), "beta"),
        (lambda: reference.smoothed_dpo_loss(*[ONE] * 4, beta=1, label_smoothing=0.5), "label_smoothing"),
        (lambda: reference.ipo_loss(*[ONE[:, None]] * 4, beta=1), "four log-probabilities"),
        (lambda: reference.population_dpo_loss(ONE[None], ONE[None], torch.ones(1, 2, 3), beta=1), "pref"),
        (lambda: reference.fit_table(ONE[None], torch.ones(2, 2), beta=1, lr=1, n_steps=1), "preferences"),
        (lambda: reference.best_of_n(ONE / 2, ONE, 0), "n must"),
        (lambda: reference.best_of_n_kl_bound(0), "n must"),
        (lambda: reference.best_of_n_estimate(ONE, 3), "n must"),
        (lambda: reference.new_adapter(torch.ones(3, 2), torch.ones(2, 1)), "noise"),
        (lambda: reference.adapted_weights({}, {"W": (ONE, ONE)}, alpha=1), "adapters"),
        (
            lambda: reference.train_dpo(ModelConfig(), {}, {}, (), (), alpha=1.0, beta=0.0, lr=0.1, n_steps=1),
            "beta",
        ),
    ],
)
def test_bad_input(call, named):
    """Errors name the argument."""
    with pytest.raises(ValueError, match=named):
        call()
