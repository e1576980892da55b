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

from coursekit.checks import assert_commutes, assert_leaves_arguments
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


def random_wins(rng, n_items):
    """Counts of wins: everybody has met everybody, and nobody has lost or won all."""
    wins = torch.from_numpy(rng.integers(1, 20, size=(n_items, n_items)).astype(float))
    return wins.fill_diagonal_(0)


def log_sigmoid(x):
    """By definition, where nothing overflows."""
    return -torch.log1p(torch.exp(-x))


# --- Task 1: from comparisons to rewards -------------------------------------------------------


@number("1.1")
@weight(2)
@tags("bradley_terry")
@pytest.mark.parametrize("scale", [1.0, 2000.0], ids=["ordinary", "huge rewards"])
def test_preferences_depend_on_the_difference(agree, torch_rng, scale):
    """The probabilities of the two orders add up to 1, and rewards shifted by a constant give the same ones."""
    reward = scale * normal(torch_rng, 2, 5)

    p = assert_commutes(
        lambda a, b: agree("preference_probability", a, b),
        reward[:, :, None],
        reward[:, None, :],
        before=lambda a, b: (a + 3 * scale, b + 3 * scale),
        after=lambda p: p,
        name="probabilities after a shift of all rewards",
    )
    assert_close(p + p.transpose(-1, -2), torch.ones_like(p), name="probabilities of the two orders")


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
@weight(1)
@tags("bradley_terry")
@pytest.mark.parametrize("K", [2, 5])
def test_fitted_rewards_add_up_to_zero(agree, rng, K):
    """The comparisons fix rewards up to a constant; it is chosen so that the rewards add up to 0."""
    wins = random_wins(rng, K)

    # The docstring promises 1e-6: an iteration stops, and where it stops is the student's choice.
    agree("fit_bradley_terry", wins, tol=(1e-6, 1e-6))


@number("1.4")
@weight(2)
@tags("bradley_terry")
@pytest.mark.parametrize("case", ["everybody plays", "a ring", "float32"])
def test_the_fit_makes_the_comparisons_most_probable(impl, rng, case):
    """With your rewards, the wins that are expected of each item are the wins that were counted; not all need have
    played each other, nor equally often."""
    wins = random_wins(rng, 5)
    if case == "a ring":
        met = torch.eye(5, dtype=F64).roll(1, 1)
        wins = wins * (met + met.T)
    if case == "float32":
        wins = wins.float()

    r = impl.fit_bradley_terry(wins)

    assert r.dtype == wins.dtype
    expected = (wins + wins.T).double() / (1 + torch.exp(r[None, :] - r[:, None]).double())
    # as in 1.3; float32 rounds rewards to 1e-7 and the docstring allows 1e-5
    assert_close(expected.fill_diagonal_(0).sum(1), wins.double().sum(1), rtol=1e-5, atol=1e-5, name="expected wins")


# --- Task 2: the best policy near the reference ------------------------------------------------


@number("2.1")
@weight(3)
@tags("optimum")
@pytest.mark.parametrize("beta", [0.05, 1.0, 7.0])
@pytest.mark.parametrize("scale", [1.0, 5000.0], ids=["ordinary", "huge rewards"])
def test_log_partition_weighs_by_the_reference(agree, torch_rng, beta, scale):
    """log Z counts each response as often as the reference gives it, also for rewards that are huge."""
    reference_logp = with_zeros(random_logp(torch_rng, 3, 6), [2])
    reward = scale * normal(torch_rng, 3, 6)

    agree("log_partition", reference_logp, reward, beta=beta)
    agree("log_partition", reference_logp[0], reward[0], beta=beta)


@number("2.2")
@weight(3)
@tags("optimum")
@pytest.mark.parametrize("beta", [0.05, 1.0, 7.0])
def test_the_optimum_tilts_the_reference(agree, torch_rng, beta):
    """The best policy adds up to 1; a constant added to all rewards of a prompt changes nothing, and what the reference
    never does stays impossible."""
    reference_logp = with_zeros(random_logp(torch_rng, 2, 3, 6, spread=2.0), [0, 4])
    reward, constant = normal(torch_rng, 2, 3, 6), normal(torch_rng, 2, 3, 1)

    best = assert_commutes(
        lambda reward: agree("optimal_policy", reference_logp, reward, beta=beta),
        reward,
        before=lambda reward: (reward + constant,),
        after=lambda best: best,
        name="optimum after adding a constant to each prompt's rewards",
    )
    assert_close(best.exp().sum(-1), torch.ones(2, 3, dtype=F64), name="sum of probabilities")


@number("2.3")
@weight(3)
@tags("optimum")
@pytest.mark.parametrize("case", ["dense", "p has zeros", "both have zeros", "q has zeros", "float32"])
def test_divergence_is_seen_from_p(agree, torch_rng, case):
    """KL(p || q) is a mean under p: what p never does adds nothing, and what only q rules out makes it infinite."""
    dtype = torch.float32 if case == "float32" else F64
    logp, logq = random_logp(torch_rng, 2, 3, 5, dtype=dtype), random_logp(torch_rng, 2, 3, 5, dtype=dtype)
    if case in ("p has zeros", "both have zeros"):
        logp = with_zeros(logp, [1, 3])
    if case == "both have zeros":
        logq = with_zeros(logq, [3])
    if case == "q has zeros":
        logq = with_zeros(logq, [2])

    kl = agree("kl_divergence", logp, logq)

    assert bool((kl > 0).all())
    assert bool(kl.isinf().all()) == (case == "q has zeros")
    agree("kl_divergence", logp[0, 0], logp[0, 0])


@number("2.4")
@weight(1)
@tags("optimum")
@pytest.mark.parametrize("beta", [0.1, 3.0])
def test_what_a_policy_falls_short_by(impl, torch_rng, beta):
    """Your log Z, your optimum and your divergence know the objective of every policy: how far it is below the best one is
    beta times its divergence from the best one."""
    reference_logp, logp = random_logp(torch_rng, 3, 6), random_logp(torch_rng, 3, 6)
    reward = normal(torch_rng, 3, 6)

    best = impl.optimal_policy(reference_logp, reward, beta=beta)
    highest = beta * impl.log_partition(reference_logp, reward, beta=beta)
    distance = beta * impl.kl_divergence(logp, best)

    assert_close(best.exp().sum(-1), torch.ones(3, dtype=F64), name="sum of probabilities")
    p = logp.exp()
    objective = (p * reward).sum(-1) - beta * (p * (logp - reference_logp)).sum(-1)
    assert_close(highest - distance, objective, name="objective, from its highest value and your divergence")


# --- Task 3: the log-probability of a response -------------------------------------------------


def random_texts(rng):
    """Three prompts and responses of different lengths, which end with eos = 2."""
    lengths = rng.permutation([1, 2, 4]), rng.permutation([1, 3, 5])
    prompts, responses = ([rng.integers(3, 9, size=n).tolist() for n in group] for group in lengths)
    return prompts, [[*response, 2] for response in responses]


@number("3.1")
@weight(2)
@tags("logps")
@pytest.mark.parametrize("pad", ["unused", "eos"])
def test_rows_are_prompt_response_filler(impl, reference, rng, pad):
    """Each row is its prompt, its response, and filler up to the length of the longest."""
    prompts, responses = random_texts(rng)
    filler = {"unused": 0, "eos": 2}[pad]

    tokens, _ = impl.collate(prompts, responses, pad=filler)
    one, _ = impl.collate(prompts[:1], responses[:1], pad=filler)

    assert_close(tokens, reference.collate(prompts, responses, pad=filler)[0], name="tokens")
    assert_close(one, reference.collate(prompts[:1], responses[:1], pad=filler)[0], name="tokens of one pair")


@number("3.2")
@weight(2)
@tags("logps")
@pytest.mark.parametrize("pad", ["unused", "eos", "any token"])
def test_the_mask_marks_the_response(impl, rng, pad):
    """Under the mask stands each response, from its first token to its last, eos included, whatever the padding's id is."""
    prompts, responses = random_texts(rng)
    filler = {"unused": 0, "eos": 2, "any token": responses[0][0]}[pad]

    tokens, mask = impl.collate(prompts, responses, pad=filler)

    assert mask.dtype == torch.bool
    for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        assert_close(tokens[row][mask[row]].tolist(), response, name="tokens under the mask")
        start = mask[row].int().argmax()
        assert_close(tokens[row, start - len(prompt) : start].tolist(), prompt, name="tokens before the mask")


def marked(rng, *shape, n_tokens=None):
    """A mask that is True in one stretch of each row, of a given or of any length, anywhere; never at the first token."""
    T = shape[-1]
    mask = torch.zeros(math.prod(shape[:-1]), T, dtype=torch.bool)
    for row in mask:
        start, stop = sorted(rng.choice(range(1, T + 1), size=2, replace=False).tolist())
        row[start : stop if n_tokens is None else start + n_tokens] = True
    return mask.reshape(shape)


@number("3.3")
@weight(2)
@tags("logps")
@pytest.mark.parametrize(
    ("lead", "T", "dtype", "scale"),
    [
        pytest.param((), 5, F64, 1.0, id="one sequence"),
        pytest.param((2, 3), 6, F64, 1.0, id="batch of batches"),
        pytest.param((3,), 6, torch.float32, 1.0, id="float32"),
        pytest.param((3,), 6, F64, 2000.0, id="large logits"),
    ],
)
def test_a_token_is_judged_by_the_logits_before_it(agree, rng, torch_rng, lead, T, dtype, scale):
    """Responses of one token: the log-probability that the logits one position earlier give it."""
    logits = scale * normal(torch_rng, *lead, T, 8, dtype=dtype)
    tokens = torch.from_numpy(rng.integers(0, 8, size=(*lead, T)))

    agree("response_logps", logits, tokens, marked(rng, *lead, T, n_tokens=1))


@number("3.4")
@weight(1)
@tags("logps")
@pytest.mark.parametrize("where", ["in the middle", "everywhere"])
def test_logps_add_up_over_the_response(agree, rng, torch_rng, where):
    """The tokens of a longer response add up; the first token of a row never counts, even if it is marked."""
    logits, tokens = normal(torch_rng, 4, 7, 8), torch.from_numpy(rng.integers(0, 8, size=(4, 7)))
    mask = marked(rng, 4, 7, n_tokens=3) if where == "in the middle" else torch.ones(4, 7, dtype=torch.bool)

    agree("response_logps", logits, tokens, mask)


@number("3.5")
@weight(1)
@tags("logps")
def test_only_the_response_is_read(agree, impl, rng, torch_rng):
    """Other logits that predict no marked token, and other tokens that are not marked, change nothing, -100 included."""
    logits, tokens = normal(torch_rng, 4, 7, 8), torch.from_numpy(rng.integers(0, 8, size=(4, 7)))
    mask = marked(rng, 4, 7)
    predicts = torch.cat([mask[..., 1:], torch.zeros_like(mask[..., :1])], -1)

    logps = assert_commutes(
        impl.response_logps,
        logits,
        tokens,
        mask,
        before=lambda logits, tokens, mask: (
            torch.where(predicts[..., None], logits, normal(torch_rng, 4, 7, 8)),
            tokens.masked_fill(~mask, -100),
            mask,
        ),
        after=lambda logps: logps,
        name="logps",
    )
    assert bool((logps < 0).all())
    agree("response_logps", logits, tokens, marked(rng, 4, 7, n_tokens=1))


@number("3.6")
@weight(1)
@tags("logps")
@pytest.mark.parametrize("scale", [1.0, 500.0], ids=["ordinary", "large logits"])
def test_gradients_reach_the_logits_that_predict(agree, rng, torch_rng, scale):
    """The gradient reaches the logits that predict a marked token, and no others."""
    logits, tokens = scale * normal(torch_rng, 3, 6, 5), torch.from_numpy(rng.integers(0, 5, size=(3, 6)))
    mask = marked(rng, 3, 6, n_tokens=1)

    agree.vjp("response_logps", logits, tokens, mask, wrt=(0,), cotangent=normal(torch_rng, 3))


# --- Task 4: the DPO loss ----------------------------------------------------------------------


ONE = torch.tensor(1.5, dtype=F64)  # a cotangent that is not 1


@number("4.1")
@weight(2)
@tags("dpo")
@pytest.mark.parametrize("shape", [(6,), (2, 3)], ids=str)
def test_implicit_reward_is_a_scaled_log_ratio(agree, reference, torch_rng, shape):
    """The price times the log-ratio; for the optimum of a reward, it is that reward up to a constant per prompt."""
    reward = normal(torch_rng, *shape)
    reference_logp = random_logp(torch_rng, *shape)
    best = reference.optimal_policy(reference_logp, reward, beta=0.3)

    got = agree("implicit_reward", best, reference_logp, beta=0.3)

    surplus, want = (r - r.mean(-1, keepdim=True) for r in (got, reward))
    assert_close(surplus, want, name="implicit reward of the optimum, less its mean")


@number("4.2")
@weight(2)
@tags("dpo")
@pytest.mark.parametrize(
    ("scale", "dtype"),
    [
        pytest.param(3.0, F64, id="ordinary"),
        pytest.param(20000.0, F64, id="huge margins"),
        pytest.param(3.0, torch.float32, id="float32"),
    ],
)
def test_dpo_loss_compares_rewards(agree, torch_rng, scale, dtype):
    """The loss of one pair at several prices, finite also where the pair is far on the wrong side."""
    chosen, rejected, ref_chosen, ref_rejected = random_pairs(torch_rng, 1, scale=scale, dtype=dtype)

    for beta in (0.1, 2.0):
        agree("dpo_loss", chosen, rejected, ref_chosen, ref_rejected, beta=beta)
        agree("dpo_loss", chosen - scale, rejected + scale, ref_chosen, ref_rejected, beta=beta)


@number("4.3")
@weight(1)
@tags("dpo")
def test_dpo_loss_is_the_mean_over_pairs(agree, impl, torch_rng):
    """The loss of a batch is the mean of your losses of its pairs."""
    pairs = random_pairs(torch_rng, 6)

    alone = [impl.dpo_loss(*(x[i : i + 1] for x in pairs), beta=0.3) for i in range(6)]

    assert all(bool(loss > 0) for loss in alone)
    assert_close(impl.dpo_loss(*pairs, beta=0.3), torch.stack(alone).mean(), name="loss of six pairs")
    agree("dpo_loss", *(x[:1] for x in pairs), beta=0.3)


@number("4.4")
@weight(1)
@tags("dpo")
@pytest.mark.parametrize("scale", [3.0, 20000.0], ids=["ordinary", "huge margins"])
def test_gradients_push_by_how_wrong_a_pair_is(agree, torch_rng, scale):
    """The gradients of one pair's loss in the policy's log-probabilities, finite for margins of any size."""
    pair = random_pairs(torch_rng, 1, scale=scale)
    wrong = pair[0] - scale, pair[1] + scale, pair[2], pair[3]  # nearly always on the wrong side

    agree.vjp("dpo_loss", *wrong, wrt=(0, 1), cotangent=ONE, beta=0.2)
    agree.vjp("dpo_loss", *pair, wrt=(0, 1), cotangent=ONE, beta=0.2)


@number("4.5")
@weight(2)
@tags("dpo")
@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("scale", [3.0, 20000.0], ids=["ordinary", "huge margins"])
def test_gradient_by_formula(agree, torch_rng, n, scale):
    """Opposite for chosen and rejected, and the right size for every pair and price."""
    pairs = random_pairs(torch_rng, n, scale=scale)

    for beta in (0.1, 2.0):
        in_chosen, in_rejected = agree("dpo_gradient", *pairs, beta=beta)

        assert_close(in_rejected, -in_chosen, name="gradient in policy_rejected")


@number("4.6")
@weight(2)
@tags("dpo")
@pytest.mark.parametrize("beta", [0.1, 3.0])
def test_metrics_are_about_implicit_rewards(agree, torch_rng, beta):
    """Means of the implicit rewards and of their margin; a pair is in order if its margin is above 0, and a tie is not."""
    chosen, rejected, ref_chosen, ref_rejected = random_pairs(torch_rng, 9)
    rejected[:2], ref_rejected[:2] = chosen[:2], ref_chosen[:2]  # two ties
    # one that is in order for the policy alone, not beside the reference; and two the other way round
    chosen[2], rejected[2], ref_chosen[2], ref_rejected[2] = -5.0, -6.0, -3.0, -8.0
    chosen[3:5], rejected[3:5], ref_chosen[3:5], ref_rejected[3:5] = -6.0, -5.0, -8.0, -3.0

    # a share of booleans is often taken in float32, which rounds it to 1e-7
    agree("preference_metrics", chosen, rejected, ref_chosen, ref_rejected, beta=beta, tol=(1e-6, 1e-6))


@number("4.7")
@weight(1)
@tags("dpo")
@pytest.mark.parametrize("which", ["implicit_reward", "dpo_loss"])
def test_no_gradient_reaches_the_reference(agree, vjp, impl, torch_rng, which):
    """The reference's log-probabilities are data: the gradient in them is 0, and the one in the policy's is not."""
    pair = random_pairs(torch_rng, 1)
    if which == "dpo_loss":
        gradients = vjp(impl.dpo_loss, *pair, wrt=(0, 1, 2, 3), cotangent=ONE, beta=0.3)
    else:
        pair, one = (pair[0], pair[2]), ONE.reshape(1)
        gradients = vjp(impl.implicit_reward, *pair, wrt=(0, 1), cotangent=one, beta=0.3)

    policy, data = gradients[: len(gradients) // 2], gradients[len(gradients) // 2 :]
    assert all(bool(gradient.abs() > 0) for gradient in policy)
    assert_close(data, tuple(torch.zeros(1, dtype=F64) for _ in data), name="gradients in the reference")
    if which == "dpo_loss":
        agree.vjp("dpo_loss", *pair, wrt=(0, 1), cotangent=ONE, beta=0.3)
    else:
        agree.vjp("implicit_reward", *pair, wrt=(0,), cotangent=one, beta=0.3)


# --- Task 5: when labels are wrong or too sure -------------------------------------------------


@number("5.1")
@weight(3)
@tags("variants")
@pytest.mark.parametrize("eps", [0.0, 0.1, 0.4])
def test_smoothing_doubts_the_labels(agree, torch_rng, eps):
    """A share eps of each pair counts the other way round: values and gradients, for margins of any size."""
    options = {"beta": 0.2, "label_smoothing": eps}
    for scale in (3.0, 20000.0):
        pairs = random_pairs(torch_rng, 5, scale=scale)
        agree("smoothed_dpo_loss", *pairs, **options)
        agree.vjp("smoothed_dpo_loss", *pairs, wrt=(0, 1), cotangent=ONE, **options)


@number("5.2")
@weight(3)
@tags("variants")
@pytest.mark.parametrize("beta", [0.05, 1.0, 1.3])
def test_ipo_has_a_finite_target(agree, torch_rng, beta):
    """The squared distance of the difference of log-ratios from its target, mean over pairs: values and gradients."""
    pairs = random_pairs(torch_rng, 5)

    agree("ipo_loss", *pairs, beta=beta)
    agree.vjp("ipo_loss", *pairs, wrt=(0, 1), cotangent=ONE, beta=beta)


@number("5.3")
@weight(1)
@tags("variants")
@pytest.mark.parametrize("which", ["smoothed", "ipo"])
def test_the_variants_leave_the_reference_alone(agree, vjp, impl, torch_rng, which):
    """In these losses, too, the reference's log-probabilities are data: the gradient in them is 0."""
    pair, options = random_pairs(torch_rng, 1), {"cotangent": ONE, "beta": 1.0}
    if which == "smoothed":
        gradients = vjp(impl.smoothed_dpo_loss, *pair, wrt=(0, 1, 2, 3), **options, label_smoothing=0.1)
    else:
        gradients = vjp(impl.ipo_loss, *pair, wrt=(0, 1, 2, 3), **options)

    assert bool((torch.stack(gradients[:2]).abs() > 0).all())
    assert_close(gradients[2:], (torch.zeros(1, dtype=F64),) * 2, name="gradients in the reference")
    if which == "smoothed":
        agree.vjp("smoothed_dpo_loss", *pair, wrt=(0, 1), **options, label_smoothing=0.1)
    else:
        agree.vjp("ipo_loss", *pair, wrt=(0, 1), **options)


# --- Task 6: DPO on a table finds the optimum --------------------------------------------------


def preferences_of(reward):
    """Bradley-Terry preferences of all pairs, (N, K, K)."""
    return torch.sigmoid(reward[:, :, None] - reward[:, None, :])


@number("6.1")
@weight(1)
@tags("table")
@pytest.mark.parametrize(("N", "K"), [(1, 2), (3, 4), (2, 3)], ids=["one pair", "values", "gradients"])
def test_population_loss_counts_each_pair_once(agree, torch_rng, N, K):
    """The mean over prompts and over pairs of the expected loss; the diagonal does not count, and the reference gets no
    gradient."""
    logits, reference_logp = normal(torch_rng, N, K), random_logp(torch_rng, N, K)
    if K == 3:
        args = logits, reference_logp, preferences_of(normal(torch_rng, N, K))
        agree.vjp("population_dpo_loss", *args, wrt=(0, 1), cotangent=ONE, beta=0.7)
        return
    preferences = preferences_of(2 * normal(torch_rng, N, K))
    preferences.diagonal(dim1=1, dim2=2)[:] = normal(torch_rng, N, K)

    loss = agree("population_dpo_loss", logits, reference_logp, preferences, beta=0.7)

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
@weight(1)
@tags("table")
@pytest.mark.parametrize("n_steps", [1, 2, 5])
def test_descent_starts_at_the_reference(agree, torch_rng, n_steps):
    """Step by step the same path, which begins at the reference."""
    reference_logp, beta = random_logp(torch_rng, 3, 4, spread=2.0), 0.5
    preferences = preferences_of(normal(torch_rng, 3, 4))

    agree("fit_table", reference_logp, preferences, beta=beta, lr=4.0, n_steps=n_steps)
    agree("fit_table", reference_logp, preferences, beta=beta, lr=4.0, n_steps=0)


@number("6.3")
@weight(5)
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
@weight(3)
@tags("best_of_n")
@pytest.mark.parametrize("n", [2, 4, 50])
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
    agree("best_of_n", p, reward, 1)

    assert_close(q.sum(-1), torch.ones(2, dtype=F64), name="sum of probabilities")
    if n <= 4:
        assert_close(q[0], brute_force_best_of_n(p[0], reward[0], n), name="probabilities")


@number("7.2")
@weight(2)
@tags("best_of_n")
@pytest.mark.parametrize("K", [3, 400])
def test_divergence_stays_below_its_bound(agree, reference, torch_rng, K):
    """Best-of-n never moves further from the reference than your bound says, and the bound is the smallest such number."""
    p, reward = random_logp(torch_rng, K, spread=0.3).exp(), normal(torch_rng, K)

    for n in (1, 2, 7, 1000):
        bound = agree("best_of_n_kl_bound", n)
        q = reference.best_of_n(p, reward, n)
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
    ("lead", "rank", "alpha", "dtype"),
    [
        pytest.param((), 1, 3.0, F64, id="one row"),
        pytest.param((2, 3), 1, 0.5, F64, id="batch of batches"),
        pytest.param((4,), 1, 3.0, torch.float32, id="float32"),
        pytest.param((4,), 3, 5.0, F64, id="rank 3"),
    ],
)
def test_an_adapted_layer_adds_a_scaled_correction(agree, torch_rng, lead, rank, alpha, dtype):
    """The layer's output with an adapter, for any batch and rank; with B = 0, the base's."""
    x, weight = normal(torch_rng, *lead, 5, dtype=dtype), normal(torch_rng, 5, 4, dtype=dtype)
    A, B = normal(torch_rng, 5, rank, dtype=dtype), normal(torch_rng, rank, 4, dtype=dtype)

    agree("lora_linear", x, weight, A, B, alpha=alpha)
    start = agree("lora_linear", x, weight, A, torch.zeros_like(B), alpha=alpha)

    assert_close(start, x @ weight, name="output with B = 0")


@number("8.2")
@weight(1)
@tags("lora")
@pytest.mark.parametrize(("rank", "alpha"), [(1, 3.0), (3, 5.0)])
def test_adapters_are_merged(agree, torch_rng, rank, alpha):
    """The weights that have an adapter are corrected, and the others are the base's."""
    weights, adapters = adapted(torch_rng, rank)

    agree("adapted_weights", weights, adapters, alpha=alpha)
    agree("adapted_weights", weights, {}, alpha=alpha)


def adapted(torch_rng, rank):
    """Weights of which one has an adapter."""
    weights = {"W_Q": normal(torch_rng, 5, 4), "W_V": normal(torch_rng, 5, 6), "b": normal(torch_rng, 6)}
    return weights, {"W_V": (normal(torch_rng, 5, rank), normal(torch_rng, rank, 6))}


@number("8.3")
@weight(1)
@tags("lora")
def test_merging_equals_adding(impl, torch_rng):
    """Your merged weight does what weight and adapter do beside each other in your layer."""
    weights, adapters = adapted(torch_rng, 3)
    x = normal(torch_rng, 4, 5)

    merged = impl.adapted_weights(weights, adapters, alpha=5.0)
    added = impl.lora_linear(x, weights["W_V"], *adapters["W_V"], alpha=5.0)

    assert_close(merged["b"], weights["b"], name="a weight without an adapter")
    assert bool(((added - x @ weights["W_V"]).abs() > 0).all())
    assert_close(x @ merged["W_V"], added, name="output of the merged layer")


@number("8.4")
@weight(1)
@tags("lora")
@pytest.mark.parametrize("which", ["beside", "merged"])
def test_gradients_reach_the_adapter(agree, torch_rng, which):
    """The gradients in A and B, and in x where the adapter stands beside the weight."""
    weights, adapters = adapted(torch_rng, 1)
    if which == "merged":
        cotangent = {name: normal(torch_rng, *weight.shape) for name, weight in weights.items()}
        agree.vjp("adapted_weights", weights, adapters, wrt=(1,), cotangent=cotangent, alpha=3.0)
    else:
        x, cotangent = normal(torch_rng, 2, 3, 5), normal(torch_rng, 2, 3, 6)
        agree.vjp(
            "lora_linear", x, weights["W_V"], *adapters["W_V"], wrt=(0, 2, 3), cotangent=cotangent, alpha=3.0
        )


@number("8.5")
@weight(1)
@tags("lora")
@pytest.mark.parametrize("which", ["beside", "merged"])
def test_no_gradient_reaches_the_base(agree, vjp, impl, torch_rng, which):
    """The gradient in frozen weights is 0, with an adapter or without, and the one in the adapter is not."""
    weights, adapters = adapted(torch_rng, 1)
    if which == "merged":
        cotangent = {name: normal(torch_rng, *weight.shape) for name, weight in weights.items()}
        options = {"cotangent": cotangent, "alpha": 3.0}
        base, trained = vjp(impl.adapted_weights, weights, adapters, wrt=(0, 1), **options)
        trained = trained["W_V"]
    else:
        args = normal(torch_rng, 3, 5), weights["W_V"], *adapters["W_V"]
        options = {"cotangent": normal(torch_rng, 3, 6), "alpha": 3.0}
        of_weight, *trained = vjp(impl.lora_linear, *args, wrt=(1, 2, 3), **options)
        base = {"W_V": of_weight}

    assert all(bool((gradient.abs() > 0).all()) for gradient in trained)
    assert_close(base, {name: torch.zeros_like(weights[name]) for name in base}, name="gradient in the base")
    if which == "merged":
        agree.vjp("adapted_weights", weights, adapters, wrt=(1,), **options)
    else:
        agree.vjp("lora_linear", *args, wrt=(2, 3), **options)


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


def own_step(impl, vjp, weights, adapters, chosen, rejected):
    """One step by the submission's own pieces: loss, margin and the new adapters, by the chain rule through its loss, its
    model and its adapted weights."""
    beta, alpha, lr = OPTIONS["beta"], OPTIONS["alpha"], OPTIONS["lr"]
    base = [impl.model_logps(SIZE, weights, batch) for batch in (chosen, rejected)]
    policy = impl.adapted_weights(weights, adapters, alpha=alpha)
    logps = [impl.model_logps(SIZE, policy, batch) for batch in (chosen, rejected)]
    loss = impl.dpo_loss(*logps, *base, beta=beta)
    margin = impl.preference_metrics(*logps, *base, beta=beta)["margin"]

    in_logps = vjp(impl.dpo_loss, *logps, *base, wrt=(0, 1), cotangent=torch.tensor(1.0, dtype=F64), beta=beta)
    in_weights = [
        vjp(impl.model_logps, SIZE, policy, batch, wrt=(1,), cotangent=gradient)[0]
        for batch, gradient in zip((chosen, rejected), in_logps, strict=True)
    ]
    total = {name: in_weights[0][name] + in_weights[1][name] for name in policy}
    (gradients,) = vjp(impl.adapted_weights, weights, adapters, wrt=(1,), cotangent=total, alpha=alpha)
    new = {
        name: tuple(factor - lr * gradient for factor, gradient in zip(pair, gradients[name], strict=True))
        for name, pair in adapters.items()
    }
    return loss, margin, new


def problem(reference, rng, torch_rng, *, fresh=False, rank=2):
    """Weights, adapters and three pairs of responses."""
    weights = random_weights(SIZE, rng)
    adapters = random_adapters(reference, torch_rng, weights, fresh=fresh, rank=rank)
    return weights, adapters, *random_batches(reference, rng, 3)


@number("9.1")
@weight(2)
@tags("train")
@pytest.mark.parametrize("fresh", [True, False], ids=["new adapters", "trained adapters"])
def test_a_step_follows_the_gradient(impl, vjp, reference, rng, torch_rng, fresh):
    """One step moves all A and B along the gradient of your own loss; the reference is the base without adapters."""
    weights, adapters, chosen, rejected = problem(reference, rng, torch_rng, fresh=fresh)

    new, _ = impl.train_dpo(SIZE, weights, adapters, chosen, rejected, **OPTIONS, n_steps=1)

    _, _, want = own_step(impl, vjp, weights, adapters, chosen, rejected)
    assert all(bool(factor.isfinite().all()) for pair in want.values() for factor in pair)
    assert_close(new, want, name="adapters after a step")


@number("9.2")
@weight(2)
@tags("train")
def test_steps_follow_each_other(impl, reference, rng, torch_rng):
    """Three steps lead where three trainings of one step lead; without a step the adapters are those that were given."""
    weights, adapters, chosen, rejected = problem(reference, rng, torch_rng)

    def train(start, n_steps):
        return impl.train_dpo(SIZE, weights, start, chosen, rejected, **OPTIONS, n_steps=n_steps)[0]

    got = train(adapters, 3)

    assert_close(train(adapters, 0), adapters, name="adapters after no step")
    want = adapters
    for _ in range(3):
        want = train(want, 1)
    assert_close(got, want, name="adapters after three steps")


@number("9.3")
@weight(1)
@tags("train")
def test_the_history_comes_before_each_step(impl, vjp, reference, rng, torch_rng):
    """For each step, your own loss and mean margin of the adapters from which it starts."""
    weights, adapters, chosen, rejected = problem(reference, rng, torch_rng)

    _, history = impl.train_dpo(SIZE, weights, adapters, chosen, rejected, **OPTIONS, n_steps=2)

    want = []
    for _ in range(2):
        loss, margin, adapters = own_step(impl, vjp, weights, adapters, chosen, rejected)
        want.append({"loss": float(loss), "margin": margin})
    assert all(step["loss"] > 0 for step in want)
    assert_close(history, want, name="history")


@number("9.4")
@weight(1)
@tags("train")
@pytest.mark.parametrize("n_steps", [0, 3])
def test_training_leads_to_the_right_adapters(agree, reference, rng, torch_rng, n_steps):
    """All parts together: adapters and history are right, number by number."""
    weights, adapters, chosen, rejected = problem(reference, rng, torch_rng, rank=1)

    agree("train_dpo", SIZE, weights, adapters, chosen, rejected, **OPTIONS, n_steps=n_steps)


def calls(reference, rng, torch_rng):
    """For each function, arguments that are worth changing."""
    rewards, pairs = normal(torch_rng, 5), random_pairs(torch_rng, 4)
    logp, logq = random_logp(torch_rng, 2, 4), random_logp(torch_rng, 2, 4)
    prompts, responses = random_texts(rng)
    preferences, p = preferences_of(normal(torch_rng, 2, 4)), random_logp(torch_rng, 5).exp()
    weights, adapters = adapted(torch_rng, 1)
    tokens, mask = reference.collate(prompts, responses, pad=0)
    return {
        "preference_probability": ((rewards, rewards.flip(0)), {}),
        "bradley_terry_loss": ((rewards, rewards.flip(0) + 1), {}),
        "fit_bradley_terry": ((random_wins(rng, 3),), {}),
        "log_partition": ((logp, 3 * logq), {"beta": 0.5}),
        "optimal_policy": ((logp, 3 * logq), {"beta": 0.5}),
        "kl_divergence": ((with_zeros(logp, [1]), with_zeros(logq, [1])), {}),
        "collate": ((prompts, responses), {"pad": 0}),
        "response_logps": ((normal(torch_rng, *tokens.shape, 9), tokens.masked_fill(~mask, -100), mask), {}),
        "implicit_reward": (tuple(pairs[:2]), {"beta": 0.5}),
        "dpo_loss": (pairs, {"beta": 0.5}),
        "dpo_gradient": (pairs, {"beta": 0.5}),
        "preference_metrics": (pairs, {"beta": 0.5}),
        "smoothed_dpo_loss": (pairs, {"beta": 0.5, "label_smoothing": 0.2}),
        "ipo_loss": (pairs, {"beta": 0.5}),
        "population_dpo_loss": ((logp, logq, preferences), {"beta": 0.5}),
        "fit_table": ((logp, preferences), {"beta": 0.5, "lr": 1.0, "n_steps": 2}),
        "best_of_n": ((p, rewards), {"n": 3}),
        "best_of_n_estimate": ((rewards,), {"n": 3}),
        "lora_linear": ((normal(torch_rng, 3, 5), weights["W_V"], *adapters["W_V"]), {"alpha": 3.0}),
        "adapted_weights": ((weights, adapters), {"alpha": 3.0}),
        "train_dpo": ((SIZE, *problem(reference, rng, torch_rng, rank=1)), {**OPTIONS, "n_steps": 2}),
    }


NAMES = (
    "preference_probability", "bradley_terry_loss", "fit_bradley_terry", "log_partition", "optimal_policy",
    "kl_divergence", "collate", "response_logps", "implicit_reward", "dpo_loss", "dpo_gradient", "preference_metrics",
    "smoothed_dpo_loss", "ipo_loss", "population_dpo_loss", "fit_table", "best_of_n", "best_of_n_estimate",
    "lora_linear", "adapted_weights", "train_dpo",
)  # fmt: skip


@number("9.5")
@weight(1)
@tags("train")
@pytest.mark.parametrize("name", NAMES)
def test_nothing_handed_in_is_changed(impl, reference, rng, torch_rng, name):
    """No function of any task changes the tensors, lists and dicts that it is given."""
    args, options = calls(reference, rng, torch_rng)[name]

    answer = assert_leaves_arguments(getattr(impl, name), *args, name=name, **options)

    # loose enough for a fit that stops early and for a share in float32; exact values are for other checks
    assert_close(answer, getattr(reference, name)(*args, **options), rtol=1e-5, atol=1e-6, name=name)
