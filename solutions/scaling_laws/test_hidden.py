"""Graded checks of the scaling_laws assignment.

Values are compared with the reference's in one check for each feature, on inputs where the other features make no difference: no
biases where matrices are another check's business, one sequence where batches are, exact runs where noise is. Properties are
asserted on the submission's own answers. Where a function calls another one of the student's, a right one is lent.
"""

import math

import numpy as np
import pytest
from coursekit.chance import law
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight


def sizes(rng, **changes):
    """A model whose sizes are all different, without biases, gates or groups, and tied."""
    n_heads = int(rng.integers(2, 4)) * 2
    d_k, d_model = int(rng.integers(5, 9)), int(rng.integers(40, 60))
    config = {
        "vocab_size": int(rng.integers(100, 200)), "n_layers": int(rng.integers(2, 6)), "d_model": d_model, "n_heads": n_heads,
        "n_kv_heads": n_heads, "d_k": d_k, "d_hidden": int(rng.integers(70, 90)), "gated": False, "norm_biases": False,
        "attention_biases": False, "mlp_biases": False, "tied": True,
    }  # fmt: skip
    return {**config, **changes}


def part(function, name):
    """A scenario: one entry of the dict that a function returns."""

    def look(impl, *args, **kwargs):
        return getattr(impl, function)(*args, **kwargs)[name]

    return look


# Task 1


@number("1.1")
@weight(2)
@tags("parameters")
@pytest.mark.parametrize("case", ["narrow_heads", "grouped", "biases", "grouped_with_biases"])
def test_parameters_of_attention(agree, rng, case):
    """Four matrices, whose widths are those of the heads that they serve, and a bias for each of their outputs."""
    config = sizes(rng)
    if "grouped" in case:
        config["n_kv_heads"] = 2
    if "biases" in case:
        config["attention_biases"] = True

    agree(part("parameter_count", "attention"), config)


@number("1.2")
@weight(2)
@tags("parameters")
@pytest.mark.parametrize("case", ["plain", "gated", "biases", "gated_with_biases"])
def test_parameters_of_the_mlp(agree, rng, case):
    """Two matrices, or three with a gate, and a bias for each of their outputs."""
    agree(part("parameter_count", "mlp"), sizes(rng, gated="gated" in case, mlp_biases="biases" in case))


@number("1.3")
@weight(1)
@tags("parameters")
@pytest.mark.parametrize("biases", [False, True], ids=["gains", "gains_and_biases"])
def test_parameters_of_the_norms(agree, rng, biases):
    """Two norms in each block and one after the last."""
    agree(part("parameter_count", "norms"), sizes(rng, norm_biases=biases))


@number("1.4")
@weight(1)
@tags("parameters")
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "own_head"])
def test_parameters_of_embedding_and_head(agree, rng, tied):
    """One table, or two if the head has its own."""

    def ends(impl, config):
        counts = impl.parameter_count(config)
        return [counts["embedding"], counts["head"]]

    agree(ends, sizes(rng, tied=tied))


# Task 2


@number("2.1")
@weight(2)
@tags("flops")
@pytest.mark.parametrize("case", ["plain", "grouped", "gated", "biases_are_free"])
def test_operations_of_the_matrices(agree, rng, case):
    """Each entry of a weight matrix is multiplied and added once for each token."""
    config = sizes(rng, gated=case == "gated")
    if case == "grouped":
        config["n_kv_heads"] = 2
    elif case == "biases_are_free":
        config.update(attention_biases=True, mlp_biases=True, norm_biases=True)

    agree(part("forward_flops", "matrices"), config, 13)


@number("2.2")
@weight(2)
@tags("flops")
@pytest.mark.parametrize("case", ["all", "causal", "one_token", "grouped"])
def test_operations_of_the_pairs(agree, rng, case):
    """Each visible pair of query and key costs twice the head's width, once for scores and once for values."""
    config = sizes(rng)
    if case == "grouped":
        config["n_kv_heads"] = 2

    agree(part("forward_flops", "pairs"), config, 1 if case == "one_token" else 12, causal=case == "causal")


@number("2.3")
@weight(1)
@tags("flops")
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "own_head"])
def test_operations_of_the_head(agree, rng, tied):
    """The logits of every token cost the same with a table of the head's own; looking up the embedding costs nothing."""
    agree(part("forward_flops", "head"), sizes(rng, tied=tied), 11)


@number("2.4")
@weight(1)
@tags("flops")
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "own_head"])
def test_six_nd_counts_what_is_multiplied(agree, rng, tied):
    """N leaves out a table that is only looked up."""
    names = ("embedding", "attention", "mlp", "norms", "head")
    counts = dict(zip(names, map(int, rng.integers(1000, 9000, size=5))))
    if tied:
        counts["head"] = 0

    agree("six_nd", counts, 10**6)


@number("2.5")
@weight(1)
@tags("flops")
@pytest.mark.parametrize("case", ["training", "utilization", "devices"])
@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recomputed"])
def test_training_and_its_share_of_the_peak(agree, rng, case, recompute):
    """Backward passes, a forward pass that is repeated or not, and the share of what all devices could do."""
    forward = float(rng.uniform(1e9, 2e9))
    if case == "training":
        agree("training_flops", forward, recompute=recompute)
        return
    n_devices = 1 if case == "utilization" else 8
    agree("utilization", forward, float(rng.uniform(1e4, 2e4)), 1e14, n_devices=n_devices, recompute=recompute)


# Task 3


@number("3.1")
@weight(3)
@tags("memory")
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_state_of_training_on_each_device(agree, rng, stage):
    """Weights, gradients and the optimizer's numbers; what is sharded is divided by the number of devices."""
    agree("state_bytes", int(rng.integers(10**6, 10**7)), n_devices=int(rng.integers(3, 9)), stage=stage)


@number("3.2")
@weight(3)
@tags("memory")
@pytest.mark.parametrize("case", ["plain", "grouped", "gated", "fused", "batch"])
def test_activations_that_a_block_keeps(agree, rng, case):
    """All inputs of products, norms and activation functions, once; and a weight for each pair of query and key, in each head."""
    config = sizes(rng, gated=case == "gated")
    if case == "grouped":
        config["n_kv_heads"] = 2

    batch = 3 if case == "batch" else 1
    agree("activation_bytes", config, int(rng.integers(9, 30)), batch=batch, fused=case in ("fused", "grouped", "gated"))


@number("3.3")
@weight(2)
@tags("memory")
@pytest.mark.parametrize("case", ["square", "not_square", "small_inputs", "large_inputs"])
def test_checkpoint_plan_is_best(agree, rng, case):
    """The spacing with the least memory, with inputs as large as blocks, much smaller, and larger."""
    n_layers = 49 if case == "square" else int(rng.integers(30, 48))
    block = int(rng.integers(90, 110))
    inputs = {"small_inputs": block // 17, "large_inputs": 3 * block}.get(case, block)

    agree("checkpoint_plan", n_layers, inputs, block)


@number("3.4")
@weight(1)
@tags("memory")
@pytest.mark.parametrize(("n_layers", "inputs", "block"), [(2, 8, 4), (12, 5, 5), (1, 5, 9), (6, 10, 10)])
def test_checkpoint_plan_in_ties_and_at_the_ends(agree, n_layers, inputs, block):
    """If several spacings are best, the smallest one; a single block has spacing 1."""
    agree("checkpoint_plan", n_layers, inputs, block)


# Task 4


@number("4.1")
@weight(1)
@tags("step")
@pytest.mark.parametrize("part_of_it", ["rise", "cosine", "after_the_end"])
def test_warmup_and_cosine(agree, rng, part_of_it):
    """A straight rise to the peak, half a period of a cosine down to the floor, and the floor."""
    warmup, total = int(rng.integers(5, 10)), int(rng.integers(40, 60))
    steps = {
        "rise": range(warmup + 1),
        "cosine": range(warmup, total + 1, 3),
        "after_the_end": [warmup, total, total + 1, total + 30],
    }[part_of_it]
    peak, floor = float(rng.uniform(1, 2)), float(rng.uniform(0.1, 0.2))

    def rates(impl):
        return [impl.learning_rate(step, peak=peak, warmup=warmup, total=total, floor=floor) for step in steps]

    agree(rates)


@number("4.2")
@weight(1)
@tags("step")
@pytest.mark.parametrize("case", ["with_warmup", "no_warmup", "no_stable_part"])
def test_stable_rate_and_straight_fall(agree, rng, case):
    """With `decay`, the peak is kept until the last steps, which fall in a straight line to the floor."""
    warmup, total = (0 if case == "no_warmup" else 6), 40
    decay = total - warmup if case == "no_stable_part" else int(rng.integers(8, 15))
    peak, floor = float(rng.uniform(1, 2)), float(rng.uniform(0.1, 0.2))

    def rates(impl):
        steps = [*range(warmup, total + 1, 2), total + 5]
        return [impl.learning_rate(step, peak=peak, warmup=warmup, total=total, floor=floor, decay=decay) for step in steps]

    agree(rates)


@number("4.3")
@weight(2)
@tags("step")
@pytest.mark.parametrize("case", ["above", "below", "zero"])
def test_clipping_is_by_one_length(agree, rng, case):
    """All arrays are scaled alike, by their common length, and only if it is above the limit."""
    gradients = [rng.normal(size=shape) for shape in ((4, 3), (5,), (2, 2, 2))]
    gradients[0] *= 20
    if case == "zero":
        agree("clip_gradients", [0 * g for g in gradients], 1.0)
    if case != "below":
        agree("clip_gradients", gradients, 2.0)
        return
    agree("clip_gradients", gradients, 1000.0)
    agree("clip_gradients", [g / 1000 for g in gradients], 0.5)


@number("4.4")
@weight(2)
@tags("step")
@pytest.mark.parametrize("case", ["no_tables", "tables", "like_a_table"])
def test_decay_is_for_matrices_that_are_no_tables(agree, rng, case):
    """Two or more dimensions decay, unless the name is that of a table."""
    shapes = {"embed": (50, 8), "W_Q": (8, 8), "gain": (8,), "conv": (3, 8, 8), "bias": (8,), "kind": (2, 8), "W_bias_like": (8, 1)}
    order = rng.permutation(list(shapes)).tolist()
    tables = {"no_tables": (), "tables": ("embed", "kind"), "like_a_table": ["embed"]}[case]

    agree("decay_groups", {name: shapes[name] for name in order}, tables=tables)


# Task 5


@number("5.1")
@weight(2)
@tags("noise")
@pytest.mark.parametrize(("n", "size"), [(3, 1), (3, 3), (2, 4)])
def test_batches_are_drawn_with_replacement(agree, rng, n, size):
    """Every sequence of examples is equally likely, and the mean of their gradients is squared and summed."""
    gradients = rng.normal(size=(n, 2))

    agree(lambda impl: law(impl.batch_norm2, gradients, size, given=("draw",)))


@number("5.2")
@weight(2)
@tags("noise")
@pytest.mark.parametrize(("small", "big"), [(1, 2), (2, 5)])
def test_estimates_are_exact_for_exact_means(impl, rng, small, big):
    """Given the expected squared lengths, computed batch by batch, the signal is |G|^2 and the noise S, of all examples."""
    gradients = rng.normal(size=(3, 4)) + 0.5
    mean = gradients.mean(axis=0)
    noise = ((gradients - mean) ** 2).sum() / 3

    def expected(size):
        batches = np.stack(np.meshgrid(*[np.arange(3)] * size, indexing="ij"), axis=-1).reshape(-1, size)
        return (gradients[batches].mean(axis=1) ** 2).sum(axis=1)

    got = impl.noise_scale(expected(small), expected(big), small, big)
    assert_close(got[0], float((mean**2).sum()), name="signal")
    assert_close(got[1], float(noise), name="noise")


@number("5.3")
@weight(4)
@tags("noise")
@pytest.mark.parametrize("case", ["signal", "noise", "scale", "scale_of_many"])
def test_noise_scale_of_several_batches(agree, rng, case):
    """Means over batches first, then the two estimates, then their ratio; the two sizes may have different numbers of batches."""
    small = 5 + rng.uniform(size=1 if case != "scale_of_many" else 6)
    big = 2 + rng.uniform(size=1 if case != "scale_of_many" else 4)
    which = {"signal": 0, "noise": 1}.get(case, 2)

    agree(lambda impl: impl.noise_scale(small, big, 4, 32)[which])


# Task 6


def surface(rng):
    E, A, B = rng.uniform(1, 2), rng.uniform(200, 600), rng.uniform(800, 2000)
    return float(E), float(A), float(B), float(rng.uniform(0.3, 0.36)), float(rng.uniform(0.4, 0.5))


@number("6.1")
@weight(2)
@tags("optimum")
@pytest.mark.parametrize("case", ["number", "array", "equal_exponents"])
def test_optimum_of_a_budget(agree, rng, case):
    """Parameters and tokens with the least loss, for one budget or for several at once, and if both exponents are equal."""
    C = 10 ** rng.uniform(17, 24, size=5)
    constants = surface(rng)
    if case == "equal_exponents":
        constants = (*constants[:3], 0.35, 0.35)

    agree("compute_optimal", constants, C if case == "array" else float(C[0]))


@number("6.2")
@weight(2)
@tags("optimum")
@pytest.mark.parametrize("C", [1e18, 1e21, 1e24])
def test_loss_is_flat_at_the_optimum(impl, rng, C):
    """Along the budget, the loss neither falls nor rises at the optimum, and the budget is used up."""
    _, A, B, alpha, beta = constants = surface(rng)

    N, D = impl.compute_optimal(constants, C)
    assert_close(6 * N * D, C, name="6 N D")
    by_size, by_tokens = A / N**alpha, B / D**beta
    slope = beta * by_tokens - alpha * by_size  # of the loss, per unit of log N
    assert abs(slope) < 1e-6 * (by_size + by_tokens), "another size has a lower loss for the same budget"


def lent_optimum(constants, C):
    _, A, B, alpha, beta = constants
    N = (alpha * A / beta / B) ** (1 / (alpha + beta)) * (C / 6) ** (beta / (alpha + beta))
    return N, C / 6 / N


lent_optimum.unrecorded = True


@number("6.3")
@weight(4)
@tags("optimum")
@pytest.mark.parametrize("share", [0.3, 0.5, 2.0, 8.0])
def test_compute_for_another_size(agree, rng, share):
    """A smaller or larger model gets the loss of the best one, at some price."""
    agree("compute_factor", surface(rng), float(10 ** rng.uniform(18, 23)), share, compute_optimal=lent_optimum)


@number("6.4")
@weight(2)
@tags("optimum")
@pytest.mark.parametrize("nearness", [0.9, 0.5])
def test_sizes_that_no_data_can_help(agree, rng, nearness):
    """Below some size the factor is infinite, and it is finite above."""
    _, A, B, alpha, beta = constants = surface(rng)
    wall = (1 + alpha / beta) ** (-1 / alpha)

    agree("compute_factor", constants, 1e21, nearness * wall, compute_optimal=lent_optimum)
    agree("compute_factor", constants, 1e21, 2 * wall, compute_optimal=lent_optimum)


# Task 7


def runs(rng, *, inside=True, budgets=3):
    """Losses near parabolas in log N: C, N, L in mixed order, with different numbers of runs per budget."""
    C, x, L = [], [], []
    for k in range(budgets):
        lowest, n = rng.uniform(16, 20), 5 + 2 * k
        around = np.sort(rng.uniform(-1.5, 1.5, size=n)) if inside else np.linspace(0.2, 2.0, n)
        C += [10.0 ** (18 + k)] * n
        x += (lowest + around).tolist()
        L += (3 - 0.2 * k + 0.05 * around**2 + (0.002 * rng.normal(size=n) if inside else 0)).tolist()
    order = rng.permutation(len(C))
    return np.array(C)[order], np.exp(x)[order], np.array(L)[order]


# a fit of squares in another order of operations differs by more than the default allows
FIT = (1e-6, 1e-9)


@number("7.1")
@weight(3)
@tags("isoflop")
@pytest.mark.parametrize("which", ["budgets_and_sizes", "losses"])
def test_parabolas_in_the_logarithm_of_the_size(agree, rng, which):
    """The lowest points of parabolas in log N, one for each budget, in ascending order; with noise, they are not the best runs."""

    def optima(impl, *args):
        budgets, N, L = impl.isoflop_optima(*args)
        return [budgets, N] if which == "budgets_and_sizes" else L

    agree(optima, *runs(rng), tol=FIT)


@number("7.2")
@weight(1)
@tags("isoflop")
@pytest.mark.parametrize("case", ["outside", "downward"])
def test_minima_that_the_runs_do_not_enclose(agree, rng, case):
    """Where the parabola has no lowest point among the sizes that were run, there is neither size nor loss; other budgets have theirs."""
    C, N, L = runs(rng)
    unlucky = C == 1e19
    x = np.log(N[unlucky])
    L[unlucky] = 2.5 + 0.05 * (x - x.max() - 0.7) ** 2 if case == "outside" else 2.5 - 0.05 * (x - x.mean()) ** 2

    agree("isoflop_optima", C, N, L, tol=FIT)


@number("7.3")
@weight(2)
@tags("isoflop")
@pytest.mark.parametrize("case", ["exact", "noise"])
def test_power_law_of_points(agree, rng, case):
    """The straight line with the least squares in the logarithms: a coefficient and an exponent."""
    x = 10 ** rng.uniform(0, 3, size=9)
    y = 3.5 * x**-0.4 * (np.exp(0.3 * rng.normal(size=9)) if case == "noise" else 1)

    agree("fit_power_law", x, y, tol=FIT)


@number("7.4")
@weight(1)
@tags("isoflop")
def test_power_law_leaves_out_what_is_not_known(agree, rng):
    """A point without y does not count."""
    x = 10 ** rng.uniform(0, 3, size=8)
    y = 0.2 * x**0.7
    y[[1, 4]] = np.nan

    agree(lambda impl: impl.fit_power_law(x, y)[1], tol=FIT)


# Task 8


def theta_and_runs(rng, n=7):
    theta = np.array([0.4, 5.5, 6.2, 0.32, 0.38]) + 0.1 * rng.uniform(-1, 1, size=5)
    return theta, 10 ** rng.uniform(6, 9, size=n), 10 ** rng.uniform(8, 11, size=n)


@number("8.1")
@weight(1)
@tags("surface")
@pytest.mark.parametrize("case", ["usual", "huge_terms"])
def test_log_of_the_predicted_loss(agree, rng, case):
    """The logarithm of the sum of three terms, also where a term alone would overflow."""
    theta, N, D = theta_and_runs(rng)
    if case == "huge_terms":
        theta = theta + np.array([0, 900.0, 950.0, 0, 0])

    def predicted(impl):
        f, J = impl.log_surface(theta, N, D)
        return [f, np.shape(J)]

    agree(predicted)


@number("8.2")
@weight(2)
@tags("surface")
@pytest.mark.parametrize("which", ["levels", "exponents"])
def test_slopes_of_the_log_surface(agree, rng, which):
    """How the logarithm of the predicted loss changes with e, a and b, and with the exponents."""
    theta, N, D = theta_and_runs(rng)
    columns = slice(0, 3) if which == "levels" else slice(3, 5)

    agree(lambda impl: impl.log_surface(theta, N, D)[1][:, columns])


def lent_log_surface(theta, N, D):
    """A right one."""
    e, a, b, alpha, beta = (float(value) for value in theta)
    terms = np.stack([np.full(np.shape(N), e), a - alpha * np.log(N), b - beta * np.log(D)], axis=1)
    f = np.logaddexp.reduce(terms, axis=1)
    shares = np.exp(terms - f[:, None])
    return f, np.concatenate([shares, -shares[:, 1:] * np.log(np.stack([N, D], axis=1))], axis=1)


lent_log_surface.unrecorded = True  # how often it is called is free


def objective_case(rng, case):
    theta, N, D = theta_and_runs(rng)
    delta = 0.05
    r = {
        "small": rng.uniform(-0.9, 0.9, size=7) * delta,
        "large": rng.choice([-1, 1], size=7) * rng.uniform(2, 9, size=7) * delta,
        "both": rng.uniform(-3, 3, size=7) * delta,
    }[case]
    return theta, N, D, np.exp(lent_log_surface(theta, N, D)[0] - r), delta


@number("8.3")
@weight(2)
@tags("surface")
@pytest.mark.parametrize("case", ["small", "large", "both"])
def test_objective_is_a_sum_of_hubers(agree, rng, case):
    """Half squares of small residuals, straight lines beyond, and the sum over runs."""
    *args, delta = objective_case(rng, case)

    def objective(impl):
        value, gradient = impl.surface_objective(*args, delta=delta, log_surface=lent_log_surface)
        return [value, np.zeros_like(gradient)]

    agree(objective)


@number("8.4")
@weight(2)
@tags("surface")
@pytest.mark.parametrize("case", ["small", "large", "both"])
def test_gradient_of_the_objective(agree, rng, case):
    """The objective's slopes in all five entries of theta."""
    *args, delta = objective_case(rng, case)

    agree(lambda impl: impl.surface_objective(*args, delta=delta, log_surface=lent_log_surface)[1])


# an iterative method stops a little before the minimum, and theirs may stop elsewhere
FITTED = (1e-4, 1e-6)


@number("8.5")
@weight(2)
@tags("surface")
@pytest.mark.parametrize("case", ["exact", "noise_and_an_outlier", "best_of_starts", "best_is_first"])
def test_fit_surface_ends_at_the_minimum(agree, rng, case):
    """Runs on a known surface; one run that went wrong moves the fit a little; a bad start does no harm beside a good one."""
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e6, 1e9, 6), np.geomspace(1e8, 1e10, 5)))
    E, A, B, alpha, beta = 1.6, *(float(v) for v in rng.uniform([250, 400], [350, 600])), 0.38, 0.33
    L = E + A / N**alpha + B / D**beta
    near = np.array([0.3, 5.0, 5.0, 0.4, 0.4])
    starts = [near]
    if case == "noise_and_an_outlier":
        L = L * np.exp(0.003 * rng.uniform(-1, 1, size=len(L)))
        L[int(rng.integers(len(L)))] *= 1.3
    elif case == "best_of_starts":
        starts = [near, BAD_START]
    elif case == "best_is_first":
        starts = [BAD_START, near]

    agree("fit_surface", N, D, L, np.array(starts), delta=1e-2, log_surface=lent_log_surface, tol=FITTED)


BAD_START = np.array([-300.0, 5.0, 5.0, 0.4, 0.4])  # E so small that nothing depends on it: it stays there


# Task 9


@number("9.1")
@weight(4)
@tags("mup")
@pytest.mark.parametrize("layer", ["input", "hidden", "output", "all"])
def test_multipliers_of_each_layer(agree, rng, layer):
    """The powers of the width in the initial values and in the rates, for wider models and for narrower ones."""
    base = int(rng.integers(20, 40))
    narrow, wide = base // 2, base * int(rng.integers(3, 20))

    def multipliers(impl):
        found = [impl.mup_multipliers(width, base) for width in (wide, narrow)]
        return [sorted(both) for both in found] + [both["hidden"][0] for both in found] if layer == "all" else [both[layer] for both in found]

    agree(multipliers)


@number("9.2")
@weight(3)
@tags("mup")
@pytest.mark.parametrize("case", ["one_seed", "several_seeds", "two_widths"])
def test_slopes_of_changes(agree, rng, case):
    """Root mean square of each layer's change, its mean over seeds, and the slope of its logarithm over the logarithm of width."""
    widths = (16, 200) if case == "two_widths" else (8, 20, 100)
    layers = {
        (width, seed): [(rng.normal(size=(3, 4)), rng.normal(size=(3, 4)) * rng.uniform(0.2, 5) * width**power) for power in (0.5, -1.0)]
        for width in widths
        for seed in range(3)
    }

    def measure(width, seed):
        return [(before, before + change) for before, change in layers[width, seed]]

    agree("coordinate_check", measure, widths, seeds=(0, 1, 2) if case == "several_seeds" else (1,))
