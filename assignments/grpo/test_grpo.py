"""The checks you can run yourself: `pytest` in this folder, or `pytest --task aggregate` for one task."""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close

F64 = torch.float64
NAN = math.nan


def numbers(*values):
    """A float64 tensor."""
    return torch.tensor(values, dtype=F64)


def logs(*values):
    """A float64 tensor of logarithms."""
    return numbers(*values).log()


ONE = numbers(1)[0]

# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("reward")
def test_the_last_box_counts(impl):
    r"""The last closed box gives the answer, with the braces inside it and without blanks at its ends. Without a box it is None."""
    answers = {
        r"First \boxed{3}, no: \boxed{ \frac{1}{2} }, not \boxed{": r"\frac{1}{2}",
        r"\boxed{12} is the answer {sure}.": "12",
        "The answer is 12.": None,
    }

    for text, want in answers.items():
        got = impl.final_answer(text)
        assert got == want, f"final_answer of {text!r} must be {want!r}, got {got!r}"


@number("1.p2")
@weight(1)
@tags("reward")
def test_numbers_compare_as_rationals(impl):
    r"""0.50, 1/2 and \frac{2}{4} are the same number, and so are 0.1 and 0.10. 0.3333 is not 1/3. Texts must be equal letter by letter."""
    same = [("0.50", "1/2"), (r"\frac{2}{4}", "0.5"), (" 12", "12"), ("-3", "-6/2"), ("blue", "blue"), ("0.1", "0.10")]
    different = [("0.3333", "1/3"), ("x", "X"), (None, "0"), ("3", "-3"), ("1/0", "2/0")]

    for answer, truth in same + different:
        got, want = impl.equivalent(answer, truth), (answer, truth) in same
        assert got is want, f"equivalent({answer!r}, {truth!r}) must be {want}, got {got!r}"


@number("1.p3")
@weight(1)
@tags("reward")
def test_rewards_by_hand(impl):
    r"""A right answer in the right format earns 1. A missing answer, a wrong format and the prompt's own box earn nothing."""
    prompt = r"Example: 1 + 1. </think>\boxed{2} Now: 1 + 2."
    responses = {
        r"It is 3.</think>\boxed{3}": 1.0,
        r"It is 4.</think>\boxed{4}": 0.0,
        "It is 3.</think>It is 3.": 0.0,  # the right format and no box
        r"\boxed{3}": 0.0,  # no end of thought
        r"\boxed{3}</think>I am done.": 0.0,  # the box stands before the end of thought
    }

    for response, want in responses.items():
        got = impl.reward(prompt + response, len(prompt), "3")
        assert got == want, f"the reward of {response!r} must be {want}, got {got!r}"
    unaided = impl.reward(prompt + "No idea.</think>I don't know.", len(prompt), "2")
    assert unaided == 0.0, f"a response without an answer must earn 0.0, also if the prompt has a right one; got {unaided!r}"


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("advantages")
def test_centered_by_hand(impl):
    """Rewards 3, 0, 0 have centered advantages 2, -1, -1, and those of a second prompt don't change them."""
    advantages = impl.group_advantages(numbers([3, 0, 0], [10, 20, 60]), kind="centered")

    assert_close(advantages, numbers([2, -1, -1], [-20, -10, 30]))


@number("2.p2")
@weight(1)
@tags("advantages")
def test_scaled_by_hand(impl):
    """Rewards 5, 1, 1, 1 have deviation sqrt(3): with eps = 0 the first gets sqrt(3), and with eps = sqrt(3) half of that. A
    constant group gets exactly 0: three rewards of 1, and three rewards of 0.1, whose computed mean is not 0.1."""
    rewards, root = numbers(5, 1, 1, 1), math.sqrt(3)

    assert_close(impl.group_advantages(rewards, kind="scaled", eps=0.0), numbers(3, -1, -1, -1) / root, name="eps = 0")
    half = impl.group_advantages(rewards, kind="scaled", eps=root)
    assert_close(half, numbers(3, -1, -1, -1) / root / 2, name="eps = sqrt(3)")
    constant = impl.group_advantages(numbers([1, 1, 1], [0.1, 0.1, 0.1]), kind="scaled", eps=0.0)
    assert_close(constant, numbers([0, 0, 0], [0, 0, 0]), name="constant groups")


@number("2.p3")
@weight(1)
@tags("advantages")
def test_leave_one_out_by_hand(impl):
    """Rewards 3, 0, 0: the first is compared with 0, the others with the mean of 3 and 0."""
    advantages = impl.group_advantages(numbers(3, 0, 0), kind="leave_one_out")

    assert_close(advantages, numbers(3, -1.5, -1.5))


# --- Task 3 ------------------------------------------------------------------------------------

CLIPS = {"clip_low": 0.2, "clip_high": 0.5}


@number("3.p1")
@weight(1)
@tags("policy_loss")
def test_token_ratios_by_hand(impl):
    """Ratios 2, 1.25, 0.5 and 0.9 with A = +1 give -1.5, -1.25, -0.5 and -0.9; with A = -1 they give 2, 1.25, 0.8 and 0.9."""
    logp, old_logp = logs(0.8, 0.5, 0.2, 0.45).expand(1, 2, 4), logs(0.4, 0.4, 0.4, 0.5).expand(1, 2, 4)
    mask = torch.ones(1, 2, 4, dtype=torch.bool)

    losses = impl.policy_loss(logp, old_logp, numbers([1, -1]), mask, level="token", **CLIPS)

    assert_close(losses, numbers([[-1.5, -1.25, -0.5, -0.9], [2, 1.25, 0.8, 0.9]]))


@number("3.p2")
@weight(1)
@tags("policy_loss")
def test_sequence_ratio_by_hand(impl):
    """Token ratios 2 and 1/2 share the ratio 1. Token ratios 4 and 1/2 share the square root of 2."""
    logp, old_logp = logs([[0.8, 0.2, 0.3], [0.8, 0.2, 0.3]]), logs([[0.4, 0.4, 0.1], [0.2, 0.4, 0.1]])
    mask = torch.tensor([[[True, True, False], [True, True, False]]])

    losses = impl.policy_loss(logp, old_logp, numbers([3, 1]), mask, level="sequence", **CLIPS)

    assert_close(losses, numbers([[-3, -3, 0], [-math.sqrt(2), -math.sqrt(2), 0]]))


@number("3.p3")
@weight(1)
@tags("policy_loss")
def test_only_the_policy_is_trained(impl, vjp):
    """At ratio 1 and A = 2, each token of the answer has the gradient -2. A masked NaN gives loss 0 and gradient 0. The old policy
    and the advantages get none."""
    logp, old_logp = numbers([[-1, -2, NAN]]), numbers([[-1, -2, -5]])
    mask = torch.tensor([[[True, True, False]]])
    options = {"level": "token", **CLIPS}

    losses = impl.policy_loss(logp, old_logp, numbers([2]), mask, **options)
    assert_close(losses, numbers([[-2, -2, 0]]), name="losses")
    weights = torch.ones(1, 1, 3, dtype=F64)
    gradients = vjp(impl.policy_loss, logp, old_logp, numbers([2]), mask, wrt=(0, 1, 2), cotangent=weights, **options)
    assert_close(gradients[0], numbers([[-2, -2, 0]]), name="gradient in logp")
    assert_close(gradients[1:], (numbers([[0, 0, 0]]), numbers([0])), name="gradients in old_logp and advantages")


# --- Task 4 ------------------------------------------------------------------------------------


def two_answers():
    """An answer of one token with loss 6, and one of two tokens with losses 1 and 3; NaN behind them."""
    losses = numbers([[6, NAN, NAN], [1, 3, NAN]])
    return losses, torch.tensor([[[True, False, False], [True, True, False]]])


@number("4.p1")
@weight(1)
@tags("aggregate")
def test_aggregate_by_hand(impl):
    """Losses 6 and (1, 3): 4 by sequence, 10/3 by token, 10/8 by a constant of 4 per answer."""
    losses, mask = two_answers()

    for how, want in (("sequence", 4), ("token", 10 / 3), ("constant", 10 / 8)):
        assert_close(impl.aggregate(losses, mask, how=how, max_len=4), numbers(want)[0], name=f"how={how!r}")


@number("4.p2")
@weight(1)
@tags("aggregate")
@pytest.mark.parametrize("how", ["sequence", "token", "constant"])
def test_padding_has_no_gradient(impl, vjp, how):
    """Gradients reach the tokens of the answers and no others. What stands behind an answer may be NaN."""
    losses, mask = two_answers()
    want = {"sequence": (1 / 2, 1 / 4), "token": (1 / 3, 1 / 3), "constant": (1 / 8, 1 / 8)}[how]

    (gradient,) = vjp(impl.aggregate, losses, mask, wrt=(0,), cotangent=ONE, how=how, max_len=4)

    assert_close(gradient, numbers([[want[0], 0, 0], [want[1], want[1], 0]]))


@number("4.p3")
@weight(1)
@tags("aggregate")
@pytest.mark.parametrize("how", ["sequence", "token", "constant"])
def test_parts_by_hand(impl, how):
    """The same two answers as two parts, padded to different lengths."""
    losses, mask = two_answers()
    parts = [(losses[:, :1, :1], mask[:, :1, :1]), (losses[:, 1:], mask[:, 1:])]
    want = {"sequence": (3, 1), "token": (2, 4 / 3), "constant": (6 / 8, 4 / 8)}[how]

    got = impl.micro_batch_losses(parts, how=how, max_len=4)

    assert_close([float(x) for x in got], list(map(float, want)))


# --- Task 5 ------------------------------------------------------------------------------------


@number("5.p1")
@weight(1)
@tags("expected")
def test_exact_gradient_is_autograds(impl):
    """Even odds and rewards (1, 0) give (1/4, -1/4). On a table of four answers, your formula agrees with autograd."""
    assert_close(impl.exact_gradient(numbers(0, 0), numbers(1, 0)), numbers(0.25, -0.25))

    logits, rewards = numbers(0.5, -1, 2, 0).requires_grad_(), numbers(3, 0, 1, -2)
    (want,) = torch.autograd.grad((logits.softmax(-1) * rewards).sum(), logits)
    assert_close(impl.exact_gradient(logits.detach(), rewards), want, name="gradient of four answers")


def as_they_are(rewards):
    """Advantages that are the rewards themselves."""
    return rewards


def products(rewards):
    """The product of all rewards of a group, for each of its answers: a stand-in that looks at the whole group."""
    return rewards.prod(-1, keepdim=True).expand_as(rewards)


@number("5.p2")
@weight(1)
@tags("expected")
def test_expected_update_by_hand(impl):
    """Even odds, rewards (1, 0) and G = 2. Advantages that are the rewards give (1/4, -1/4)."""
    update = impl.expected_update(numbers(0, 0), numbers(1, 0), group_size=2, advantages_of=as_they_are)

    assert_close(update, numbers(0.25, -0.25))


@number("5.p3")
@weight(1)
@tags("expected")
def test_all_groups_count(impl):
    """The advantage of each answer is the product of the group's rewards, so only groups with two right answers count. With
    probability (3/4)^2 both are right, and each has the direction (1/4, -1/4)."""
    update = impl.expected_update(logs(3, 1), numbers(1, 0), group_size=2, advantages_of=products)

    assert_close(update, numbers(1, -1) * 9 / 64)


# --- Task 6 ------------------------------------------------------------------------------------


def two_tokens():
    """pi and pi_ref of two tokens, ratios 2 and 8, and of one that doesn't count."""
    mask = torch.tensor([[[True, True, False]]])
    return logs([[0.5, 0.8, 0.5]]), logs([[0.25, 0.1, 0.0]]), mask


@number("6.p1")
@weight(1)
@tags("kl")
@pytest.mark.parametrize("kind", ["k1", "k2", "k3"])
def test_kl_terms_by_hand(impl, kind):
    """The ratios 2 and 8 have k1 = log 2 and log 8, k2 = half of its square, k3 = 1/2 - 1 + log 2 and 1/8 - 1 + log 8."""
    two, eight = math.log(2), math.log(8)
    want = {
        "k1": (two, eight),
        "k2": (two**2 / 2, eight**2 / 2),
        "k3": (0.5 - 1 + two, 0.125 - 1 + eight),
    }[kind]

    assert_close(impl.kl_term(*two_tokens(), kind=kind), numbers([[*want, 0]]))


@number("6.p2")
@weight(1)
@tags("kl")
@pytest.mark.parametrize("kind", ["k1", "k2", "k3"])
def test_kl_terms_train_the_policy_alone(impl, vjp, kind):
    """The gradient in log pi is what finite differences say, 0 where the mask is False, and 0 in the reference."""
    logp, ref_logp, mask = two_tokens()

    weights = torch.ones(1, 1, 3, dtype=F64)
    gradients = vjp(impl.kl_term, logp, ref_logp, mask, wrt=(0, 1), cotangent=weights, kind=kind)

    step = 1e-5
    up, down = (impl.kl_term(logp + h, ref_logp, mask, kind=kind) for h in (step, -step))
    want = (up - down) / (2 * step)
    assert (want[..., :2].abs() > 0.1).all(), "the term must change with log pi"
    # finite differences of step h are off by h^2
    assert_close(gradients[0], torch.where(mask, want, 0.0), rtol=1e-7, atol=1e-7, name="gradient in logp")
    assert_close(gradients[1], numbers([[0, 0, 0]]), name="gradient in ref_logp")


@number("6.p3")
@weight(1)
@tags("kl")
def test_the_price_in_the_reward_by_hand(impl):
    """Reward 1, beta = 0.1 and two tokens of ratios 2 and 8 give 1 - 0.1 log 16."""
    got = impl.penalized_rewards(numbers([1]), *two_tokens(), beta=0.1)
    assert_close(got, numbers([1 - 0.1 * math.log(16)]))


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("shaping")
def test_informative_by_hand(impl):
    """All wrong and all right teach nothing, and three rewards of 0.1 are equal. One right answer of three teaches."""
    rewards = numbers([0, 0, 0], [1, 1, 1], [0.1, 0.1, 0.1], [0, 0, 1], [0.1, 0.2, 0.1])

    got = impl.informative(rewards)

    assert got.dtype == torch.bool, f"informative must give booleans, got {got.dtype}"
    assert got.tolist() == [False, False, False, True, True], f"got {got.tolist()}"


@number("7.p2")
@weight(1)
@tags("shaping")
def test_overlong_penalty_by_hand(impl):
    """With max_len 100 and margin 20: nothing up to 80, -1/4 at 85, -1 at 100 and beyond."""
    penalty = impl.overlong_penalty(torch.tensor([0, 80, 85, 100, 130]), max_len=100, margin=20)

    assert_close(penalty, numbers(0, 0, -0.25, -1, -1))


@number("7.p3")
@weight(1)
@tags("shaping")
@pytest.mark.parametrize("k", [2, 5])
def test_pass_at_k_weights_are_its_slope(impl, k):
    """The weight is the derivative of pass@k in p, by finite differences at p = 0.1, 0.5 and 0.9."""

    def pass_at_k(p):
        """The probability that k draws are not all wrong, in two steps: a first success at draw 1, 2, ... k."""
        return sum(p * (1 - p) ** (draw - 1) for draw in range(1, k + 1))

    p, step = numbers(0.1, 0.5, 0.9), 1e-5

    # finite differences of step h are off by h^2
    want = (pass_at_k(p + step) - pass_at_k(p - step)) / (2 * step)
    assert_close(impl.pass_at_k_weights(p, k), want, rtol=1e-6, atol=1e-6)


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("feedback")
def test_filtered_step_by_hand(impl):
    """Answers of 0.3, 0.3 and 0.4, of which the first two are right: 1/2, 1/2 and 0. Without a right answer nothing changes. Right
    answers with the log-probabilities -900 + log 3 and -900 get 3/4 and 1/4."""
    logp = logs([0.3, 0.3, 0.4], [0.4, 0.1, 0.5])
    logp = torch.cat([logp, numbers([-900 + math.log(3), -900, 0])])

    got = impl.filtered_step(logp, numbers([1, 1, 0], [0, 0, 0], [1, 1, 0]))

    assert_close(got.exp(), numbers([0.5, 0.5, 0], [0.4, 0.1, 0.5], [0.75, 0.25, 0]))


@number("8.p2")
@weight(1)
@tags("feedback")
def test_each_critique_is_of_the_newest_answer(impl):
    """A model that counts its texts is asked for an answer, and twice for a critique and a new answer."""
    shown = []

    def generate(text):
        shown.append(text)
        return f"text {len(shown)}"

    pair = impl.critique_and_revise("Why?", ["Be kind.", "Be brief."], generate=generate)

    first = impl.CRITIQUE.format(prompt="Why?", answer="text 1", principle="Be kind.")
    second = impl.CRITIQUE.format(prompt="Why?", answer="text 3", principle="Be brief.")
    revisions = [
        impl.REVISION.format(prompt="Why?", answer=f"text {n}", critique=f"text {n + 1}") for n in (1, 3)
    ]
    assert_close(shown, ["Why?", first, revisions[0], second, revisions[1]], name="what the model is shown")
    assert_close(pair, ("Why?", "text 5"), name="the pair to train on")


@number("8.p3")
@weight(1)
@tags("feedback")
def test_the_judge_is_asked_in_both_orders(impl):
    """With A first, A gets 0.6 of 0.8. With B first, A gets 0.3 of 0.6. The preference for A is (0.75 + 0.5) / 2, also if all
    four log-probabilities are lower by 900."""
    preference = impl.ai_preference(logs(0.6, 0.2), logs(0.3, 0.3))
    assert_close(preference, numbers(0.625)[0])

    tiny = impl.ai_preference(logs(0.6, 0.2) - 900, logs(0.3, 0.3) - 900)
    assert_close(tiny, numbers(0.625)[0], name="log-probabilities lower by 900")


# --- Task 9 ------------------------------------------------------------------------------------


def doubled(rewards):
    """Advantages that are twice the rewards, as a stand-in."""
    return 2 * rewards


@number("9.p1")
@weight(1)
@tags("train")
def test_one_step_by_hand(impl):
    """Three prompts with even odds and groups of two. The first group has one right answer of two, the second group is all right
    and the third all wrong. So the first row moves by the whole learning rate times its update, and the other rows stay."""
    logits, rewards = torch.zeros(3, 2, dtype=F64), numbers([1, 0], [1, 1], [0, 1])
    uniforms = numbers([[0.2, 0.8], [0.2, 0.3], [0.2, 0.3]])  # below 1/2: the first answer

    new, history = impl.train(logits, rewards, uniforms, advantages_of=doubled, lr=0.5)

    # one of two answers has the advantage 2, and its grad log pi is (1/2, -1/2)
    assert_close(new, numbers([0.25, -0.25], [0, 0], [0, 0]), name="logits")
    # probabilities of being right 1/2, 1 and 1/2, though the third prompt's group is all wrong
    assert_close(history, [2 / 3], name="history")


@number("9.p2")
@weight(1)
@tags("train")
def test_overoptimization_by_hand(impl):
    """Proxy (log 3, 0) and true (0, 1) at pressure 1: probabilities 3/4 and 1/4. At pressure 0 all answers are equally likely. A
    proxy of 100000 gives the probabilities 1 and 0, and then the divergence is log 2."""
    got = impl.overoptimize(logs(3, 1), numbers(0, 1), numbers(0, 1))

    log3, kl = math.log(3), 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    want = {"proxy": numbers(log3 / 2, 0.75 * log3), "true": numbers(0.5, 0.25), "kl": numbers(0, kl)}
    assert_close({name: got[name] for name in want}, want)

    sure = impl.overoptimize(numbers(1e5, 0), numbers(0, 1), numbers(1))
    want = {"true": numbers(0), "kl": numbers(math.log(2)), "true_slope": numbers(0)}
    assert_close({name: sure[name] for name in want}, want, name="a proxy of 100000")


@number("9.p3")
@weight(1)
@tags("train")
def test_slopes_are_derivatives(impl):
    """Your slopes are what finite differences of your means say."""
    proxy, true = numbers(2, 0, -1, 0.5), numbers(-1, 1, 0, 0.3)
    s, step = numbers(0.3, 1, 2), 1e-5

    got, up, down = (impl.overoptimize(proxy, true, s + h) for h in (0.0, step, -step))

    for name in ("proxy", "true"):
        want = (up[name] - down[name]) / (2 * step)
        assert (want.abs() > 1e-3).all(), f"the mean {name} reward must change with the pressure"
        # finite differences of step h are off by h^2
        assert_close(got[f"{name}_slope"], want, rtol=1e-6, atol=1e-6, name=f"{name}_slope")
