"""What the handout of conformal states, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files
from coursekit.data import regression


@pytest.fixture(scope="module")
def conformal():
    return staff_files.reference("conformal")


def covered(y, lower, upper):
    return np.mean((lower <= y) & (y <= upper))


# Task 1


def test_the_best_constant_for_nine_numbers_and_an_outlier(conformal):
    """At 0.85 the answer is 9. At 0.9, any number from 9 to 1,000. The mean is 104.5."""
    values, constants = np.append(np.arange(1.0, 10.0), 1000.0), np.arange(1.0, 1001.0)

    ends = []
    for tau in (0.85, 0.9):
        cost = conformal.pinball_loss(values[:, None], constants, tau).sum(axis=0)
        ends.append(constants[np.isclose(cost, cost.min())][[0, -1]].tolist())

    assert ends == [[9, 9], [9, 1000]]
    assert np.mean(values <= 9) == 0.9
    assert values.mean() == 104.5


# Task 2


def test_each_step_of_the_path_jumps_over_the_minimum(conformal):
    """The path is b = 0, 2, 0.586, 1.740. Each step jumps over b = 1. The points b = 0 and b = 2 are equally good."""
    path = []

    def loss(y, y_hat, tau):
        path.append(float(y_hat[0]))
        return conformal.pinball_loss(y, y_hat, tau)

    conformal.fit_quantile_regression([[0.0]], [1.0], 0.5, lr=4.0, n_steps=3, loss=loss)

    np.testing.assert_allclose(path, [0, 2, 0.586, 1.740], atol=5e-4)
    assert (np.diff(np.array(path) > 1) != 0).all()
    assert conformal.pinball_loss(1.0, 0.0, 0.5) == conformal.pinball_loss(1.0, 2.0, 0.5)


def test_half_of_the_steps_go_uphill(conformal):
    """Figure `path`: 51% of 300 steps go uphill, the best point comes after 154 steps, and 90% of the rows lie below."""
    (x, y), losses = np.random.default_rng(9).uniform(size=(2, 50)), []

    def record(*args):
        losses.append(conformal.pinball_loss(*args))
        return losses[-1]

    w, b = conformal.fit_quantile_regression(x[:, None], y, 0.9, lr=4.0, loss=record)
    mean = np.mean(losses, axis=1)

    assert len(mean) == 301
    assert round(np.mean(np.diff(mean) > 0), 2) == 0.51
    assert mean.argmin() == 154
    assert np.mean(y < x * w + b) == 0.9


# Task 3


def test_ranks_and_thresholds_of_nine_scores(conformal):
    """For alpha = 0.2, 0.15, 0.1 and 0.05, k is 8, 9, 9 and 10, and the threshold 80, 90, 90 and +inf."""
    alphas = (0.2, 0.15, 0.1, 0.05)

    assert [conformal.conformal_rank(9, alpha) for alpha in alphas] == [8, 9, 9, 10]
    scores = np.arange(10.0, 100.0, 10.0)
    assert [conformal.conformal_quantile(scores, alpha) for alpha in alphas] == [80, 90, 90, math.inf]


def test_floating_point_would_push_a_rank_up(conformal):
    """Rank 4 instead of 3 at n = 9 and alpha = 0.7. 1 - 0.7 is 0.30000000000000004; from the misses, 99 scores at 0.29."""
    assert math.ceil(10 * (1 - 0.7)) == 4
    assert conformal.conformal_rank(9, 0.7) == 3
    assert conformal.conformal_rank(99, 0.45) == 55
    assert repr(1 - 0.7) == "0.30000000000000004"
    assert 100 - math.floor(100 * 0.29) == 72
    assert conformal.conformal_rank(99, 0.29) == 71


def test_no_alpha_is_promised_too_little(conformal):
    """Each of ten numbers is the new one once: covered 0.8, 0.9, 0.9 and 1."""
    ten = np.arange(10.0)
    shares = [
        np.mean([new <= conformal.conformal_quantile(np.delete(ten, i), alpha) for i, new in enumerate(ten)])
        for alpha in (0.2, 0.15, 0.1, 0.05)
    ]

    assert shares == [0.8, 0.9, 0.9, 1.0]


def test_numpys_quantile_covers_82_percent(conformal):
    """With 9 uniform scores, `np.quantile(scores, 0.9)` covers a new score 82% of the time."""
    # position 7.2 among the sorted scores: the mean of a uniform threshold there is (8 + 0.2) / 10
    rng = np.random.default_rng(7)

    draws = rng.uniform(size=(20_000, 10))
    assert round(np.mean(draws[:, 9] <= np.quantile(draws[:, :9], 0.9, axis=1)), 2) == 0.82
    np.testing.assert_allclose(np.quantile(np.arange(1, 10) / 10, 0.9), 0.82)


def test_how_few_scores_give_a_finite_threshold(conformal):
    """9 scores for alpha = 0.1, 19 for 0.05, 99 for 0.01; with 3 and 8 it is infinite at 0.1."""
    fewest = [next(n for n in range(200) if conformal.conformal_rank(n, a) <= n) for a in (0.1, 0.05, 0.01)]

    assert fewest == [9, 19, 99]
    assert conformal.conformal_quantile(np.arange(8.0), 0.1) == math.inf
    assert conformal.conformal_quantile(np.arange(3.0), 0.1) == math.inf


# Task 4


def test_memory_and_noise_calibrated(conformal):
    """Figure `models`: A misses 100% with width 0 on its training rows, then 9% with 2.6. B misses 10% with 12, 4.6 times."""
    rng = np.random.default_rng(7)
    (x, y), (x_new, y_new) = regression(rng, 800), regression(rng, 4000)

    def nearest(model, X):
        return model[1][np.abs(X - model[0].T).argmin(axis=1)]

    def noise(model, X):
        return 5 * np.sin(1e4 * X[:, 0])

    answers = []
    for predict, rows in ((nearest, [*range(400)] * 2), (nearest, range(800)), (noise, range(800))):
        data = x[rows, None], y[rows], x_new[:, None]
        lower, upper = conformal.split_conformal(lambda X, y: (X, y), predict, *data, 0.1, n_train=400)
        answers.append((covered(y_new, lower, upper), conformal.mean_width(lower, upper)))

    assert answers[0] == (0, 0)
    assert [(round(1 - share, 2), round(width, 1)) for share, width in answers[1:]] == [(0.09, 2.6), (0.1, 12)]
    assert round(answers[2][1] / answers[1][1], 1) == 4.6


# Task 5


def test_cqr_scores_of_a_band(conformal):
    """For the band [0, 4], y = 5 scores 1 and y = 1 scores -1; for [4, 0], y = 1 scores 3."""
    assert conformal.cqr_scores([5.0, 1.0], [0.0, 0.0], [4.0, 4.0]).tolist() == [1, -1]
    assert conformal.cqr_scores([1.0], [4.0], [0.0]).tolist() == [3]


def test_where_the_two_bands_miss(conformal):
    """Figure `bands`: equal width misses 0% for x below 1 and 27% above 3, CQR 8 to 13% in each quarter. Both miss 11%."""
    rng = np.random.default_rng(11)
    x, y = regression(rng, 800)
    x_new, y_new = regression(rng, 4000)

    def features(x):
        return np.column_stack([np.sin(2 * x), np.cos(2 * x), x / 2 - 1])

    def fit(X, y):
        return np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]

    def fit_quantile(X, y, tau):
        return np.append(*conformal.fit_quantile_regression(X, y, tau, lr=2.0, n_steps=600))

    def predict(model, X):
        return X @ model[:-1] + model[-1]

    misses, overall, widths = [], [], []
    for way, fit_one in ((conformal.split_conformal, fit), (conformal.cqr, fit_quantile)):
        lower, upper = way(fit_one, predict, features(x), y, features(x_new), 0.1, n_train=400)
        missed = (y_new < lower) | (y_new > upper)
        misses.append([round(missed[(x_new >= a) & (x_new < a + 1)].mean(), 2) for a in range(4)])
        overall.append(round(missed.mean(), 3))
        widths.append(conformal.mean_width(lower, upper))

    assert (misses[0][0], misses[0][3]) == (0, 0.27)
    assert (min(misses[1]), max(misses[1])) == (0.08, 0.13)
    assert overall == [0.106, 0.111]
    assert round(1 - widths[1] / widths[0], 2) == 0.09


def test_a_calibrated_band_misses_a_tenth_on_average(conformal):
    """Whatever the band, 10% are missed on average over draws of the calibration rows."""
    rng, missed = np.random.default_rng(0), []
    for _ in range(100):
        x, y = regression(rng, 400)
        x_new, y_new = regression(rng, 400)
        # a fixed band will do: the promise is about the calibration
        lower, upper = np.sin(2 * x) + x / 2 - 0.5, np.sin(2 * x) + x / 2 + 0.5
        q = conformal.conformal_quantile(conformal.cqr_scores(y, lower, upper), 0.1)
        middle = np.sin(2 * x_new) + x_new / 2
        missed.append(1 - covered(y_new, middle - 0.5 - q, middle + 0.5 + q))

    # a calibration's coverage has standard deviation 0.015, and 400 test rows add as much
    assert abs(np.mean(missed) - 0.1) < 4 * 0.0212 / 10


# Task 6


def test_the_table_of_aps_scores(conformal):
    """For p = (1/8, 1/2, 1/4, 1/8): the scores in the handout and in the docstring."""
    p = [[0.125, 0.5, 0.25, 0.125]]

    assert conformal.aps_scores(p).tolist() == [[0.875, 0.5, 0.75, 1]]
    assert conformal.aps_scores(p, u=[0.0]).tolist() == [[0.75, 0, 0.5, 0.875]]
    assert conformal.aps_scores(p, penalty=0.5, k_reg=2).tolist() == [[1.375, 0.5, 0.75, 2]]


def test_aps_sets_of_the_worked_case(conformal):
    """q = 0.6 and 0.75 give {1, 2}, and 0.76 gives {0, 1, 2}; for p = (1, 0), q = 1 gives {0, 1}."""
    p = [[0.125, 0.5, 0.25, 0.125]]

    sets = [np.flatnonzero(conformal.aps_sets(p, q)).tolist() for q in (0.6, 0.75, 0.76)]
    assert sets == [[1, 2], [1, 2], [0, 1, 2]]
    assert conformal.aps_sets([[1.0, 0.0]], 1.0).tolist() == [[True, True]]


def test_a_sure_row(conformal):
    """At q = 0.02, LAC keeps no label of a row that is 97% sure."""
    assert not conformal.lac_sets([[0.97, 0.01, 0.01, 0.01]], 0.02).any()


def test_three_ways_to_make_sets(conformal):
    """Figure `sets`: LAC covers 80% with 1.4 labels, APS without u 97% with 2.9, with u 80% with 1.6; empty: 0.1, 0, 3%."""
    rng = np.random.default_rng(6)
    p, u = rng.dirichlet(np.full(10, 0.1), size=8000), rng.uniform(size=8000)
    y = (p.cumsum(axis=1) < rng.uniform(size=(8000, 1))).sum(axis=1)
    seen = []
    for scores, sets in (
        (conformal.lac_scores(p), lambda q: conformal.lac_sets(p, q)),
        (conformal.aps_scores(p), lambda q: conformal.aps_sets(p, q)),
        (conformal.aps_scores(p, u=u), lambda q: conformal.aps_sets(p, q, u=u)),
    ):
        kept = sets(conformal.conformal_quantile(scores[range(4000), y[:4000]], 0.2))[4000:]
        empty = 1 - kept.any(axis=1).mean()
        seen.append(
            (round(conformal.set_coverage(kept, y[4000:]), 2), round(conformal.mean_set_size(kept), 1), round(empty, 3))
        )

    assert seen == [(0.8, 1.4, 0.001), (0.97, 2.9, 0), (0.8, 1.6, 0.031)]


# Task 7


def test_a_minority_with_three_times_the_noise(conformal):
    """Figure `groups`: one threshold covers 95% and 48%; own ones 90% each. Widths 3.9 become 3.3 and 9.9, and their mean grows by 2%."""
    rng = np.random.default_rng(0)
    groups = (rng.uniform(size=40_000) < 0.1).astype(int)
    scores = np.abs(rng.normal(size=40_000)) * (1 + 2 * groups)
    old, new = np.split(np.arange(40_000), 2)
    common = np.full(2, conformal.conformal_quantile(scores[old], 0.1))
    own = conformal.group_quantiles(scores[old], groups[old], 0.1, n_groups=2)

    shares = [[round(np.mean(scores[new][groups[new] == g] <= q[g]), 2) for g in (0, 1)] for q in (common, own)]
    assert shares == [[0.95, 0.48], [0.9, 0.9]]
    assert [np.round(2 * q, 1).tolist() for q in (common, own)] == [[3.9, 3.9], [3.3, 9.9]]
    assert round(own[groups[new]].mean() / common[0], 2) == 1.02


def test_a_group_of_eight_gets_infinity(conformal):
    """A group with fewer than 9 scores gets +inf at alpha = 0.1."""
    groups = np.array([0] * 9 + [1] * 8)

    finite = np.isfinite(conformal.group_quantiles(np.arange(17.0), groups, 0.1, n_groups=2))
    assert finite.tolist() == [True, False]


# Task 8


def test_how_many_scores_make_coverage_reliable(conformal):
    """C lies within 0.01 of 0.9 with probability 18, 68, 95 and almost 100% for 50, 900, 3,500 and 35,000 scores."""
    shares = {}
    for n in (50, 900, 3500, 35_000):
        low, high = conformal.coverage_cdf([0.89, 0.91], n, conformal.conformal_rank(n, 0.1))
        shares[n] = round(high - low, 2)

    assert shares == {50: 0.18, 900: 0.68, 3500: 0.95, 35_000: 1.0}


def test_one_calibration_in_nine_falls_below_85_percent(conformal):
    """At n = 50, one calibration in nine, or 11%, covers less than 85%."""
    below = conformal.coverage_cdf(0.85, 50, conformal.conformal_rank(50, 0.1))

    assert abs(below - 1 / 9) < 0.002
    assert round(float(below), 2) == 0.11


def test_the_worked_cases_of_the_law(conformal):
    """n = 1: uniform. n = k = 2: P(C <= 1/2) = 1/4."""
    np.testing.assert_allclose(conformal.coverage_moments(1, 1), (0.5, math.sqrt(1 / 12)))
    np.testing.assert_allclose(conformal.coverage_cdf(0.5, 2, 2), 0.25)


def test_which_quantile_keeps_the_promise_on_average(conformal):
    """Figure `coverage`, 50 scores: the conformal quantile has mean 0.902, NumPy's 0.884."""
    scores = np.random.default_rng(2).uniform(size=(20_000, 50))

    assert round(conformal.conformal_quantile(scores, 0.1).mean(), 3) == 0.902
    assert round(np.quantile(scores, 0.9, axis=1).mean(), 3) == 0.884


# Task 9


def test_the_worked_steps_of_the_level(conformal):
    """With alpha = 1/4 and gamma = 1/2 the level 1/4 becomes -1/8 after a miss and 3/8 after a hit."""
    assert conformal.adapt_level(0.25, True, alpha=0.25, gamma=0.5) == -0.125
    assert conformal.adapt_level(0.25, False, alpha=0.25, gamma=0.5) == 0.375


def test_an_ever_growing_stream(conformal):
    """10.4% are misses. 90% of the thresholds are infinite: exactly these rounds are hits. A fixed level misses every round."""
    thresholds, missed, levels = conformal.adaptive_conformal(np.arange(1500.0), 0.1, 0.02, n_start=100)

    assert round(missed.mean(), 3) == 0.104
    assert round(np.isinf(thresholds).mean(), 2) == 0.90
    assert (np.isposinf(thresholds) == ~missed).all()
    assert abs(0.1 + (levels[0] - levels[-1]) / (0.02 * 1400) - missed.mean()) < 1e-12
    _, missed, _ = conformal.adaptive_conformal(np.arange(1500.0), 0.1, 1e-12, n_start=100)
    assert missed.all()


def test_the_adaptive_level_of_the_figure_answers_some_rounds_with_the_whole_line(conformal):
    """Figure `online`: some thresholds are infinite, all of them after the noise triples."""
    rng = np.random.default_rng(3)
    scores = np.abs(rng.normal(size=1500)) * np.where(np.arange(1500) < 600, 1.0, 3.0)
    thresholds, _, _ = conformal.adaptive_conformal(scores, 0.1, 0.02, n_start=100)

    infinite = np.flatnonzero(np.isposinf(thresholds))
    assert len(infinite) == 50
    assert infinite.min() >= 500


# Stretch


def test_aps_on_easy_and_hard_rows(conformal):
    """Without u, APS covers 91% of easy rows with one label, and all hard ones with ten; with u, 90% of either half."""
    rng, n = np.random.default_rng(0), 20_000

    def draw():
        hard = rng.uniform(size=n) < 0.5
        probs = np.where(hard[:, None], 0.1, np.where(np.arange(10) == 0, 0.91, 0.01))
        probs = rng.permuted(probs, axis=1)
        labels = (np.cumsum(probs, axis=1) < rng.uniform(size=(n, 1))).sum(axis=1).clip(max=9)
        return probs, labels, hard

    (probs, labels, _), (new_probs, new_labels, hard) = draw(), draw()
    shares, sizes = [], []
    for u, new_u in ((None, None), rng.uniform(size=(2, n))):
        q = conformal.conformal_quantile(conformal.aps_scores(probs, u=u)[range(n), labels], 0.1)
        sets = conformal.aps_sets(new_probs, q, u=new_u)
        shares.append([conformal.set_coverage(sets[half], new_labels[half]) for half in (~hard, hard)])
        sizes.append([conformal.mean_set_size(sets[half]) for half in (~hard, hard)])

    assert (round(shares[0][0], 2), shares[0][1]) == (0.91, 1)
    assert sizes[0] == [1, 10]
    np.testing.assert_allclose(shares[1], 0.9, atol=0.015)
    assert sizes[1][0] < 1 and sizes[1][1] < 9.5
