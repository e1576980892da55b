"""Public checks of the RLHF assignment: values done by hand. Run `pytest` in this folder."""

import math

import pytest
import torch
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def logs(*values):
    return tensor(*values).log()


# Task 1


@number("1.p1")
@weight(2)
@tags("reward_model")
def test_reward_model_by_hand(impl):
    """A score is read at the last real token; even chances cost log 2, odds of e : 1 cost log(1 + 1/e)."""
    token_scores = tensor([1.0, 2.0, 9.0], [3.0, 4.0, 5.0])
    assert_close(impl.final_scores(token_scores, torch.tensor([2, 3])), tensor(2.0, 5.0), name="final_scores")

    loss = impl.bradley_terry_loss(tensor(4.0, 7.0), tensor(4.0, 6.0))
    assert_close(loss, (math.log(2) + math.log(1 + math.exp(-1))) / 2, name="bradley_terry_loss")


# Task 2


@number("2.p1")
@weight(1)
@tags("logps")
def test_logps_by_hand(impl):
    """Logits at position t are about token t + 1, and need not be normalised."""
    logits = 3 + torch.stack([logs(0.5, 0.3, 0.2), logs(0.1, 0.7, 0.2), logs(0.4, 0.4, 0.2)])

    logps = impl.token_logps(logits, torch.tensor([0, 1, 2]))

    assert_close(logps, logs(0.3, 0.2), name="token_logps")


@number("2.p2")
@weight(1)
@tags("logps")
def test_masks_by_hand(impl):
    """Two prompt tokens, two of the response, one filler: of four actions the middle two count."""
    mask = impl.response_mask(torch.tensor([2]), torch.tensor([4]), 5)
    assert_close(mask, torch.tensor([[False, True, True, False]]), name="response_mask")

    x = tensor([1.0, 2.0], [6.0, math.nan])
    mean = impl.masked_mean(x, torch.tensor([[True, True], [True, False]]))
    assert_close(mean, 3.0, name="masked_mean")
    with pytest.raises(ValueError, match="mask"):
        impl.masked_mean(x, torch.zeros(2, 2, dtype=torch.bool))


# Task 3


@number("3.p1")
@weight(2)
@tags("kl")
def test_kl_by_hand(impl):
    """(3/4, 1/4) against (1/2, 1/2): the mean of what the two tokens say is the divergence, for k1 and k3."""
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert_close(impl.kl_divergence(logs(0.75, 0.25), logs(0.5, 0.5)), divergence, name="kl_divergence")

    logp, ref_logp = logs(0.75, 0.25), logs(0.5, 0.5)
    due = {
        "k1": tensor(math.log(1.5), math.log(0.5)),
        "k2": tensor(math.log(1.5) ** 2 / 2, math.log(0.5) ** 2 / 2),
        "k3": tensor(2 / 3 - 1 + math.log(1.5), 2 - 1 + math.log(0.5)),
    }
    for kind, values in due.items():
        assert_close(impl.kl_estimates(logp, ref_logp, kind=kind), values, name=kind)


# Task 4


@number("4.p1")
@weight(2)
@tags("rewards")
def test_rewards_by_hand(impl):
    """Each response action pays beta per nat above the reference; the last one gets the score as well."""
    logp = tensor([-1.0, -1.0, -3.0, -1.0], [-2.0, -5.0, -1.0, -1.0])
    ref_logp = tensor([-9.0, -2.0, -1.0, -9.0], [-4.0, -5.0, -9.0, -9.0])
    mask = torch.tensor([[False, True, True, False], [True, True, False, False]])

    rewards = impl.shaped_rewards(logp, ref_logp, mask, tensor(10.0, 20.0), beta=0.3)

    due = tensor([0.0, -0.3, 0.6 + 10.0, 0.0], [-0.6, 0.0 + 20.0, 0.0, 0.0])
    assert_close(rewards, due, name="shaped_rewards")


# Task 5


@number("5.p1")
@weight(2)
@tags("advantages")
def test_gae_by_hand(impl):
    """Three steps, an episode that ends after the second, and a third that is cut off at value 4."""
    rewards, values = tensor(1.0, 0.0, 2.0), tensor(0.5, 0.5, 0.5)
    dones = torch.tensor([False, True, False])

    advantages, returns = impl.gae(rewards, values, dones, torch.tensor(4.0).double(), gamma=0.5, lam=0.5)

    # backwards: 2 + 4/2 - 1/2; then 0 - 1/2, done; then 1 + 1/4 - 1/2 and a quarter of -1/2
    assert_close(advantages, tensor(0.625, -0.5, 3.5), name="advantages")
    assert_close(returns, tensor(1.125, 0.0, 4.0), name="returns")
    with pytest.raises(ValueError, match="lam"):
        impl.gae(rewards, values, dones, torch.tensor(4.0).double(), gamma=0.5, lam=1.5)


@number("5.p2")
@weight(1)
@tags("advantages")
def test_whiten_by_hand(impl):
    """Over both rows together 1 and 3 are one standard deviation from their mean; 100 is masked and becomes 0."""
    x, mask = tensor([1.0, 1.0, 100.0], [3.0, 3.0, 100.0]), torch.tensor([[True, True, False]] * 2)

    white = impl.whiten(x, mask, eps=0.0)

    assert_close(white, tensor([-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]), name="whiten")


# Task 6. Four actions: too likely or too unlikely by half, with good and with bad advantage.

RATIOS = tensor([1.5, 1.5, 0.5, 0.5, 1.0])
ADVANTAGES = tensor([1.0, -1.0, 1.0, -1.0, 99.0])
MASK = torch.tensor([[True, True, True, True, False]])
ONE = torch.tensor(1.0, dtype=torch.float64)


@number("6.p1")
@weight(2)
@tags("policy_loss")
def test_clipped_objective_by_hand(impl, vjp):
    """Clipped is what has gone far enough the right way; what went the wrong way is pulled back in full."""
    old_logp = tensor([-1.0, -2.0, -3.0, -4.0, -5.0])
    logp = old_logp + RATIOS.log()

    loss = impl.clipped_policy_loss(logp, old_logp, ADVANTAGES, MASK, clip=0.2)
    (gradient,) = vjp(
        impl.clipped_policy_loss, logp, old_logp, ADVANTAGES, MASK, clip=0.2, wrt=(0,), cotangent=ONE
    )

    assert_close(loss, -(1.2 - 1.5 + 0.5 - 0.8) / 4, name="clipped_policy_loss")
    assert_close(gradient, -tensor([0.0, -1.5, 0.5, 0.0, 0.0]) / 4, name="gradient in logp")


@number("6.p2")
@weight(1)
@tags("policy_loss")
def test_clip_diagnostics_by_hand(impl):
    """With ratios 1.5, 1.5, 0.5, 0.5 all four are further than 0.4 from 1; a ratio rho says rho - 1 - log rho."""
    old_logp = torch.zeros(1, 5, dtype=torch.float64)
    logp = RATIOS.log()

    assert_close(impl.clip_fraction(logp, old_logp, MASK, clip=0.4), 1.0, name="clip_fraction")
    assert_close(impl.clip_fraction(logp, old_logp, MASK, clip=0.6), 0.0, name="clip_fraction")
    with pytest.raises(ValueError, match="clip"):
        impl.clip_fraction(logp, old_logp, MASK, clip=0.0)
    due = (2 * (0.5 - math.log(1.5)) + 2 * (-0.5 - math.log(0.5))) / 4
    assert_close(impl.approximate_kl(logp, old_logp, MASK), due, name="approximate_kl")


# Task 7


@number("7.p1")
@weight(2)
@tags("value_entropy")
def test_critic_and_entropy_by_hand(impl):
    """The worse prediction counts: 1 or 0.7 against a return of 2, 1 or 0.7 against one of 0.6. Filler has no entropy."""
    values, old_values, returns = tensor([1.0, 1.0]), tensor([0.5, 0.5]), tensor([2.0, 0.6])
    mask = torch.tensor([[True, True]])

    loss = impl.clipped_value_loss(values, old_values, returns, mask, clip=0.2)
    assert_close(loss, ((0.7 - 2) ** 2 + (1 - 0.6) ** 2) / 4, name="clipped_value_loss")

    logits = tensor([[0.0, 0.0, 0.0, 0.0], [math.log(3), 0.0, -9e3, -9e3], [5.0, 0.0, 0.0, 0.0]])
    entropy = (math.log(4) + math.log(4) - 0.75 * math.log(3)) / 2
    assert_close(impl.mean_entropy(logits, torch.tensor([[True, True, False]])), entropy, name="mean_entropy")


# Task 8. The parts are simple stand-ins, so that the other tasks need not be done first.


@number("8.p1")
@weight(1)
@tags("update")
def test_loss_adds_three_parts(impl):
    """A policy loss of 5, a value loss of 2 at half weight, and an entropy of 3 that is rewarded at a tenth."""
    logits, values = torch.zeros(1, 3, 2, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)
    rest = {name: tensor([0.0, 0.0]) for name in ("old_logp", "old_values", "advantages", "returns")}
    batch = {"tokens": torch.zeros(1, 3, dtype=torch.int64), "mask": torch.tensor([[True, True]]), **rest}

    loss = impl.ppo_loss(
        logits,
        values,
        batch,
        value_coef=0.5,
        entropy_coef=0.1,
        logps_of=lambda logits, tokens: tensor([0.0, 0.0]),
        policy_loss_of=lambda logp, old_logp, advantages, mask, clip: torch.tensor(5.0).double(),
        value_loss_of=lambda values, old_values, returns, mask, clip: torch.tensor(2.0).double(),
        entropy_of=lambda logits, mask: torch.tensor(3.0).double(),
    )

    assert_close(loss, 5 + 0.5 * 2 - 0.1 * 3, name="ppo_loss")


@number("8.p2")
@weight(1)
@tags("update")
def test_update_descends_with_a_bounded_gradient(impl):
    """A gradient of (3, 4) has norm 5: at max_grad_norm 1 the step is lr * (0.6, 0.8), at 10 lr * (3, 4)."""
    params, batch = {"a": tensor(1.0), "b": tensor(1.0)}, {"x": tensor(7.0, 8.0)}

    def gradients_of(params, rows):
        return {"a": tensor(3.0), "b": tensor(4.0)}

    for bound, due in ((1.0, (0.94, 0.92)), (10.0, (0.7, 0.6))):
        new = impl.ppo_update(
            params, batch, [torch.tensor([1])], lr=0.1, max_grad_norm=bound, gradients_of=gradients_of
        )
        assert_close(new, {"a": tensor(due[0]), "b": tensor(due[1])}, name="params")


# Task 9


@number("9.p1")
@weight(1)
@tags("rlhf")
def test_optimum_by_hand(impl):
    """Even odds, and a reward of log 3 for one of two: at beta = 1 it becomes 3 to 1, and J is log 2."""
    ref, rewards = logs(0.5, 0.5), tensor(math.log(3), 0.0)

    logps, log_z = impl.optimal_policy(ref, rewards, beta=1.0)

    assert_close(logps, logs(0.75, 0.25), name="logps")
    assert_close(log_z, math.log(2), name="log_z")
    with pytest.raises(ValueError, match="beta"):
        impl.optimal_policy(ref, rewards, beta=0.0)
    objective = impl.kl_objective(logs(0.75, 0.25), ref, rewards, beta=1.0)
    assert_close(objective, math.log(2), name="kl_objective")
    objective = impl.kl_objective(logs(0.5, 0.5), ref, rewards, beta=1.0)
    assert_close(objective, math.log(3) / 2, name="kl_objective")


@number("9.p2")
@weight(1)
@tags("rlhf")
def test_loop_finds_the_optimum(impl, torch_rng):
    """All of your pieces together: from a uniform reference, the loop closes nine tenths of the gap to J*."""
    n_rows, beta = 48, 0.5
    params = impl.init_params(3, 4)
    prompts, prompt_lengths = torch.ones(n_rows, 1, dtype=torch.int64), torch.ones(n_rows, dtype=torch.int64)
    uniforms = torch.rand(24, n_rows, 3, generator=torch_rng, dtype=torch.float64)

    def score(tokens, prompt_lengths, lengths):
        return (tokens == 2).sum(-1) - 0.5 * lengths.double()

    def train(uniforms):
        data = prompts, prompt_lengths, score, uniforms, [torch.arange(n_rows)] * 2
        return impl.rlhf(params, params, *data, beta=beta, lr=5.0)

    if torch.equal(train(uniforms[:1])["logits"], params["logits"]):
        pytest.fail("one round leaves the policy as it was")
    after = train(uniforms)

    tokens, prompt_lengths, lengths = impl.all_responses([1], 3, 3)
    counted = (torch.arange(1, 4) < lengths[:, None]).double()
    rewards = score(tokens, prompt_lengths, lengths)

    def logps(params):
        logp = impl.forward(params, tokens)[0].log_softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None])
        return (logp[..., 0] * counted).sum(-1)

    best = beta * float((logps(params) + rewards / beta).logsumexp(-1))
    start, end = (
        float((logps(p).exp() * (rewards - beta * (logps(p) - logps(params)))).sum()) for p in (params, after)
    )
    if not start + 0.9 * (best - start) <= end <= best + 1e-9:
        pytest.fail(f"J went from {start:.4f} to {end:.4f}, and its maximum is {best:.4f}")
