"""Graded checks of the flows assignment.

Everything is exact: noise, times, probes and networks are handed in. Values and log-dets are compared in separate cases, so that
one wrong sign costs its own case only. Networks are functions of the check; where the submission differentiates, their weights
are handed over.
"""

import math

import pytest
import torch
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from coursekit.exact import Counted, signs
from coursekit.toys import mlp, mlp_weights
from gradescope_utils.autograder_utils.decorators import number, tags, weight

F64 = torch.float64
TAU = math.log(2 * math.pi)
PAIR = ("values", "log_det")


def normal(generator, *shape, dtype=F64):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64).to(dtype)


def part(name, what):
    """A scenario: the values or the log-det that a function returns."""

    def look(impl, *args, **kwargs):
        return getattr(impl, name)(*args, **kwargs)[PAIR.index(what)]

    return look


# --- Task 1: whole numbers and their density ---------------------------------------------------


@number("1.1")
@weight(2)
@tags("change")
@pytest.mark.parametrize("what", PAIR)
@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_to_logits(agree, rng, what, alpha):
    """Images of several channels, and values at the very ends where alpha allows it."""
    y = torch.from_numpy(rng.uniform(0.01, 0.99, size=(3, 2, 2, 3)))
    if alpha:
        y[0, 0, 0, 0], y[1, 0, 0, 0] = 0.0, 1.0

    agree(part("to_logits", what), y, alpha=alpha)


@number("1.2")
@weight(2)
@tags("change")
@pytest.mark.parametrize("what", PAIR)
@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_from_logits(agree, torch_rng, what, alpha):
    """Images of several channels, with numbers of ordinary size."""
    agree(part("from_logits", what), normal(torch_rng, 3, 2, 2, 3), alpha=alpha)


@number("1.3")
@weight(1)
@tags("change")
def test_far_logits_have_a_density(agree, torch_rng):
    """Numbers of several hundred have a slope that is tiny and not 0."""
    x = torch.cat([normal(torch_rng, 3, 2), torch.tensor([[300.0, 2.0], [-3.0, 410.0], [-350.0, 60.0]], dtype=F64)], 1)

    agree(lambda impl: list(impl.from_logits(x, alpha=0.01)))


@number("1.4")
@weight(2)
@tags("change")
@pytest.mark.parametrize("case", ["rows", "images", "two_levels"])
def test_bits_per_dimension(agree, rng, case):
    """A density that is not flat, on rows, on images with several axes, and for another number of levels."""
    shape = (3, 2, 2, 4) if case == "images" else (4, 3)
    n_levels = 2 if case == "two_levels" else 256
    levels = torch.from_numpy(rng.integers(0, n_levels, size=shape))
    u = torch.from_numpy(rng.random(shape))

    def density(y):
        """Of independent values with the density 1/2 + y."""
        return (0.5 + y).log().flatten(1).sum(1)

    agree("bits_per_dimension", levels, u, density, n_levels=n_levels)


# --- Task 2: a layer that inverts without inverting its network --------------------------------


def masks_of(rng, d, case):
    """A mask of the first half, of a random part, or one that leaves a single entry alone."""
    mask = torch.arange(d) < d // 2
    if case == "mixed":
        mask = torch.from_numpy(rng.permutation(mask.numpy()))
    if case == "single":
        mask = torch.arange(d) == int(rng.integers(d))
    return mask


def coupling_network(rng, mask):
    """A network that reads unchanged entries only, whatever it is shown."""
    d = len(mask)
    weights = mlp_weights([d, 7, 2 * d], rng)

    def network(h):
        raw, t = mlp(weights, torch.where(mask, h, 0.0)).chunk(2, 1)
        return 2 * raw, t

    return network


@number("2.1")
@weight(4)
@tags("coupling")
@pytest.mark.parametrize("what", PAIR)
@pytest.mark.parametrize("case", ["half", "mixed", "single"])
def test_coupling_forward(agree, rng, torch_rng, what, case):
    """Masks of any kind, five entries, four examples."""
    mask = masks_of(rng, 5, case)

    agree(part("coupling", what), normal(torch_rng, 4, 5), mask, coupling_network(rng, mask), bound=0.8)


@number("2.2")
@weight(4)
@tags("coupling")
@pytest.mark.parametrize("what", PAIR)
@pytest.mark.parametrize("case", ["half", "mixed", "single"])
def test_coupling_backward(agree, rng, torch_rng, what, case):
    """The same masks, from noise to data."""
    mask = masks_of(rng, 5, case)

    agree(part("coupling_inverse", what), normal(torch_rng, 4, 5), mask, coupling_network(rng, mask), bound=0.8)


@number("2.3")
@weight(2)
@tags("coupling")
@pytest.mark.parametrize("name", ["coupling", "coupling_inverse"])
def test_what_the_network_is_shown(impl, rng, torch_rng, name):
    """The network is called once, and entries that change are 0 in what it sees. The arguments stay as they are."""
    mask, x = masks_of(rng, 6, "mixed"), 3 + normal(torch_rng, 3, 6)
    network = Counted(coupling_network(rng, mask))

    values, log_det = assert_leaves_arguments(getattr(impl, name), x, mask, network, bound=1.0, name=name)

    assert len(network.calls) == 1, f"the network must be called once, got {len(network.calls)} calls"
    assert_close(network.calls[0][0], torch.where(mask, x, 0.0), name="what the network is shown")
    assert_close(values[:, mask], x[:, mask], name="unchanged entries")
    assert float((values - x)[:, ~mask].abs().min()) > 0 and float(log_det.abs().min()) > 0, "some entries must change"


@number("2.4")
@weight(1)
@tags("coupling")
@pytest.mark.parametrize("name", ["coupling", "coupling_inverse"])
def test_unchanged_entries_ignore_the_network(agree, rng, torch_rng, name):
    """NaN in the network's answers for unchanged entries reaches neither values nor log-dets. Results are float32 where inputs are."""
    mask = masks_of(rng, 4, "mixed")
    inner = coupling_network(rng, mask)

    def network(h):
        return tuple(torch.where(mask, math.nan, answer).float() for answer in inner(h.double()))

    x = normal(torch_rng, 3, 4).float()
    agree(lambda impl: list(getattr(impl, name)(x, mask, network, bound=1.5)))


# --- Task 3: linear layers for images ----------------------------------------------------------


@number("3.1")
@weight(1)
@tags("linear")
@pytest.mark.parametrize("what", ["log_scale", "shift"])
def test_actnorm_starts_from_the_batch(agree, torch_rng, what):
    """Channels of different mean and deviation, few pixels."""
    x = normal(torch_rng, 2, 3, 1, 2) * torch.tensor([0.5, 2.0, 3.0], dtype=F64)[:, None, None] + 4.0

    agree(lambda impl: impl.actnorm_init(x)[["log_scale", "shift"].index(what)])


@number("3.2")
@weight(2)
@tags("linear")
@pytest.mark.parametrize("what", PAIR)
def test_actnorm(agree, torch_rng, what):
    """Images that are not square, with a scale and a shift for each channel."""
    agree(part("actnorm", what), normal(torch_rng, 4, 3, 2, 5), normal(torch_rng, 3), normal(torch_rng, 3))


def conv_parameters(rng, generator, C):
    """A cyclic permutation, which is not its own inverse for C > 4, full matrices, signs of both kinds and log-scales."""
    order = torch.arange(C).roll(int(rng.choice([1, 2])))
    sign = torch.ones(C, dtype=F64)
    sign[int(rng.integers(C))] = -1
    return order, normal(generator, C, C), normal(generator, C, C), sign, 0.5 * normal(generator, C) + 0.3


@number("3.3")
@weight(2)
@tags("linear")
@pytest.mark.parametrize("what", PAIR)
def test_lu_conv(agree, rng, torch_rng, what):
    """Five channels on images that are not square."""
    agree(part("lu_conv", what), normal(torch_rng, 2, 5, 3, 2), *conv_parameters(rng, torch_rng, 5))


@number("3.4")
@weight(1)
@tags("linear")
@pytest.mark.parametrize("what", PAIR)
def test_lu_conv_inverse(agree, rng, torch_rng, what):
    """The way back, on images that are not square."""
    agree(part("lu_conv_inverse", what), normal(torch_rng, 2, 5, 3, 2), *conv_parameters(rng, torch_rng, 5))


# --- Task 4: a stack of layers -----------------------------------------------------------------


def affine(scale, shift):
    """z = scale x + shift with a number for each entry of an example."""

    def forward(x):
        return scale * x + shift, scale.abs().log().sum().expand(len(x))

    def inverse(z):
        return (z - shift) / scale, -scale.abs().log().sum().expand(len(z))

    return forward, inverse


def bent():
    """z = 1.5 x where x > 0 and 0.7 x elsewhere: the log-det differs between examples, and nothing grows out of bounds."""

    def forward(x):
        slope = torch.where(x > 0, 1.5, 0.7).to(x.dtype)
        return slope * x, slope.log().flatten(1).sum(1)

    def inverse(z):
        slope = torch.where(z > 0, 1.5, 0.7).to(z.dtype)
        return z / slope, -slope.log().flatten(1).sum(1)

    return forward, inverse


def layers_of(generator, n, shape):
    """n layers, of which every second one is bent."""
    return [
        bent() if k % 2 else affine(0.6 + normal(generator, *shape).abs(), 0.5 * normal(generator, *shape)) for k in range(n)
    ]


@number("4.1")
@weight(2)
@tags("compose")
@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_density_of_a_stack(agree, torch_rng, n):
    """No layer, one, and several that don't commute."""
    agree("log_density", normal(torch_rng, 4, 3), layers_of(torch_rng, n, (3,)))


@number("4.2")
@weight(2)
@tags("compose")
@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("what", ["values", "log_density"])
def test_samples_of_a_stack(agree, torch_rng, n, what):
    """The layers' inverses from the noise to the data, and the density of what comes out. No layer goes forward."""

    def refuses(x):
        raise AssertionError("generate may not call a layer's forward function")

    layers = [(refuses, inverse) for _, inverse in layers_of(torch_rng, n, (3,))]

    agree(lambda impl, z: impl.generate(z, layers)[["values", "log_density"].index(what)], normal(torch_rng, 4, 3))


@number("4.3")
@weight(1)
@tags("compose")
@pytest.mark.parametrize("shape", [(2, 3, 4, 2), (1, 1, 2, 6)], ids=str)
def test_squeeze(agree, torch_rng, shape):
    """Several channels, images that are not square, and numbers in the dtype in which they came."""
    agree("squeeze", normal(torch_rng, *shape).float())


def squeezing(reference):
    """The reference's squeeze as a layer; no check goes back through it."""
    return (lambda x: (reference.squeeze(x), torch.zeros(len(x), dtype=x.dtype))), None


@number("4.4")
@weight(3)
@tags("compose")
@pytest.mark.parametrize("n", [1, 2, 3])
def test_density_of_several_scales(agree, reference, torch_rng, n):
    """What is split off has its density too, and later layers see the first half only. Squeezing is a layer like others."""
    scales, shape = [], (2, 4, 4)
    for k in range(n):
        layers = layers_of(torch_rng, 2, shape)
        if k < 2:
            shape = (4 * shape[0], shape[1] // 2, shape[2] // 2)
            layers = [*layers, squeezing(reference), *layers_of(torch_rng, 1, shape)]
        scales.append(layers)
        shape = (shape[0] // 2, *shape[1:])

    agree("multiscale_log_density", normal(torch_rng, 3, 2, 4, 4), scales)


# --- Task 5: one coordinate after the other ----------------------------------------------------


@number("5.1")
@weight(4)
@tags("maf")
@pytest.mark.parametrize("widths", [(7,), (6, 9), (5, 8, 3)], ids=str)
def test_masks(agree, rng, widths):
    """One, two and three hidden layers with any degrees, in any order."""
    hidden = [torch.from_numpy(rng.integers(0, 4, size=width)) for width in widths]

    agree("made_masks", 5, hidden)


def autoregressive_network(generator, d, dtype=F64):
    """mu and s that depend on earlier inputs alone."""
    one, other = (normal(generator, d, d).tril(-1) for _ in range(2))
    base, scale = 0.3 * normal(generator, d), 0.4 * normal(generator, d)

    def network(x):
        x = x.double()
        return ((x @ one.T).tanh() + base).to(dtype), (0.7 * (x @ other.T).tanh() + scale).to(dtype)

    return network


@number("5.2")
@weight(2)
@tags("maf")
@pytest.mark.parametrize("what", PAIR)
def test_maf_forward(agree, torch_rng, what):
    """All coordinates at once."""
    agree(part("maf_forward", what), normal(torch_rng, 4, 5), autoregressive_network(torch_rng, 5))


@number("5.3")
@weight(3)
@tags("maf")
@pytest.mark.parametrize("what", PAIR)
@pytest.mark.parametrize("d", [1, 4, 6])
def test_maf_inverse(agree, torch_rng, what, d):
    """One coordinate after the other, each from the ones that are known."""
    agree(part("maf_inverse", what), normal(torch_rng, 3, d), autoregressive_network(torch_rng, d))


@number("5.4")
@weight(1)
@tags("maf")
@pytest.mark.parametrize("name", ["maf_forward", "maf_inverse", "iaf_generate"])
def test_calls_of_the_network(agree, torch_rng, name):
    """One call, or d calls for MAF's inverse, whatever the number of examples; each has all examples."""
    z, inner = normal(torch_rng, 3, 4), autoregressive_network(torch_rng, 4)

    def watched(impl):
        network = Counted(inner)
        values, _ = getattr(impl, name)(z, network)
        return [values, [tuple(x.shape) for (x,) in network.calls]]

    _, calls = agree(watched)
    assert len(calls) == (4 if name == "maf_inverse" else 1)


@number("5.5")
@weight(2)
@tags("maf")
@pytest.mark.parametrize("what", ["values", "log_density"])
def test_iaf(agree, torch_rng, what):
    """The noise is what the network reads, and the density is that of x."""
    network = autoregressive_network(torch_rng, 5)

    agree(lambda impl, z: impl.iaf_generate(z, network)[["values", "log_density"].index(what)], normal(torch_rng, 4, 5))


# --- Task 6: the best linear flow --------------------------------------------------------------


def correlated(generator, N, d):
    """Rows whose coordinates depend on each other, with means far from 0."""
    return normal(generator, N, d) @ normal(generator, d, d) + 3 * normal(generator, d)


FITTED = ("weight", "bias", "log_std")


@number("6.1")
@weight(5)
@tags("gaussian")
@pytest.mark.parametrize("what", FITTED)
@pytest.mark.parametrize("d", [1, 4])
def test_fit_of_a_linear_maf(agree, torch_rng, what, d):
    """Few examples, so that a divisor N - 1 shows; four coordinates, or one."""
    x = correlated(torch_rng, 7, d)
    if d == 1 and what == "weight":  # there is none to find: look at two coordinates instead
        x = correlated(torch_rng, 7, 2)
    agree(lambda impl: impl.fit_linear_maf(x)[FITTED.index(what)], tol=(1e-8, 1e-9))  # least squares squares the condition


@number("6.2")
@weight(1)
@tags("gaussian")
@pytest.mark.parametrize("d", [1, 5])
def test_price_of_the_fit(agree, torch_rng, d):
    """In nats per example, from the scales alone."""
    agree("fitted_nll", normal(torch_rng, d))


# --- Task 7: layers without number -------------------------------------------------------------


def swirl(x, t):
    """A field that bends and depends on time."""
    return torch.stack([x[:, 1].sin() + t * x[:, 0], (1 + t) ** 2 * x[:, 0].cos()], 1)


@number("7.1")
@weight(3)
@tags("continuous")
@pytest.mark.parametrize("case", ["still", "in_time", "backward"])
def test_runge_and_kutta(agree, torch_rng, case):
    """A field that doesn't depend on time, one that does, and a path back in time."""
    x = normal(torch_rng, 3, 2)
    velocity = (lambda x, t: swirl(x, 0.5)) if case == "still" else swirl
    times = {"still": {}, "in_time": {"t0": 0.2, "t1": 1.7}, "backward": {"t0": 1.0, "t1": 0.0}}[case]

    agree("rk4", velocity, x, n_steps=3, **times)


@number("7.2")
@weight(2)
@tags("continuous")
@pytest.mark.parametrize("time", ["one", "each"])
def test_divergence(agree, rng, torch_rng, time):
    """Four dimensions, a bent field, and one time for all points or one for each."""
    weights, x = mlp_weights([5, 6, 6, 4], rng), normal(torch_rng, 3, 4)
    t = 0.4 if time == "one" else torch.from_numpy(rng.random(3))

    agree("divergence", weights, x, t)


@number("7.3")
@weight(1)
@tags("continuous")
@pytest.mark.parametrize("case", ["few", "all_signs"])
def test_probes(agree, rng, torch_rng, case):
    """A few normal probes, and all vectors of signs, whose mean is the divergence itself."""
    weights, x = mlp_weights([4, 6, 3], rng), normal(torch_rng, 5, 3)
    probes = normal(torch_rng, 2, 5, 3)
    if case == "all_signs":
        probes = torch.from_numpy(signs(3))[:, None].expand(8, 5, 3).contiguous()

    agree("probed_divergence", weights, x, 0.3, probes)


@number("7.4")
@weight(2)
@tags("continuous")
@pytest.mark.parametrize("T", [2, 5])
def test_density_along_a_path(agree, torch_rng, T):
    """At each time of the path, for several points whose divergences differ."""
    agree("log_density_along", normal(torch_rng, T, 3, 2), normal(torch_rng, T, 3))


# --- Task 8: regression on a velocity that nobody knows ----------------------------------------


@number("8.1")
@weight(4)
@tags("matching")
@pytest.mark.parametrize("case", ["beginning", "end", "between", "one_dimension"])
def test_matching_loss(agree, rng, torch_rng, case):
    """At time 0, at time 1, and at another time for each example."""
    d = 1 if case == "one_dimension" else 3
    t = {"beginning": torch.zeros(5, dtype=F64), "end": torch.ones(5, dtype=F64)}.get(case, torch.from_numpy(rng.random(5)))

    agree("matching_loss", mlp_weights([d + 1, 6, d], rng), normal(torch_rng, 5, d), 2 * normal(torch_rng, 5, d), t)


@number("8.2")
@weight(3)
@tags("matching")
@pytest.mark.parametrize("t", [0.0, 0.3, 0.8])
def test_marginal_velocity(agree, torch_rng, t):
    """Six points in two dimensions, seen from four places; repeated points count twice."""
    points = 2 * normal(torch_rng, 6, 2)
    points[5] = points[0]

    agree("marginal_velocity", normal(torch_rng, 4, 2), t, points)


@number("8.3")
@weight(2)
@tags("matching")
@pytest.mark.parametrize("case", ["late", "far"])
def test_velocity_where_densities_vanish(agree, torch_rng, case):
    """Just before time 1, and 60 units away from all data, where every density is 0 in floating point."""
    points, x = 2 * normal(torch_rng, 6, 2), normal(torch_rng, 4, 2)
    if case == "late":
        agree("marginal_velocity", x, 0.999, points)
    else:
        agree("marginal_velocity", x + 60, 0.2, points)


# --- Task 9: straight paths --------------------------------------------------------------------


@number("9.1")
@weight(1)
@tags("straight")
@pytest.mark.parametrize("n_steps", [1, 4])
def test_euler(agree, torch_rng, n_steps):
    """Along the velocity at the beginning of each step."""
    agree("euler", swirl, normal(torch_rng, 3, 2), n_steps=n_steps)


@number("9.2")
@weight(1)
@tags("straight")
@pytest.mark.parametrize("d", [1, 3])
def test_pairing(agree, rng, torch_rng, d):
    """Six noises and points, whose best pairing is not their own order."""
    x0 = normal(torch_rng, 6, d)
    x1 = (3 * x0 + 0.1 * normal(torch_rng, 6, d)).roll(int(rng.choice([1, 2])), 0)

    agree("best_pairing", x0, x1)


@number("9.3")
@weight(1)
@tags("straight")
def test_how_straight(agree, torch_rng):
    """Several points in two dimensions; a path of one step is straight."""
    path = normal(torch_rng, 5, 3, 2)

    agree("straightness", path)
    agree("straightness", path[:2] + path[2:4])
