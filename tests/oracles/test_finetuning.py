"""The fine-tuning reference against torch's optimizers and losses, SciPy, exhaustive search, and definitions written out in loops.

The library that most people use for adapters, `peft`, is not among the kit's dependencies; its formula is here as a definition.
"""

import itertools
import math
from decimal import Decimal

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import staff_files
import torch
from coursekit.gradcheck import check_vjp
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

F64 = torch.float64
SEEDS = st.integers(0, 2**32 - 1)

reference = staff_files.reference("finetuning")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def same(got, want, rtol=1e-10, atol=1e-12):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=rtol, atol=atol)


# --- conversations -----------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["system", "user", "assistant"]), st.lists(st.integers(0, 9), max_size=4)), max_size=6
    ),
    st.booleans(),
)
def test_a_conversation_is_read_back(turns, only_last):
    """A walk over the row, as a program would serve it, finds every turn again and counts what it did not write itself."""
    headers = {"system": [1], "user": [2, 3], "assistant": [2, 4, 5]}
    ids, mask = reference.render_chat(turns, headers=headers, end_of_turn=9, only_last=only_last)

    row = list(zip(ids, mask, strict=True))
    replies = [i for i, (role, _) in enumerate(turns) if role == "assistant"]
    for i, (role, words) in enumerate(turns):
        header, row = row[: len(headers[role])], row[len(headers[role]) :]
        said, row = row[: len(words) + 1], row[len(words) + 1 :]
        assert header == [(token, False) for token in headers[role]]
        counts = role == "assistant" and not (only_last and i != replies[-1])
        assert said == [(token, counts) for token in (*words, 9)]
    assert not row


# --- losses ------------------------------------------------------------------------------------


def test_loss_is_cross_entropy_with_ignored_labels(rng):
    """Labels of -100 are ignored by torch as well; its mean is over all others."""
    logits, ids = 3 * normal(rng, 4, 7, 9), torch.from_numpy(rng.integers(0, 9, size=(4, 7)))
    mask = torch.from_numpy(rng.random((4, 7)) < 0.4)

    labels = ids.masked_fill(~mask, -100)
    want = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)

    same(reference.sft_loss(logits, labels, mask), want)


def test_gradients_of_the_loss_by_finite_differences(rng):
    """Along random directions."""
    ids, mask = torch.tensor([[1, 2, 0, 3]]), torch.tensor([[True, False, True, True]])
    check_vjp(lambda logits: reference.sft_loss(logits, ids, mask), (normal(rng, 1, 4, 5),))


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_accumulation_is_backward_on_the_whole_batch(seed):
    """Random splits, counts and first tokens: the gradient that torch accumulates from sums, divided once."""
    rng = np.random.default_rng(seed)
    ids, mask = torch.from_numpy(rng.integers(0, 6, size=(8, 5))), torch.from_numpy(rng.random((8, 5)) < rng.random())
    mask[0, 1] = True
    E, W = normal(rng, 6, 3), normal(rng, 3, 6)

    def loss_and_gradients(ids, mask):
        assert mask[:, 1:].any()
        w = W.clone().requires_grad_()
        loss = reference.sft_loss(E[ids] @ w, ids, mask)
        return loss.detach(), {"W": torch.autograd.grad(loss, w)[0]}

    cuts = sorted(rng.choice(range(1, 8), size=rng.integers(0, 5), replace=False).tolist())
    sizes = np.diff([0, *cuts, 8]).tolist()
    loss, gradients = reference.accumulate(
        list(zip(ids.split(sizes), mask.split(sizes), strict=True)), loss_and_gradients
    )

    w = W.clone().requires_grad_()
    for row, counts in zip(ids, mask, strict=True):
        logp = (E[row] @ w)[:-1].log_softmax(-1)[range(4), row[1:]]
        (-logp[counts[1:]].sum() / mask[:, 1:].sum()).backward()
    same(gradients["W"], w.grad)
    same(loss, reference.sft_loss(E[ids] @ W, ids, mask))


# --- packing -----------------------------------------------------------------------------------


def fewest_rows(lengths, row_len):
    """The smallest number of rows, by trying every assignment."""
    best = len(lengths)

    def place(i, used):
        nonlocal best
        if len(used) >= best and i < len(lengths):
            return
        if i == len(lengths):
            best = min(best, len(used))
            return
        for row in range(len(used)):
            if used[row] + lengths[i] <= row_len:
                used[row] += lengths[i]
                place(i + 1, used)
                used[row] -= lengths[i]
        place(i + 1, [*used, lengths[i]])

    place(0, [])
    return best


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_best_fit_is_near_the_fewest_rows(lengths):
    """11/9 of the optimum plus 6/9, the known bound of best fit decreasing; everything is in one place."""
    rows = reference.best_fit(lengths, row_len=12)

    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in row) <= 12 for row in rows)
    assert len(rows) <= 11 / 9 * fewest_rows(lengths, 12) + 6 / 9


def test_packed_rows_in_a_torch_transformer(rng):
    """torch's attention with the mask that `sees` makes: the logits of each example are those that it has alone."""
    examples = [(rng.integers(0, 7, size=n).tolist(), [False] * n) for n in (3, 5, 2)]
    ids, _, positions, segments = reference.packed_batch(examples, [[1, 2], [0]], row_len=8, pad=0)
    E, P = normal(rng, 7, 4), normal(rng, 8, 4)

    def run(ids, positions, seen):
        x = (E[ids] + P[positions])[:, None]
        return F.scaled_dot_product_attention(x, x, x, attn_mask=seen)[:, 0]

    packed = run(ids, positions, reference.sees(segments)[:, None])
    assert packed.isfinite().all()
    for row, start, i in ((0, 0, 1), (0, 5, 2), (1, 0, 0)):
        tokens = torch.tensor(examples[i][0])
        n = len(tokens)
        alone = run(tokens[None], torch.arange(n)[None], torch.ones(n, n, dtype=torch.bool).tril())
        same(packed[row, start : start + n], alone[0])


# --- names -------------------------------------------------------------------------------------


def test_rates_in_a_torch_optimizer(rng):
    """Groups of torch.optim.SGD with these rates move the weights as steps by hand do, and those left out stay."""
    names = ["embedding", "blocks.0.W", "blocks.1.W", "norm.gain", "head.W"]
    weights = {name: normal(rng, 2, 2).requires_grad_() for name in names}
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    rates = reference.layer_rates(names, lr=0.4, decay=0.5)
    trained = reference.select(names, ["*", "!embedding"])

    optimizer = torch.optim.SGD([{"params": [weights[name]], "lr": rates[name]} for name in trained])
    sum(weight.square().sum() for weight in weights.values()).backward()
    optimizer.step()

    moved = {name: float((before[name] - weights[name].detach()).div(2 * before[name]).mean()) for name in names}
    assert moved == pytest.approx(
        {"embedding": 0, "blocks.0.W": 0.1, "blocks.1.W": 0.2, "norm.gain": 0.4, "head.W": 0.4}
    )


def test_share_of_a_torch_model():
    """A tied head is one parameter for torch, too."""
    embedding, norm, head = torch.nn.Embedding(11, 6), torch.nn.LayerNorm(6), torch.nn.Linear(6, 11, bias=False)
    head.weight = embedding.weight
    model = torch.nn.ModuleList([embedding, norm, head])
    sizes = {"embedding": 66, "norm.gain": 6, "norm.bias": 6, "head": 66}

    want = sum(p.numel() for p in head.parameters()) / sum(p.numel() for p in model.parameters())

    assert reference.trainable_share(sizes, ["head"], tied={"head": "embedding"}) == want


# --- LoRA --------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 4))
def test_lora_gradients_are_autograd(seed, rank):
    """Through peft's formula, x W + (alpha / rank) (x A) B, and any loss."""
    rng = np.random.default_rng(seed)
    x, W = normal(rng, 9, 5), normal(rng, 5, 3)
    A, B = normal(rng, 5, rank).requires_grad_(), normal(rng, rank, 3).requires_grad_()
    weight = (W + 2.5 / rank * A.detach() @ B.detach()).requires_grad_()

    (G,) = torch.autograd.grad(torch.tanh(x @ weight).pow(3).sum(), weight)
    want = torch.autograd.grad(torch.tanh(x @ W + 2.5 / rank * (x @ A) @ B).pow(3).sum(), (A, B))

    for got, wanted in zip(reference.lora_gradients(G, A.detach(), B.detach(), alpha=2.5), want, strict=True):
        same(got, wanted, rtol=1e-8)


@pytest.mark.parametrize("rank", [1, 3])
def test_first_change_is_a_step_of_torch(rng, rank):
    """torch.optim.SGD on both factors, once, from B = 0."""
    x, y, W = normal(rng, 9, 5), normal(rng, 9, 3), normal(rng, 5, 3)
    A, B = (factor.requires_grad_() for factor in reference.new_lora(normal(rng, 5, rank), 3))
    weight = W.clone().requires_grad_()
    (G,) = torch.autograd.grad(F.mse_loss(x @ weight, y), weight)
    start = A.detach().clone()

    optimizer = torch.optim.SGD([A, B], lr=0.3)
    F.mse_loss(x @ (W + 2.0 / rank * A @ B), y).backward()
    optimizer.step()

    change = (2.0 / rank * A @ B).detach()
    same(reference.first_change(G, start, alpha=2.0, lr=0.3), change)
    assert torch.linalg.matrix_rank(change) <= rank


def test_merged_adapters_are_layers_beside_each_other(rng):
    """nn.Linear pairs added to a base layer; taking them out in any order leaves what is left."""
    x, W = normal(rng, 6, 5), normal(rng, 5, 3)
    adapters = [(normal(rng, 5, rank), normal(rng, rank, 3), alpha) for rank, alpha in ((1, 2.0), (3, 0.5), (2, 4.0))]

    want = x @ W
    for A, B, alpha in adapters:
        want = want + alpha / A.shape[1] * F.linear(F.linear(x, A.T), B.T)

    merged = reference.merge(W, adapters)
    same(x @ merged, want)
    for order in itertools.permutations(range(3)):
        rest = merged
        for i in order:
            rest = reference.unmerge(rest, [adapters[i]])
        same(rest, W)


# --- adapter layers and factors ----------------------------------------------------------------


def test_adapter_is_a_residual_sequential(rng):
    """nn.Linear, nn.ReLU, nn.Linear, plus the input. A new one is the identity, and trains."""
    down, up = torch.nn.Linear(5, 2, dtype=F64), torch.nn.Linear(2, 5, dtype=F64)
    weights = [w.detach() for w in (down.weight.T, down.bias, up.weight.T, up.bias)]
    h = normal(rng, 4, 5)
    same(reference.adapter(h, *weights), (h + torch.nn.Sequential(down, torch.nn.ReLU(), up)(h)).detach())

    start = [w.requires_grad_() for w in reference.new_adapter(normal(rng, 5, 2))]
    optimizer, losses = torch.optim.SGD(start, lr=0.02), []
    target = normal(rng, 4, 5)
    for _ in range(200):
        optimizer.zero_grad()
        loss = F.mse_loss(reference.adapter(h, *start), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == F.mse_loss(h, target).item() and losses[-1] < losses[0]


def test_folded_factors(rng):
    """The given function without factors on folded weights, and with them on the others."""
    shapes = {"W_K": (5, 3), "W_V": (5, 4), "W_1": (5, 7), "b_1": (7,), "W_2": (7, 5), "b_2": (5,)}
    weights = {name: normal(rng, *shape) for name, shape in shapes.items()}
    scales = {"keys": normal(rng, 3), "values": normal(rng, 4), "hidden": normal(rng, 7)}
    ones = {name: torch.ones_like(factors) for name, factors in scales.items()}
    x = normal(rng, 2, 6, 5)

    got = reference.scale_activations(x, reference.fold_scales(weights, scales), ones)

    for a, b in zip(got, reference.scale_activations(x, weights, scales), strict=True):
        same(a, b)


# --- prefixes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("P", [0, 1, 4])
def test_prefix_is_attention_over_the_concatenation(rng, P):
    """torch's own attention with the prefix in front, every query seeing all of it and causal after that."""
    q, k, v = normal(rng, 2, 3, 5, 4), normal(rng, 2, 3, 5, 4), normal(rng, 2, 3, 5, 6)
    prefix_k, prefix_v = normal(rng, 2, 3, P, 4), normal(rng, 2, 3, P, 6)
    seen = torch.ones(5, 5, dtype=torch.bool).tril()
    lse = (q @ k.mT / 2).masked_fill(~seen, -math.inf).logsumexp(-1)

    base = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    out, share = reference.prefix_attention(q, prefix_k, prefix_v, base=base, base_lse=lse)

    both = torch.cat([torch.ones(5, P, dtype=torch.bool), seen], 1)
    want = F.scaled_dot_product_attention(q, torch.cat([prefix_k, k], -2), torch.cat([prefix_v, v], -2), attn_mask=both)
    same(out, want)
    assert ((share >= 0) & (share <= 1)).all() and bool((share == 0).all()) == (P == 0)


def test_given_attention(rng):
    """Against torch's."""
    q, k, v = normal(rng, 2, 5, 4), normal(rng, 2, 7, 4), normal(rng, 2, 7, 3)
    same(reference.attention(q, k, v)[0], F.scaled_dot_product_attention(q, k, v))
    same(reference.attention(q, k, v)[1], (q @ k.mT / 2).exp().sum(-1).log())


def test_prefix_gradients_by_finite_differences(rng):
    """In query, prefix, and both parts of what is known of the text."""
    q, k, v = normal(rng, 3, 4), normal(rng, 5, 4), normal(rng, 5, 2)
    base, lse = reference.attention(q, k, v)
    check_vjp(
        lambda q, pk, pv, base, lse: reference.prefix_attention(q, pk, pv, base=base, base_lse=lse)[0],
        (q, normal(rng, 2, 4), normal(rng, 2, 2), base, lse),
    )


def test_soft_prompt_is_an_embedding_of_more_words(rng):
    """The soft vectors as new rows of nn.Embedding, looked up by new ids."""
    words, places = torch.nn.Embedding(9, 4, dtype=F64), torch.nn.Embedding(10, 4, dtype=F64)
    ids = torch.from_numpy(rng.integers(0, 6, size=(2, 5)))
    table = words.weight.detach()

    x, new_ids, mask = reference.soft_prompt(table[6:], table[:6], places.weight.detach(), ids, ids > 2)

    longer = torch.cat([torch.tensor([[6, 7, 8]] * 2), ids], 1)
    same(x, (words(longer) + places(torch.arange(8))).detach())
    assert new_ids.tolist() == [[-100] * 3 + row for row in ids.tolist()]
    assert mask.tolist() == [[False] * 3 + row for row in (ids > 2).tolist()]


# --- prompts and votes -------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=5),
    st.lists(st.integers(0, 9), max_size=4),
    st.integers(0, 20),
)
def test_few_shot_keeps_the_longest_tail(examples, query, budget):
    """Of all tails of the examples that have room, the longest; the bare query if none has."""
    tails = [sum(examples[i:], []) + query for i in range(len(examples) + 1)]
    fitting = [tail for tail in tails if len(tail) <= budget]
    assert reference.few_shot_prompt(examples, query, budget=budget) == (fitting[0] if fitting else query)


@settings(max_examples=200, deadline=None)
@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12),
    st.integers(0, 3),
)
def test_answers_are_decimals(number, zeros):
    """A number written with commas and zeros is read as the same number, and written as Decimal writes it at its shortest."""
    got = reference.extract_answer(f"7 of them, so it is {number:,f}{'0' * zeros}")
    assert Decimal(got) == number
    want = f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"
    assert got == ("0" if number == 0 else want)


def voted(samples):
    """The answer that wins, by counting at each place."""
    votes = [s for s in samples if s is not None]
    return max(votes, key=lambda s: (votes.count(s), -votes.index(s))) if votes else None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([None, "1", "2", "3"]), max_size=9))
def test_votes(samples):
    """Against the definition."""
    assert reference.vote(samples) == voted(samples)


@pytest.mark.parametrize(
    "p", [[0.4, 0.35, 0.25], [0.3, 0.4, 0.3], [0.4, 0.3], [0.2], [0.1, 0.2, 0.3, 0.2], [0.5, 0.5], [0.0, 1.0]], ids=str
)
def test_vote_accuracy_is_the_sum_over_all_sequences(p):
    """All sequences of up to 6 samples, silence included."""
    silent = 1 - sum(p)
    for n in (1, 2, 3, 4, 6):
        total = 0.0
        for samples in itertools.product([*range(len(p)), None], repeat=n):
            if voted(samples) == 0:
                total += math.prod(silent if s is None else p[s] for s in samples)
        assert reference.vote_accuracy(p, n) == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("n", [31, 41])
def test_vote_accuracy_is_a_sum_of_multinomials(n):
    """SciPy's multinomial over all counts; equal counts are equally likely to be first."""
    p = [0.4, 0.35, 0.25]
    counts = [(a, b, n - a - b) for a in range(n + 1) for b in range(n + 1 - a)]
    mass = scipy.stats.multinomial(n, p).pmf(counts)
    total = sum(m / c.count(c[0]) for m, c in zip(mass, counts, strict=True) if c[0] == max(c))
    assert reference.vote_accuracy(p, n) == pytest.approx(total, abs=1e-11)


# --- adapting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["full", "head", "bias", "lora"])
def test_adapting_is_torch_sgd(rng, method):
    """torch.optim.SGD on nn.Linear layers; LoRA as nn.Linear pairs beside the first."""
    first, last = torch.nn.Linear(4, 6, dtype=F64), torch.nn.Linear(6, 3, dtype=F64)
    weights = {"W_1": first.weight.T, "b_1": first.bias, "W_2": last.weight.T, "b_2": last.bias}
    weights = {name: weight.detach().clone() for name, weight in weights.items()}
    x, y, noise = normal(rng, 8, 4), torch.from_numpy(rng.integers(0, 3, size=8)), normal(rng, 4, 2)
    down, up = torch.nn.Linear(4, 2, bias=False, dtype=F64), torch.nn.Linear(2, 6, bias=False, dtype=F64)
    down.weight.data, up.weight.data = noise.T.clone(), torch.zeros(6, 2, dtype=F64)
    trained = {
        "full": [*first.parameters(), *last.parameters()],
        "head": [*last.parameters()],
        "bias": [first.bias, last.bias],
        "lora": [down.weight, up.weight],
    }[method]

    optimizer = torch.optim.SGD(trained, lr=0.4)
    for _ in range(7):
        optimizer.zero_grad()
        F.cross_entropy(last(torch.tanh(first(x) + 1.5 * up(down(x)))), y).backward()
        optimizer.step()

    options = {"noise": noise, "alpha": 3.0} if method == "lora" else {}
    got = reference.adapt(weights, x, y, method=method, lr=0.4, n_steps=7, **options)
    same(reference.classify(got, x), last(torch.tanh(first(x) + 1.5 * up(down(x)))).detach())
    assert not any(weight.requires_grad for weight in got.values())


def test_least_change_is_where_descent_ends(rng):
    """20,000 steps of descent, and the least of all fits by SciPy's constrained optimizer."""
    W, X, Y = normal(rng, 6, 2), normal(rng, 3, 6), normal(rng, 3, 2)
    end = reference.least_change(W, X, Y)

    at = W.clone()
    for _ in range(20_000):
        at = at - 0.04 * X.T @ (X @ at - Y)
    assert torch.linalg.matrix_norm(X, 2) ** 2 * 0.04 < 2  # or the steps are too long
    same(at, end, rtol=1e-6, atol=1e-8)
    found = scipy.optimize.minimize(
        lambda w: ((w - W[:, 0].numpy()) ** 2).sum(),
        np.zeros(6),
        constraints={"type": "eq", "fun": lambda w: X.numpy() @ w - Y[:, 0].numpy()},
        options={"ftol": 1e-14},
    )
    same(end[:, 0], found.x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", [2, 9])
def test_a_penalty_is_a_stacked_regression(rng, n):
    """Ordinary least squares on the examples and, below them, sqrt(penalty) copies of the old weights."""
    W, X, Y = normal(rng, 6, 2), normal(rng, n, 6), normal(rng, n, 2)
    rows = torch.cat([X, math.sqrt(0.7) * torch.eye(6, dtype=F64)])
    wanted = torch.cat([Y, math.sqrt(0.7) * W])
    same(reference.least_change(W, X, Y, penalty=0.7), torch.linalg.lstsq(rows, wanted).solution)


# --- refusals ----------------------------------------------------------------------------------

ONE = torch.ones(2, 2, dtype=F64)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: reference.render_chat([("nobody", [1])], headers={"assistant": [1]}, end_of_turn=2), "nobody"),
        (lambda: reference.sft_loss(torch.zeros(1, 2, 3), torch.zeros(1, 3, dtype=torch.int64), ONE > 0), "mask"),
        (lambda: reference.best_fit([3, 9], row_len=8), "row_len"),
        (lambda: reference.best_fit([0], row_len=8), "lengths"),
        (lambda: reference.layer_rates(["head"], lr=0.0, decay=0.5), "lr"),
        (lambda: reference.trainable_share({"a": 1}, ["b"]), "sizes"),
        (lambda: reference.lora_gradients(ONE, torch.ones(3, 1), torch.ones(1, 2), alpha=1.0), "G"),
        (lambda: reference.first_change(ONE, ONE, alpha=0.0, lr=0.1), "alpha"),
        (lambda: reference.merge(ONE, [(ONE, torch.ones(1, 2), 1.0)]), "W"),
        (lambda: reference.unmerge(ONE, [(ONE, ONE, -1.0)]), "alpha"),
        (
            lambda: reference.soft_prompt(ONE, ONE, ONE, torch.zeros(1, 1, dtype=torch.int64), ONE[:1, :1] > 0),
            "at most",
        ),
        (lambda: reference.vote_accuracy([0.7, 0.7], 3), "probabilities"),
        (lambda: reference.vote_accuracy([], 3), "probabilities"),
        (lambda: reference.vote_accuracy([0.5], 0), "at least 1"),
        (lambda: reference.adapt({}, ONE, ONE, method="none", lr=0.1, n_steps=1), "method"),
        (lambda: reference.adapt({}, ONE, ONE, method="lora", lr=0.1, n_steps=1), "noise"),
        (lambda: reference.least_change(ONE, ONE, ONE, penalty=-1.0), "penalty"),
    ],
)
def test_bad_input(call, named):
    """Errors name the argument."""
    with pytest.raises(ValueError, match=named):
        call()
