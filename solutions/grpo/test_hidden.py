"""Graded checks of the GRPO assignment.

Everything is exact: texts by hand, all groups of small tables, given uniform numbers. Each task is checked on inputs that are made
here. Inputs are float64 unless a check is about another dtype.
"""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_commutes, assert_leaves_arguments
from coursekit.compare import assert_close

F64 = torch.float64
ONE = torch.tensor(1.5, dtype=F64)  # a cotangent that is not 1
KINDS = ("centered", "scaled", "leave_one_out")
HOWS = ("sequence", "token", "constant")


def normal(generator, *shape, dtype=F64):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64).to(dtype)


def marked(rng, P, G, T):
    """A mask of answers of 1 to T tokens. Not all are equally long."""
    lengths = rng.integers(1, T + 1, size=(P, G))
    lengths.flat[0], lengths.flat[-1] = 1, T
    return torch.from_numpy(lengths)[..., None] > torch.arange(T)


def token_logps(generator, *shape, dtype=F64):
    """Log-probabilities of tokens: negative numbers."""
    return -(normal(generator, *shape).abs() + 0.1).to(dtype)


def behind(mask, values, filler):
    """The same values with something else where the mask is False."""
    return torch.where(mask, values, filler)


# --- Task 1: a reward that a program can give --------------------------------------------------


@number("1.1")
@weight(1)
@tags("reward")
def test_the_last_closed_box_is_found(agree, rng):
    """Of several boxes the last closed one counts, and blanks at its ends don't; without one there is no answer."""
    a, b = (str(x) for x in rng.choice(range(10, 99), size=2, replace=False))
    texts = [
        rf"\boxed{{{a}}} or \boxed{{ {b}  }}.",
        rf"\boxed{{{a}}} then \boxed{{{b}",
        rf"boxed{{{a}}} and {{{b}}}",
        rf"\boxed{{{b}}}}} and {{}}",
        r"\boxed{}",
        "",
    ]

    agree(lambda impl: [impl.final_answer(text) for text in texts])


@number("1.2")
@weight(1)
@tags("reward")
def test_braces_inside_a_box_belong_to_it(agree, rng):
    """A box ends at the brace that closes it, not at the first one and not at the last of the text."""
    a, b = rng.integers(2, 9, size=2)
    texts = [
        rf"\boxed{{\frac{{{a}}}{{{b}}}}} is {{right}}",
        rf"\boxed{{x^{{{a}^{{{b}}}}} + 1}} }}",
        rf"\boxed{{{a}}} \boxed{{\sqrt{{{b}}}}} end}}",
    ]

    agree(lambda impl: [impl.final_answer(text) for text in texts])


@number("1.3")
@weight(2)
@tags("reward")
@pytest.mark.parametrize("case", ["decimals", "fractions", "digits"])
def test_equal_numbers_are_equal_exactly(agree, rng, case):
    """Decimals, fractions and whole numbers are the same if they are the same rational number, and only then."""
    a, b = int(rng.integers(1, 9)), int(rng.integers(11, 19))
    pairs = {
        "decimals": [("0.50", "0.5"), (f"{a}.0", str(a)), (f"-{a}.250", f"-{4 * a + 1}/4"), ("0.1", "0.10000000000000000001")],
        "fractions": [
            (f"{a}/{b}", f"{3 * a}/{3 * b}"),
            (rf"-\frac{{{a}}}{{{b}}}", f"-{2 * a}/{2 * b}"),
            (f"{a}/{b}", f"{a / b:.16f}"),
            (f"{a}/{b}", f"{b}/{a}"),
        ],
        "digits": [
            (f" +{a}", f"0{a} "),
            (f"-{a}", str(a)),
            ("123456789012345678901", "123456789012345678902"),
            ("12", "21"),
        ],
    }[case]

    agree(lambda impl: [impl.equivalent(answer, truth) for answer, truth in pairs])


@number("1.4")
@weight(1)
@tags("reward")
def test_texts_are_equal_letter_by_letter(agree):
    """Text that is no number is compared as text, a denominator of 0 makes no number, and no answer is never the same."""
    pairs = [
        ("north", " north"), ("North", "north"), ("1/0", "2/0"), ("1/0", "1/0"), ("x = 2", "2"), (None, "None"), ("2", "two"),
        ("5%", "5%"), ("1/2/1", "1/2"), (r"\frac{1}{x}", r"\frac{1}{x}"),
    ]  # fmt: skip

    agree(lambda impl: [impl.equivalent(answer, truth) for answer, truth in pairs])


@number("1.5")
@weight(1)
@tags("reward")
def test_format_and_answer_must_both_be_right(agree, rng):
    """A right answer in a wrong format earns nothing, and neither does a right format alone."""
    a = str(rng.integers(10, 99))
    responses = [
        rf"so</think>It is \boxed{{{a}}}.",
        rf"</think>\boxed{{{a}}}",
        rf"so \boxed{{{a}}}",
        rf"so</think>wait</think>\boxed{{{a}}}",
        rf"\boxed{{{a}}}</think>",
        r"so</think>\boxed{no}",
        f"so</think>{a}",
        "",
    ]

    agree(lambda impl: [impl.reward("Compute." + response, 8, a) for response in responses])


@number("1.6")
@weight(1)
@tags("reward")
def test_the_prompt_earns_nothing(agree, rng):
    """What stands in the prompt is neither an answer nor a format, right or wrong."""
    a, b = (str(x) for x in rng.choice(range(10, 99), size=2, replace=False))
    solved = rf"Example: </think>\boxed{{{a}}} Now you:"
    cases = [
        (solved, "so</think>I don't know.", a),
        (solved, rf"so</think>\boxed{{{b}}}", b),
        (solved, rf"\boxed{{{a}}}", a),
        ("", rf"so</think>\boxed{{{b}}}", b),
        (r"Put </think> before \boxed{}.", rf"</think>\boxed{{{a}}}", a),
    ]

    agree(lambda impl: [impl.reward(prompt + response, len(prompt), truth) for prompt, response, truth in cases])


# --- Task 2: better than the rest of the group -------------------------------------------------


@number("2.1")
@weight(2)
@tags("advantages")
@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=["float64", "float32"])
def test_centered_advantages(agree, torch_rng, dtype):
    """The reward minus the mean of the group, which includes the answer itself. So they add up to 0."""
    for G in (2, 5):
        advantages = agree("group_advantages", 3 * normal(torch_rng, G, dtype=dtype) + 1, kind="centered")

        assert abs(float(advantages.sum())) < 1e-5


@number("2.2")
@weight(2)
@tags("advantages")
@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_scaled_advantages(agree, torch_rng, eps):
    """Divided by the deviation of the group, plus eps: groups of two and of five, of small and of large rewards."""
    for G, size in ((2, 1.0), (5, 0.01), (5, 100.0)):
        agree("group_advantages", size * normal(torch_rng, G), kind="scaled", eps=eps)


@number("2.3")
@weight(1)
@tags("advantages")
@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_group_has_no_advantage(agree, kind):
    """Equal rewards have advantages of exactly 0, whatever a mean rounds to, beside a group that has some."""
    rewards = torch.tensor([[0.1, 0.1, 0.1], [1.0, 0.0, 0.0], [0.7, 0.7, 0.7]], dtype=F64)

    advantages = agree("group_advantages", rewards, kind=kind, eps=0.0)

    assert not advantages[[0, 2]].any()


@number("2.4")
@weight(2)
@tags("advantages")
@pytest.mark.parametrize("G", [2, 3, 6])
def test_leave_one_out_advantages(agree, torch_rng, G):
    """The reward minus the mean of the others: another reward of its own moves an answer's advantage by just as much."""
    rewards = normal(torch_rng, G)
    more = rewards.clone()
    more[0] += 2.0

    before, after = (agree("group_advantages", r, kind="leave_one_out") for r in (rewards, more))

    assert_close(after[0] - before[0], torch.tensor(2.0, dtype=F64), name="change of the advantage")


@number("2.5")
@weight(2)
@tags("advantages")
@pytest.mark.parametrize("kind", KINDS)
def test_each_group_is_on_its_own(agree, torch_rng, kind):
    """A constant added to all rewards of a prompt changes nothing, and each prompt's group is compared with itself."""
    rewards, constant = normal(torch_rng, 2, 3, 4), 5 * normal(torch_rng, 2, 3, 1)

    assert_commutes(
        lambda r: agree("group_advantages", r, kind=kind, eps=0.0),
        rewards,
        before=lambda r: (r + constant,),
        after=lambda out: out,
        name="advantages after a constant for each prompt",
    )


# --- Task 3: the clipped loss of each token ----------------------------------------------------


def answers(rng, generator, *, T=4, dtype=F64, step=0.3):
    """log pi, log pi_old, advantages and mask of two prompts with three answers of different lengths. No log-ratio is above 2 step."""
    old_logp = token_logps(generator, 2, 3, T, dtype=dtype)
    return (
        old_logp + step * normal(generator, 2, 3, T, dtype=dtype).clamp(-2, 2),
        old_logp,
        normal(generator, 2, 3, dtype=dtype),
        marked(rng, 2, 3, T),
    )


NARROW = {"clip_low": 0.3, "clip_high": 0.3}
FAR = {"clip_low": 0.9, "clip_high": 0.9}  # |log-ratio| < 0.3 * 2 < log 1.9: no ratio gets there


@number("3.1")
@weight(2)
@tags("policy_loss")
@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=["float64", "float32"])
def test_token_losses(agree, rng, torch_rng, dtype):
    """Each token has its own ratio, and all have the advantage of their answer. Here no ratio reaches a limit."""
    for _ in range(2):
        agree("policy_loss", *answers(rng, torch_rng, dtype=dtype), level="token", **FAR)


@number("3.2")
@weight(2)
@tags("policy_loss")
def test_sequence_losses(agree, rng, torch_rng):
    """All tokens of an answer share a ratio, whose log is the mean over the answer's tokens and not over the padding."""
    for _ in range(3):
        agree("policy_loss", *answers(rng, torch_rng), level="sequence", **FAR)


@number("3.3")
@weight(2)
@tags("policy_loss")
@pytest.mark.parametrize("clips", [(0.1, 0.6), (0.6, 0.1)], ids=str)
def test_the_worse_of_two_products(agree, rng, torch_rng, clips):
    """A ratio may fall by clip_low and rise by clip_high, which differ; the worse of the two products counts."""
    for _ in range(2):
        logp, old_logp, advantages, mask = answers(rng, torch_rng, step=0.6)
        agree("policy_loss", logp, old_logp, advantages, mask, level="token", clip_low=clips[0], clip_high=clips[1])


@number("3.4")
@weight(1)
@tags("policy_loss")
@pytest.mark.parametrize("level", ["token", "sequence"])
def test_gradients_stop_where_the_clip_is_the_worse(agree, rng, torch_rng, level):
    """Where the clipped product is the worse one there is no gradient; at sequence level a token moves the ratio of all."""
    logp, old_logp, advantages, mask = answers(rng, torch_rng, step=0.6)
    advantages[0, 0] = 1.0 + advantages[0, 0].abs()
    logp[0, 0, 0] = old_logp[0, 0, 0]  # an answer of one token at ratio 1, whose gradient is -A

    agree.vjp(
        "policy_loss", logp, old_logp, advantages, mask, wrt=(0,), cotangent=normal(torch_rng, 2, 3, 4), level=level, **NARROW
    )


@number("3.5")
@weight(1)
@tags("policy_loss")
@pytest.mark.parametrize("level", ["token", "sequence"])
def test_padding_is_not_read(agree, rng, torch_rng, level):
    """NaN and -inf behind an answer change neither losses nor gradients, and both are 0 there."""
    logp, old_logp, advantages, mask = answers(rng, torch_rng)
    logp, old_logp = behind(mask, logp, math.nan), behind(mask, old_logp, -math.inf)
    options = {"level": level, **FAR}

    losses = agree("policy_loss", logp, old_logp, advantages, mask, **options)
    assert not losses[~mask].any()
    agree.vjp("policy_loss", logp, old_logp, advantages, mask, wrt=(0,), cotangent=normal(torch_rng, 2, 3, 4), **options)


@number("3.6")
@weight(1)
@tags("policy_loss")
@pytest.mark.parametrize("level", ["token", "sequence"])
def test_old_policy_and_advantages_are_data(agree, impl, vjp, rng, torch_rng, level):
    """The gradients in old_logp and in the advantages are 0, and the one in logp is not."""
    args = answers(rng, torch_rng, T=1 if level == "sequence" else 4)  # one token: what the ratio is belongs to 3.2
    options, weights = {"level": level, **FAR}, normal(torch_rng, *args[0].shape)

    gradients = vjp(impl.policy_loss, *args, wrt=(0, 1, 2), cotangent=weights, **options)

    assert bool((gradients[0][args[3]].abs() > 0).all())
    assert_close(gradients[1:], (0 * args[1], 0 * args[2]), name="gradients in old_logp and advantages")
    agree.vjp("policy_loss", *args, wrt=(0,), cotangent=weights, **options)


# --- Task 4: what to divide by -----------------------------------------------------------------


def loss_batch(rng, generator, P=2, G=3, T=5, dtype=F64):
    """Losses of answers of different lengths, and their mask."""
    return normal(generator, P, G, T, dtype=dtype) + 0.5, marked(rng, P, G, T)


@number("4.1")
@weight(2)
@tags("aggregate")
@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=["float64", "float32"])
def test_each_answer_counts_the_same(agree, rng, torch_rng, dtype):
    """By sequence: the mean over an answer's own tokens, and then over all answers of all prompts."""
    for P, G in ((2, 3), (3, 2)):
        agree("aggregate", *loss_batch(rng, torch_rng, P, G, dtype=dtype), how="sequence", max_len=7)


@number("4.2")
@weight(1)
@tags("aggregate")
def test_each_token_counts_the_same(agree, rng, torch_rng):
    """By token: the sum over the number of tokens in the batch."""
    for P, G in ((2, 3), (3, 2)):
        agree("aggregate", *loss_batch(rng, torch_rng, P, G), how="token", max_len=7)


@number("4.3")
@weight(2)
@tags("aggregate")
@pytest.mark.parametrize("max_len", [5, 12])
def test_a_constant_depends_on_no_length(agree, rng, torch_rng, max_len):
    """By constant: the divisor is the number of answers times max_len, whatever their lengths and their padding."""
    for P, G in ((2, 3), (3, 2)):
        agree("aggregate", *loss_batch(rng, torch_rng, P, G), how="constant", max_len=max_len)


@number("4.4")
@weight(2)
@tags("aggregate")
@pytest.mark.parametrize("how", HOWS)
def test_parts_add_up_to_the_whole(agree, rng, torch_rng, how):
    """Parts of different numbers of answers, lengths and paddings add up to the loss of the whole batch."""
    parts = [loss_batch(rng, torch_rng, P, 2, T) for P, T in ((1, 3), (3, 6), (2, 4))]

    got = agree("micro_batch_losses", parts, how=how, max_len=9)

    padded = [[torch.nn.functional.pad(x, (0, 6 - x.shape[-1])) for x in part] for part in parts]
    losses, mask = (torch.cat(tensors) for tensors in zip(*padded, strict=True))
    whole = {
        "sequence": ((losses * mask).sum(-1) / mask.sum(-1)).mean(),
        "token": losses[mask].mean(),
        "constant": losses[mask].sum() / (12 * 9),
    }[how]
    assert_close(sum(got), whole, name="sum of the parts")


@number("4.5")
@weight(1)
@tags("aggregate")
@pytest.mark.parametrize("how", HOWS)
def test_gradients_are_weights(agree, rng, torch_rng, how):
    """The gradient of the loss in a token's loss is the weight of the token, and 0 behind an answer, even if NaN stands there."""
    losses, mask = loss_batch(rng, torch_rng)

    agree.vjp("aggregate", behind(mask, losses, math.nan), mask, wrt=(0,), cotangent=ONE, how=how, max_len=7)


@number("4.6")
@weight(1)
@tags("aggregate")
@pytest.mark.parametrize("how", HOWS)
def test_wider_padding_changes_nothing(agree, rng, torch_rng, how):
    """The same answers in rows that are two positions wider have the same loss, whatever stands in the padding."""
    losses, mask = loss_batch(rng, torch_rng)

    assert_commutes(
        lambda losses, mask: agree("aggregate", losses, mask, how=how, max_len=9),
        losses,
        mask,
        before=lambda losses, mask: (
            torch.nn.functional.pad(losses, (0, 2), value=math.nan),
            torch.nn.functional.pad(mask, (0, 2)),
        ),
        after=lambda loss: loss,
        name="loss of wider rows",
    )


# --- Task 5: the update, exactly ---------------------------------------------------------------


def as_they_are(rewards):
    """Advantages that are the rewards."""
    return rewards


def against_the_first(rewards):
    """The reward minus that of the first answer of the group, which depends on the order."""
    return rewards - rewards[..., :1]


def by_rank(rewards):
    """+1 for the best answers of a group, 0 for the others."""
    return (rewards == rewards.max(-1, keepdim=True).values).to(rewards)


def cubes(rewards):
    """Not linear in the rewards: the distance from the group's mean, cubed."""
    return (rewards - rewards.mean(-1, keepdim=True)) ** 3


@number("5.1")
@weight(2)
@tags("expected")
@pytest.mark.parametrize(
    ("K", "spread", "dtype"),
    [(2, 1.0, F64), (6, 1.0, F64), (5, 300.0, F64), (5, 1.0, torch.float32)],
    ids=["two", "six", "sure", "float32"],
)
def test_the_gradient_of_the_mean_reward(agree, torch_rng, K, spread, dtype):
    """By formula, on tables of any size, for policies that are unsure and for policies that are sure."""
    logits, rewards = spread * normal(torch_rng, K, dtype=dtype), normal(torch_rng, K, dtype=dtype)
    if spread > 1:
        logits[:2] = logits.max() + 1  # two that share nearly all

    agree("exact_gradient", logits, rewards)


@number("5.2")
@weight(1)
@tags("expected")
def test_only_differences_of_rewards_matter(agree, torch_rng):
    """A constant added to all rewards changes no gradient, and its entries add up to 0."""
    logits, rewards = normal(torch_rng, 5), normal(torch_rng, 5)

    gradient = assert_commutes(
        lambda r: agree("exact_gradient", logits, r),
        rewards,
        before=lambda r: (r + 3,),
        after=lambda g: g,
        name="gradient after a constant",
    )
    assert abs(float(gradient.sum())) < 1e-9


@number("5.3")
@weight(2)
@tags("expected")
@pytest.mark.parametrize("G", [2, 3])
def test_rewards_as_advantages(agree, torch_rng, G):
    """With the rewards as advantages, the expected update is the gradient of the mean reward for any size of the group."""
    logits, rewards = normal(torch_rng, 4).requires_grad_(), normal(torch_rng, 4)

    got = agree("expected_update", logits.detach(), rewards, group_size=G, advantages_of=as_they_are)

    (want,) = torch.autograd.grad((logits.softmax(-1) * rewards).sum(), logits)
    assert_close(got, want, name="expected update")


@number("5.4")
@weight(3)
@tags("expected")
@pytest.mark.parametrize("advantages_of", [against_the_first, by_rank, cubes])
def test_advantages_of_whole_groups(agree, torch_rng, advantages_of):
    """Advantages may depend on the whole group and on its order: each group counts with its own probability."""
    logits, rewards = normal(torch_rng, 3), torch.tensor([1.0, 0.0, 2.0], dtype=F64)

    for G in (2, 3):
        agree("expected_update", logits, rewards, group_size=G, advantages_of=advantages_of)


@number("5.5")
@weight(1)
@tags("expected")
def test_advantages_are_of_the_groups_rewards(agree, torch_rng):
    """Answers with equal rewards are told apart by their own probabilities."""
    logits, rewards = normal(torch_rng, 4), torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=F64)

    got = agree("expected_update", logits, rewards, group_size=2, advantages_of=cubes)

    assert float(got[0]) > 0 > float(got[1])


# --- Task 6: staying near the reference --------------------------------------------------------


def near_reference(rng, generator, dtype=F64):
    """log pi and log pi_ref of tokens, and their mask."""
    ref_logp = token_logps(generator, 2, 3, 4, dtype=dtype)
    return ref_logp + 0.7 * normal(generator, 2, 3, 4, dtype=dtype), ref_logp, marked(rng, 2, 3, 4)


@number("6.1")
@weight(3)
@tags("kl")
@pytest.mark.parametrize("kind", ["k1", "k2", "k3"])
def test_three_estimates(agree, rng, torch_rng, kind):
    """Each token has its own term. k2 and k3 are never negative, and all three are 0 where policy and reference agree."""
    logp, ref_logp, mask = near_reference(rng, torch_rng)
    logp[1, 2, 0] = ref_logp[1, 2, 0]

    term = agree("kl_term", logp, ref_logp, mask, kind=kind)

    assert float(term[1, 2, 0]) == 0
    assert kind == "k1" or float(term.min()) >= 0
    agree("kl_term", *near_reference(rng, torch_rng, torch.float32), kind=kind)


@number("6.2")
@weight(2)
@tags("kl")
@pytest.mark.parametrize("kind", ["k1", "k2", "k3"])
def test_gradients_of_the_estimates(agree, impl, vjp, rng, torch_rng, kind):
    """The gradient in log pi, token by token; there is none in the reference."""
    args, weights = near_reference(rng, torch_rng), normal(torch_rng, 2, 3, 4)

    agree.vjp("kl_term", *args, wrt=(0,), cotangent=weights, kind=kind)
    _, in_reference = vjp(impl.kl_term, *args, wrt=(0, 1), cotangent=weights, kind=kind)
    assert_close(in_reference, 0 * args[1], name="gradient in ref_logp")


@number("6.3")
@weight(1)
@tags("kl")
@pytest.mark.parametrize("beta", [0.05, 2.0])
def test_the_price_of_a_whole_answer(agree, rng, torch_rng, beta):
    """The reward of an answer minus beta times the sum of k1 over its tokens, long and short."""
    logp, ref_logp, mask = near_reference(rng, torch_rng)

    for rewards in (normal(torch_rng, 2, 3), torch.ones(2, 3, dtype=F64)):
        agree("penalized_rewards", rewards, logp, ref_logp, mask, beta=beta)


@number("6.4")
@weight(1)
@tags("kl")
@pytest.mark.parametrize("name", ["kl_term", "penalized_rewards"])
def test_kl_does_not_read_the_padding(agree, rng, torch_rng, name):
    """NaN and -inf behind an answer change no value and no gradient."""
    logp, ref_logp, mask = near_reference(rng, torch_rng)
    args = behind(mask, logp, math.nan), behind(mask, ref_logp, -math.inf), mask
    if name == "penalized_rewards":
        agree(name, normal(torch_rng, 2, 3), *args, beta=0.5)
        return
    for kind in ("k1", "k2", "k3"):
        agree(name, *args, kind=kind)
        agree.vjp(name, *args, wrt=(0,), cotangent=normal(torch_rng, 2, 3, 4), kind=kind)


# --- Task 7: which prompts teach, and how much -------------------------------------------------


@number("7.1")
@weight(2)
@tags("shaping")
def test_which_groups_teach(agree, rng):
    """A group teaches if any reward differs, by little or by much, at the front or at the back; equal ones teach nothing."""
    rewards = torch.from_numpy(rng.integers(0, 2, size=(8, 5)).astype(float))
    rewards[0], rewards[1], rewards[2], rewards[3] = 0.0, 1.0, 0.1, -0.7
    rewards[4], rewards[5] = 0.3, 0.3
    rewards[4, 4] = 0.3 + 1e-12
    rewards[5, 0] = 0.4
    rewards[6] = torch.tensor([-1.0, 1.0, 0.0, 2.0, -2.0])

    agree("informative", rewards)
    agree("informative", rewards[:, :2].float())


@number("7.2")
@weight(2)
@tags("shaping")
@pytest.mark.parametrize("margin", [1, 7, 30])
def test_long_answers_are_warned(agree, rng, margin):
    """Nothing up to max_len - margin, a straight line to -1 at max_len, and -1 beyond."""
    lengths = torch.cat([torch.arange(20, 34), torch.from_numpy(rng.integers(1, 60, size=6))])

    agree("overlong_penalty", lengths, max_len=30, margin=margin)
    agree("overlong_penalty", lengths[:12].reshape(3, 4), max_len=30, margin=margin)


@number("7.3")
@weight(2)
@tags("shaping")
@pytest.mark.parametrize("k", [2, 3, 8])
def test_pass_at_k_prefers_hard_prompts(agree, rng, k):
    """The weight of each prompt, whose integral over p from 0 to 1 is 1, as pass@k goes from 0 to 1."""
    success = torch.from_numpy(rng.random((2, 5)))

    agree("pass_at_k_weights", success, k)
    grid = (torch.arange(20_000, dtype=F64) + 0.5) / 20_000
    # the midpoint rule is off by k (k - 1) (k - 2) / 24 / 20000^2, below 1e-7
    mean = agree("pass_at_k_weights", grid, k).mean()
    assert abs(float(mean) - 1) < 1e-6


@number("7.4")
@weight(1)
@tags("shaping")
@pytest.mark.parametrize("name", ["informative", "overlong_penalty", "pass_at_k_weights"])
def test_shapes_dtypes_and_ends(agree, rng, name):
    """Groups of two in float32; a table of int32 lengths, whose penalty begins at 0; p = 0 and 1, and k = 1."""
    if name == "informative":
        agree(name, torch.from_numpy(rng.integers(0, 2, size=(9, 2))).float())
    if name == "overlong_penalty":
        agree(name, torch.tensor([[0, 3], [16, 20]], dtype=torch.int32), max_len=16, margin=16)
    if name == "pass_at_k_weights":
        ends = torch.tensor([0.0, 0.25, 1.0], dtype=F64)
        for k in (1, 4):
            agree(name, ends, k)
        agree(name, ends.float(), 2)


# --- Task 8: learning from right answers, and from a judge -------------------------------------


@number("8.1")
@weight(2)
@tags("feedback")
@pytest.mark.parametrize("case", ["some right", "none possible", "float32"])
def test_right_answers_keep_their_shares(agree, rng, torch_rng, case):
    """Right answers keep their shares among themselves, wrong ones vanish; a prompt without a possible right answer stays."""
    logp = (2 * normal(torch_rng, 4, 6)).log_softmax(-1)
    rewards = torch.from_numpy(rng.integers(0, 2, size=(4, 6)).astype(float))
    rewards[:, 0], rewards[:, 1] = 1.0, 0.0
    if case == "none possible":
        logp[0, 0] = -math.inf
        logp[0] = logp[0].log_softmax(-1)
        rewards[0] = torch.eye(6, dtype=F64)[0]
        rewards[1] = 0.0
    if case == "float32":
        logp, rewards = logp.float(), rewards.float()

    agree("filtered_step", logp, rewards)


def counting_model():
    """A model whose texts say how often it was asked and how long the text was."""
    asked = []

    def generate(text):
        asked.append(text)
        return f"[{len(asked)}: {len(text)}]"

    return generate, asked


@number("8.2")
@weight(2)
@tags("feedback")
@pytest.mark.parametrize("n", [0, 1, 3])
def test_revisions_follow_each_other(impl, reference, rng, n):
    """The newest answer is criticized by each principle in its turn, and the pair has the prompt as it was asked."""
    prompt, principles = f"Prompt {rng.integers(100)}", [f"Principle {x}" for x in rng.permutation(9)[:n]]
    generate, asked = counting_model()
    want_generate, want_asked = counting_model()

    pair = impl.critique_and_revise(prompt, principles, generate=generate)

    want = reference.critique_and_revise(prompt, principles, generate=want_generate)
    assert_close(asked, want_asked, name="what the model is shown")
    assert_close(tuple(pair), want, name="the pair to train on")


@number("8.3")
@weight(2)
@tags("feedback")
@pytest.mark.parametrize("shape", [(), (3, 2)], ids=str)
def test_two_orders_are_averaged(agree, torch_rng, shape):
    """The mean of two probabilities; when A and B change places, it becomes the probability of the other."""
    one, other = ((2 * normal(torch_rng, *shape, 4)).log_softmax(-1)[..., :2] for _ in range(2))

    preference = assert_commutes(
        lambda a, b: agree("ai_preference", a, b),
        one,
        other,
        before=lambda a, b: (b, a),
        after=lambda p: 1 - p,
        name="preference after an exchange of A and B",
    )
    assert bool(((preference > 0) & (preference < 1)).all())


@number("8.4")
@weight(1)
@tags("feedback")
@pytest.mark.parametrize("name", ["filtered_step", "critique_and_revise", "ai_preference"])
def test_unusual_input(agree, impl, reference, torch_rng, name):
    """Right answers of probability e^-900; texts with braces; a judge who hardly ever says one of the two labels."""
    if name == "filtered_step":
        logp = torch.tensor([[0.0, -900.0, -901.0]], dtype=F64)
        agree(name, logp, torch.tensor([[0.0, 1.0, 1.0]], dtype=F64))
    if name == "critique_and_revise":
        texts = []
        for module in (impl, reference):
            generate, asked = counting_model()
            pair = module.critique_and_revise("What is {answer} in \\boxed{2}?", ["Use {braces}."], generate=generate)
            texts.append((asked, tuple(pair)))
        assert_close(*texts, name="what the model is shown, and the pair")
    if name == "ai_preference":
        one, other = normal(torch_rng, 2, 2) - 900, 300 * normal(torch_rng, 2, 2)
        agree(name, one, one.flip(0) - 5)
        agree(name, one, other)


# --- Task 9: training, and too much of it ------------------------------------------------------


def centered(rewards):
    """The reward minus the mean of the group."""
    return rewards - rewards.mean(-1, keepdim=True)


def lessons(rng, generator, P=3, K=4, steps=1, G=3):
    """Logits, rewards in which each prompt has right and wrong answers, and uniforms that give the first prompt's groups both."""
    rewards = torch.from_numpy((rng.random((P, K)) < 0.5).astype(float))
    rewards[:, 0], rewards[:, -1] = 1.0, 0.0
    uniforms = torch.from_numpy(rng.random((steps, P, G)))
    uniforms[:, 0, 0], uniforms[:, 0, 1] = 1e-6, 1 - 1e-6  # the first and the last answer
    return normal(generator, P, K), rewards, uniforms


@number("9.1")
@weight(2)
@tags("train")
@pytest.mark.parametrize("advantages_of", [as_they_are, centered])
def test_one_step_of_training(agree, rng, torch_rng, advantages_of):
    """One prompt whose group has right and wrong answers: its logits move along the update of the group."""
    for G in (2, 5):
        logits, rewards, uniforms = lessons(rng, torch_rng, P=1, G=G)

        def logits_after(impl, start=logits, rewards=rewards, uniforms=uniforms):
            return impl.train(start, rewards, uniforms, advantages_of=advantages_of, lr=0.7)[0]

        new = agree(logits_after)

        assert not torch.equal(new, logits)


@number("9.2")
@weight(1)
@tags("train")
def test_groups_that_teach_nothing_do_not_count(agree, rng, torch_rng):
    """Groups that are all right or all wrong move nothing, and the mean is over the others. Without others, nothing moves."""
    logits, _, uniforms = lessons(rng, torch_rng, P=4, K=2, G=2)
    rewards = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 1.0]], dtype=F64)
    uniforms[0] = torch.tensor([1e-9, 1 - 1e-9], dtype=F64)  # the first and the last answer of each prompt

    def trained(first, last):
        part = logits[first:last], rewards[first:last], uniforms[:, first:last]
        return agree(lambda impl: impl.train(*part, advantages_of=as_they_are, lr=2.0)[0])

    assert torch.equal(trained(0, 4)[1:3], logits[1:3])
    assert torch.equal(trained(1, 4)[:2], logits[1:3])
    assert torch.equal(trained(1, 3), logits[1:3])


@number("9.3")
@weight(1)
@tags("train")
def test_steps_follow_each_other(impl, rng, torch_rng):
    """Three steps in one run end where three runs of one step end, and each draws from the newest policy."""
    logits, rewards, uniforms = lessons(rng, torch_rng, steps=3, G=8)

    def run(start, u):  # steps so long that the next answers are others
        return impl.train(start, rewards, u, advantages_of=centered, lr=20.0)[0]

    got, want = run(logits, uniforms), logits
    for step in range(3):
        want = run(want, uniforms[step : step + 1])
    assert_close(got, want, name="logits after three steps")
    assert got.dtype == logits.dtype and got.isfinite().all() and not torch.equal(got, run(logits, uniforms[:1]))


@number("9.4")
@weight(1)
@tags("train")
def test_the_history_is_exact_and_before_each_step(impl, rng, torch_rng):
    """The mean of probability times reward over all prompts, before each step, for your own logits."""
    logits, rewards, uniforms = lessons(rng, torch_rng, steps=3)

    _, history = impl.train(logits, rewards, uniforms, advantages_of=centered, lr=1.0)

    starts = [logits, *(impl.train(logits, rewards, uniforms[:n], advantages_of=centered, lr=1.0)[0] for n in (1, 2))]
    want = [float((start.softmax(-1) * rewards).sum(-1).mean()) for start in starts]
    assert_close(history, want, name="history")


@number("9.5")
@weight(1)
@tags("train")
@pytest.mark.parametrize("name", ["proxy", "true", "kl"])
def test_means_along_the_path(agree, torch_rng, name):
    """The mean rewards and the divergence at each pressure; without pressure, the policy is the reference."""
    proxy, true, s = normal(torch_rng, 9), normal(torch_rng, 9), torch.tensor([0.0, 0.3, 1.0, 4.0], dtype=F64)

    agree(lambda impl: impl.overoptimize(proxy, true, s)[name])


@number("9.6")
@weight(2)
@tags("train")
@pytest.mark.parametrize("name", ["proxy_slope", "true_slope"])
def test_slopes_along_the_path(agree, torch_rng, name):
    """The derivatives of the two means in the pressure."""
    proxy, true, s = normal(torch_rng, 9), normal(torch_rng, 9), torch.tensor([0.0, 0.3, 1.0, 4.0], dtype=F64)

    agree(lambda impl: impl.overoptimize(proxy, true, s)[name])


@number("9.7")
@weight(1)
@tags("train")
@pytest.mark.parametrize("scale", [1.0, 1e5], ids=["ordinary", "huge"])
def test_nothing_is_changed_and_nothing_overflows(impl, reference, rng, torch_rng, scale):
    """The arguments of the task's functions stay as they are, and proxies of any size give finite answers."""
    logits, rewards, uniforms = lessons(rng, torch_rng, steps=2)
    new, _ = assert_leaves_arguments(impl.train, logits, rewards, uniforms, advantages_of=centered, lr=1.0, name="train")
    proxy, true, s = scale * normal(torch_rng, 6), normal(torch_rng, 6), torch.tensor([0.0, 0.5, 3.0], dtype=F64)
    path = assert_leaves_arguments(impl.overoptimize, proxy, true, s, name="overoptimize")

    assert new.shape == logits.shape and not torch.equal(new, logits)
    assert all(bool(values.isfinite().all()) for values in path.values())
    assert_close(path["true"], reference.overoptimize(proxy, true, s)["true"], name="true rewards")
