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


ONE = tensor(1)[0]

# Task 1


@number("1.p1")
@weight(1)
@tags("reward_model")
def test_scores_by_hand(impl):
    """A score is read at the last real token."""
    token_scores = tensor([1.0, 2.0, 9.0], [3.0, 4.0, 5.0])

    assert_close(impl.final_scores(token_scores, torch.tensor([2, 3])), tensor(2.0, 5.0), name="final_scores")


@number("1.p2")
@weight(1)
@tags("reward_model")
def test_reward_loss_by_hand(impl, vjp):
    """Even chances cost log 2, odds of 3 : 1 cost log 4/3. A pair that is 10,000 the wrong way round costs 10,000, and
    pulls with slope 1."""
    loss = impl.bradley_terry_loss(logs(3, 5), logs(1, 5))
    assert_close(loss, (math.log(4 / 3) + math.log(2)) / 2, name="loss of two pairs")

    wrong = tensor(-10_000), tensor(0)
    assert_close(impl.bradley_terry_loss(*wrong), 10_000.0, name="loss at -10,000")
    gradients = vjp(impl.bradley_terry_loss, *wrong, wrt=(0, 1), cotangent=ONE)
    assert_close(gradients, (tensor(-1), tensor(1)), name="gradients at -10,000")


# Task 2


@number("2.p1")
@weight(1)
@tags("logps")
def test_logps_by_hand(impl):
    """Logits at position t are about token t + 1, and free up to a constant. A token at -1,000 has a finite
    log-probability."""
    logits = 3 + torch.stack([logs(0.5, 0.3, 0.2), logs(0.1, 0.7, 0.2), logs(0.4, 0.4, 0.2)])
    assert_close(impl.token_logps(logits, torch.tensor([0, 1, 2])), logs(0.3, 0.2), name="token_logps")

    far = impl.token_logps(tensor([0, -1000], [0, 0]), torch.tensor([0, 1]))
    assert_close(far, tensor(-1000), name="an unlikely token")


@number("2.p4")
@weight(0)
@tags("logps")
@pytest.mark.gpu
def test_mean_of_a_large_batch_in_float16(impl, device):
    """On a GPU, for no points: 65,536 actions with mean 2, in float16. Their sum is beyond 65,504, its largest number; their
    mean is not."""
    x = torch.tensor([1.5, 2.5, math.nan], dtype=torch.float16).repeat(128, 256).to(device)

    mean = impl.masked_mean(x, ~x.isnan())

    assert_close(mean.double(), tensor(2)[0], rtol=2.0**-9, name="masked_mean")


@number("2.p2")
@weight(1)
@tags("logps")
def test_masks_by_hand(impl):
    """Two prompt tokens, two of the response, one filler: of four actions the middle two count. Without filler, three."""
    mask = impl.response_mask(torch.tensor([2, 2]), torch.tensor([4, 5]), 5)

    due = torch.tensor([[False, True, True, False], [False, True, True, True]])
    assert_close(mask, due, name="response_mask")


@number("2.p3")
@weight(1)
@tags("logps")
def test_means_by_hand(impl, vjp):
    """1, 2 and 6 have the mean 3, whatever the rows are, and what stands beside them may be NaN. The gradient there
    is 0."""
    x, mask = tensor([1.0, 2.0], [6.0, math.nan]), torch.tensor([[True, True], [True, False]])

    assert_close(impl.masked_mean(x, mask), 3.0, name="masked_mean")
    (gradient,) = vjp(impl.masked_mean, x, mask, wrt=(0,), cotangent=ONE)
    assert_close(gradient, tensor([1, 1], [1, 0]) / 3, name="gradient of masked_mean")


# Task 3


@number("3.p1")
@weight(1)
@tags("kl")
def test_divergence_by_hand(impl):
    """(3/4, 1/4) against (1/2, 1/2) and the other way round; logits are free up to a constant. Certain of one token
    against half and half: log 2."""
    p, q = logs(0.75, 0.25), logs(0.5, 0.5)

    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert_close(impl.kl_divergence(p + 5, q), divergence, name="kl_divergence")
    reverse = 0.5 * math.log(2 / 3) + 0.5 * math.log(2)
    assert_close(impl.kl_divergence(q, p), reverse, name="the other way round")
    assert_close(impl.kl_divergence(tensor(0, -5000), q), math.log(2), name="a certain policy")


@number("3.p2")
@weight(1)
@tags("kl")
def test_estimates_by_hand(impl, vjp):
    """What the two tokens say, if the policy is (3/4, 1/4) and the reference (1/2, 1/2)."""
    logp, ref_logp = logs(0.75, 0.25), logs(0.5, 0.5)
    due = {
        "k1": tensor(0.4054651081, -0.6931471806),
        "k2": tensor(0.0822009769, 0.2402265070),
        "k3": tensor(0.0721317748, 0.3068528194),
    }
    for kind, values in due.items():
        assert_close(impl.kl_estimates(logp, ref_logp, kind=kind), values, rtol=0, atol=1e-9, name=kind)  # ten digits

    (slope,) = vjp(impl.kl_estimates, logp, ref_logp, kind="k2", wrt=(0,), cotangent=tensor(1, 1))
    assert_close(slope, tensor(0.4054651081, -0.6931471806), rtol=0, atol=1e-9, name="gradient of k2")


# Task 4


@number("4.p1")
@weight(1)
@tags("rewards")
def test_rewards_by_hand(impl):
    """Each response action pays beta per nat above the reference; the last one gets the score as well."""
    logp = tensor([-1.0, -1.0, -3.0, -1.0], [-2.0, -5.0, -1.0, -1.0])
    ref_logp = tensor([-9.0, -2.0, -1.0, -9.0], [-4.0, -5.0, -9.0, -9.0])
    mask = torch.tensor([[False, True, True, False], [True, True, False, False]])

    rewards = impl.shaped_rewards(logp, ref_logp, mask, tensor(10.0, 20.0), beta=0.5)

    due = tensor([0.0, -0.5, 1.0 + 10.0, 0.0], [-1.0, 0.0 + 20.0, 0.0, 0.0])
    assert_close(rewards, due, name="shaped_rewards")


@number("4.p2")
@weight(1)
@tags("rewards")
def test_rewards_have_sixteen_digits(impl):
    """0.3 is not a number of float32: a price that was rounded to it is off in the eighth digit."""
    logp, mask = tensor([-1.0, -2.0]), torch.tensor([[True, True]])

    rewards = impl.shaped_rewards(logp, 0 * logp, mask, tensor(0.0), beta=0.3)

    assert_close(rewards, tensor([0.3, 0.6]), name="shaped_rewards")


# Task 5


@number("5.p1")
@weight(1)
@tags("advantages")
def test_gae_by_hand(impl):
    """Three steps, an episode that ends after the second, and a third that is cut off at value 4. With no end and
    value 0 after it, the last advantage is 2 - 1/2."""
    rewards, values = tensor(1.0, 0.0, 2.0), tensor(0.5, 0.5, 0.5)
    dones = torch.tensor([False, True, False])

    advantages, returns = impl.gae(rewards, values, dones, torch.tensor(4.0).double(), gamma=0.5, lam=0.5)

    # backwards: 2 + 4/2 - 1/2; then 0 - 1/2, done; then 1 + 1/4 - 1/2 and a quarter of -1/2
    assert_close(advantages, tensor(0.625, -0.5, 3.5), name="advantages")
    assert_close(returns, tensor(1.125, 0.0, 4.0), name="returns")
    ended, _ = impl.gae(rewards, values, torch.tensor([False, False, True]), 4 * ONE, gamma=0.5, lam=0.5)
    assert_close(ended[2], tensor(1.5)[0], name="advantage of a last step that is done")


@number("5.p2")
@weight(1)
@tags("advantages")
@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.0), (1.0, 0.5), (1.0, 1.0), (0.9, 1.0)])
def test_blame_travels_as_far_as_lambda_says(impl, gamma, lam):
    """A critic that knows nothing, and a reward of 1 after the fourth action: how much of it gets to the first?"""
    rewards, zero = tensor(0, 0, 0, 1), tensor(0, 0, 0, 0)

    advantages, returns = impl.gae(rewards, zero, rewards > 0, zero[0], gamma=gamma, lam=lam)

    due = {0.0: tensor(0, 0, 0, 1), 0.5: tensor(0.125, 0.25, 0.5, 1), 1.0: tensor(1, 1, 1, 1)}[lam]
    due = tensor(0.729, 0.81, 0.9, 1) if gamma == 0.9 else due
    assert_close((advantages, returns), (due, due), name="advantages and returns")


@number("5.p3")
@weight(1)
@tags("advantages")
def test_whiten_by_hand(impl):
    """Over both rows together 1 and 3 are one standard deviation from their mean; 100 is masked and becomes 0. With
    eps = 3, 0 and 2 become -1/2 and 1/2."""
    x, mask = tensor([1.0, 1.0, 100.0], [3.0, 3.0, 100.0]), torch.tensor([[True, True, False]] * 2)

    white = impl.whiten(x, mask, eps=0.0)
    assert_close(white, tensor([-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]), name="whiten")
    little = impl.whiten(tensor(0, 2), torch.tensor([True, True]), eps=3.0)
    assert_close(little, tensor(-0.5, 0.5), name="whiten with eps = 3")


# Task 6. Five actions: too likely or too unlikely by half, with good and with bad advantage, and one that is masked.


def moved():
    """log pi after an update, log pi_old, advantages and mask; ratios 1.5, 1.5, 0.5, 0.5 and 1."""
    old_logp = tensor([-1.0, -2.0, -3.0, -4.0, -5.0])
    logp = old_logp + logs(1.5, 1.5, 0.5, 0.5, 1.0)
    mask = torch.tensor([[True, True, True, True, False]])
    return logp, old_logp, tensor([1.0, -1.0, 1.0, -1.0, 99.0]), mask


@number("6.p1")
@weight(1)
@tags("policy_loss")
def test_clipped_objective_by_hand(impl):
    """With clip = 0.2 the four actions are worth 1.2, -1.5, 0.5 and -0.8."""
    loss = impl.clipped_policy_loss(*moved(), clip=0.2)
    assert_close(loss, -(1.2 - 1.5 + 0.5 - 0.8) / 4, name="clipped_policy_loss")

    logp, old_logp, advantages, mask = (torch.cat([part, part]) for part in moved())
    mask[1, 1:] = False  # a response of one action: its ratio is 1.5, its advantage 1
    loss = impl.clipped_policy_loss(logp, old_logp, advantages, mask, clip=0.2)
    assert_close(loss, -(1.2 - 1.5 + 0.5 - 0.8 + 1.2) / 5, name="loss of two responses")


@number("6.p2")
@weight(1)
@tags("policy_loss")
def test_slopes_of_the_clipped_objective(impl, vjp):
    """The slope of the loss in each log pi is that of finite differences."""
    logp, old_logp, advantages, mask = moved()
    step = 1e-6

    (gradient,) = vjp(impl.clipped_policy_loss, logp, old_logp, advantages, mask, clip=0.2, wrt=(0,), cotangent=ONE)

    for t in range(5):
        shift = torch.zeros_like(logp)
        shift[0, t] = step
        up, down = (impl.clipped_policy_loss(x, old_logp, advantages, mask, clip=0.2) for x in (logp + shift, logp - shift))
        slope = (up - down) / (2 * step)
        # differences of numbers near 1, divided by 2e-6
        assert_close(gradient[0, t], slope, rtol=1e-6, atol=1e-8, name=f"slope in action {t}")
    assert_close(gradient.abs().sum(), tensor(0.5)[0], name="sum of the sizes of all slopes")


@number("6.p3")
@weight(1)
@tags("policy_loss")
def test_approximate_kl_by_hand(impl):
    """Ratios of 1.5 say 0.0945, ratios of 0.5 say 0.1931, and one of 2 says 0.3069."""
    logp, old_logp, _, mask = moved()

    due = (0.0945348919 + 0.1931471806) / 2
    assert_close(impl.approximate_kl(logp, old_logp, mask), due, rtol=0, atol=1e-9, name="approximate_kl")
    twice = impl.approximate_kl(logs(0.5)[None], logs(0.25)[None], torch.tensor([[True]]))
    assert_close(twice, 0.3068528194, rtol=0, atol=1e-9, name="approximate_kl of a ratio of 2")


@number("6.p4")
@weight(1)
@tags("policy_loss")
def test_policy_loss_trains_the_policy_alone(impl, vjp):
    """The loss has a gradient in log pi, and none in log pi_old nor in the advantages."""
    logp, old_logp, advantages, mask = moved()

    gradients = vjp(impl.clipped_policy_loss, logp, old_logp, advantages, mask, wrt=(0, 1, 2), cotangent=ONE)

    assert gradients[0].isfinite().all() and gradients[0].any(), "no gradient in logp"
    assert_close(gradients[1:], (0 * logp, 0 * logp), name="gradients in old_logp and advantages")


# Task 7


@number("7.p1")
@weight(1)
@tags("critic")
def test_critic_by_hand(impl):
    """The worse prediction counts: 1 or 0.7 against a return of 2, 1 or 0.7 against one of 0.6. Half the mean of 1.69
    and 0.16. Where nothing is clipped and the errors are 2 and 0, it is 1."""
    values, old_values, returns = tensor([1.0, 1.0, 5.0]), tensor([0.5, 0.5, 5.0]), tensor([2.0, 0.6, 9.0])
    mask = torch.tensor([[True, True, False]])

    loss = impl.clipped_value_loss(values, old_values, returns, mask, clip=0.2)
    assert_close(loss, (1.69 + 0.16) / 4, name="clipped_value_loss")
    plain = impl.clipped_value_loss(values, values, tensor([3.0, 1.0, 9.0]), mask, clip=0.2)
    assert_close(plain, 1.0, name="loss without clipping")


@number("7.p2")
@weight(1)
@tags("critic")
def test_value_loss_trains_the_critic_alone(impl, vjp):
    """The loss has a gradient in the values, and none in the old values nor in the returns."""
    args = tensor([1.0, 1.0]), tensor([0.9, 0.5]), tensor([2.0, 0.6]), torch.tensor([[True, True]])

    gradients = vjp(impl.clipped_value_loss, *args, wrt=(0, 1, 2), cotangent=ONE)

    assert gradients[0].isfinite().all() and gradients[0].any(), "no gradient in the values"
    assert_close(gradients[1:], (tensor([0, 0]), tensor([0, 0])), name="gradients in old values and returns")


# Task 8. The parts are simple stand-ins, so that the other tasks need not be done first.


@number("8.p1")
@weight(1)
@tags("update")
def test_collect_by_hand(impl):
    """One response of two tokens and one of filler, with simple parts: which numbers go where?"""
    rollout = {
        "tokens": torch.tensor([[5, 6, 7, 0]]),
        "prompt_lengths": torch.tensor([1]),
        "lengths": torch.tensor([3]),
        "logits": torch.zeros(1, 4, 8).double(),
        "values": tensor([1, 2, 3, 4]),
        "ref_logits": torch.ones(1, 4, 8).double(),
        "scores": tensor(9),
    }
    asked = {}

    def rewards_of(logp, ref_logp, mask, scores, *, beta):
        asked["rewards"] = [logp, ref_logp, mask, scores, tensor(beta)]
        return tensor([10, 20, 30])

    def advantages_of(rewards, values, dones, last_value, *, gamma, lam):
        asked["advantages"] = [rewards, values, dones, last_value, tensor(gamma, lam)]
        return tensor([100, 200, 300]), tensor([7, 8, 9])

    batch = impl.collect(
        rollout,
        beta=0.5,
        gamma=0.9,
        lam=0.8,
        logps_of=lambda logits, tokens: logits[:, :-1, 0] - 3.0,
        mask_of=lambda prompt_lengths, lengths, n_tokens: torch.tensor([[True, True, False]]),
        rewards_of=rewards_of,
        advantages_of=advantages_of,
        whitened=lambda x, mask: x / 100,
    )

    mask, logp, ref_logp = torch.tensor([[True, True, False]]), tensor([-3, -3, -3]), tensor([-2, -2, -2])
    assert_close(asked["rewards"], [logp, ref_logp, mask, tensor(9), tensor(0.5)], name="what rewards_of is given")
    dones = torch.tensor([[False, True, False]])
    due = [tensor([10, 20, 30]), tensor([1, 2, 3]), dones, tensor(0), tensor(0.9, 0.8)]
    assert_close(asked["advantages"], due, name="what advantages_of is given")
    due = {"tokens": rollout["tokens"], "scores": tensor(9), "mask": mask, "old_logp": logp, "ref_logp": ref_logp}
    due |= {"old_values": tensor([1, 2, 3]), "advantages": tensor([1, 2, 3])}
    returns = batch.pop("returns")
    assert_close(batch, due, name="collect")
    assert_close(returns[:, :2], tensor([7, 8]), name="returns of the response")


@number("8.p2")
@weight(1)
@tags("update")
def test_update_descends_with_a_bounded_gradient(impl):
    """A gradient of (3, 4) has norm 5: at max_grad_norm 1 the step is lr * (0.6, 0.8), at 10 lr * (3, 4). The second
    step starts where the first one ended, and sees its own rows."""
    params, batch = {"a": tensor(1.0), "b": tensor(1.0)}, {"x": tensor(1.0, 2.0)}

    def gradients_of(params, rows):
        assert rows["x"].shape == (1,), "a step sees the rows of its minibatch"
        return {"a": 3 * params["a"] * rows["x"], "b": 4 * params["b"] * rows["x"]}

    for bound, due in ((1.0, (0.94, 0.92)), (10.0, (0.7, 0.6))):
        options = {"lr": 0.1, "max_grad_norm": bound, "gradients_of": gradients_of}
        new = impl.ppo_update(params, batch, [torch.tensor([0])], **options)
        # the bound is checked to 1e-6, as the docstring says
        assert_close(new, {"a": tensor(due[0]), "b": tensor(due[1])}, rtol=1e-6, atol=1e-6, name="params")
    # 0.7 - 0.1 * 3 * 0.7 * 2 and 0.6 - 0.1 * 4 * 0.6 * 2
    new = impl.ppo_update(params, batch, [torch.tensor([0]), torch.tensor([1])], **options)
    assert_close(new, {"a": tensor(0.28), "b": tensor(0.12)}, rtol=1e-6, atol=1e-6, name="params after two steps")


# Task 9


@number("9.p1")
@weight(1)
@tags("rlhf")
def test_no_policy_beats_the_optimum(impl, torch_rng):
    """Even odds, and a reward of log 3 for one of two: at beta = 1 it becomes 3 to 1, and log Z is log 2. In a table of
    five, no random policy has a higher objective. A huge reward is no reason for infinity."""
    logps, log_z = impl.optimal_policy(logs(0.5, 0.5), tensor(math.log(3), 0.0), beta=1.0)
    assert_close(logps, logs(0.75, 0.25), name="logps")
    assert_close(log_z, math.log(2), name="log_z")
    _, log_z = impl.optimal_policy(logs(0.5, 0.5), tensor(5000, 5000), beta=0.5)
    assert_close(log_z, 10_000.0, name="log_z of huge rewards")

    reference = torch.randn(5, generator=torch_rng, dtype=torch.float64).log_softmax(-1)
    rewards = torch.randn(5, generator=torch_rng, dtype=torch.float64)
    best, _ = impl.optimal_policy(reference, rewards, beta=0.5)
    noise = torch.randn(1000, 5, generator=torch_rng, dtype=torch.float64)
    others = torch.cat([noise.log_softmax(-1), (best + 0.01 * noise).log_softmax(-1)])
    assert_close(best.exp().sum(), ONE, name="sum of probabilities")
    table = reference.expand_as(others), rewards.expand_as(others)
    value = impl.kl_objective(best, reference, rewards, beta=0.5)
    assert (impl.kl_objective(others, *table, beta=0.5) <= value).all()


@number("9.p2")
@weight(1)
@tags("rlhf")
def test_loop_finds_the_optimum(impl, torch_rng):
    """All of your pieces together: from a uniform reference, the loop closes nine tenths of the gap to J*."""
    n_rows, beta = 48, 0.5
    params = impl.init_params(3, 3)
    prompts, prompt_lengths = torch.ones(n_rows, 1, dtype=torch.int64), torch.ones(n_rows, dtype=torch.int64)
    uniforms = torch.rand(6, n_rows, 2, generator=torch_rng, dtype=torch.float64)

    def score(tokens, prompt_lengths, lengths):
        return (tokens == 2).sum(-1) - 0.5 * lengths.double()

    def train(uniforms):
        data = prompts, prompt_lengths, score, uniforms, [torch.arange(n_rows)] * 2
        return impl.rlhf(params, params, *data, beta=beta, lr=5.0)

    if torch.equal(train(uniforms[:1])["logits"], params["logits"]):
        pytest.fail("one round leaves the policy as it was")
    after = train(uniforms)

    tokens, prompt_lengths, lengths = impl.all_responses([1], 3, 2)
    counted = (torch.arange(1, 3) < lengths[:, None]).double()
    rewards = score(tokens, prompt_lengths, lengths)

    def logps(params):
        logp = impl.forward(params, tokens)[0].log_softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None])
        return (logp[..., 0] * counted).sum(-1)

    start, end = (float(impl.kl_objective(logps(p), logps(params), rewards, beta=beta)) for p in (params, after))
    best = -0.3661172686  # over all seven responses
    if not start + 0.9 * (best - start) <= end <= best + 1e-9:
        pytest.fail(f"J went from {start:.4f} to {end:.4f}, and its maximum is {best:.4f}")
