"""What the handout, the docstrings and the figures of representation claim, computed with the reference."""

import math

import pytest
import staff_files
import torch

F64 = torch.float64

rep = staff_files.reference("representation")
figures = staff_files.figures("representation")


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def near(value, digits):
    return pytest.approx(value, abs=0.5 * 10**-digits)


CROSS = numbers([4, 0], [-4, 0], [0, 2], [0, -2])


# --- the opening, and Task 7 -------------------------------------------------------------------


def test_pairs_of_networks():
    """ "In pair A, 49 of the 50 features are the same, number for number. In pair B, one feature is the same." "A has 0.03, and B has
    0.98." "The feature that pair B shares has the standard deviation 7, and so has the one that pair A doesn't share." """
    (a, b), (c, d) = figures.two_networks(shared="rest", size=7), figures.two_networks(shared="large", size=7)
    assert (a == b).all(0).sum() == 49 and (c == d).all(0).sum() == 1
    assert (c == d).all(0)[0] and not (a == b).all(0)[0] and a.shape == (1000, 50)
    for z in (a, b, c, d):
        assert z[:, 0].std().item() == pytest.approx(7, rel=0.05)
        assert z[:, 1:].std().item() == pytest.approx(1, rel=0.05)
    assert rep.cka(a, b).item() == near(0.03, 2) and rep.cka(c, d).item() == near(0.98, 2)


def test_noise_looks_alike():
    """ "Noise has 0.72 on average (from 0.65 to 0.79), and the unbiased form 0.00." """
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(2, 20, 50, generator=generator, dtype=F64) for _ in range(200)]
    biased, unbiased = (torch.stack([score(x, y) for x, y in noise]) for score in (rep.cka, rep.unbiased_cka))
    assert biased.mean().item() == near(0.72, 2)
    assert biased.min().item() == near(0.65, 2) and biased.max().item() == near(0.79, 2)
    assert unbiased.mean().item() == near(0.0, 2)


def test_what_leaves_cka_alone():
    """A turn, a stretch of all axes and a shift leave CKA at 1, and a stretch of one axis doesn't. By hand: 1/4, and -0.5."""
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=F64)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(1), dtype=F64)).Q
    for y in (x @ turn, 5 * x, x + 3):
        assert rep.cka(x, y).item() == pytest.approx(1)
    assert rep.cka(x, x * numbers(6, 1, 1, 1)) < 0.9
    f, g = numbers([1], [-1], [0]), numbers([1], [0], [-1])
    assert rep.cka(f, g).item() == pytest.approx(0.25) == rep.cka_from_grams(f @ f.T, g @ g.T).item()
    assert rep.unbiased_cka(numbers([1], [0], [0], [2]), numbers([0], [0], [1], [3])).item() == pytest.approx(-0.5)


# --- Task 1 ------------------------------------------------------------------------------------


def test_noise_has_a_first_component():
    """ "7.2%, and 53% for the first ten, where the truth is 2% and 20%." "With k = 2, the error of the six features is 1.743." """
    share = rep.pca(torch.randn(50, 50, generator=torch.Generator().manual_seed(0), dtype=F64), 50)[3]
    assert share[0].item() == near(0.072, 3) and share[:10].sum().item() == near(0.53, 2)
    x = figures.six_features()
    mean, rows, variances, _ = rep.pca(x, 6)
    error = (x - mean - (x - mean) @ rows[:2].T @ rows[:2]).square().sum(1).mean()
    assert error.item() == near(1.743, 3) == variances[2:].sum().item()


def test_four_points():
    """ "The rows have the variances 8 and 2, and the white first row is (√2, 0)." The docstring's third row and shares."""
    mean, components, variances, share = rep.pca(CROSS, 2)
    assert (
        mean.tolist() == [0, 0]
        and variances.tolist() == pytest.approx([8, 2])
        and share[0].item() == pytest.approx(0.8)
    )
    assert components[0].tolist() == pytest.approx([1, 0])
    for kind in ("pca", "zca"):
        white = rep.whiten(CROSS, kind=kind)
        assert white[0].tolist() == pytest.approx([2**0.5, 0]) and white[2].tolist() == pytest.approx([0, 2**0.5])


# --- Task 2 ------------------------------------------------------------------------------------


def test_two_trainings():
    """ "Both runs end at 1.743, as PCA with k = 2. The rows are neither components (0.71 and 0.70 for the first row of seed 0) nor
    orthogonal (−0.23 and 0.09). The cosines of the planes are 1." """
    x = figures.six_features()
    components = rep.pca(x, 2)[1]
    for seed, across in ((0, -0.23), (1, 0.09)):
        encoder, decoder, losses = figures.train_autoencoder(rep.autoencoder_gradients, x, 2, seed)
        assert len(losses) == 10_000 and losses[-1] == near(1.743, 3)
        rows = decoder / decoder.norm(dim=1, keepdim=True)
        if seed == 0:
            assert (rows[0] @ components.T).abs().tolist() == [near(0.71, 2), near(0.70, 2)]
        assert (rows[0] @ rows[1]).item() == near(across, 2)
        assert rep.principal_cosines(decoder, components).tolist() == pytest.approx([1, 1], abs=1e-6)
        slope = rep.autoencoder_gradients(x, encoder, rep.best_decoder(x, encoder))[2]
        assert slope.abs().max() < 1e-10


def test_autoencoders_by_hand():
    """ "The loss 1.25 and the gradients −2.5 and −5"; "the codes 4, −4, 2, −2 and the best decoder (0.8, 0.2). With σ² = 2, 0.8 and
    0.5." Hint 2's smaller case has its lowest point at 0.8. The docstring of `principal_cosines`: 0.7071."""
    one = rep.autoencoder_gradients(numbers([1], [3]), numbers([1]), numbers([0.5]))
    assert [part.item() for part in one] == pytest.approx([1.25, -2.5, -5])
    encoder = numbers([1], [1])
    assert (CROSS @ encoder).flatten().tolist() == [4, -4, 2, -2]
    assert rep.best_decoder(CROSS, encoder).flatten().tolist() == pytest.approx([0.8, 0.2])
    assert rep.denoising_map(CROSS, 2**0.5).flatten().tolist() == pytest.approx([0.8, 0, 0, 0.5])
    assert rep.principal_cosines(numbers([2, 0]), numbers([1, 1])).item() == near(0.7071, 4)


# --- Task 3 ------------------------------------------------------------------------------------


def test_who_has_neighbors_of_the_same_class():
    """ "Pixels have 39%, 35 components 45%, and all white coordinates 24%." """
    x, labels = figures.images(300)

    def share(z):
        return (rep.knn_predict(z, labels, 5) == labels).double().mean().item()

    assert x.shape == (300, 144)
    assert (
        share(x) == near(0.39, 2)
        and share(x @ rep.pca(x, 35)[1].T) == near(0.45, 2)
        and share(rep.whiten(x)) == near(0.24, 2)
    )


def test_neighbors_by_hand():
    """ "The labels 2, 0, 0, 1 and k = 1 get the predictions 0, 2, 0, 0." The docstring's recalls."""
    assert rep.knn_predict(numbers([0], [1], [3], [7]), torch.tensor([2, 0, 0, 1]), 1).tolist() == [0, 2, 0, 0]
    z = numbers([1, 0], [3, 1], [0, 1], [2, 1])
    assert [rep.pair_recall(z, k).item() for k in (1, 2, 3)] == [0.5, 0.5, 1]


# --- Task 4 ------------------------------------------------------------------------------------


def test_losses_of_a_perfect_batch():
    """ "The perfect batch has the loss 4.25 at τ = ½, and 0.023 at τ = 0.1. One point for all has 6.24." """
    perfect = torch.eye(256, dtype=F64).repeat(2, 1)
    assert rep.nt_xent(perfect, 0.5).item() == near(4.25, 2) and rep.nt_xent(perfect, 0.1).item() == near(0.023, 3)
    assert rep.nt_xent(torch.ones(512, 4), 0.5).item() == near(6.24, 2)


def test_training_on_pairs():
    """ "Both views share 8 directions of standard deviation 1. The other 24 have 3." "With a random encoder or the largest components, no
    partner is the most similar row. After training on pairs, all are, also for new examples." """
    train, new = figures.two_views(200, 0), figures.two_views(30, 1)
    assert train.shape == (400, 32)
    between = train[:200] - train[200:]
    spread = torch.linalg.svdvals(between)
    assert (spread[:24] > 10).all() and (spread[24:] < 1e-9).all()
    before, after = figures.train_encoder(rep.nt_xent_gradient, train, 0.2)
    largest = torch.linalg.svd(train - train.mean(0))[2][:8].T
    assert [rep.pair_recall(new @ encoder, 1).item() for encoder in (before, largest, after)] == [0, 0, 1]


def test_contrastive_losses_by_hand():
    """ "Two orthogonal pairs have the loss 0.2395 at τ = ½." The docstrings: (0, 0.2130) and (0, 0.1065); 0.7532 of 0.6931 and 0.8133."""
    z = numbers([1, 0], [0, 1], [1, 0], [0, 1])
    assert rep.nt_xent(z, 0.5).item() == near(0.2395, 4)
    gradient = rep.nt_xent_gradient(numbers([1, 0], [0, 1], [2, 0], [0, 2]), 0.5)
    assert gradient[0].tolist() == [near(0, 9), near(0.2130, 4)] and gradient[2].tolist() == [
        near(0, 9),
        near(0.1065, 4),
    ]
    a, b = numbers([1, 0], [0, 1]), numbers([1, 0], [1, 0])
    assert rep.clip_loss(a, b, 1.0).item() == near(0.7532, 4)
    assert math.log(2) == near(0.6931, 4) and math.log(1 + math.e) - 0.5 == near(0.8133, 4)


# --- Task 5 ------------------------------------------------------------------------------------


def test_estimates():
    """ "2.0 for N = 8, 3.6 for N = 64 and 4.1 for N = 512, where the truth is 4.16. If half of all Y are drawn afresh, I is 1.43, and
    batches of 64 show 1.33 of it, or 1.05 with the disturbed critic." """
    joint = figures.noisy_copy(64, 0.0)
    assert rep.mutual_information(joint).item() == near(4.16, 2)
    for N, want in ((8, 2.0), (64, 3.6), (512, 4.1)):
        assert figures.mean_estimate(rep.infonce, joint, rep.best_critic(joint), N) == near(want, 1)
        exact = math.log(N) - sum(
            math.comb(N - 1, j) * 64.0**-j * (63 / 64) ** (N - 1 - j) * math.log(1 + j) for j in range(min(N, 60))
        )
        assert exact == near(want, 1)
    joint = figures.noisy_copy(64, 0.5)
    critic = rep.best_critic(joint)
    assert rep.mutual_information(joint).item() == near(1.43, 2)
    assert figures.mean_estimate(rep.infonce, joint, critic, 64) == near(1.33, 2)
    assert figures.mean_estimate(rep.infonce, joint, critic, 512) < rep.mutual_information(joint), (
        "the mean is at most I"
    )
    assert figures.mean_estimate(rep.infonce, joint, critic + 2 * torch.eye(64), 64) == near(1.05, 2)


def test_which_negatives_push():
    """ "0.9% at τ = ½, and 79% at τ = 0.1", of 510 negatives in 128 dimensions, one of which has the cosine 0.8."""
    cosines = figures.one_anchor()
    assert len(cosines) == 511 and cosines[1] == 0.8 and cosines[2:].max() < 0.5
    for tau, share in ((0.5, 0.009), (0.1, 0.787)):
        assert figures.push_shares(rep.infonce, cosines, tau)[0].item() == near(share, 3)


def test_information_by_hand():
    """ "The estimate is log 3/2." "The scores log 1.6 and log 0.4." Two equal coins share log 2."""
    assert rep.infonce(numbers([3, 1], [1, 3]).log()).item() == pytest.approx(math.log(1.5))
    assert rep.best_critic(numbers([0.4, 0.1], [0.1, 0.4])).exp().flatten().tolist() == pytest.approx(
        [1.6, 0.4, 0.4, 1.6]
    )
    assert rep.mutual_information(numbers([0.5, 0], [0, 0.5])).item() == pytest.approx(math.log(2))


# --- Task 6 ------------------------------------------------------------------------------------


def test_collapse():
    """ "The variance term is 0 for all three. The covariance term is 63, 14 and 0.12 for one view. The effective ranks are 1.0, 7.6 and
    60.2." "All 64 features have standard deviation 1." """
    want = ((63, 0, 1.0), (14, 0, 7.6), (0.12, 2, 60.2))
    for z, (covariance, digits, rank) in zip(figures.clouds().values(), want):
        assert z.shape[1] == 64 and z.std(0).tolist() == pytest.approx([1.0] * 64)
        _, spread, together = rep.vicreg_terms(z, z)
        assert spread.item() == pytest.approx(0, abs=1e-12) and together.item() / 2 == near(covariance, digits)
        assert rep.effective_rank(z).item() == near(rank, 1)


def test_collapse_by_hand():
    """ "Variances of 8 and 2 have the effective rank 1.6494." The docstrings: −1.0626, and (2.5, …, 1)."""
    assert rep.effective_rank(CROSS).item() == near(1.6494, 4)
    assert rep.uniformity(numbers([1, 0], [3, 0], [0, 1])).item() == near(-1.0626, 4)
    assert math.log((1 + 2 * math.exp(-4)) / 3) == near(-1.0626, 4)
    terms = rep.vicreg_terms(numbers([0, 0], [1, 2]), numbers([0, 0], [0, 0]), eps=0.0)
    assert [term.item() for term in terms] == pytest.approx([2.5, (1 - 0.5**0.5) / 2 + 1, 1])


# --- Task 8 ------------------------------------------------------------------------------------


def test_a_cloud_and_its_copy_in_a_map():
    """ "Both are 2.5 wide, and the gap is 17.4 both times." """
    cloud = torch.randn(30, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    for away in (100, 10_000):
        y = figures.draw_map(rep.tsne_gradient, rep.affinities(torch.cat([cloud, 10 * cloud + away]), 10), steps=1000)
        assert y[:30].std(0).mean().item() == near(2.5, 1) and y[30:].std(0).mean().item() == near(2.5, 1)
        assert (y[:30].mean(0) - y[30:].mean(0)).norm().item() == near(17.4, 1)


def test_a_map_by_hand():
    """ "w = 1/2, 1/10, 1/5 and the gradients 0.2, −0.325 and 0.125"; the loss is 0.2350. The docstring's affinities."""
    p = numbers([0, 1, 0], [1, 0, 1], [0, 1, 0]) / 4
    loss, gradient = rep.tsne_gradient(p, numbers([0], [1], [3]))
    assert loss.item() == near(0.2350, 4) and gradient.flatten().tolist() == pytest.approx([0.2, -0.325, 0.125])
    p = rep.affinities(numbers([0], [1], [3]), 1.5)
    assert (
        p[0, 1].item() == near(0.2866, 4)
        and p[1, 2].item() == pytest.approx(1 / 6)
        and p[0, 2].item() == near(0.0468, 4)
    )


# --- Stretch -----------------------------------------------------------------------------------


def test_a_penalty_on_both_weights():
    """ "Add 0.1 (‖E‖² + ‖D‖²) to the loss. E becomes Dᵀ." """
    x = figures.six_features()

    def gradients(x, encoder, decoder):
        loss, a, b = rep.autoencoder_gradients(x, encoder, decoder)
        return loss, a + 0.2 * encoder, b + 0.2 * decoder

    encoder, decoder, _ = figures.train_autoencoder(gradients, x, 2, 0)
    assert torch.allclose(encoder, decoder.T, atol=1e-6)
