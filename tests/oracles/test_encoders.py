"""The encoders reference against torch's own decoder layer and losses, Jacobians, sets, and enumeration.

Libraries that train masked models (`transformers`) and T5's code are not among the kit's dependencies; what they do is here as
definitions.
"""

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import staff_files
import torch
from coursekit.chance import law
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

F64 = torch.float64
SEEDS = st.integers(0, 2**32 - 1)

reference = staff_files.reference("encoders")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def same(got, want, rtol=1e-10, atol=1e-12):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=rtol, atol=atol)


def layers_of(rng, n_layers, d, d_source=None):
    return reference.random_layers(int(rng.integers(1000)), n_layers=n_layers, d=d, d_source=d_source)


# --- masks -------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, T=st.integers(1, 7), kind=st.sampled_from(["bidirectional", "causal", "prefix"]))
def test_masks_entry_by_entry(seed, T, kind):
    """A loop over all pairs, rule by rule."""
    rng = np.random.default_rng(seed)
    prefix = rng.integers(0, T + 1, (2, 1)) if kind == "prefix" else None
    real, segments = rng.random((2, 3, T)) < 0.7, rng.integers(0, 3, (3, T))

    rules = {"real": torch.from_numpy(real), "segments": torch.from_numpy(segments)}
    mask = reference.visible(kind, T, prefix=None if prefix is None else torch.from_numpy(prefix), **rules)

    assert mask.shape == (2, 3, T, T)
    for a, b, i, j in itertools.product(range(2), range(3), range(T), range(T)):
        allowed = kind == "bidirectional" or j <= i or (prefix is not None and j < prefix[a, 0])
        assert bool(mask[a, b, i, j]) == (allowed and real[a, b, j] and segments[b, i] == segments[b, j])


def test_attention_is_torchs(rng):
    """torch's attention with the same boolean mask and heads; zeros where nothing is seen."""
    q, k, v = normal(rng, 2, 4, 6), normal(rng, 2, 5, 6), normal(rng, 2, 5, 6)
    mask = torch.from_numpy(rng.random((2, 4, 5)) < 0.6)
    mask[..., 0] = True

    split = [x.unflatten(-1, (3, 2)).transpose(1, 2) for x in (q, k, v)]
    want = F.scaled_dot_product_attention(*split, attn_mask=mask[:, None]).transpose(1, 2).flatten(-2)

    same(reference.attention(q, k, v, n_heads=3, mask=mask), want)
    mask[1, 2] = False
    assert not reference.attention(q, k, v, n_heads=3, mask=mask)[1, 2].any()


@pytest.mark.parametrize("n_heads", [1, 2])
def test_reach_is_where_derivatives_are(rng, n_heads):
    """An encoder of random weights: output i has a derivative in input j exactly where it is reached; layer after layer, each
    with its own mask."""
    masks = list(torch.from_numpy(rng.random((3, 7, 7)) < 0.2))
    layers = layers_of(rng, 3, 4)

    def run(x):
        for layer, mask in zip(layers, masks, strict=True):
            w_q, w_k, w_v, w_o = layer["self"]
            seen = reference.layer_norm(x)
            x = x + reference.attention(seen @ w_q, seen @ w_k, seen @ w_v, n_heads=n_heads, mask=mask) @ w_o
            x = x + reference.mlp(reference.layer_norm(x), layer["mlp"])
        return x

    slope = torch.autograd.functional.jacobian(run, normal(rng, 7, 4))

    assert torch.equal(slope.abs().amax((1, 3)) > 0, reference.reachable(masks))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, T=st.integers(1, 6), n_layers=st.integers(1, 6))
def test_reach_follows_sets(seed, T, n_layers):
    """What each token has collected, as a set, layer by layer."""
    masks = np.random.default_rng(seed).random((n_layers, T, T)) < 0.3

    collected = [{i} for i in range(T)]
    for mask in masks:
        collected = [collected[i].union(*(collected[j] for j in range(T) if mask[i, j])) for i in range(T)]

    got = reference.reachable(list(torch.from_numpy(masks)))
    assert [set(row.nonzero().flatten().tolist()) for row in got] == collected


def test_encoder_in_one_layer_is_torchs(rng):
    """torch.nn.TransformerEncoderLayer with pre-norm, the same weights and a mask."""
    (layer,), x, mask = layers_of(rng, 1, 6), normal(rng, 2, 5, 6), reference.visible("causal", 5)
    theirs = torch.nn.TransformerEncoderLayer(6, 2, 12, dropout=0.0, batch_first=True, norm_first=True, dtype=F64)
    w_q, w_k, w_v, w_o = layer["self"]
    _load_attention(theirs.self_attn, w_q, w_k, w_v, w_o)
    _load_mlp(theirs, layer["mlp"])

    want = F.layer_norm(theirs(x, src_mask=~mask), (6,))

    same(reference.encoder(x, [layer], n_heads=2, mask=mask), want.detach(), rtol=1e-9, atol=1e-9)


def _load_attention(module, w_q, w_k, w_v, w_o):
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([w_q.T, w_k.T, w_v.T]))
        module.in_proj_bias.zero_()
        module.out_proj.weight.copy_(w_o.T)
        module.out_proj.bias.zero_()


def _load_mlp(module, weights):
    w_1, b_1, w_2, b_2 = weights
    with torch.no_grad():
        for linear, w, b in ((module.linear1, w_1, b_1), (module.linear2, w_2, b_2)):
            linear.weight.copy_(w.T)
            linear.bias.copy_(b)


# --- pooling, decoder --------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, T=st.integers(1, 6))
def test_pool_is_numpys(seed, T):
    """NumPy on the real rows of each text, with junk at padding."""
    rng = np.random.default_rng(seed)
    states, real = rng.normal(size=(4, T, 3)), rng.random((4, T)) < 0.5
    real[np.arange(4), rng.integers(0, T, 4)] = True
    junk = np.where(real[..., None], states, np.nan)

    picks = {"mean": lambda x: x.mean(0), "max": lambda x: x.max(0), "cls": lambda x: x[0], "last": lambda x: x[-1]}
    for how, pick in picks.items():
        want = np.stack([pick(states[row][real[row]]) for row in range(4)])
        same(reference.pool(torch.from_numpy(junk), torch.from_numpy(real), how=how), want)


@pytest.mark.parametrize("padded", [False, True])
def test_block_is_torchs(rng, padded):
    """torch.nn.TransformerDecoderLayer with pre-norm and the same weights; token by token it is `decode_step`."""
    layers = layers_of(rng, 2, 6)
    x, source = normal(rng, 2, 4, 6), normal(rng, 2, 5, 6)
    real = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]]).bool() if padded else None
    future = torch.ones(4, 4).triu(1).bool()

    want = got = x
    for layer in layers:
        theirs = torch.nn.TransformerDecoderLayer(6, 3, 12, dropout=0.0, batch_first=True, norm_first=True, dtype=F64)
        _load_attention(theirs.self_attn, *layer["self"])
        _load_attention(theirs.multihead_attn, *layer["cross"])
        _load_mlp(theirs, layer["mlp"])
        want = theirs(want, source, tgt_mask=future, memory_key_padding_mask=None if real is None else ~real).detach()
        got = reference.decoder_block(got, source, layer, n_heads=3, source_real=real)
    same(got, want, rtol=1e-9, atol=1e-9)

    memory, past, steps = reference.encode_memory(source, layers), None, []
    for t in range(4):
        out, past = reference.decode_step(x[:, t : t + 1], layers, memory, past, n_heads=3, source_real=real)
        steps.append(out)
    same(torch.cat(steps, 1), want, rtol=1e-9, atol=1e-9)


def test_a_narrower_source_is_multi_head_attention(rng):
    """torch.nn.MultiheadAttention with kdim and vdim; the source's order is no matter, and padding is not read."""
    w_q, w_k, w_v, w_o = layers_of(rng, 1, 6, 4)[0]["cross"]
    x, source = normal(rng, 2, 3, 6), normal(rng, 2, 5, 4)
    real = torch.from_numpy(rng.random((2, 5)) < 0.7)
    real[:, 0] = True
    theirs = torch.nn.MultiheadAttention(6, 2, bias=False, kdim=4, vdim=4, batch_first=True, dtype=F64)
    with torch.no_grad():
        for name, w in (("q_proj_weight", w_q), ("k_proj_weight", w_k), ("v_proj_weight", w_v)):
            getattr(theirs, name).copy_(w.T)
        theirs.out_proj.weight.copy_(w_o.T)

    want = theirs(x, source, source, key_padding_mask=~real)[0].detach()

    same(reference.cross_attention(x, source, (w_q, w_k, w_v, w_o), n_heads=2, source_real=real), want)
    order = torch.from_numpy(rng.permutation(5))
    same(
        reference.cross_attention(x, source[:, order], (w_q, w_k, w_v, w_o), n_heads=2, source_real=real[:, order]),
        want,
    )


# --- corruption and losses ---------------------------------------------------------------------


def test_corruption_as_fractions():
    """The law of two words and a special token, written down as exact fractions."""
    share, V, mask, tokens = Fraction(3, 20), 4, 2, [0, 3, 1]

    def one(token):
        outcomes = Counter({(token, -100): 1 - share, (mask, token): share * Fraction(8, 10)})
        outcomes[(token, token)] += share * Fraction(1, 10)
        for word in range(V):
            outcomes[(word, token)] += share * Fraction(1, 10) / V
        return outcomes

    want = Counter()
    for (first, p), (second, q) in itertools.product(one(3).items(), one(1).items()):
        want[(0, first[0], second[0]), (-100, first[1], second[1])] += p * q

    got = law(reference.mlm_corrupt, tokens, special={0}, mask_token=mask, n_vocab=V)

    assert set(got) == set(want) and all(got[key] == pytest.approx(float(p), abs=1e-12) for key, p in want.items())


def test_corruption_on_a_grid():
    """10,000 chosen tokens, one for each of the second numbers that decides: 8,000 masks, 1,000 drawn, 1,000 kept."""
    kinds = Counter()
    for step in range(10_000):
        place = (step + 0.5) / 10_000

        def draw(p, place=place):
            return 5 if len(p) > 3 else int(np.searchsorted(np.cumsum(p), place))

        text, _ = reference.mlm_corrupt(
            [7], special=set(), mask_token=1, n_vocab=9, share=1.0, draw=draw, flip=lambda p: True
        )
        kinds[text[0]] += 1
    assert kinds == {1: 8000, 5: 1000, 7: 1000}


@pytest.mark.parametrize("lead", [(6,), (3, 4)])
def test_losses_are_cross_entropies(rng, lead):
    """F.cross_entropy with ignore_index, values and gradients; its NaN without a label is 0 here."""
    logits, labels = normal(rng, *lead, 5).requires_grad_(), torch.from_numpy(rng.integers(0, 5, lead))
    labels[torch.from_numpy(rng.random(lead) < 0.5)] = -100
    labels.view(-1)[0] = 3

    loss, want = reference.mlm_loss(logits, labels), F.cross_entropy(logits.reshape(-1, 5), labels.reshape(-1))
    same(loss.detach(), want.detach())
    same(torch.autograd.grad(loss, logits)[0], torch.autograd.grad(want, logits)[0])

    none = torch.full(lead, -100)
    assert F.cross_entropy(logits.reshape(-1, 5), none.reshape(-1)).isnan()
    nothing = reference.mlm_loss(logits, none)
    assert nothing.item() == 0 and not torch.autograd.grad(nothing, logits)[0].any()


def test_seq2seq_is_a_shifted_cross_entropy(rng):
    """A decoder that only knows the token before: a table. Its loss is that of the pairs (start, first), (first, second), …"""
    table = normal(rng, 7, 7)
    for start in (0, 6):
        rows = [[int(x) for x in rng.integers(1, 7, n)] for n in (4, 1, 3)]
        targets = torch.tensor([row + [0] * (4 - len(row)) for row in rows])
        pairs = [pair for row in rows for pair in itertools.pairwise([start, *row])]
        want = -np.mean([float(table[a].log_softmax(-1)[b]) for a, b in pairs])
        same(reference.seq2seq_loss(lambda ids: table[ids], targets, start=start, pad=0), want)


@pytest.mark.parametrize("seed", range(3))
def test_perfect_model_and_pseudo_likelihood(seed):
    """Conditionals of a random language of 3 x 3 x 3 texts by sums over a table; the pseudo-likelihoods add up to more than 1."""
    p = np.random.default_rng(seed).dirichlet(np.ones(27) * 0.3).reshape(3, 3, 3)
    language = {tuple(x + 1 for x in text): share for text, share in np.ndenumerate(p)}
    model = reference.perfect_model(language, n_vocab=4, mask_token=0)

    total = 0.0
    for a, b, c in itertools.product(range(3), repeat=3):
        want = (
            math.log(p[a, b, c]) * 3
            - math.log(p[:, b, c].sum())
            - math.log(p[a, :, c].sum())
            - math.log(p[a, b, :].sum())
        )
        got = reference.pseudo_log_likelihood(model, torch.tensor([a + 1, b + 1, c + 1]), mask_token=0)
        same(got, want)
        total += math.exp(want)

    assert total == pytest.approx((3.337, 3.499, 2.792)[seed], abs=1e-3)
    two_blanks = model(torch.tensor([[0, 2, 0]]))[0, 0].exp()
    same(two_blanks[1:], p[:, 1].sum(-1) / p[:, 1].sum())


def test_a_model_without_context_is_as_surprised_as_its_counts(rng):
    """The masked loss of a model that ignores its context is the cross-entropy of its unigram."""
    logits, labels = normal(rng, 5), torch.from_numpy(rng.integers(0, 5, 40))
    counts = torch.bincount(labels, minlength=5).double() / 40

    same(reference.mlm_loss(logits.expand(40, 5), labels), -(counts * logits.log_softmax(-1)).sum())


# --- packing and spans -------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(documents=st.lists(st.lists(st.integers(2, 9), max_size=9), min_size=1, max_size=6), length=st.integers(1, 8))
def test_pack_by_cutting_a_stream(documents, length):
    """The stream as a list of (token, document, position), cut into rows; labels and segments from each row alone."""
    stream = [(token, number, place) for number, text in enumerate(documents) for place, token in enumerate([*text, 1])]
    rows = [stream[start : start + length] for start in range(0, len(stream), length)]

    packed = reference.pack(documents, length=length, eos=1, pad=0)

    assert all(column.shape == (len(rows), length) and column.dtype == torch.int64 for column in packed.values())
    columns = (packed[name].tolist() for name in ("tokens", "segments", "positions", "labels"))
    for row, tokens, segments, positions, labels in zip(rows, *columns, strict=True):
        fill = length - len(row)
        assert tokens == [token for token, _, _ in row] + [0] * fill
        assert positions == [place for _, _, place in row] + [0] * fill
        texts = list(dict.fromkeys(number for _, number, _ in row))
        assert segments == [1 + texts.index(number) for _, number, _ in row] + [0] * fill
        follow = [after[0] if after[1] == now[1] else -100 for now, after in itertools.pairwise(row)]
        assert labels == follow + [-100] * (fill + 1)


def test_a_packed_loss_is_the_sum_of_its_pieces(rng):
    """A causal model with position vectors: the packed rows cost what the texts cost one by one."""
    table, layers = normal(rng, 12, 6), layers_of(rng, 2, 6)
    documents = [[int(x) for x in rng.integers(2, 12, n)] for n in (4, 2, 6)]

    def total(tokens, positions, labels, **rules):
        mask = reference.visible("causal", tokens.shape[-1], **rules)
        logits = (
            reference.encoder(table[tokens] + reference.sinusoids(positions, 6), layers, n_heads=2, mask=mask) @ table.T
        )
        return F.cross_entropy(logits.reshape(-1, 12), labels.reshape(-1), reduction="sum")

    packed = reference.pack(documents, length=20, eos=1, pad=0)
    got = total(packed["tokens"], packed["positions"], packed["labels"], segments=packed["segments"])

    want = 0.0
    for document in documents:
        text = torch.tensor([*document, 1])
        want += total(text[:-1], torch.arange(len(text) - 1), text[1:])
    same(got, want)


def cuts(total, parts):
    """All ordered sums of positive integers."""
    choices = itertools.combinations(range(1, total), parts - 1)
    return [[b - a for a, b in itertools.pairwise([0, *borders, total])] for borders in choices]


@pytest.mark.parametrize(
    ("T", "density", "mean_span"),
    [(7, 0.15, 3.0), (8, 0.5, 2.0), (9, 0.45, 1.3), (10, 0.3, 1.0), (6, 0.9, 1.0), (2, 0.5, 3.0)],
)
def test_spans_by_enumeration(T, density, mean_span):
    """All pairs of compositions, each as likely as the next."""
    n = min(max(int(np.rint(T * density)), 1), T - 1)  # NumPy rounds halves to even, too
    s = min(max(int(np.rint(n / mean_span)), 1), n, T - n)
    masks = [
        sum(([False] * a + [True] * b for a, b in zip(seen, hidden, strict=True)), [])
        for seen, hidden in itertools.product(cuts(T - n, s), cuts(n, s))
    ]

    got = law(reference.random_spans, T, density=density, mean_span=mean_span, given=("draw",))

    assert set(got) == set(map(tuple, masks)) and len(masks) == len(got)
    assert all(p == pytest.approx(1 / len(masks), abs=1e-12) for p in got.values())


def test_all_masks_come_back():
    """restore(span_corrupt(x, m)) = x for all 2,046 masks of up to 10 tokens, with eos among them; and the texts by groupby."""
    for T in range(1, 11):
        tokens = [1 if t % 3 == 2 else 20 + t for t in range(T)]
        for hidden in itertools.product([False, True], repeat=T):
            source, target = reference.span_corrupt(tokens, list(hidden), n_vocab=60, eos=1)
            assert reference.restore(source, target, n_vocab=60) == tokens

            sentinels, left, right = itertools.count(59, -1), [], []
            for hides, run in itertools.groupby(zip(hidden, tokens, strict=True), key=lambda pair: pair[0]):
                run = [token for _, token in run]
                if hides:
                    sentinel = next(sentinels)
                    left.append(sentinel)
                    right += [sentinel, *run]
                else:
                    left += run
            assert (source, target) == ([*left, 1], [*right, next(sentinels), 1])


# --- refusals ----------------------------------------------------------------------------------

TWO = torch.ones(2, 2, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: reference.visible("full", 3), "kind"),
        (lambda: reference.visible("prefix", 3), "prefix"),
        (lambda: reference.visible("causal", 3, prefix=1), "prefix"),
        (lambda: reference.visible("causal", 3, real=TWO), "real"),
        (lambda: reference.visible("causal", 3, segments=TWO.long()), "segments"),
        (lambda: reference.reachable([]), "masks"),
        (lambda: reference.reachable([TWO, torch.ones(3, 3).bool()]), "masks"),
        (lambda: reference.pool(torch.ones(2, 2, 3), TWO, how="min"), "how"),
        (lambda: reference.pool(torch.ones(2, 3), TWO, how="max"), "states"),
        (lambda: reference.pool(torch.ones(2, 2, 3), ~TWO, how="max"), "real"),
        (lambda: reference.mlm_corrupt([1], special=(), mask_token=0, n_vocab=2, share=1.5, draw=len, flip=bool), "share"),
        (lambda: reference.mlm_loss(torch.ones(2, 3), torch.ones(3).long()), "logits"),
        (lambda: reference.seq2seq_loss(len, torch.zeros(1, 2).long(), start=1, pad=0), "targets"),
        (lambda: reference.pack([], length=3, eos=1, pad=0), "documents"),
        (lambda: reference.pack([[2]], length=0, eos=1, pad=0), "length"),
        (lambda: reference.random_spans(1, draw=len), "T must"),
        (lambda: reference.span_corrupt([1, 2], [True], n_vocab=9, eos=0), "tokens"),
    ],
)  # fmt: skip
def test_bad_input(call, named):
    """Errors name the argument."""
    with pytest.raises(ValueError, match=named):
        call()
