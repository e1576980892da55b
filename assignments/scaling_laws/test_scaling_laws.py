"""Public checks of the scaling_laws assignment: values done by hand. Run `pytest` in this folder."""

import math

import numpy as np
import pytest
from coursekit.chance import law
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight

# Each check needs the one function that it is about: where that function calls another one of yours, the check lends
# it a stand-in.

LOG2, LOG3 = math.log(2), math.log(3)


def small_model(**changes):
    """Sizes that are all different: two blocks of width 10 with three heads of width 4, and a vocabulary of 7."""
    sizes = {
        "vocab_size": 7, "n_layers": 2, "d_model": 10, "n_heads": 3, "n_kv_heads": 3, "d_k": 4, "d_hidden": 5, "gated": False,
        "norm_biases": False, "attention_biases": False, "mlp_biases": False, "tied": True,
    }  # fmt: skip
    return {**sizes, **changes}


# Task 1


@number("1.p1")
@weight(1)
@tags("parameters")
def test_parameter_count_by_hand(impl):
    """Two blocks: 4 matrices of 10 x 12 and 2 of 10 x 5 in each, five gains of 10 in all, and one table of 7 x 10."""
    counts = assert_leaves_arguments(impl.parameter_count, small_model(), name="parameter_count")

    assert_close(counts, {"embedding": 70, "attention": 960, "mlp": 200, "norms": 50, "head": 0}, name="parameter_count")


@number("1.p2")
@weight(1)
@tags("parameters")
@pytest.mark.parametrize(
    ("changes", "part", "want"),
    [
        ({"n_kv_heads": 1}, "attention", 640),
        ({"gated": True}, "mlp", 300),
        ({"mlp_biases": True}, "mlp", 230),
        ({"norm_biases": True}, "norms", 100),
        ({"tied": False}, "head", 70),
    ],
    ids=["grouped_heads", "gated_mlp", "mlp_biases", "norm_biases", "own_head"],
)
def test_parameter_count_of_other_models(impl, changes, part, want):
    """The part that a change of the model touches, by hand."""
    assert_close(impl.parameter_count(small_model(**changes))[part], want, name=part)


# Task 2


@number("2.p1")
@weight(1)
@tags("flops")
def test_forward_flops_by_hand(impl):
    """A block's matrices have 580 entries; of 3 tokens there are 9 pairs, or 6 that are not in the future."""
    flops = assert_leaves_arguments(impl.forward_flops, small_model(), 3, name="forward_flops")

    assert_close(flops, {"matrices": 6960, "pairs": 864, "head": 420}, name="forward_flops")
    assert_close(impl.forward_flops(small_model(), 3, causal=True)["pairs"], 576, name="pairs, causal")


@number("2.p2")
@weight(1)
@tags("flops")
def test_forward_flops_of_grouped_heads_and_gates(impl):
    """One key head for three query heads has smaller matrices, and as many pairs in each query head; a gate is one more matrix."""
    flops = impl.forward_flops(small_model(n_kv_heads=1, gated=True), 3)

    assert_close(flops, {"matrices": 5640, "pairs": 864, "head": 420}, name="forward_flops")


@number("2.p3")
@weight(1)
@tags("flops")
def test_training_flops_by_hand(impl):
    """Count, for one product Y = X W, the products in training that have the same three sizes."""
    want = 10 + 10 + 10

    assert_close(impl.training_flops(10), want, name="training_flops")
    assert_close(impl.training_flops(10, recompute=True), want + 10, name="training_flops with recompute")


@number("2.p4")
@weight(1)
@tags("flops")
def test_six_nd_by_hand(impl):
    """A table of 5 rows that also gives the logits takes part in a product; one of 7 that is only looked up does not."""
    tied = {"embedding": 5, "attention": 3, "mlp": 2, "norms": 0, "head": 0}
    own = {"embedding": 7, "attention": 3, "mlp": 2, "norms": 0, "head": 5}

    assert_close(assert_leaves_arguments(impl.six_nd, tied, 10, name="six_nd"), 600, name="six_nd of a tied model")
    assert_close(impl.six_nd(own, 10), 600, name="six_nd of a model with a head of its own")


@number("2.p5")
@weight(1)
@tags("flops")
def test_utilization_by_hand(impl):
    """Two devices that can do 50 operations per second each train on 3 tokens of 10 operations, forward and backward."""
    assert_close(impl.utilization(10, 1.0, 50, n_devices=2), (0.3, 0.3), name="utilization")
    assert_close(impl.utilization(10, 1.0, 50, n_devices=2, recompute=True), (0.3, 0.4), name="utilization with recompute")


# Task 3


@number("3.p1")
@weight(1)
@tags("memory")
@pytest.mark.parametrize(("stage", "want"), [(0, (20, 20, 120)), (1, (20, 20, 30))], ids=["all", "sharded_optimizer"])
def test_state_bytes_by_hand(impl, stage, want):
    """Ten parameters on four devices: two bytes for each number in bfloat16, four in float32."""
    got = impl.state_bytes(10, n_devices=4, stage=stage)

    assert_close(got, dict(zip(("weights", "gradients", "optimizer"), map(float, want))), name="state_bytes")


@number("3.p2")
@weight(1)
@tags("memory")
@pytest.mark.parametrize(("T", "fused", "want"), [(1, False, 22), (3, False, 78), (3, True, 60)], ids=["one", "three", "fused"])
def test_activation_bytes_by_hand(impl, T, fused, want):
    """All widths are 1: a token has 10 numbers and a weight for each of the T keys; without the weights, 10."""
    widths = {"d_model": 1, "n_heads": 1, "n_kv_heads": 1, "d_k": 1, "d_hidden": 1}

    got = assert_leaves_arguments(impl.activation_bytes, small_model(**widths), T, fused=fused, name="activation_bytes")
    assert_close(got, want, name="activation_bytes")


@number("3.p3")
@weight(1)
@tags("memory")
def test_checkpoint_plan_by_hand(impl):
    """Five blocks: k = 1 to 5 needs 50 + 7, 30 + 14, 20 + 21, 20 + 28 and 10 + 35."""
    assert_close(impl.checkpoint_plan(5, 10, 7), (3, 41), name="checkpoint_plan")


# Task 4


@number("4.p1")
@weight(1)
@tags("step")
def test_warmup_and_cosine_by_hand(impl):
    """Up to 8 in four steps; from step 4 down to 2 at step 10, half of the way at step 7."""
    rates = [impl.learning_rate(step, peak=8.0, warmup=4, total=10, floor=2.0) for step in (0, 1, 3, 4, 7, 10, 13)]

    assert_close(rates, [2.0, 4.0, 8.0, 8.0, 5.0, 2.0, 2.0], name="learning_rate")


@number("4.p2")
@weight(1)
@tags("step")
def test_stable_and_straight_fall_by_hand(impl):
    """No warm-up: 8 until step 6, and in four equal steps down to 0 at step 10."""
    rates = [impl.learning_rate(step, peak=8.0, warmup=0, total=10, decay=4) for step in (0, 5, 6, 7, 9, 10, 11)]

    assert_close(rates, [8.0, 8.0, 8.0, 6.0, 2.0, 0.0, 0.0], name="learning_rate with decay")


@number("4.p3")
@weight(1)
@tags("step")
def test_clip_gradients_by_hand(impl):
    """(2, 3) and (6) have the length 7 together: a limit of 3.5 halves both, and a limit of 8 changes nothing."""
    gradients = [np.array([2.0, 3.0]), np.array([[6.0]])]

    clipped, norm = assert_leaves_arguments(impl.clip_gradients, gradients, 3.5, name="clip_gradients")
    assert_close(norm, 7.0, name="the length before clipping")
    assert_close(clipped, [np.array([1.0, 1.5]), np.array([[3.0]])], name="the clipped gradients")
    assert_close(impl.clip_gradients(gradients, 8.0)[0], gradients, name="gradients below the limit")


@number("4.p4")
@weight(1)
@tags("step")
def test_decay_groups_by_hand(impl):
    """A matrix and a stack of matrices decay; a bias, a gain and a table don't."""
    shapes = {"table": (7, 4), "gain": (4,), "W": (4, 5), "bias": (5,), "kernels": (2, 3, 3, 3)}

    got = assert_leaves_arguments(impl.decay_groups, shapes, tables=["table"], name="decay_groups")
    assert_close(got, (["W", "kernels"], ["table", "gain", "bias"]), name="decay_groups")


# Task 5


@number("5.p1")
@weight(1)
@tags("noise")
def test_batch_norm2_by_hand(impl):
    """Gradients 0 and 4: two draws give the means 0, 2, 2 and 4."""
    gradients = np.array([[0.0], [4.0]])

    assert_close(law(impl.batch_norm2, gradients, 2, given=("draw",)), {0.0: 0.25, 4.0: 0.5, 16.0: 0.25}, name="batch_norm2")


@number("5.p2")
@weight(1)
@tags("noise")
def test_noise_scale_by_hand(impl):
    """A mean of 5 from batches of one and of 2 from batches of four."""
    small, big = np.array([3.0, 4.0, 8.0]), np.array([0.0, 4.0])

    got = assert_leaves_arguments(impl.noise_scale, small, big, 1, 4, name="noise_scale")
    assert_close(got, (1.0, 4.0, 4.0), name="noise_scale")


# Task 6


@number("6.p1")
@weight(1)
@tags("optimum")
def test_compute_optimal_by_hand(impl):
    """A budget of 600 allows N D = 100. If both terms are alike, N and D are equal; if A is 16 times B, N is 16 times D."""
    assert_close(impl.compute_optimal((1.0, 3.0, 3.0, 0.5, 0.5), 600.0), (10.0, 10.0), name="compute_optimal")
    assert_close(impl.compute_optimal((1.0, 16.0, 1.0, 1.0, 1.0), 600.0), (40.0, 2.5), name="compute_optimal")


@number("6.p2")
@weight(1)
@tags("optimum")
@pytest.mark.parametrize("C", [1e18, 1e24])
def test_no_other_size_is_better(impl, C):
    """The budget is used up, and a slightly smaller or larger model has a higher loss for the same budget."""
    E, A, B, alpha, beta = surface = (1.7, 400.0, 2000.0, 0.35, 0.3)

    def loss(N):
        return E + A / N**alpha + B / (C / (6 * N)) ** beta

    N, D = impl.compute_optimal(surface, C)
    assert_close(6 * N * D, C, name="6 N D")
    assert loss(N) < loss(0.97 * N), f"with 3 % fewer parameters, the loss is {loss(0.97 * N):.8f}, and with yours {loss(N):.8f}"
    assert loss(N) < loss(1.03 * N), f"with 3 % more parameters, the loss is {loss(1.03 * N):.8f}, and with yours {loss(N):.8f}"


def lent_optimum(surface, C):
    return 4.0, 4.0


@number("6.p3")
@weight(1)
@tags("optimum")
def test_compute_factor_by_hand(impl):
    """N = D = 4 with A = B = 4 leaves 1 + 1 above E. With N = 3, the tokens may leave 2/3: D' = 6. With N = 8, 3/2: D' = 8/3."""
    surface = (1.0, 4.0, 4.0, 1.0, 1.0)

    for share, want in ((1.0, 1.0), (0.75, 18 / 16), (2.0, (8 * 8 / 3) / 16)):
        got = impl.compute_factor(surface, 96.0, share, compute_optimal=lent_optimum)
        assert_close(got, want, name=f"compute_factor for {share} of the size")


@number("6.p4")
@weight(1)
@tags("optimum")
def test_compute_factor_of_a_size_that_is_too_small(impl):
    """N = D = 4 with A = B = 4 leaves 1 + 1 above E. With N = 1, the parameters alone leave 4, whatever the tokens do."""
    got = impl.compute_factor((1.0, 4.0, 4.0, 1.0, 1.0), 96.0, 0.25, compute_optimal=lent_optimum)

    assert_close(got, math.inf, name="compute_factor")


# Task 7


@number("7.p1")
@weight(1)
@tags("isoflop")
def test_isoflop_optima_by_hand(impl):
    """Losses that are a parabola in log N, of two budgets in mixed order: lowest at N = e^3 with 2.5, and at e^4 with 2."""
    C = np.array([8.0, 1.0, 1.0, 8.0, 8.0, 1.0])
    log_N = np.array([3.0, 2.0, 5.0, 5.0, 7.0, 4.0])
    L = np.array([2.1, 2.6, 2.9, 2.1, 2.9, 2.6])
    args = C, np.exp(log_N), L

    budgets, N, loss = assert_leaves_arguments(impl.isoflop_optima, *args, name="isoflop_optima")
    assert_close(budgets, np.array([1.0, 8.0]), name="budgets")
    # a least-squares fit in another order of operations differs by more than the default allows
    assert_close(np.log(N), np.array([3.0, 4.0]), rtol=1e-7, name="log of the best size")
    assert_close(loss, np.array([2.5, 2.0]), rtol=1e-7, name="loss of the best size")


@number("7.p2")
@weight(1)
@tags("isoflop")
@pytest.mark.parametrize("case", ["below_all", "above_all", "opens_downward"])
def test_isoflop_optima_that_the_runs_do_not_enclose(impl, case):
    """With log N = 1, 2, 3, one parabola is lowest at 0, lowest at 5, or highest at 2: it has neither size nor loss. Another
    budget, whose parabola is lowest at 2, has both."""
    x = np.array([1.0, 2.0, 3.0])
    L = {"below_all": 2 + 0.1 * x**2, "above_all": 2 + 0.1 * (x - 5) ** 2, "opens_downward": 3 - 0.1 * (x - 2) ** 2}[case]
    C, N, L = np.repeat([6.0, 7.0], 3), np.exp(np.tile(x, 2)), np.concatenate([L, 1.5 + 0.1 * (x - 2) ** 2])

    _, best, loss = impl.isoflop_optima(C, N, L)
    assert_close(best, np.array([np.nan, math.exp(2.0)]), rtol=1e-7, name="best size")
    assert_close(loss, np.array([np.nan, 1.5]), rtol=1e-7, name="loss of the best size")


@number("7.p3")
@weight(1)
@tags("isoflop")
def test_fit_power_law_by_hand(impl):
    """5 / sqrt(x) at three places; then a fourth place where y is not known."""
    x, y = np.array([1.0, 4.0, 25.0, 9.0]), np.array([5.0, 2.5, 1.0, np.nan])

    assert_close(impl.fit_power_law(x[:3], y[:3]), (5.0, -0.5), name="fit_power_law")
    got = assert_leaves_arguments(impl.fit_power_law, x, y, name="fit_power_law")
    assert_close(got, (5.0, -0.5), name="fit_power_law without the NaN")


# Task 8: E = 1, A = 8, B = 27, alpha = 1, beta = 1/2. One run has the terms 1, 2 and 9, the other one 1, 4 and 3.

THETA = np.array([0.0, 3 * LOG2, 3 * LOG3, 1.0, 0.5])
N_RUNS, D_RUNS = np.array([4.0, 2.0]), np.array([9.0, 81.0])


@number("8.p1")
@weight(1)
@tags("surface")
def test_log_surface_by_hand(impl):
    """The terms 1, 2, 9 and 1, 4, 3 add up to 12 and 8."""
    f, _ = assert_leaves_arguments(impl.log_surface, THETA, N_RUNS, D_RUNS, name="log_surface")

    assert_close(f, np.log([12.0, 8.0]), name="f")


@number("8.p2")
@weight(1)
@tags("surface")
@pytest.mark.parametrize("entry", range(5), ids=["e", "a", "b", "alpha", "beta"])
def test_slopes_of_log_surface_against_differences(impl, entry):
    """Move one entry of theta by a little to both sides: the difference of f, per unit, is its slope."""
    move = np.zeros(5)
    move[entry] = 1e-5

    _, J = impl.log_surface(THETA, N_RUNS, D_RUNS)
    above, below = (impl.log_surface(THETA + sign * move, N_RUNS, D_RUNS)[0] for sign in (1, -1))
    assert J.shape == (2, 5), f"J must have the shape (2, 5), got {J.shape}"
    assert np.abs(J[:, entry]).min() > 0.01, "no run has the slope 0 here"
    # the error of a central difference is some 1e-10 here
    assert_close(J[:, entry], (above - below) / 2e-5, rtol=1e-7, atol=1e-8, name="the slopes")


def lent_surface(theta, N, D):
    return np.zeros(3), np.array([[1.0, 0, 0, 2, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 5]])


@number("8.p3")
@weight(1)
@tags("surface")
def test_surface_objective_by_hand(impl):
    """The residuals 0.5, -1 and 3 with delta = 1 cost 1/8, 1/2, and 2 1/2 on the straight line."""
    args = THETA, np.ones(3), np.ones(3), np.exp([-0.5, 1.0, -3.0])

    value, _ = assert_leaves_arguments(
        impl.surface_objective, *args, delta=1.0, log_surface=lent_surface, name="surface_objective"
    )
    assert_close(value, 0.125 + 0.5 + 2.5, name="surface_objective")


@number("8.p4")
@weight(1)
@tags("surface")
def test_gradient_of_the_objective_by_hand(impl):
    """The residuals 0.5, -1 and 3 with delta = 1 and simple slopes: what the objective gains per unit of each entry."""
    args = THETA, np.ones(3), np.ones(3), np.exp([-0.5, 1.0, -3.0])

    _, gradient = impl.surface_objective(*args, delta=1.0, log_surface=lent_surface)
    assert_close(gradient, np.array([0.5, -1.0, 1.0, 1.0, 5.0]), name="the gradient")


def given_log_surface(theta, N, D):
    def f(theta):
        e, a, b, alpha, beta = theta
        return np.log(np.exp(e) + np.exp(a) * N**-alpha + np.exp(b) * D**-beta)

    moves = 1e-100j * np.eye(5)  # a step so small that the imaginary part is a slope, without any rounding
    with np.errstate(all="ignore"):  # a step that goes too far overflows, and is not taken
        return f(np.asarray(theta, dtype=float)), np.stack([f(theta + move).imag / 1e-100 for move in moves], axis=1)


given_log_surface.unrecorded = True  # how often it is called is free


@number("8.p5")
@weight(1)
@tags("surface")
def test_fit_surface_finds_the_surface_that_made_the_runs(impl):
    """Runs without noise on a known surface, and three starts, of which the second is near and the last is bad."""
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e6, 1e9, 5), np.geomspace(1e8, 1e10, 4)))
    L = 1.5 + 300 / N**0.4 + 500 / D**0.3
    starts = np.array([[0.0, 4.0, 4.0, 0.6, 0.6], [0.3, 6.0, 6.0, 0.4, 0.4], [0.0, 25.0, 0.0, 0.05, 2.0]])

    got = assert_leaves_arguments(impl.fit_surface, N, D, L, starts, log_surface=given_log_surface, name="fit_surface")
    # an iterative method stops a little before the minimum
    assert_close(got, np.array([1.5, 300, 500, 0.4, 0.3]), rtol=1e-4, name="fit_surface")


# Task 9


@number("9.p1")
@weight(1)
@tags("mup")
def test_multipliers_at_the_base_width(impl):
    """At the width for which everything was chosen, all six numbers are 1; at four times that, the given powers of initial values are."""
    want = {name: (1.0, 1.0) for name in ("input", "hidden", "output")}
    assert_close(impl.mup_multipliers(48, 48), want, name="mup_multipliers at the base width")

    init = {name: pair[0] for name, pair in impl.mup_multipliers(192, 48).items()}
    assert_close(init, {"input": 1.0, "hidden": 0.5, "output": 0.25}, name="the first numbers at four times the base width")


def changes_after_one_step(width, multipliers, seed):
    """How much each layer's outputs change in a network 16 -> width -> width -> 1, by the first step of Adam: the sign of
    each gradient times the rate."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(64, 16))
    Y = np.sin(X @ rng.normal(size=(16, 1)) / 2)
    W = [rng.normal(size=shape) for shape in ((16, width), (width, width), (width, 1))]
    W = [w * std * multipliers[name][0] for w, std, name in zip(W, (1 / 4, 32**-0.5, 32**-0.5), ("input", "hidden", "output"))]

    def run(W):
        z1 = X @ W[0]
        z2 = np.maximum(z1, 0) @ W[1]
        return z1, z2, np.maximum(z2, 0) @ W[2]

    z1, z2, out = run(W)
    d_z2 = ((out - Y) @ W[2].T) * (z2 > 0)
    slopes = X.T @ ((d_z2 @ W[1].T) * (z1 > 0)), np.maximum(z1, 0).T @ d_z2, np.maximum(z2, 0).T @ (out - Y)
    rates = [2.0**-6 * multipliers[name][1] for name in ("input", "hidden", "output")]
    after = run([w - rate * np.sign(slope) for w, rate, slope in zip(W, rates, slopes)])
    return [np.sqrt(((new - old) ** 2).mean()) for new, old in zip(after, (z1, z2, out))]


@number("9.p2")
@weight(1)
@tags("mup")
@pytest.mark.parametrize("layer", [0, 1, 2], ids=["input", "hidden", "output"])
def test_layers_change_equally_at_both_widths(impl, layer):
    """After one step, a layer's outputs have changed about as much at width 128 as at width 32."""
    narrow, wide = (impl.mup_multipliers(width, 32) for width in (32, 128))
    sizes = [
        np.mean([changes_after_one_step(width, multipliers, seed)[layer] for seed in range(4)])
        for width, multipliers in ((32, narrow), (128, wide))
    ]

    # the right powers give 0.00, 0.04 and 0.10 on these seeds, and a power that is off by 1/2 gives 0.23 or more
    slope = math.log(sizes[1] / sizes[0]) / math.log(4)
    assert abs(slope) < 0.17, f"the change grows with the width to the power {slope:.2f}"


@number("9.p3")
@weight(1)
@tags("mup")
def test_coordinate_check_by_hand(impl):
    """Two layers: the first one's changes are 3 (or 1 and 5) at every width, the second one's are the width."""

    def measure(width, seed):
        change = (1.0, 5.0)[seed]
        return [(np.zeros((2, 3)), np.full((2, 3), change)), (np.ones((4, width)), np.ones((4, width)) - width)]

    got = impl.coordinate_check(measure, [2, 4, 16], seeds=(0, 1))
    assert_close(got, np.array([0.0, 1.0]), name="coordinate_check")
