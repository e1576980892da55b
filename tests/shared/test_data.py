"""The bundled data are what their docstrings say, on every machine."""

import numpy as np
import pytest
from coursekit import data


def test_players_are_ten_and_both_features_are_needed():
    """Five of ten players are drafted; a line separates them, and no threshold on one feature alone does."""
    x, y = data.players()

    assert (x.shape, y.shape, y.sum()) == ((10, 2), (10,), 5)
    assert x[:3].tolist() == [[50, 75], [80, 68], [100, 80]] and x[-1].tolist() == [40, 60]
    assert y[[0, 1, 2, -1]].tolist() == [0, 1, 1, 0]
    score = x @ np.array([1.0, 1.7])
    assert score[y == 1].min() > score[y == 0].max()
    for feature in x.T:
        drafted, others = feature[y == 1], feature[y == 0]
        assert drafted.min() < others.max() and others.min() < drafted.max()


def test_the_worked_convolution():
    """The edge kernel answers below the upper stroke of the 0, and with its negative above the lower."""
    image, kernel = data.zero_image(), data.edge_kernel()

    out = np.array([[(image[i : i + 3, j : j + 3] * kernel).sum() for j in range(3)] for i in range(3)])

    assert np.array_equal(image, image[::-1]) and np.array_equal(image, image.T)
    assert out == pytest.approx(np.array([[0.7, 2.1, 0.7], [0, 0, 0], [-0.7, -2.1, -0.7]]), abs=1e-12)


def test_data_are_fresh_at_each_call():
    """Writing into one copy leaves the next alone."""
    for load in (data.zero_image, data.edge_kernel, lambda: data.players()[0], data.digit_bitmaps):
        load()[...] = 7
        assert load().max() != 7 or load().min() != 7


def test_languages_say_the_same_in_several_scripts():
    """There are several languages, English first, each a text of some length, not all in Latin script."""
    texts = data.languages()

    assert list(texts)[0] == "English" and len(texts) >= 5
    assert all(isinstance(text, str) and len(text) > 100 for text in texts.values())
    assert any(ord(max(text)) > 0x3000 for text in texts.values())
    assert all("\ufffd" not in text for text in texts.values())


@pytest.mark.parametrize("n", [0, 1, 10, 203])
def test_digits_have_the_shapes_and_counts_that_are_said(n):
    """Images lie in [0, 1], labels are balanced, dtypes are float64 and int64."""
    images, labels = data.digits(n)

    assert (images.shape, images.dtype) == ((n, 1, 12, 12), np.float64)
    assert (labels.shape, labels.dtype) == ((n,), np.int64)
    counts = np.bincount(labels, minlength=10)
    assert counts.max() - counts.min() <= 1
    assert n == 0 or (images.min() >= 0 and images.max() <= 1)


def test_digits_follow_their_seed():
    """A seed gives the same images on every call; another seed gives others."""
    one, other = data.digits(20, seed=1)[0], data.digits(20, seed=2)[0]

    assert np.array_equal(one, data.digits(20, seed=1)[0])
    assert not np.array_equal(one, other)


def test_digits_stay_in_the_picture_and_can_be_told_apart():
    """No ink is cut off, and a nearest-neighbour rule, blind to shifts, still reads most digits."""
    clean, labels = data.digits(300, noise=0.0)
    ink = (clean > 0.5).sum((1, 2, 3))
    drawn = np.array([(bitmap > 0).sum() for bitmap in data.digit_bitmaps()])
    images, labels = data.digits(600)
    train, test = images[:500].reshape(500, -1), images[500:].reshape(100, -1)

    nearest = ((test[:, None] - train[None]) ** 2).sum(-1).argmin(1)

    assert (ink >= drawn[data.digits(300, noise=0.0)[1]]).all()
    assert (labels[:500][nearest] == labels[500:]).mean() > 0.6  # chance is 0.1


def test_digit_arguments_are_checked():
    """Sizes too small for a digit, and negative counts, are refused."""
    with pytest.raises(ValueError, match="size must be at least 9, got 8"):
        data.digits(1, size=8)
    with pytest.raises(ValueError, match="n must not be negative, got -1"):
        data.digits(-1)
    assert data.digits(3, size=9)[0].shape == (3, 1, 9, 9)


def test_regression_noise_is_what_it_is_said_to_be():
    """Standardised by the exact mean and deviation, y is standard normal.

    n = 20 000 numbers: the mean of them has standard error 1/√n = 0.007 and their variance √(2/n) = 0.01;
    the bounds are six standard errors.
    """
    x, y = data.regression(np.random.default_rng(0), 20_000)
    z = (y - data.regression_mean(x)) / data.regression_std(x)

    assert x.shape == y.shape == (20_000,)
    assert data.X_RANGE[0] <= x.min() and x.max() <= data.X_RANGE[1]
    assert abs(z.mean()) < 6 * 0.0071
    assert abs(z.var() - 1) < 6 * 0.01
    assert np.corrcoef(x, z**2)[0, 1] < 6 * 0.0071


@pytest.mark.parametrize("level", [1e-6, 0.05, 0.5, 0.9, 0.975, 1 - 1e-6])
def test_regression_quantiles_are_exact(level):
    """The quantile is the normal one, scaled and moved."""
    scipy_stats = pytest.importorskip("scipy.stats")
    x = np.linspace(*data.X_RANGE, 5)

    want = data.regression_mean(x) + data.regression_std(x) * scipy_stats.norm.ppf(level)

    assert data.regression_quantile(x, level) == pytest.approx(want, abs=1e-9)
    with pytest.raises(ValueError, match="level must lie strictly between"):
        data.regression_quantile(x, 1.0)


def test_moons_are_half_circles_that_reach_into_each_other():
    """Without noise each point lies at distance 1 from its center, the upper above it and the lower below it."""
    points, moon = data.two_moons(np.random.default_rng(0), 51, noise=0.0)
    away = points - np.array([[0, 0], [1, 0.5]])[moon]

    assert moon.tolist() == [i % 2 for i in range(51)]
    assert np.hypot(*away.T) == pytest.approx(1)
    assert (away[moon == 0, 1] > 0).all() and (away[moon == 1, 1] < 0).all()
    upper, lower = points[moon == 0], points[moon == 1]
    assert upper[:, 1].min() < lower[:, 1].max() and lower[:, 0].min() < upper[:, 0].max()


def test_modes_lie_on_a_ring_at_equal_distances():
    ring = data.ring_of_modes()

    assert ring[0] == pytest.approx([2, 0]) and ring[2] == pytest.approx([0, 2])
    assert np.hypot(*ring.T) == pytest.approx(2)
    assert np.hypot(*(ring - np.roll(ring, 1, axis=0)).T) == pytest.approx(4 * np.sin(np.pi / 8))


def test_a_mixture_spreads_around_its_centers():
    """n = 9,000 numbers of a component: six standard errors of their mean, and of the share of a component."""
    centers = np.array([[0.0, 5.0], [3.0, -1.0]])

    points, component = data.normal_mixture(np.random.default_rng(1), 18_000, centers, std=0.2, weights=[0.5, 0.5])

    assert abs(component.mean() - 0.5) < 6 * 0.5 / np.sqrt(18_000)
    assert np.abs((points - centers[component]).mean(axis=0)).max() < 6 * 0.2 / np.sqrt(18_000)
    assert np.abs((points - centers[component]).std() - 0.2) < 6 * 0.2 / np.sqrt(2 * 36_000)
    assert set(data.normal_mixture(np.random.default_rng(1), 50, centers, weights=[0, 1])[1]) == {1}
