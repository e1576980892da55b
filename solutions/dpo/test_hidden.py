"""Graded checks of the preferences assignment.

Tables are small and exact: sums over all responses, no sampling. Each task is checked on inputs made here or by
the reference; only `train_dpo` needs tasks 3, 4 and 8 to work. Inputs are float64 unless a check is about
another dtype.
"""

import itertools
import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.toys import ModelConfig, random_weights

F64 = torch.float64


def normal(generator, *shape, dtype=F64):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64).to(dtype)


def random_logp(generator, *shape, spread=1.0, dtype=F64):
    """Log-probabilities of random distributions along the last axis."""
    return (spread * normal(generator, *shape)).log_softmax(-1).to(dtype)


def with_zeros(logp, places):
    """The same distributions without some of the responses."""
    logp = logp.clone()
    logp[..., places] = -math.inf
    return logp.log_softmax(-1)


def random_pairs(generator, n, *, scale=3.0, dtype=F64):
    """log pi and log pi_ref of n chosen and n rejected responses: four tensors of shape (n,)."""
    return [(-12 + scale * normal(generator, n)).to(dtype) for _ in range(4)]


def log_sigmoid(x):
    """By definition, where nothing overflows."""
    return -torch.log1p(torch.exp(-x))


# --- Task 1: from comparisons to rewards -------------------------------------------------------


@number("1.1")
@weight(2)
@tags("bradley_terry")
@pytest.mark.parametrize("scale", [1.0, 2000.0], ids=["ordinary", "huge rewards"])
def test_preferences_depend_on_the_difference(agree, torch_rng, scale):
    """The probability depends on the difference of rewards only, and those of the two orders add up to 1."""
    reward = scale * normal(torch_rng, 2, 5)

    p = agree("preference_probability", reward[:, :, None], reward[:, None, :])
    shifted = agree("preference_probability", reward[:, :, None] + 3 * scale, reward[:, None, :] + 3 * scale)

    assert_close(p + p.transpose(-1, -2), torch.ones_like(p), name="probabilities of the two orders")
    assert_close(shifted, p, name="probabilities after a shift of all rewards")


@number("1.2")
@weight(2)
@tags("bradley_terry")
@pytest.mark.parametrize(
    ("scale", "dtype"),
    [
        pytest.param(1.0, F64, id="ordinary"),
        pytest.param(2000.0, F64, id="huge rewards"),
        pytest.param(1.0, torch.float32, id="float32"),
    ],
)
def test_the_loss_is_the_mean_surprise(agree, torch_rng, scale, dtype):
    """The loss is the mean of -log P(chosen > rejected), finite for any rewards, and so are its gradients."""
    chosen, rejected = scale * normal(torch_rng, 7), scale * normal(torch_rng, 7)
    chosen[0], rejected[0] = rejected[0] - scale, chosen[0] + scale  # one that is surely the wrong way round
    chosen, rejected = chosen.to(dtype), rejected.to(dtype)
    cotangent = torch.tensor(1.5, dtype=dtype)

    agree("bradley_terry_loss", chosen, rejected)
    agree.vjp("bradley_terry_loss", chosen, rejected, wrt=(0, 1), cotangent=cotangent)


@number("1.3")
@weight(2)
@tags("bradley_terry")
@pytest.mark.parametrize("K", [2, 3, 6])
def test_the_fit_makes_the_comparisons_most_probable(agree, rng, K):
    """For any counts the rewards add up to 0, and expected and counted wins are the same for each item."""
    wins = rng.integers(1, 20, size=(K, K)).astype(float)
    wins[range(K), range(K)] = 0
    wins = torch.from_numpy(wins)

    # The docstring promises seven digits: an iteration stops, and where it stops is the student's choice.
    r = agree("fit_bradley_terry", wins, tol=(1e-6, 1e-6))

    expected = (wins + wins.T) * torch.sigmoid(r[:, None] - r[None, :])
    expected.fill_diagonal_(0)
    assert_close(expected.sum(1), wins.sum(1), rtol=1e-5, atol=1e-5, name="expected wins")


@number("1.4")
@weight(2)
@tags("bradley_terry")
@pytest.mark.parametrize("case", ["everybody plays", "a ring"])
def test_the_fit_recovers_rewards(agree, rng, torch_rng, case):
    """From wins exactly as often as expected it returns the rewards they came from, less their mean; not all
    need have played each other, nor equally often."""
    r = normal(torch_rng, 5)
    games = torch.from_numpy(rng.integers(1, 30, size=(5, 5)).astype(float)).triu(1)
    if case == "a ring":
        met = torch.eye(5, dtype=F64).roll(1, 1)
        games = games * (met + met.T)
    games = games + games.T

    wins = games * torch.sigmoid(r[:, None] - r[None, :])
    got = agree("fit_bradley_terry", wins, tol=(1e-6, 1e-6))  # as in 1.3

    assert_close(got, r - r.mean(), rtol=1e-6, atol=1e-6, name="rewards")


# --- Task 2: the best policy near the reference ------------------------------------------------


@number("2.1")
@weight(2)
@tags("optimum")
@pytest.mark.parametrize("beta", [0.05, 1.0, 7.0])
@pytest.mark.parametrize("scale", [1.0, 5000.0], ids=["ordinary", "huge rewards"])
def test_log_partition_weighs_by_the_reference(agree, torch_rng, beta, scale):
    """log Z is the log of the reference's mean of exp(r / beta); a constant in the reward comes out as
    constant / beta."""
    reference_logp = with_zeros(random_logp(torch_rng, 3, 6), [2])
    reward, constant = scale * normal(torch_rng, 3, 6), normal(torch_rng, 3)

    log_z = agree("log_partition", reference_logp, reward, beta=beta)
    moved = agree("log_partition", reference_logp, reward + constant[:, None], beta=beta)

    assert_close(moved - log_z, constant / beta, rtol=1e-6, atol=1e-6, name="shift of log Z")
    agree("log_partition", reference_logp[0], reward[0], beta=beta)


@number("2.2")
@weight(3)
@tags("optimum")
@pytest.mark.parametrize("beta", [0.05, 1.0, 7.0])
def test_the_optimum_tilts_the_reference(agree, torch_rng, beta):
    """pi* is the reference times exp(r / beta), normalised; adding to all rewards of a prompt changes
    nothing, and what the reference never does stays impossible."""
    reference_logp = with_zeros(random_logp(torch_rng, 2, 3, 6, spread=2.0), [0, 4])
    reward, constant = normal(torch_rng, 2, 3, 6), normal(torch_rng, 2, 3, 1)

    best = agree("optimal_policy", reference_logp, reward, beta=beta)
    same = agree("optimal_policy", reference_logp, reward + constant, beta=beta)

    assert_close(same, best, name="optimum after adding a constant to each prompt's rewards")
    assert_close(best.exp().sum(-1), torch.ones(2, 3, dtype=F64), name="sum of probabilities")


@number("2.3")
@weight(3)
@tags("optimum")
@pytest.mark.parametrize("case", ["dense", "p has zeros", "both have zeros", "q has zeros"])
def test_divergence_is_seen_from_p(agree, torch_rng, case):
    """KL(p || q) is the mean of log p/q under p: what p never does adds nothing, and what only q rules out
    makes it infinite."""
    logp, logq = random_logp(torch_rng, 2, 3, 5), random_logp(torch_rng, 2, 3, 5)
    if case in ("p has zeros", "both have zeros"):
        logp = with_zeros(logp, [1, 3])
    if case == "both have zeros":
        logq = with_zeros(logq, [3])
    if case == "q has zeros":
        logq = with_zeros(logq, [2])

    kl = agree("kl_divergence", logp, logq)
    agree("kl_divergence", logp[0, 0], logp[0, 0])

    assert bool((kl > 0).all())
    assert bool(kl.isinf().all()) == (case == "q has zeros")


def objective_run(impl, logp, reference_logp, reward, beta, kl):
    """The objective with a given divergence, and what that was asked."""
    asked = []

    def counted(p, q):
        asked.append([p, q])
        return kl(p, q)

    return impl.kl_regularised_objective(logp, reference_logp, reward, beta=beta, kl=counted), asked


@number("2.4")
@weight(3)
@tags("optimum")
@pytest.mark.parametrize("beta", [0.1, 3.0])
def test_objective_falls_short_of_its_maximum_by_a_divergence(agree, reference, torch_rng, beta):
    """J(pi) = beta log Z - beta KL(pi || pi*), exactly, for any policy: so pi* is best, and by how much is
    known."""
    reference_logp, logp = random_logp(torch_rng, 3, 6), with_zeros(random_logp(torch_rng, 3, 6), [1])
    reward = normal(torch_rng, 3, 6)

    value, _ = agree(objective_run, logp, reference_logp, reward, beta, reference.kl_divergence)

    best = reference.optimal_policy(reference_logp, reward, beta=beta)
    highest = beta * reference.log_partition(reference_logp, reward, beta=beta)
    assert_close(value, highest - beta * reference.kl_divergence(logp, best), name="objective")


# --- Task 3: the log-probability of a response -------------------------------------------------


@number("3.1")
@weight(3)
@tags("logps")
@pytest.mark.parametrize("pad", ["unused", "eos", "any token"])
def test_the_mask_marks_the_response(agree, rng, pad):
    """True from the first token of the response to its last, eos included, whatever the padding's id is."""
    lengths = rng.permutation([1, 2, 4]), rng.permutation([1, 3, 5])
    prompts, responses = ([rng.integers(3, 9, size=n).tolist() for n in group] for group in lengths)
    eos = 2
    responses = [[*response, eos] for response in responses]
    filler = {"unused": 0, "eos": eos, "any token": responses[0][0]}[pad]

    _, mask = agree("collate", prompts, responses, pad=filler)
    agree("collate", prompts[:1], responses[:1], pad=filler)

    assert mask.sum(-1).tolist() == [len(response) for response in responses]


def marked(rng, *shape):
    """A mask that is True in one stretch of each row, of any length, anywhere; never at the first token."""
    T = shape[-1]
    mask = torch.zeros(math.prod(shape[:-1]), T, dtype=torch.bool)
    for row in mask:
        start, stop = sorted(rng.choice(range(1, T + 1), size=2, replace=False).tolist())
        row[start:stop] = True
    return mask.reshape(shape)


@number("3.2")
@weight(4)
@tags("logps")
@pytest.mark.parametrize(
    ("lead", "T", "dtype", "scale"),
    [
        pytest.param((), 5, F64, 1.0, id="one sequence"),
        pytest.param((4,), 7, F64, 1.0, id="batch"),
        pytest.param((2, 3), 6, F64, 1.0, id="batch of batches"),
        pytest.param((3,), 6, torch.float32, 1.0, id="float32"),
        pytest.param((3,), 6, F64, 2000.0, id="large logits"),
    ],
)
def test_logps_sum_over_the_response(agree, rng, torch_rng, lead, T, dtype, scale):
    """Each marked token is judged by the logits one position before it; the rest, whatever it holds, counts
    for nothing."""
    logits = scale * normal(torch_rng, *lead, T, 8, dtype=dtype)
    tokens = torch.from_numpy(rng.integers(0, 8, size=(*lead, T)))
    mask = marked(rng, *lead, T)

    logps = agree("response_logps", logits, tokens, mask)
    everywhere = torch.ones_like(mask)
    agree("response_logps", logits, tokens, everywhere)  # the first token is marked too

    # Only what the mask marks is read: other logits that predict it, other tokens, numbers that are no token.
    hidden = tokens.masked_fill(~mask, -100)
    predicts = torch.cat([mask[..., 1:], torch.zeros_like(mask[..., :1])], -1)
    other = torch.where(predicts[..., None], logits, normal(torch_rng, *lead, T, 8, dtype=dtype))
    assert_close(agree("response_logps", other, hidden, mask), logps, name="logps")
    agree("response_logps", logits[..., :1, :], tokens[..., :1], everywhere[..., :1])


@number("3.3")
@weight(2)
@tags("logps")
@pytest.mark.parametrize("scale", [1.0, 500.0], ids=["ordinary", "large logits"])
def test_gradients_reach_the_logits_that_predict(agree, rng, torch_rng, scale):
    """The gradient at each position that predicts a marked token is one-hot minus probabilities, and 0
    elsewhere."""
    logits, tokens = scale * normal(torch_rng, 3, 6, 5), torch.from_numpy(rng.integers(0, 5, size=(3, 6)))
    mask = marked(rng, 3, 6)
    cotangent = normal(torch_rng, 3)

    agree.vjp("response_logps", logits, tokens, mask, wrt=(0,), cotangent=cotangent)


# --- Task 4: the DPO loss ----------------------------------------------------------------------


@number("4.1")
@weight(2)
@tags("dpo")
@pytest.mark.parametrize("shape", [(6,), (2, 3)], ids=str)
def test_implicit_reward_is_a_scaled_log_ratio(agree, reference, torch_rng, shape):
    """beta times the log-ratio, with no gradient in the reference; for pi* it is the reward less beta log Z."""
    policy, data, cotangent = (normal(torch_rng, *shape) for _ in range(3))

    agree("implicit_reward", policy, data, beta=0.3)
    agree.vjp("implicit_reward", policy, data, wrt=(0, 1), cotangent=cotangent, beta=0.3)

    logp, reward = random_logp(torch_rng, 2, 5), normal(torch_rng, 2, 5)
    best = reference.optimal_policy(logp, reward, beta=0.3)
    log_z = reference.log_partition(logp, reward, beta=0.3)
    got = agree("implicit_reward", best, logp, beta=0.3)
    assert_close(got, reward - 0.3 * log_z[:, None], name="implicit reward of pi*")


@number("4.2")
@weight(4)
@tags("dpo")
@pytest.mark.parametrize(
    ("n", "scale", "dtype"),
    [
        pytest.param(1, 3.0, F64, id="one pair"),
        pytest.param(6, 3.0, F64, id="pairs"),
        pytest.param(6, 20000.0, F64, id="huge margins"),
        pytest.param(6, 3.0, torch.float32, id="float32"),
    ],
)
def test_dpo_loss_compares_rewards_inside_the_sigmoid(agree, torch_rng, n, scale, dtype):
    """-log sigma of beta times the difference of log-ratios, mean over pairs: log 2 at the reference, finite
    everywhere; what all responses to a prompt share cancels."""
    chosen, rejected, ref_chosen, ref_rejected = random_pairs(torch_rng, n, scale=scale, dtype=dtype)
    shared = normal(torch_rng, n, dtype=dtype)

    for beta in (0.1, 2.0):
        agree("dpo_loss", chosen, rejected, ref_chosen, ref_rejected, beta=beta)
        agree("dpo_loss", chosen + shared, rejected + shared, ref_chosen, ref_rejected, beta=beta)
        # one pair that is surely the wrong way round
        worst = torch.minimum(chosen, rejected) - scale, torch.maximum(chosen, rejected) + scale
        agree("dpo_loss", *worst, ref_chosen, ref_rejected, beta=beta)
    at_reference = agree("dpo_loss", chosen, rejected, chosen, rejected, beta=0.1)

    assert_close(at_reference, torch.tensor(math.log(2), dtype=dtype), name="loss at the reference")


@number("4.3")
@weight(3)
@tags("dpo")
@pytest.mark.parametrize("scale", [3.0, 20000.0], ids=["ordinary", "huge margins"])
def test_gradients_push_by_how_wrong_a_pair_is(agree, torch_rng, scale):
    """The loss's gradient is -beta/M sigma(-m) in the chosen, the opposite in the rejected, and nothing in
    the reference."""
    pairs, beta = random_pairs(torch_rng, 6, scale=scale), 0.2
    cotangent = torch.tensor(1.5, dtype=F64)

    got = agree.vjp("dpo_loss", *pairs, wrt=(0, 1, 2, 3), cotangent=cotangent, beta=beta)

    margin = beta * ((pairs[0] - pairs[2]) - (pairs[1] - pairs[3]))
    assert_close(got[1], 1.5 * beta * torch.sigmoid(-margin) / 6, name="gradient in policy_rejected")


@number("4.4")
@weight(2)
@tags("dpo")
@pytest.mark.parametrize("n", [1, 5])
def test_gradient_by_formula(agree, torch_rng, n):
    """The formula is the gradient: opposite for chosen and rejected, largest for the pair that is most
    wrong."""
    pairs = random_pairs(torch_rng, n)

    for beta in (0.1, 2.0):
        in_chosen, in_rejected = agree("dpo_gradient", *pairs, beta=beta)

        assert_close(in_rejected, -in_chosen, name="gradient in policy_rejected")
        assert bool((in_chosen < 0).all())


@number("4.5")
@weight(2)
@tags("dpo")
@pytest.mark.parametrize("beta", [0.1, 3.0])
def test_metrics_are_about_implicit_rewards(agree, torch_rng, beta):
    """Means of the implicit rewards and of their margin; a pair is in order if its margin is above 0, and a
    tie is not."""
    chosen, rejected, ref_chosen, ref_rejected = random_pairs(torch_rng, 9)
    rejected[:2], ref_rejected[:2] = chosen[:2], ref_chosen[:2]  # two ties
    # one that is in order for the policy alone, not beside the reference; and two the other way round
    chosen[2], rejected[2], ref_chosen[2], ref_rejected[2] = -5.0, -6.0, -3.0, -8.0
    chosen[3:5], rejected[3:5], ref_chosen[3:5], ref_rejected[3:5] = -6.0, -5.0, -8.0, -3.0

    agree("preference_metrics", chosen, rejected, ref_chosen, ref_rejected, beta=beta)
    at_reference = agree("preference_metrics", chosen, rejected, chosen, rejected, beta=beta)

    assert at_reference["accuracy"] == 0 and at_reference["margin"] == 0


# --- Task 5: when labels are wrong or too sure -------------------------------------------------


def pairs_with_margins(generator, margins, beta):
    """Four log-probabilities with the given margins m = beta h."""
    chosen, rejected, ref_chosen, _ = random_pairs(generator, len(margins))
    return chosen, rejected, ref_chosen, margins / beta - chosen + rejected + ref_chosen


@number("5.1")
@weight(4)
@tags("variants")
@pytest.mark.parametrize("eps", [0.0, 0.1, 0.4])
def test_smoothing_doubts_the_labels(agree, torch_rng, eps):
    """A share eps of each pair counts the other way round, so the loss is least at the margin
    log((1 - eps) / eps), where its gradient is 0."""
    cotangent = torch.tensor(1.5, dtype=F64)
    for scale in (3.0, 20000.0):
        pairs = random_pairs(torch_rng, 5, scale=scale)
        options = {"beta": 0.2, "label_smoothing": eps}
        agree("smoothed_dpo_loss", *pairs, **options)
        agree.vjp("smoothed_dpo_loss", *pairs, wrt=(0, 1, 2, 3), cotangent=cotangent, **options)
    if eps:
        best = torch.full((4,), math.log((1 - eps) / eps), dtype=F64)
        pairs = pairs_with_margins(torch_rng, best, 0.2)
        gradients = agree.vjp("smoothed_dpo_loss", *pairs, wrt=(0, 1), cotangent=cotangent, **options)
        assert_close(gradients[0], torch.zeros(4, dtype=F64), name="gradient at the best margin")


@number("5.2")
@weight(4)
@tags("variants")
@pytest.mark.parametrize("beta", [0.05, 0.2, 1.3])
def test_ipo_has_a_finite_target(agree, torch_rng, beta):
    """The squared distance of the difference of log-ratios from 1 / (2 beta), mean over pairs, with no
    gradient in the reference; 0 once every pair is there."""
    pairs, cotangent = random_pairs(torch_rng, 5), torch.tensor(1.5, dtype=F64)

    agree("ipo_loss", *pairs, beta=beta)
    agree.vjp("ipo_loss", *pairs, wrt=(0, 1, 2, 3), cotangent=cotangent, beta=beta)

    arrived = pairs_with_margins(torch_rng, torch.full((4,), 0.5, dtype=F64), beta)
    assert_close(float(agree("ipo_loss", *arrived, beta=beta)), 0.0, name="loss at the target")


# --- Task 6: DPO on a table finds the optimum --------------------------------------------------


def preferences_of(reward):
    """Bradley-Terry preferences of all pairs, (N, K, K)."""
    return torch.sigmoid(reward[:, :, None] - reward[:, None, :])


@number("6.1")
@weight(3)
@tags("table")
@pytest.mark.parametrize(("N", "K"), [(1, 2), (3, 4)])
def test_population_loss_counts_each_pair_once(agree, torch_rng, N, K):
    """The mean over prompts and over pairs of the expected loss; the policy's normaliser cancels, and the
    diagonal does not count."""
    logits, reference_logp = normal(torch_rng, N, K), random_logp(torch_rng, N, K)
    preferences = preferences_of(2 * normal(torch_rng, N, K))
    preferences.diagonal(dim1=1, dim2=2)[:] = normal(torch_rng, N, K)

    loss = agree("population_dpo_loss", logits, reference_logp, preferences, beta=0.7)
    agree.vjp(
        "population_dpo_loss",
        logits,
        reference_logp,
        preferences,
        wrt=(0, 1),
        cotangent=torch.tensor(1.5, dtype=F64),
        beta=0.7,
    )

    total = torch.zeros((), dtype=F64)
    for x, i, j in itertools.product(range(N), range(K), range(K)):
        if i != j:
            h = (logits[x, i] - reference_logp[x, i]) - (logits[x, j] - reference_logp[x, j])
            total -= preferences[x, i, j] * log_sigmoid(0.7 * h)
    assert_close(loss, total / (N * math.comb(K, 2)), name="loss")
    # certain preferences and margins of any size
    certain = (preferences_of(normal(torch_rng, N, K)) > 0.5).double()
    agree("population_dpo_loss", 9000 * normal(torch_rng, N, K), reference_logp, certain, beta=0.7)


@number("6.2")
@weight(2)
@tags("table")
@pytest.mark.parametrize("n_steps", [0, 1, 5])
def test_descent_starts_at_the_reference(agree, torch_rng, n_steps):
    """Step by step the same path; none leaves the reference as it is."""
    reference_logp, beta = random_logp(torch_rng, 3, 4, spread=2.0), 0.5
    preferences = preferences_of(normal(torch_rng, 3, 4))

    logp = agree("fit_table", reference_logp, preferences, beta=beta, lr=4.0, n_steps=n_steps)

    assert_close(logp.exp().sum(-1), torch.ones(3, dtype=F64), name="sum of probabilities")
    if n_steps == 0:
        assert_close(logp, reference_logp, name="policy after no step")


@number("6.3")
@weight(3)
@tags("table")
@pytest.mark.parametrize("beta", [0.2, 1.0])
def test_dpo_recovers_reward_and_optimum(agree, reference, torch_rng, beta):
    """With the preferences of a reward r, the policy converges to pi* of that r, and its implicit reward to r
    up to a constant for each prompt: no reward was ever given."""
    N, K = 2, 4
    # rewards in [-1, 1], so that no preference is more certain than sigma(2) = 0.88
    reference_logp, reward = random_logp(torch_rng, N, K), normal(torch_rng, N, K).tanh()
    # The Hessian's eigenvalues are at most h = beta² / (2 N (K - 1)) and, near the minimum, at least
    # 4 sigma'(2) h = 0.42 h. So a step of 1.4 / h leaves at most 0.41 of the distance.
    lr = 1.4 * 2 * N * (K - 1) / beta**2

    logp = agree("fit_table", reference_logp, preferences_of(reward), beta=beta, lr=lr, n_steps=120)

    assert_close(logp, reference.optimal_policy(reference_logp, reward, beta=beta), name="policy")
    implicit = beta * (logp - reference_logp)
    recovered = implicit - implicit.mean(-1, keepdim=True)
    assert_close(recovered, reward - reward.mean(-1, keepdim=True), name="recovered reward")


# --- Task 7: best of n -------------------------------------------------------------------------


def brute_force_best_of_n(p, reward, n):
    """All ways to draw n, with the first of the best kept."""
    q = torch.zeros_like(p)
    for draw in itertools.product(range(len(p)), repeat=n):
        best = max(draw, key=lambda i: float(reward[i]))  # max keeps the first of equals
        q[best] += math.prod(float(p[i]) for i in draw)
    return q


@number("7.1")
@weight(4)
@tags("best_of_n")
@pytest.mark.parametrize("n", [1, 2, 4, 50])
@pytest.mark.parametrize("case", ["distinct", "ties", "zeros"])
def test_best_of_n_is_exact(agree, rng, torch_rng, case, n):
    """The probability of each answer to be the one kept, by all possible draws: ties go to the one drawn
    first, and what is never drawn is never kept."""
    p, reward = random_logp(torch_rng, 2, 5).exp(), normal(torch_rng, 2, 5)
    if case != "distinct":
        reward = torch.from_numpy(rng.permuted([[0.0, 1.0, 1.0, 2.0, 2.0]] * 2, axis=1))
    if case == "zeros":
        p[:, 2] = 0
        p[reward == 1] = 0  # a whole group that is never drawn
        p = p / p.sum(-1, keepdim=True)

    q = agree("best_of_n", p, reward, n)

    assert_close(q.sum(-1), torch.ones(2, dtype=F64), name="sum of probabilities")
    if n <= 4:
        assert_close(q[0], brute_force_best_of_n(p[0], reward[0], n), name="probabilities")


@number("7.2")
@weight(2)
@tags("best_of_n")
@pytest.mark.parametrize("K", [3, 400])
def test_divergence_stays_below_its_bound(agree, reference, torch_rng, K):
    """KL(best-of-n || reference) never exceeds log n - (n - 1) / n, comes near it where no single answer is
    likely, and ends at -log p(best)."""
    p, reward = random_logp(torch_rng, K, spread=0.3).exp(), normal(torch_rng, K)

    for n in (1, 2, 7, 1000):
        bound = agree("best_of_n_kl_bound", n)
        q = agree("best_of_n", p, reward, n)
        assert float(reference.kl_divergence(q.log(), p.log())) <= bound + 1e-9


@number("7.3")
@weight(2)
@tags("best_of_n")
@pytest.mark.parametrize(("N", "n"), [(1, 1), (6, 1), (6, 3), (6, 6), (60, 16)])
def test_estimate_averages_over_all_choices(agree, torch_rng, N, n):
    """The mean, over all ways to choose n of the N rewards, of the highest among them; ties do no harm."""
    rewards = normal(torch_rng, 3, N)
    rewards[0] = rewards[0].round()

    got = agree("best_of_n_estimate", rewards, n)
    agree("best_of_n_estimate", rewards[1], n)

    if N <= 6:
        choices = [rewards[:, list(chosen)].amax(-1) for chosen in itertools.combinations(range(N), n)]
        assert_close(got, torch.stack(choices).mean(0), name="estimate")


# --- Task 8: low-rank adapters -----------------------------------------------------------------


@number("8.1")
@weight(2)
@tags("lora")
@pytest.mark.parametrize(
    ("d_in", "d_out", "rank", "dtype"), [(6, 4, 2, F64), (3, 7, 1, F64), (5, 5, 3, torch.float32)]
)
def test_a_new_adapter_changes_nothing(agree, reference, torch_rng, d_in, d_out, rank, dtype):
    """A is random and B is zero: the product is exactly zero, while the gradient in B is not."""
    weight = normal(torch_rng, d_in, d_out, dtype=dtype)

    A, B = agree("new_adapter", weight, normal(torch_rng, d_in, rank, dtype=dtype))

    x = normal(torch_rng, 3, d_in, dtype=dtype)
    assert torch.equal(reference.lora_linear(x, weight, A, B, alpha=3.0), x @ weight)


@number("8.2")
@weight(3)
@tags("lora")
@pytest.mark.parametrize(("rank", "alpha"), [(1, 3.0), (3, 5.0), (4, 1.0)])
@pytest.mark.parametrize("lead", [(), (2, 3)], ids=str)
def test_an_adapted_layer_adds_a_scaled_correction(agree, torch_rng, lead, rank, alpha):
    """x W + (alpha / rank) x A B, with gradients in x, A and B and none in W."""
    x, weight = normal(torch_rng, *lead, 5), normal(torch_rng, 5, 4)
    A, B = normal(torch_rng, 5, rank), normal(torch_rng, rank, 4)
    cotangent = normal(torch_rng, *lead, 4)

    agree("lora_linear", x, weight, A, B, alpha=alpha)
    agree("lora_linear", x, weight, A, torch.zeros_like(B), alpha=alpha)
    agree.vjp("lora_linear", x, weight, A, B, wrt=(0, 1, 2, 3), cotangent=cotangent, alpha=alpha)


@number("8.3")
@weight(2)
@tags("lora")
@pytest.mark.parametrize(("rank", "alpha"), [(1, 3.0), (3, 5.0)])
def test_merging_equals_adding(agree, reference, torch_rng, rank, alpha):
    """A merged weight does what weight and adapter do together; the other weights are the base's, and the base
    gets no gradient."""
    weights = {"W_Q": normal(torch_rng, 5, 4), "W_V": normal(torch_rng, 5, 6), "b": normal(torch_rng, 6)}
    adapters = {"W_V": (normal(torch_rng, 5, rank), normal(torch_rng, rank, 6))}
    cotangent = {name: normal(torch_rng, *weight.shape) for name, weight in weights.items()}

    merged = agree("adapted_weights", weights, adapters, alpha=alpha)
    agree("adapted_weights", weights, {}, alpha=alpha)
    agree.vjp("adapted_weights", weights, adapters, wrt=(0, 1), cotangent=cotangent, alpha=alpha)

    x = normal(torch_rng, 3, 5)
    added = reference.lora_linear(x, weights["W_V"], *adapters["W_V"], alpha=alpha)
    assert_close(x @ merged["W_V"], added, name="output of the merged layer")


# --- Task 9: a small model learns preferences --------------------------------------------------

SIZE = ModelConfig(vocab_size=9, n_layers=1, n_heads=2, n_kv_heads=1, d_model=6, d_k=4, max_len=16)


def random_batches(reference, rng, n):
    """Chosen and rejected responses to the same n prompts, of different lengths, as `collate` gives them."""
    prompts = [rng.integers(0, 9, size=int(k)).tolist() for k in rng.integers(1, 4, size=n)]
    batches = []
    for _ in range(2):
        responses = [rng.integers(0, 9, size=int(k)).tolist() for k in rng.integers(1, 6, size=n)]
        batches.append(reference.collate(prompts, responses, pad=0))
    return batches


def random_adapters(reference, torch_rng, weights, *, rank=2, fresh=True):
    """Adapters of the query and the first MLP matrix: new ones, or some that have been trained."""
    adapters = {}
    for name in ("blocks.0.W_Q", "blocks.0.W_1"):
        A, B = reference.new_adapter(weights[name], normal(torch_rng, len(weights[name]), rank))
        adapters[name] = (A, B if fresh else 0.3 * normal(torch_rng, *B.shape))
    return adapters


OPTIONS = {"alpha": 3.0, "beta": 0.4, "lr": 0.7}


@number("9.1")
@weight(4)
@tags("train")
@pytest.mark.parametrize("n_steps", [0, 2, 4])
def test_training_moves_the_adapters(agree, reference, rng, torch_rng, n_steps):
    """New adapters start at the reference, with a loss of log 2 and no margin; every step follows the
    gradient of the loss in A and B."""
    weights = random_weights(SIZE, rng)
    adapters = random_adapters(reference, torch_rng, weights)
    chosen, rejected = random_batches(reference, rng, 4)

    _, history = agree(
        "train_dpo", SIZE, weights, adapters, chosen, rejected, **OPTIONS, n_steps=n_steps
    )

    assert len(history) == n_steps
    if n_steps:
        assert_close(history[0]["loss"], math.log(2), name="loss before the first step")


@number("9.2")
@weight(3)
@tags("train")
def test_the_base_is_the_reference(agree, reference, rng, torch_rng):
    """Adapters that have been trained go on from where they are, and the reference is still the base without
    them."""
    weights = random_weights(SIZE, rng)
    adapters = random_adapters(reference, torch_rng, weights, rank=1, fresh=False)
    chosen, rejected = random_batches(reference, rng, 3)

    new, history = agree("train_dpo", SIZE, weights, adapters, chosen, rejected, **OPTIONS, n_steps=3)

    base = [reference.model_logps(SIZE, weights, batch) for batch in (chosen, rejected)]
    adapted = reference.adapted_weights(weights, adapters, alpha=OPTIONS["alpha"])
    policy = [reference.model_logps(SIZE, adapted, batch) for batch in (chosen, rejected)]
    margin = OPTIONS["beta"] * ((policy[0] - base[0]) - (policy[1] - base[1])).mean()
    assert_close(history[0]["margin"], float(margin), name="margin before the first step")
