"""Another right solution: counters, a scan for the best pair instead of a heap, and merges replayed in
order.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import regex

N_BYTES = 256
PATTERN = regex.compile(
    r"'(?:[sdmt]|ll|ve|re)| ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+"
)


def check_text(text):
    for position, character in enumerate(text):
        if 0xD800 <= ord(character) <= 0xDFFF:
            raise ValueError(f"text must be encodable as UTF-8, got a lone surrogate at position {position}")


def split_special(text, special_tokens):
    pieces, rest = [], text
    while rest:
        found = [(rest.find(token), -len(token), token) for token in special_tokens if token in rest]
        if not found:
            return [*pieces, rest]
        at, _, token = min(found)
        pieces += [rest[:at]] * (at > 0) + [token]
        rest = rest[at + len(token) :]
    return pieces


def pretokenize(text):
    return PATTERN.findall(text)


def count_pairs(words):
    counts = Counter()
    for word, n_times in words.items():
        for left, right in zip(word, word[1:]):
            counts[left, right] += n_times
    return counts


def best_pair(counts):
    if not counts:
        raise ValueError("counts must hold at least one pair")
    most = max(counts.values())
    return sorted(pair for pair in counts if counts[pair] == most)[0]


def merge_pair(word, pair):
    merged = []
    fresh = False  # whether the last token of `merged` may still take part in a merge
    for token in word:
        if fresh and (merged[-1], token) == tuple(pair):
            merged[-1] += token
            fresh = False
        else:
            merged.append(token)
            fresh = True
    return tuple(merged)


def count_words(text, special_tokens=()):
    check_text(text)
    words = Counter()
    for piece in split_special(text, special_tokens):
        if piece not in special_tokens:
            for pretoken in pretokenize(piece):
                data = pretoken.encode()
                words[tuple(data[i : i + 1] for i in range(len(data)))] += 1
    return words


def train(words, vocab_size, special_tokens=(), *, count=count_pairs, best=best_pair, merge=merge_pair):
    n_merges = vocab_size - N_BYTES - len(special_tokens)
    if n_merges < 0:
        raise ValueError(f"vocab_size must have room for the bytes and special tokens, got {vocab_size}")
    words, merges = list(words.items()), []
    while len(merges) < n_merges and any(len(word) > 1 for word, _ in words):
        merges += [best(count(dict(words)))]
        words = [(merge(word, merges[-1]), n_times) for word, n_times in words]
    return merges


def index_pairs(words):
    where = defaultdict(set)
    counts = Counter()
    for number, (word, n_times) in enumerate(words):
        for i in range(1, len(word)):
            where[word[i - 1 : i + 1]].add(number)
            counts[word[i - 1 : i + 1]] += n_times
    return counts, where


def train_incremental(counts, where, read, n_merges, *, merge=merge_pair):
    if n_merges < 0:
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    counts = Counter(counts)
    where = defaultdict(set, {pair: set(numbers) for pair, numbers in where.items()})
    known, merges = {}, []
    while len(merges) < n_merges and +counts:
        pair = best_pair(+counts)
        merges.append(pair)
        if len(merges) == n_merges:
            break  # nobody asks for the counts after the last merge
        numbers = sorted(where.pop(pair))
        known |= {number: read(number) for number in numbers if number not in known}
        for number in numbers:
            word, n_times = known[number]
            merged = merge(word, pair)
            before, after = index_pairs([(word, n_times)]), index_pairs([(merged, n_times)])
            counts.subtract(before[0])
            counts.update(after[0])
            for gone in before[1].keys() - after[1].keys():
                where[gone].discard(number)
            for new in after[1]:
                where[new].add(number)
            known[number] = merged, n_times
    return merges


def encode_word(word, ranks):
    tokens = tuple(word[i : i + 1] for i in range(len(word)))
    for pair in sorted(ranks, key=ranks.get):  # replay the whole training
        tokens = merge_pair(tokens, pair)
    return list(tokens)


class Tokenizer:
    def __init__(self, merges, special_tokens=()):
        self.merges = [tuple(pair) for pair in merges]
        self.special_tokens = list(special_tokens)
        tokens = [bytes([byte]) for byte in range(N_BYTES)] + [left + right for left, right in self.merges]
        if (
            len(set(tokens)) < len(tokens)
            or "" in self.special_tokens
            or len(set(self.special_tokens)) < len(self.special_tokens)
        ):
            raise ValueError("merges and special tokens must be distinct")
        self.ranks = dict(zip(self.merges, range(len(self.merges))))
        self.token_ids = dict(zip(tokens, range(len(tokens))))
        self.special_ids = {token: len(tokens) + i for i, token in enumerate(self.special_tokens)}
        self.vocab = dict(enumerate(tokens + [token.encode() for token in self.special_tokens]))

    def __len__(self):
        return len(self.vocab)

    def encode(self, text):
        check_text(text)
        ids = []
        for piece in split_special(text, self.special_tokens):
            whole = self.special_ids.get(piece)
            if whole is not None:
                ids += [whole]
                continue
            for match in PATTERN.finditer(piece):
                for token in encode_word(match.group().encode(), self.ranks):
                    ids.append(self.token_ids[token])
        return ids

    def decode(self, ids):
        data = bytearray()
        for token_id in ids:
            if token_id not in self.vocab:
                raise ValueError(f"ids must lie in the vocabulary, got {token_id}")
            data += self.vocab[token_id]
        return str(data, "utf-8", "replace")

    def dumps(self):
        pairs = [[token.hex() for token in pair] for pair in self.merges]
        return json.dumps(
            {"special_tokens": self.special_tokens, "merges": pairs}, ensure_ascii=False, indent=1
        )

    @classmethod
    def loads(cls, text):
        fields = json.loads(text)
        return cls([tuple(map(bytes.fromhex, pair)) for pair in fields["merges"]], fields["special_tokens"])

    def save(self, path):
        Path(path).write_text(self.dumps(), encoding="utf-8")

    @classmethod
    def load(cls, path):
        return cls.loads(Path(path).read_text(encoding="utf-8"))


def tokens_per_character(encode, texts):
    result = {}
    for name in texts:
        if texts[name] == "":
            raise ValueError(f"texts must not be empty, got nothing for {name!r}")
        result[name] = len(encode(texts[name])) / len(texts[name])
    return result


def bytes_per_token(encode, texts):
    n_bytes = n_tokens = 0
    for text in texts.values():
        n_bytes += len(text.encode())
        n_tokens += len(encode(text))
    return n_bytes / n_tokens
