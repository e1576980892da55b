"""The key/value cache: generating text without reading the same prefix again and again.

A decoder-only transformer looks back only, so the key and the value of a token never change once they
are computed. They are kept, one cache per layer, and each new token costs one token's work.

Every tensor keeps its features last and its tokens next to last: keys and values are (..., h_kv, T, d_k),
where "..." stands for any number of batch dimensions, none included. Everything is computed in the dtype
and on the device of the inputs, and no argument but a cache is changed. Decoding is greedy here, the lowest
id among equals, so nothing is random; other ways of choosing a token are the subject of the next
assignment. Nothing is trained, and no gradient is needed.

Given, not yours to write: `ModelConfig`, `layer_norm` and `rotate` of coursekit.toys, and below
`GrowingCache`, `causal_attention`, `new_caches`, `block_weights`, `feed_forward` and `prefill`.
"""

import math

import torch

from coursekit.toys import ModelConfig, layer_norm, rotate

# --- Task 1: generation that reads everything again --------------------------------------------


def generate_naive(model, prompt, *, max_len, eos=None):
    """The prompt and what follows it, computed with a full forward pass for every new token.

    Each new token is the argmax of the logits at the last position. Generation ends after max_len new
    tokens, or with the first generated `eos`, which is kept. An `eos` in the prompt ends nothing.

    Args:
        model: Function of all tokens so far, int64 of shape (T,), that returns the logits of the next
            token at every position, shape (T, V). It is called once for each generated token.
        prompt: List of token ids, at least one.
        max_len: How many tokens may be generated. The prompt's don't count. May be 0.
        eos: The end-of-sequence token, or None where there is none.

    Returns:
        List of token ids (plain ints): the prompt, then at most max_len generated ones.

    Raises:
        ValueError: If the prompt is empty or max_len is negative.
    """
    _check_request([prompt], max_len)
    # Steps, max_len times at most: run the model; choose; remember; is this the end?
    # YOUR CODE HERE
    raise NotImplementedError("task naive is not written yet")


# --- Task 2: the cache of one layer ------------------------------------------------------------


class GrowingCache:
    """A cache that is right and wasteful: each `append` copies everything into larger tensors.

    Given, so that the later tasks don't wait for your `LayerCache`. It shows the interface.
    """

    def __init__(self):
        self.keys = self.values = None

    def __len__(self):
        return 0 if self.keys is None else self.keys.shape[-2]

    def append(self, k, v):
        self.keys = k if self.keys is None else torch.cat([self.keys, k], dim=-2)
        self.values = v if self.values is None else torch.cat([self.values, v], dim=-2)
        return self.keys, self.values

    def truncate(self, length):
        self.keys, self.values = self.keys[..., :length, :], self.values[..., :length, :]

    def reset(self):
        self.keys = self.values = None


class LayerCache:
    """The keys and values of one layer, in memory that is allocated once.

    Both have room for `capacity` tokens. The room is asked for at the first `append`, when the shapes are
    known, and is used until the end: also after `reset` and `truncate`. So the first `append` fixes shape,
    dtype and device for good.

    Args:
        capacity: How many tokens it can hold, at least 1.
        allocate: Where memory comes from: called as `allocate(shape, dtype=..., device=...)`, it returns
            a tensor of that shape with anything in it. Room for `capacity` tokens, keys and values, is
            asked for in one call or in two, and never again.

    Raises:
        ValueError: If capacity is below 1.
    """

    def __init__(self, capacity, *, allocate=torch.empty):
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self.allocate = allocate
        self.kind = None  # shape but for the tokens, dtype and device, from the first append on
        self.keys = self.values = None  # the storage, (..., h_kv, capacity, d_k)
        self.length = 0  # how many of its tokens are in use

    def __len__(self):
        """How many tokens are held: also the position of the next one."""
        return self.length

    def append(self, k, v):
        """Store new tokens behind those held, and return all of them.

        Args:
            k: Keys, already rotated, shape (..., h_kv, T, d_k); T may be any number, 0 included.
            v: Values, the same shape.

        Returns:
            Keys and values of every token held, oldest first, each (..., h_kv, len(self), d_k), with the
            dtype and device of `k`. Unused room is not part of them.

        Raises:
            ValueError: If k and v differ in shape, dtype or device, if they don't fit the first ones ever
                appended in anything but T, or if there is no room; the cache is then as it was.
        """
        _check_new_tokens(k, v)
        if len(self) + k.shape[-2] > self.capacity:
            raise ValueError(
                f"k and v must fit into capacity {self.capacity}, got {k.shape[-2]} tokens after {len(self)}"
            )
        self.kind = _same_kind(k, self.kind)
        # Steps: is there memory yet? Where do the new tokens go, and what is in use afterwards?
        # YOUR CODE HERE
        raise NotImplementedError("task cache is not written yet")

    def reset(self):
        """Forget every token and keep the memory, ready for another sequence of the same shape and dtype."""
        # YOUR CODE HERE
        raise NotImplementedError("task cache is not written yet")

    def truncate(self, length):
        """Forget the newest tokens, so that the first `length` remain: a draft was taken back.

        Args:
            length: How many tokens to keep, 0 .. len(self).

        Raises:
            ValueError: If length is negative or exceeds len(self).
        """
        if not 0 <= length <= len(self):
            raise ValueError(f"length must lie in 0..{len(self)}, the tokens held, got {length}")
        # YOUR CODE HERE
        raise NotImplementedError("task cache is not written yet")

    def copy(self):
        """A cache with the same tokens that goes its own way: two answers to one prompt.

        Returns:
            LayerCache of the same capacity, with its own storage, which also comes from `allocate`: as much
            as the first one's, and none as long as nothing was ever appended. What is done to either
            never shows in the other.
        """
        # YOUR CODE HERE
        raise NotImplementedError("task cache is not written yet")


# --- Task 3: who sees whom ---------------------------------------------------------------------


def visible_keys(n_queries, n_keys, *, window=None, padding=None):
    """Which keys each query sees when the queries are the newest tokens among the keys.

    Query i sits at slot i + n_keys - n_queries. It sees the slots up to its own, of these only the
    last `window`, and none of the padding.

    Args:
        n_queries: T_q.
        n_keys: T_k, at least T_q.
        window: How many slots a query sees at most, its own included, at least 1. None: all.
        padding: Integers of shape (B,): sequence b has that many slots of padding, and they come first.
            None: no padding, no batch.

    Returns:
        Boolean, True where the key is seen: shape (T_q, T_k), or (B, 1, T_q, T_k) with `padding`, whose
        device it is then on. A query that is padding itself sees nothing.

    Raises:
        ValueError: If n_queries > n_keys, or window is below 1.
    """
    if n_queries > n_keys:
        raise ValueError(f"n_queries must not exceed n_keys, got {n_queries} and {n_keys}")
    if window is not None and window < 1:
        raise ValueError(f"window must be at least 1, got {window}")
    # Steps: at which slot does each query sit, and each key? Then the three conditions, one by one.
    # YOUR CODE HERE
    raise NotImplementedError("task visible is not written yet")


# --- Task 4: fewer key heads than query heads --------------------------------------------------


def grouped_attention(q, k, v, visible):
    """Attention in which several query heads share one head of keys and values.

    softmax(q k^T / sqrt(d_k)) v over the keys that are visible, in the dtype of the inputs throughout.
    With g = h / h_kv, query head i reads key and value head i // g: neighbors share. A query that sees
    no key gets zeros.

    Args:
        q: Queries, shape (..., h, T_q, d_k).
        k: Keys, shape (..., h_kv, T_k, d_k); h_kv divides h. h_kv = h is plain multi-head attention,
            h_kv = 1 multi-query attention.
        v: Values, shape (..., h_kv, T_k, d_k).
        visible: Boolean, broadcastable to (..., h, T_q, T_k).

    Returns:
        Shape (..., h, T_q, d_k).

    Raises:
        ValueError: If h_kv does not divide h.

    Source:
        Ainslie et al. 2023, "GQA".
    """
    if q.shape[-3] % k.shape[-3]:
        raise ValueError(f"the heads of k must divide those of q, got {k.shape[-3]} and {q.shape[-3]}")
    # Steps: bring keys and queries head by head together; scores; hide; softmax over the keys; average.
    # YOUR CODE HERE
    raise NotImplementedError("task grouped is not written yet")


def causal_attention(q, k, v, *, padding=None, window=None):
    """Tasks 3 and 4 together: the attention of the newest tokens over all tokens held. Given.

    Args:
        q: Shape (..., h, T_q, d_k).
        k, v: Shape (..., h_kv, T_k, d_k).
        padding, window: As for `visible_keys`.
    """
    visible = visible_keys(q.shape[-2], k.shape[-2], window=window, padding=padding)
    return grouped_attention(q, k, v, visible.to(q.device))


# --- Task 5: one layer with a cache ------------------------------------------------------------


def cached_attention(config, weights, x, cache, *, padding=None, window=None, attend=None):
    """The attention layer of a transformer block, for the new tokens only.

    Queries, keys and values are x W_Q, x W_K and x W_V, split into heads; queries and keys are rotated by
    the positions of their tokens, values are not. The new queries attend to everything that the cache
    then holds. The heads' outputs are joined, head 0 first, and multiplied by W_O.

    Args:
        config: The model's size: n_heads, n_kv_heads, d_k.
        weights: The block's weights: W_Q (d_model, h d_k), W_K and W_V (d_model, h_kv d_k) and
            W_O (h d_k, d_model). Head j owns columns j d_k .. (j + 1) d_k - 1 of the first three.
        x: The new tokens, shape (..., T, d_model).
        cache: Has `len(cache)`, the position of the next token, and `cache.append(k, v)`, which
            returns all keys and values. It is appended to once, with keys as `attend` needs them: what
            is kept is never worked on again.
        padding, window: Passed on to `attend`.
        attend: Called once, as `attend(q, keys, values, padding=padding, window=window)` with q
            (..., h, T, d_k) and keys, values (..., h_kv, T_k, d_k). Default: `causal_attention`.

    Returns:
        Shape (..., T, d_model).
    """
    attend = causal_attention if attend is None else attend
    # Steps: project and split into heads; where do the new tokens stand? What is kept, and what is seen?
    # Join the heads; W_O.
    # YOUR CODE HERE
    raise NotImplementedError("task layer is not written yet")


# --- Task 6: the whole model -------------------------------------------------------------------


def new_caches(config, *, capacity=None, make=LayerCache):
    """Empty caches for a model: one for each layer. Given.

    Args:
        config: The model's size.
        capacity: Tokens that each can hold. Default: config.max_len.
        make: Makes one cache, called as `make(capacity)`.

    Returns:
        List of config.n_layers caches, that of the first layer first.
    """
    capacity = config.max_len if capacity is None else capacity
    return [make(capacity) for _ in range(config.n_layers)]


def cached_forward(config, weights, tokens, caches, *, padding=None, window=None, layer=None):
    """The logits at the new tokens, given that the caches hold all tokens before them.

    The model of `coursekit.toys`: pre-norm blocks with residuals, a final norm, and the embedding table
    again as the output layer.

    Args:
        config: The model's size.
        weights: All weights, as `coursekit.toys.weight_shapes` names them; see `block_weights`.
        tokens: The new tokens, shape (..., T): a prompt, a part of it, or one token.
        caches: One for each layer. Each is appended to once.
        padding, window: As for `visible_keys`; the same for every layer and every call of a sequence.
        layer: The attention of one block, called once for each block, in order, as
            `layer(config, weights, x, cache, padding=padding, window=window)` with the weights of
            `block_weights`. Default: `cached_attention`.

    Returns:
        Shape (..., T, V). At padding the logits mean nothing.

    Raises:
        ValueError: If there are not as many caches as layers.
    """
    if len(caches) != config.n_layers:
        raise ValueError(f"caches must hold one for each of {config.n_layers} layers, got {len(caches)}")
    layer = cached_attention if layer is None else layer
    # Steps: into the model's width; block after block, each with what is its own; back to the vocabulary.
    # YOUR CODE HERE
    raise NotImplementedError("task model is not written yet")


def block_weights(weights, index):
    """The weights of one block by their short names: `W_Q`, `norm_1.gain`, ... Given."""
    prefix = f"blocks.{index}."
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def feed_forward(weights, x):
    """The MLP of one block, token by token: gelu(x W_1 + b_1) W_2 + b_2. Given."""
    return torch.nn.functional.gelu(x @ weights["W_1"] + weights["b_1"]) @ weights["W_2"] + weights["b_2"]


def prefill(step, prompt, *, chunk_size):
    """The logits after the prompt, which is fed in chunks so that no score matrix gets large. Given.

    Args:
        step: Function of new tokens, shape (..., T), that returns their logits, shape (..., T, V), and
            remembers what it was fed before: a model with its caches.
        prompt: Token ids, int64 of shape (..., T), T at least 1.
        chunk_size: Tokens in each call, at least 1; the last call has what is left.

    Returns:
        The logits of the next token at the last position of the prompt, shape (..., V).

    Raises:
        ValueError: If the prompt is empty or chunk_size is below 1.
    """
    if prompt.shape[-1] == 0:
        raise ValueError(f"prompt must hold at least one token, got shape {tuple(prompt.shape)}")
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}")
    for chunk in prompt.split(chunk_size, dim=-1):
        logits = step(chunk)  # (..., T, V)
    return logits[..., -1, :]


def accept_draft(step, caches, newest, draft):
    """What a model says next, when somebody has guessed it: all guesses are judged in a single call.

    The guesses are kept up to the first that the model would not have chosen. In its place comes the
    model's own choice; where every guess was right, the model's next token comes after them. So at least
    one token is won, and the result is the one of greedy decoding, token by token.

    Args:
        step: As for `prefill`, with tokens of shape (T,) and logits of shape (T, V): the model with `caches`.
            It is called once.
        caches: List of caches that `step` appends to, with `len` and `truncate(length)`. They hold all tokens
            before `newest`; afterwards, all tokens before the last one returned, and no others.
        newest: The last token generated, an int that was not fed yet.
        draft: List of token ids guessed to follow it, at least one.

    Returns:
        List of 1 to len(draft) + 1 plain ints: the right guesses, then the model's own token.

    Raises:
        ValueError: If the draft is empty.

    Example:
        A model that counts says 4, 5, 6 after 3. With newest 3 and draft [4, 5, 9], the result is [4, 5, 6],
        and the caches then hold three tokens more than before: 3, 4 and 5, which are right and were fed.

    Source:
        Leviathan et al. 2023, for greedy decoding.
    """
    if not draft:
        raise ValueError("draft must hold at least one token, got none")
    # Steps: feed what may be needed; what does the model say after each token? How far was the draft right?
    # What must the caches forget?
    # YOUR CODE HERE
    raise NotImplementedError("task model is not written yet")


# --- Task 7: generation with a cache, and in batches -------------------------------------------


def generate_cached(step, prompt, *, max_len, eos=None):
    """What `generate_naive` returns, with every token fed at most once.

    Args:
        step: As for `prefill`, with tokens of shape (T,) and logits of shape (T, V). First it is fed
            the whole prompt in one call, then each generated token on its own, except the last one:
            nothing follows it, so its logits would be for nobody.
        prompt: List of token ids, at least one.
        max_len: How many tokens may be generated; with 0, step is not called.
        eos: The end-of-sequence token, or None where there is none.

    Returns:
        List of token ids (plain ints): the prompt, then at most max_len generated ones, `eos` included.

    Raises:
        ValueError: If the prompt is empty or max_len is negative.
    """
    _check_request([prompt], max_len)
    # Steps: what has step not seen yet? Choose; is this the end, be it the first token?
    # YOUR CODE HERE
    raise NotImplementedError("task generate is not written yet")


def left_pad(prompts, *, pad):
    """Prompts of different lengths as one tensor in which they all end together.

    Args:
        prompts: List of B lists of token ids, none empty.
        pad: The id that fills the room in front. It may be a token that prompts use too.

    Returns:
        The tokens, int64 of shape (B, T) with T the longest prompt's length, and the padding, int64 of
        shape (B,): how many slots of each row are not real.

    Raises:
        ValueError: If there is no prompt, or an empty one.
    """
    _check_request(prompts, 0)
    # YOUR CODE HERE
    raise NotImplementedError("task generate is not written yet")


def generate_batch(step, prompts, *, max_len, eos=None, pad=0):
    """What `generate_cached` returns for each prompt alone, computed for all of them together.

    Args:
        step: Called as `step(tokens, padding)` with the new tokens of every row, (B, T), and the
            padding of `left_pad`, (B,), the same in every call; returns logits, (B, T, V). First it is
            fed the padded prompts in one call, then one token for each row: the row's newest, or `pad`
            where the row has ended (its `eos` is not fed). It is not called once every row has ended.
        prompts: List of B lists of token ids, none empty.
        max_len: How many tokens may be generated for each row; with 0, step is not called.
        eos: Ends the row that generates it, and no other.
        pad: What fills the room in front, and the rows that have ended.

    Returns:
        List of B lists of token ids: a row's prompt, then its generated tokens, its `eos` included;
        no padding.

    Raises:
        ValueError: If there is no prompt or an empty one, or max_len is negative.
    """
    _check_request(prompts, max_len)
    # Steps: pad; feed; which rows go on, and with what? When is everything said?
    # YOUR CODE HERE
    raise NotImplementedError("task generate is not written yet")


def _check_request(prompts, max_len):
    if not prompts or not all(len(prompt) for prompt in prompts):
        lengths = [len(prompt) for prompt in prompts]
        raise ValueError(f"every prompt must hold at least one token, got lengths {lengths}")
    if max_len < 0:
        raise ValueError(f"max_len must not be negative, got {max_len}")


# --- Task 8: a cache that forgets --------------------------------------------------------------


class WindowCache:
    """A cache for attention with a window: memory for `window` tokens, however long the sequence gets.

    It has no `truncate`: the tokens that would have to come back are gone. Sequences of a batch must
    have one length: it does not mix with `padding`.

    Args:
        window: How many of the newest tokens it keeps, at least 1.
        allocate: As for `LayerCache`, but room for `window` tokens, at the first `append`.

    Raises:
        ValueError: If window is below 1.
    """

    def __init__(self, window, *, allocate=torch.empty):
        if window < 1:
            raise ValueError(f"window must be at least 1, got {window}")
        self.window = window
        self.allocate = allocate
        self.kind = None  # shape but for the tokens, dtype and device, from the first append on
        self.keys = self.values = None  # the storage, (..., h_kv, window, d_k)
        self.length = 0  # how many tokens were ever appended

    def __len__(self):
        """How many tokens were appended since the start: the position of the next one."""
        return self.length

    def append(self, k, v):
        """Return the tokens held and then the new ones; afterwards keep the newest `window` of them all.

        The new tokens may be more than `window`, and each of them has a window of its own.

        Args:
            k: Keys, already rotated, shape (..., h_kv, T, d_k); T may be any number, 0 included.
            v: Values, the same shape.

        Returns:
            Keys and values, oldest first, each (..., h_kv, min(n, window) + T, d_k), where n is
            len(self) before the call.

        Raises:
            ValueError: If k and v differ in shape, dtype or device, or don't fit the first ones ever appended
                in anything but T.
        """
        _check_new_tokens(k, v)
        self.kind = _same_kind(k, self.kind)
        # Steps: is there memory yet? What do the new tokens see, and what stays for the next ones?
        # YOUR CODE HERE
        raise NotImplementedError("task window is not written yet")

    def reset(self):
        """Forget every token and keep the memory, and with it shape, dtype and device."""
        # YOUR CODE HERE
        raise NotImplementedError("task window is not written yet")


def _check_new_tokens(k, v):
    if k.shape != v.shape:
        raise ValueError(f"k and v must have the same shape, got {tuple(k.shape)} and {tuple(v.shape)}")
    if (k.dtype, k.device) != (v.dtype, v.device):
        kinds = f"{k.dtype} on {k.device} and {v.dtype} on {v.device}"
        raise ValueError(f"k and v must have the same dtype and device, got {kinds}")


def _same_kind(k, first):
    """What the first append fixed, after checking that k fits it; that of k itself if it is the first."""
    kind = (*k.shape[:-2], k.shape[-1]), k.dtype, k.device
    if first is not None and kind != first:
        names = "shape (but for the tokens), dtype and device"
        raise ValueError(f"k must have the {names} of the first append, {first}, got {kind}")
    return kind


# --- Task 9: what it costs ---------------------------------------------------------------------


def cache_bytes(config, n_tokens, *, batch=1, bytes_per_number=2, window=None):
    """The memory that all layers' caches take up, in bytes.

    Args:
        config: The model's size.
        n_tokens: Tokens in each sequence.
        batch: Sequences.
        bytes_per_number: 2 for bfloat16, 4 for float32, 8 for float64.
        window: Tokens that a layer keeps at most for each sequence. None: all.

    Returns:
        Int.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task memory is not written yet")


def tokens_fed(n_prompt, n_new, *, cached):
    """How many tokens the model is fed in all to generate n_new tokens, none of them `eos`.

    Args:
        n_prompt: Tokens of the prompt, at least 1.
        n_new: Generated tokens, at least 1.
        cached: As `generate_cached` does it, or else as `generate_naive` does.

    Returns:
        Int: the sum of T over all calls.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task memory is not written yet")


def attention_scores(n_prompt, n_new, *, cached):
    """How many query-key pairs that may see each other one head works out over the whole generation.

    A token at position t sees t + 1 keys, its own included. Pairs hidden by the causal mask don't count.

    Args:
        n_prompt, n_new, cached: As for `tokens_fed`.

    Returns:
        Int.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task memory is not written yet")
