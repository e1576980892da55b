"""Who may see what: encoders, decoders and both together, and the corrupted texts that they are trained on.

Masks are boolean, and True means "may be seen". Vectors are rows: layers are x @ w. Token ids are integers: lists of
ints where text is cut and put together, int64 tensors where a model reads it. Results keep the dtype and device of the
inputs, and nothing that is handed in is changed.

Randomness comes in as two functions: `draw(probabilities)` returns an index, and `flip(p)` returns True with
probability p. Not here: training, positions inside the attention (RoPE, ALiBi), and how text becomes ids.
"""

import math

import torch

IGNORED = -100  # a label that asks for nothing

# --- Given: the pieces of a transformer --------------------------------------------------------


def attention(q, k, v, *, n_heads=1, mask=None):
    """Every query's average of the values, weighted by softmax(q k^T / sqrt(d_k)) in each head. Given.

    Args:
        q: Queries, shape (..., T_q, d). Head h owns the features h d_k .. (h + 1) d_k - 1, where d_k = d / n_heads.
        k, v: Keys and values, shape (..., T_k, d). T_k may be 0.
        n_heads: Number of heads; divides d.
        mask: Boolean, broadcastable to (..., T_q, T_k): True where a query may see a key. Default: everywhere.

    Returns:
        Shape (..., T_q, d). A query that may see no key gets zeros.
    """
    q, k, v = (x.unflatten(-1, (n_heads, -1)).transpose(-3, -2) for x in (q, k, v))  # (..., n_heads, T, d_k)
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        mask = mask[..., None, :, :]
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
    return (weights @ v).transpose(-3, -2).flatten(-2)


def layer_norm(x):
    """Each token brought to mean 0 and variance 1 over its features, without gain and bias. Given."""
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


def mlp(x, weights):
    """The part of a layer that looks at each token alone: relu(x w_1 + b_1) w_2 + b_2. Given."""
    w_1, b_1, w_2, b_2 = weights
    return torch.relu(x @ w_1 + b_1) @ w_2 + b_2


def encoder(x, layers, *, n_heads=1, mask=None, norm=layer_norm):
    """A stack of pre-norm layers that see whatever the mask allows, and a norm at the end. Given.

    Args:
        x: One vector per token, shape (..., T, d).
        layers: List of dicts, the first layer first: "self" is (w_q, w_k, w_v, w_o), each (d, d), and "mlp" is
            (w_1, b_1, w_2, b_2).
        n_heads: Number of heads.
        mask: Boolean, broadcastable to (..., T, T), the same in every layer.
        norm: Function of (..., d), applied to what each sublayer reads.

    Returns:
        Shape (..., T, d).
    """
    for layer in layers:
        w_q, w_k, w_v, w_o = layer["self"]
        seen = norm(x)
        x = x + attention(seen @ w_q, seen @ w_k, seen @ w_v, n_heads=n_heads, mask=mask) @ w_o
        x = x + mlp(norm(x), layer["mlp"])
    return norm(x)


def random_layers(seed, *, n_layers, d, d_source=None, dtype=torch.float64):
    """Random weights for `encoder` and `decoder_block`. Given.

    Args:
        seed: Integer that the random numbers grow from.
        n_layers: Number of layers.
        d: Width of the model; the MLP is twice as wide inside.
        d_source: Width of the source that "cross" reads. Default: d.
        dtype: Floating dtype of the weights.

    Returns:
        A list of dicts with the entries "self" and "cross", (w_q, w_k, w_v, w_o), and "mlp", (w_1, b_1, w_2, b_2).
    """
    generator = torch.Generator().manual_seed(seed)
    d_source = d if d_source is None else d_source

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype) / math.sqrt(shape[0])

    return [
        {
            "self": tuple(normal(d, d) for _ in range(4)),
            "cross": (normal(d, d), normal(d_source, d), normal(d_source, d), normal(d, d)),
            "mlp": (normal(d, 2 * d), normal(2 * d), normal(2 * d, d), normal(d)),
        }
        for _ in range(n_layers)
    ]


def sinusoids(positions, d):
    """The position vectors of Vaswani et al. 2017: sine and cosine side by side, shape (..., d), float64. Given."""
    angles = positions[..., None].double() * 10000.0 ** (-torch.arange(0, d, 2).double() / d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def encoder_input(pairs, *, cls, sep, pad):
    """BERT's input for pairs of texts: [CLS] a [SEP] b [SEP], padded on the right. Given.

    Args:
        pairs: List of B pairs (a, b) of lists of token ids. Where b is empty the row is [CLS] a [SEP].
        cls, sep, pad: Ids of the special tokens.

    Returns:
        tokens, sides and real, each of shape (B, T), T the longest row: the ids; 0 up to the first [SEP], 1 after it
        and 0 at padding; and True at all that is not padding.
    """
    rows = [([cls, *a, sep], [*b, sep] if b else []) for a, b in pairs]
    longest = max(len(first) + len(second) for first, second in rows)
    tokens = torch.full((len(rows), longest), pad)
    sides = torch.zeros_like(tokens)
    real = torch.zeros_like(tokens, dtype=torch.bool)
    for row, (first, second) in enumerate(rows):
        end = len(first) + len(second)
        tokens[row, :end] = torch.tensor(first + second)
        sides[row, len(first) : end] = 1
        real[row, :end] = True
    return tokens, sides, real


def perfect_model(language, *, n_vocab, mask_token):
    """The best possible masked model of a small language: the right answer to every single blank. Given.

    Args:
        language: Dict from texts, tuples of T ids, to their probabilities, which add up to 1.
        n_vocab: Size of the vocabulary, the mask token included.
        mask_token: The id that stands for a blank. No text has it.

    Returns:
        A function from ids, shape (N, T), to logits, shape (N, T, V), float64: the logarithm of the probability
        of each token at each place, given the tokens at all other places that are not blanks. If no text of the
        language agrees with those, all texts count.
    """
    texts = torch.tensor(list(language))  # (M, T)
    p = torch.tensor(list(language.values()), dtype=torch.float64)

    def model(ids):
        fits = (ids[:, None, :] == texts) | (ids[:, None, :] == mask_token)  # (N, M, T)
        other = ~torch.eye(ids.shape[1], dtype=torch.bool)
        agrees = (fits[:, :, None, :] | ~other).all(-1)  # (N, M, T): at all other places
        agrees = agrees | ~agrees.any(1, keepdim=True)
        weights = p[:, None] * agrees
        out = torch.zeros(*ids.shape, n_vocab, dtype=torch.float64)
        out.scatter_add_(2, texts.T.expand(len(ids), -1, -1), weights.transpose(1, 2))
        return (out / out.sum(-1, keepdim=True)).log()

    return model


# --- Task 1: who may see whom ------------------------------------------------------------------


def visible(kind, T, *, prefix=None, real=None, segments=None):
    """Which tokens each token may see: one mask for every kind of transformer.

    A token sees another one if **all** rules that are given allow it:

        kind "bidirectional"   every token
        kind "causal"          itself and the tokens before it
        kind "prefix"          as "causal", and besides the first `prefix` tokens of its row
        real                   only tokens at which `real` is True
        segments               only tokens with its own segment number

    Args:
        kind: "bidirectional", "causal" or "prefix".
        T: Number of tokens, at least 1.
        prefix: For kind "prefix": how many tokens at the start of the row are the prompt, 0 .. T. An int, or an
            int64 tensor of shape (...), one number for each row.
        real: Boolean, shape (..., T): False at padding. It decides what is seen, not who sees: a padding token
            sees what the other rules allow.
        segments: int64, shape (..., T): the number of the text to which each token belongs. Texts need not stand
            in order, and a text may stand in several places of the row.

    Returns:
        Boolean, shape (..., T, T), with the leading dimensions to which prefix, real and segments broadcast: entry
        (i, j) is True if token i may see token j. Without these arguments (T, T). On the device of real or
        segments, if one is given.

    Raises:
        ValueError: If kind is another one, prefix is missing or not asked for, or real or segments has not T entries
            on its last axis.

    Example:
        kind "prefix", T = 3, prefix = 2: the rows are (1, 1, 0), (1, 1, 0), (1, 1, 1).
    """
    if kind not in ("bidirectional", "causal", "prefix"):
        raise ValueError(f"kind must be 'bidirectional', 'causal' or 'prefix', got {kind!r}")
    if (prefix is not None) != (kind == "prefix"):
        raise ValueError(f"prefix must be given for kind 'prefix' and for no other, got {prefix} for {kind!r}")
    for name, given in (("real", real), ("segments", segments)):
        if given is not None and given.shape[-1:] != (T,):
            raise ValueError(f"{name} must have shape (..., T) with T = {T}, got {tuple(given.shape)}")
    # YOUR CODE HERE
    raise NotImplementedError("task visible is not written yet")


# --- Task 2: what a stack of layers can see ----------------------------------------------------


def reachable(masks):
    """On which inputs each output of a stack of layers can depend.

    Each layer is a transformer layer with residuals: a token's new vector depends on its own old one, and on those of
    the tokens that the layer's mask lets it see. No weight is 0 by accident: what can depend does.

    Args:
        masks: The layers' masks, at least one, **the first layer's first**: boolean tensors, each of shape (T, T),
            entry (i, j) True if token i may see token j. There may be hundreds.

    Returns:
        Boolean, shape (T, T): entry (i, j) is True if output i depends on input j.

    Raises:
        ValueError: If there is no mask, or the masks are not all (T, T).

    Example:
        Token 1 sees token 0, and token 2 sees token 1, in both of two layers: output 2 depends on inputs 0, 1 and 2.
    """
    shapes = [tuple(mask.shape) for mask in masks]
    if not shapes or len(set(shapes)) > 1 or len(shapes[0]) != 2 or shapes[0][0] != shapes[0][1]:
        raise ValueError(f"masks must be one or more of one shape (T, T), got {shapes}")
    # YOUR CODE HERE
    raise NotImplementedError("task reach is not written yet")


# --- Task 3: one vector for a text -------------------------------------------------------------


def pool(states, real, *, how):
    """One vector for each text, from the vectors of its tokens.

        how "cls"    the vector of the first real token
        how "last"   the vector of the last real token
        how "mean"   the mean over the real tokens
        how "max"    for each feature, the largest value among the real tokens

    Args:
        states: Shape (..., T, d). At padding there may be anything, NaN and infinity included.
        real: Boolean, shape (..., T): False at padding, which may stand on the left, on the right or in between.
        how: "cls", "last", "mean" or "max".

    Returns:
        Shape (..., d). Where there is padding, the gradient is 0, never NaN.

    Raises:
        ValueError: If how is another one, real does not fit, or a text has no real token.

    Example:
        Vectors (1, 8), (3, 2) and padding: the mean is (2, 5), the maximum (3, 8).
    """
    if how not in ("cls", "last", "mean", "max"):
        raise ValueError(f"how must be 'cls', 'last', 'mean' or 'max', got {how!r}")
    if states.shape[:-1] != real.shape:
        raise ValueError(f"states must be (..., T, d) and real (..., T), got {tuple(states.shape)} and {tuple(real.shape)}")
    if not real.any(-1).all():
        raise ValueError("real must be True at one token of every text at least")
    # YOUR CODE HERE
    raise NotImplementedError("task pool is not written yet")


# --- Task 4: a decoder that reads a source -----------------------------------------------------


def cross_attention(x, source, weights, *, n_heads=1, source_real=None):
    """What each token of x finds in the source, where it may look at every token that is real.

    Args:
        x: The tokens that ask, shape (..., T, d).
        source: The tokens that are read, shape (..., S, d_source); they are in no order with x.
        weights: (w_q, w_k, w_v, w_o) of shapes (d, d), (d_source, d), (d_source, d), (d, d): the first three make
            queries, keys and values, and the last multiplies what `attention` returns.
        n_heads: Number of heads.
        source_real: Boolean, shape (..., S): False at the source's padding. Default: all of it is real.

    Returns:
        Shape (..., T, d). If nothing in the source is real: zeros.

    Example:
        d = 1, all weights 1, x = (0), source (2), (4): 3. If the 4 is padding: 2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task decoder is not written yet")


def decoder_block(x, source, layer, *, n_heads=1, source_real=None, norm=layer_norm, cross=None):
    """One layer of a decoder that reads a source: it looks back, it looks at the source, and it thinks.

    Three sublayers follow each other: causal self-attention, attention to the source, the MLP. Each has one residual of
    its own around it, and reads x through `norm` (pre-norm). The source is not normalized here: the encoder did it.

    Args:
        x: Shape (..., T, d).
        source: What the encoder returned, shape (..., S, d_source).
        layer: Dict: "self" and "cross" are (w_q, w_k, w_v, w_o), "mlp" is (w_1, b_1, w_2, b_2).
        n_heads: Number of heads, in both attentions.
        source_real: Boolean, shape (..., S): False at the source's padding. Default: all of it is real.
        norm: Function of (..., d).
        cross: The attention to the source, called once as `cross(x, source, weights, n_heads=..., source_real=...)`,
            where x has gone through `norm`. Default: `cross_attention`.

    Returns:
        Shape (..., T, d).

    Example:
        T = 1, d = 1, all weights 1 and biases 0, `norm` that changes nothing, x = 2, and `cross` that returns 10 x:
        2 + 2 = 4, then 4 + 40 = 44, then 44 + 44 = 88.
    """
    cross = cross_attention if cross is None else cross
    # YOUR CODE HERE
    raise NotImplementedError("task decoder is not written yet")


# --- Task 5: one token at a time ---------------------------------------------------------------


def encode_memory(source, layers):
    """All that a decoder needs to know of the source: its keys and values in every layer, projected once.

    Args:
        source: What the encoder returned, shape (..., S, d_source).
        layers: List of dicts, as for `decoder_block`.

    Returns:
        A list with a tuple (keys, values) for each layer: what its cross-attention attends to, each (..., S, d).

    Example:
        One layer in which w_k doubles and w_v triples: source (1), (2) gives keys (2), (4) and values (3), (6).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task memory is not written yet")


def decode_step(x, layers, memory, past, *, n_heads=1, source_real=None, norm=layer_norm):
    """The decoder's output at one new token, from what is remembered of the source and of the tokens before.

    It is what the last row of a whole decoder would be: `decoder_block` of every layer in order, on all tokens so far.

    Args:
        x: The new token's vector, shape (..., 1, d).
        layers: List of dicts, as for `decoder_block`.
        memory: What `encode_memory` returned. The source itself is not at hand.
        past: None for the first token; then what the call for the token before returned as its second result.
        n_heads, source_real, norm: As for `decoder_block`.

    Returns:
        The last layer's output at the new token, shape (..., 1, d); and the new past, a list with a tuple
        (keys, values) of the self-attention for each layer, each (..., t, d) after t tokens, the oldest first.

    Example:
        One layer, d = 1, `norm` that changes nothing, in "self" and "cross" w_q = 0 and the rest 1, MLP weights 1 and
        biases 0. x = 2, past value 4, memory values 10 and 30: 2 + 3 = 5, then 5 + 20 = 25, then 25 + 25 = 50.
    """
    # Steps, in every layer: the new token's query, key and value; attend to the past and to itself; attend to the
    # memory; the MLP.
    # YOUR CODE HERE
    raise NotImplementedError("task memory is not written yet")


# --- Task 6: BERT's corruption -----------------------------------------------------------------


def mlm_corrupt(tokens, *, special, mask_token, n_vocab, share=0.15, draw, flip):
    """A text with some tokens changed, and what a masked language model has to answer.

    Each token is chosen with probability `share`, independently of all others; special tokens never are. A chosen
    token becomes the mask token with probability 0.8, a token drawn from the **whole** vocabulary, all ids alike, with
    probability 0.1, and stays as it is otherwise. (The drawn token may be the same word again, a special token, or the
    mask token.)

    Args:
        tokens: List of ids.
        special: Set of ids that are never chosen: [CLS], [SEP], padding.
        mask_token: Id of the mask token.
        n_vocab: Ids are 0 .. n_vocab - 1.
        share: Probability that a token is chosen.
        draw: Function of a list of probabilities that returns an index; the source of luck.
        flip: Function of a probability that returns True or False; the other one. Use either or both.

    Returns:
        The corrupted text, and the labels: two lists of ints. A label is the original token at chosen places, also
        where it was not changed, and -100 (`IGNORED`) elsewhere.

    Raises:
        ValueError: If share is not between 0 and 1.

    Example:
        [7] with share 1, if the word is to be drawn and 3 is drawn: [3] and [7].

    Source:
        Devlin et al. 2018, section 3.1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be in 0 .. 1, got {share}")
    # YOUR CODE HERE
    raise NotImplementedError("task corrupt is not written yet")


# --- Task 7: three losses ----------------------------------------------------------------------


def mlm_loss(logits, labels):
    """The mean surprise at the tokens that were chosen, in nats.

    Args:
        logits: Shape (..., V), floating point.
        labels: int64, shape (...): the right token, or -100 (`IGNORED`), where nothing is asked for. The logits at a
            place are about the token at that place: nothing is shifted.

    Returns:
        A single number, shape (): the mean of -log softmax(logits)[label] over all labels of the batch that ask for
        something, finite however large the logits are. If none does: 0, and still a function of the logits, so that
        `backward()` works and every gradient is 0.

    Raises:
        ValueError: If the shapes do not fit.
    """
    if logits.shape[:-1] != labels.shape:
        raise ValueError(f"logits must be (..., V) and labels (...), got {tuple(logits.shape)} and {tuple(labels.shape)}")
    # YOUR CODE HERE
    raise NotImplementedError("task losses is not written yet")


def pseudo_log_likelihood(model, tokens, *, mask_token, special=()):
    """How well a masked model knows a text: each of its words is hidden once, alone, and looked up.

    Args:
        model: Function from ids, int64 of shape (N, T), to logits, shape (N, T, V). Call it as often as you like.
        tokens: The text, int64 of shape (T,).
        mask_token: Id that hides a word.
        special: Ids that are never hidden: [CLS], [SEP]. At least one token is no such id.

    Returns:
        A single number, shape (), in the dtype of the logits: the sum over the words, special tokens left out, of the
        log-probability of the word at its place, when this word is hidden and all others are seen. It may be -inf.

    Source:
        Salazar et al. 2020.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task losses is not written yet")


def seq2seq_loss(model, targets, *, start, pad):
    """The mean surprise of a decoder at its targets, when each is predicted from the targets before it.

    The decoder's input begins with the start token; then come the targets, all but the last.

    Args:
        model: Function from decoder input, int64 of shape (B, T), to logits, shape (B, T, V). It has read the source,
            and its output at a place depends on the input up to this place. Call it once.
        targets: int64, shape (B, T), padded on the right.
        start: Id of the start token. It may be the same id as `pad`, as in T5.
        pad: Id of padding, which is no target. No target that counts has this id.

    Returns:
        A single number, shape (), in nats: the mean over all targets of the batch that are not padding.

    Raises:
        ValueError: If all targets are padding.
    """
    if (targets == pad).all():
        raise ValueError(f"targets must have an id other than pad = {pad}")
    # YOUR CODE HERE
    raise NotImplementedError("task losses is not written yet")


# --- Task 8: packing ---------------------------------------------------------------------------


def pack(documents, *, length, eos, pad):
    """Rows of one length, filled with documents to the brim, and all that keeps the documents apart.

    The documents follow each other in the order given, with `eos` after each; an empty document is its eos alone. The
    stream is cut where a row is full, also inside a document, which then goes on in the next row. The last row is
    padded. What stands in one row of one document, its eos included, is a piece.

    Args:
        documents: List of lists of token ids, at least one document.
        length: Number of tokens in a row, at least 1.
        eos, pad: Ids of the end of a document, and of padding.

    Returns:
        A dict of int64 tensors, each of shape (R, length):

            tokens      the ids, and pad
            segments    the number of the piece within its row, 1, 2, ...; 0 at padding
            positions   the place of the token within its **document**, from 0, also where a row begins in the middle of
                        one; 0 at padding
            labels      the next token of the same piece; -100 (`IGNORED`) where there is none

    Raises:
        ValueError: If there is no document, or length is below 1.

    Example:
        Documents (5, 6, 7), (8, 9) with length 5, eos 1 and pad 0: the rows (5, 6, 7, 1, 8) and (9, 1, 0, 0, 0), with
        the positions (0, 1, 2, 3, 0) and (1, 2, 0, 0, 0), and the labels (6, 7, 1, -100, -100) and (1, -100, -100, -100,
        -100).
    """
    if not documents or length < 1:
        raise ValueError(f"documents must not be empty and length at least 1, got {len(documents)} and {length}")
    # YOUR CODE HERE
    raise NotImplementedError("task pack is not written yet")


# --- Task 9: T5's corruption -------------------------------------------------------------------


def random_spans(T, *, density=0.15, mean_span=3.0, draw):
    """Which tokens of a text to hide, in spans of random length at random places.

    The number of hidden tokens is n = round(T density), but at least 1 and at most T - 1. The number of spans is
    s = round(n / mean_span), but at least 1, and at most n and at most T - n. Halves are rounded to the even number, as
    Python's `round` does.

    Then n is cut into s lengths of at least 1, and T - n into s lengths of at least 1: in each case, all ways to do so
    are equally likely, where the order of the lengths counts. The text consists of the first visible length, the first
    hidden one, the second visible one, and so on.

    Args:
        T: Number of tokens, at least 2.
        density: Share of the tokens that is hidden.
        mean_span: Mean length of a hidden span.
        draw: Function of a list of probabilities that returns an index; the source of luck.

    Returns:
        List of T bools: True where a token is hidden.

    Raises:
        ValueError: If T is below 2.

    Example:
        T = 4, density 0.5, mean_span 1: always [False, True, False, True].

    Source:
        Raffel et al. 2020, section 3.1.4.
    """
    if T < 2:
        raise ValueError(f"T must be at least 2, got {T}")
    # Steps: n and s; the lengths of the hidden spans and of the visible ones; both in turn.
    # YOUR CODE HERE
    raise NotImplementedError("task spans is not written yet")


def span_corrupt(tokens, hidden, *, n_vocab, eos):
    """A text in which each hidden span is a single sentinel, and the text that says what the spans held.

    A span is a run of hidden tokens with no visible token in between. The k-th span, k = 0, 1, ..., gets the sentinel
    n_vocab - 1 - k: the last ids of the vocabulary, downwards. No text contains these ids.

    Args:
        tokens: List of ids; eos may be among them.
        hidden: List of bools of the same length. The text may begin hidden, end visible, and be hidden or visible
            altogether.
        n_vocab: Size of the vocabulary, the sentinels included.
        eos: Id that ends both texts.

    Returns:
        Two lists of ids. The input: the text with each span replaced by its sentinel, then eos. The target: for each
        span its sentinel and its tokens; then the first sentinel that was not used, and eos.

    Raises:
        ValueError: If tokens and hidden are not of one length.

    Example:
        Tokens 10 11 12 13, the 11 and the 12 hidden, n_vocab = 100, eos 1: input 10 99 13 1, target 99 11 12 98 1.
    """
    if len(tokens) != len(hidden):
        raise ValueError(f"tokens and hidden must be of one length, got {len(tokens)} and {len(hidden)}")
    # YOUR CODE HERE
    raise NotImplementedError("task spans is not written yet")


def restore(source, target, *, n_vocab):
    """The text that `span_corrupt` was given, from the two that it returned.

    Args:
        source, target: The input and the target, as `span_corrupt` returns them, lists of ids.
        n_vocab: As for `span_corrupt`.

    Returns:
        List of ids: the text, without the eos that was added.

    Example:
        Input 10 99 13 1, target 99 11 12 98 1, n_vocab = 100: 10 11 12 13.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task spans is not written yet")
