"""What the handout, the docstrings and the figures of diffusion claim, computed with the reference."""

import contextlib
import io
import re
from pathlib import Path

import pytest
import staff_files
import torch

F64 = torch.float64
HANDOUT = (Path(__file__).parents[2] / "assignments/diffusion/README.md").read_text()

diffusion = staff_files.reference("diffusion")
figures = staff_files.figures("diffusion")

SMALL = torch.tensor([1, 0.9, 0.72], dtype=F64)
ROUND = torch.tensor([1, 0.64, 0.36], dtype=F64)
TWO = torch.tensor([2])


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def near(value, digits):
    return pytest.approx(value, abs=0.5000001 * 10**-digits)


def printed(task):
    """All numbers that the snippet of a task prints."""
    section = re.search(rf"## Task {task}:.*?(?=\n## )", HANDOUT, re.S)[0]
    code, out = re.search(r"```python\n(.*?)```", section, re.S)[1], io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, dict(vars(diffusion)))  # noqa: S102
    text = re.sub(r"dtype=torch\.float64", "", out.getvalue())
    return [float(x) for x in re.findall(r"-?\d+\.?\d*(?:e[-+]?\d+)?", text)]


# --- what snippets print -----------------------------------------------------------------------


def test_schedules():
    """ "0.603 with T = 100 and 0.0064 with T = 1000. The cosine schedule leaves 0.00005." """
    hundred, thousand, cosine = printed(1)
    assert hundred == near(0.603, 3)
    assert thousand == near(0.0064, 4)
    assert cosine == near(0.00005, 5)


def test_shares_of_beta():
    """ "0, 0.45, 0.85, 0.98 and 1.00." """
    assert printed(2) == [near(x, 2) for x in (0, 0.45, 0.85, 0.98, 1.00)]


def test_errors():
    """ "0.0001, 0.0034, 0.034 and 1.57." """
    got = printed(3)
    assert got == [near(0.0001, 4), near(0.0034, 4), near(0.034, 3), near(1.57, 2)]


def test_perfect_losses():
    """ "The loss is 0.276." "0.276 and 0.500." And with the cosine schedule of Task 1, it is larger as well."""
    assert printed(4) == [near(0.276, 3), near(0.500, 3)]
    assert diffusion.perfect_loss(diffusion.cosine_schedule(1000), 1.0).item() == near(0.496, 3)


def test_copies():
    """The opening, and "the largest distance is 0, and each of the five is drawn between 180 and 230 times", "the mean of the five, within
    0.04"."""
    distance, *counts, late = printed(5)
    assert distance == near(0, 6)
    assert len(counts) == 5
    assert sum(counts) == 1000
    assert 180 <= min(counts) <= max(counts) <= 230
    assert late <= 0.05


def test_variances():
    """ "T = 10: 0.323 and 0.185. T = 1000: 0.3004 and 0.2978." """
    assert printed(6) == [10, near(0.323, 3), near(0.185, 3), 1000, near(0.3004, 4), near(0.2978, 4)]


def test_deviations():
    """ "0.883, 0.940 and 0.988 after 10, 20 and 100 steps. 0.824, 0.901 and 0.977." Also with the cosine schedule of Task 1."""
    want = {10: (0.883, 0.824), 20: (0.940, 0.901), 100: (0.988, 0.977)}
    assert printed(7) == [x for n, both in want.items() for x in (n, *(near(b, 3) for b in both))]
    abar = diffusion.cosine_schedule(1000)
    for n, (still, _) in want.items():
        assert diffusion.ddim_std(list(range(1000, -1, -1000 // n)), abar, 1.0).item() == near(still, 3)


def test_guidance():
    """ "Mean 1.50 and variance 0.031, where the tilted density has 1.2 and 0.2. At s = 8 the variance is 0.00003, and the mean turns back to
    1.43. Only s = 0 and s = 1 give what they promise." """
    got = printed(8)
    assert got[:5] == [1, near(1.00, 2), near(0.50, 2), 1, near(0.5, 6)]
    assert got[5:10] == [3, near(1.50, 2), near(0.031, 3), near(1.2, 6), near(0.2, 6)]
    assert got[10:13] == [8, near(1.43, 2), near(0.00003, 5)]
    for s in (0.0, 0.5, 1.0, 2.0, 3.0):
        same = diffusion.guided_variance(2.0, 0.5, scale=s) == pytest.approx(
            diffusion.tilted_law(0.0, 2.0, 1.0, 0.5, scale=s)[1]
        )
        assert same == (s in (0.0, 1.0))


# --- cases by hand -----------------------------------------------------------------------------


def test_cases_of_tasks_1_to_4():
    """The docstrings and the lines "By hand" of the first half."""
    assert diffusion.cumulative(numbers(0.1, 0.2)).tolist() == pytest.approx([1, 0.9, 0.72])
    assert diffusion.cosine_schedule(2, s=0.0).tolist() == pytest.approx([1, 0.5, 0.0005])
    assert diffusion.cosine_schedule(1000, max_beta=1.0)[-1] < 1e-30
    assert diffusion.cosine_schedule(1000)[-1] > 1e-10
    assert diffusion.zero_terminal(numbers(1, 0.81, 0.36, 0.09)).tolist() == pytest.approx([1, 0.81, 0.2025, 0])
    assert diffusion.q_sample(numbers([1.0]), TWO, numbers([2.0]), ROUND).item() == pytest.approx(2.2)
    mean, variance = diffusion.posterior(numbers([1.0]), numbers([0.0]), TWO, SMALL)
    assert mean.item() == near(0.678, 3)
    assert variance.item() == near(0.0714, 4)
    assert diffusion.posterior_from_noise(numbers([0.0]), numbers([1.0]), TWO, SMALL).item() == near(1.118, 3)
    for kind, answer in (("noise", 2.0), ("v", 0.4)):
        assert diffusion.to_x0(numbers([answer]), numbers([2.2]), TWO, ROUND, kind=kind).item() == pytest.approx(1)
        assert diffusion.from_x0(numbers([1.0]), numbers([2.2]), TWO, ROUND, kind=kind).item() == pytest.approx(answer)
    assert diffusion.x0_error(TWO, ROUND).item() == pytest.approx(4 / 3)
    assert diffusion.loss_weight(TWO, ROUND, kind="x0", weighting="noise").item() == pytest.approx(0.5625)
    assert 4 * diffusion.x0_error(TWO, ROUND).item() == pytest.approx(16 / 3)
    assert diffusion.bound_term(numbers([1.0]), numbers([0.0]), TWO, SMALL).item() == near(3.21, 2)
    assert diffusion.perfect_loss(SMALL, 0.5).item() == near(0.690, 3)


def test_cases_of_tasks_5_to_8():
    """The docstrings and the lines "By hand" of the second half."""
    assert diffusion.gaussian_denoiser(numbers([0.0]), TWO, ROUND, mean=1.0, var=4.0).item() == near(0.308, 3)
    assert diffusion.point_weights(numbers([0.6]), TWO, ROUND, numbers([0.0], [1.0]))[0].tolist() == [
        near(0.430, 3),
        near(0.570, 3),
    ]
    assert diffusion.score_from_x0(numbers([1.0]), numbers([2.2]), TWO, ROUND).item() == pytest.approx(-2.5)
    for variance, step, law in (("beta", 1.125, 0.588), ("posterior", 0.945, 0.493)):
        got = diffusion.ddpm_step(numbers([0.0]), numbers([1.0]), 2, numbers([1.0]), SMALL, variance=variance)
        assert got.item() == near(step, 3)
        assert diffusion.ddpm_variance(SMALL, 0.5, variance=variance).item() == near(law, 3)
    for eta, want in ((0.0, 2.0), (1.0, 1.97)):
        assert diffusion.ddim_step(numbers([2.2]), numbers([1.0]), 2, 1, numbers([1.0]), ROUND, eta=eta).item() == near(
            want, 2
        )
    assert diffusion.ddim_std([2, 1, 0], ROUND, 1.0).item() == pytest.approx(0.768)
    assert diffusion.ddim_invert(lambda x, t: x / 2, numbers([2.0]), [1, 0], numbers(1, 0.36)).item() == pytest.approx(
        2.6
    )
    assert diffusion.classifier_guidance(numbers([1.0]), numbers([2.0]), TWO, ROUND, scale=3).item() == pytest.approx(
        -3.8
    )
    assert list(diffusion.tilted_law(0.0, 4.0, 1.0, 1.0, scale=0.5)) == [near(0.8, 3), near(1.6, 3)]
    assert diffusion.guided_variance(4.0, 1.0, scale=0.5) == pytest.approx(2)


# --- the stretch, and figures ------------------------------------------------------------------


def test_forgetting_on_purpose():
    """With the noise variance 1 at each time, many samples are far from all five points."""
    points, abar = figures.five_points(), figures.fixed_abar()
    start = torch.randn(1000, 2, generator=torch.Generator().manual_seed(1), dtype=F64)

    def blurred(x, t):
        squares = (x[:, None] - abar[t].sqrt()[:, None, None] * points).square().sum(-1)
        return (-squares / 2).softmax(-1) @ points

    samples = diffusion.ddim_sample(
        blurred, start, torch.zeros(50, 1000, 2, dtype=F64), list(range(1000, -1, -20)), abar, eta=0.0
    )
    assert (torch.cdist(samples, points).amin(1) > 0.1).double().mean() > 0.3


def test_what_figures_claim():
    """Both sides of `spread` come near the lines; the guided samples of `guided` are those of the handout."""
    assert diffusion.ddpm_variance(figures.fixed_abar(500), 0.3, variance="beta").item() == pytest.approx(0.3, rel=0.02)
    mean, std = figures.guided_samples(diffusion, 3.0)
    assert mean == near(1.50, 2)
    assert std**2 == near(0.031, 3)
