"""How long the reference's BPE training takes, against rescanning the corpus and against `tokenizers`.

    python tests/benchmarks/bpe_training.py [--mebibytes 5] [--merges 8000] [--seed 0]

The text is made up, the same on every machine: words of nine scripts with Zipf-distributed frequencies. Four
things are timed, each in a fresh process of its own, so that its peak memory is its own:

- cut: the text into distinct pre-tokens with their counts, which the next two begin from;
- reference: `index_pairs` and `train_incremental`, all merges;
- rescan: the reference's `train`, which counts and rewrites every distinct pre-token for every merge. It too
  works on distinct pre-tokens with counts, never on the raw text. A whole training would take about half an
  hour, so a few merges are timed at five points of the training, on the words as they then are (they
  shrink, and later scans are cheaper), and the time per merge is integrated over the training by the
  trapezoidal rule;
- tokenizers: the compiled library, with the same pre-tokenization, text to merges.

Times are CPU seconds of the process, so a busy machine changes little; for `tokenizers`, which works in
several threads, they are the sum over its threads. Nothing here is pass or fail.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

REFERENCE = Path(__file__).parents[2] / "solutions" / "bpe" / "bpe.py"
CHECKPOINTS = (0.0, 0.25, 0.5, 0.75, 1.0)
MERGES_PER_CHECKPOINT = 5

# First code point, number of letters, letters in a syllable, syllables in a word at most, share of the text.
SCRIPTS = {
    "Latin": (0x61, 26, 2, 5, 0.45),
    "Greek": (0x3B1, 25, 2, 5, 0.08),
    "Cyrillic": (0x430, 32, 2, 5, 0.12),
    "Hebrew": (0x5D0, 27, 2, 4, 0.04),
    "Arabic": (0x627, 20, 2, 4, 0.08),
    "Devanagari": (0x905, 52, 2, 4, 0.08),
    "Thai": (0xE01, 46, 2, 6, 0.03),
    "Hangul": (0xAC00, 800, 1, 4, 0.05),
    "Han": (0x4E00, 3000, 1, 6, 0.07),
}


def load_reference() -> object:
    """The reference as a module."""
    spec = importlib.util.spec_from_file_location("bpe", REFERENCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def zipf(n: int, exponent: float = 1.0) -> np.ndarray:
    """Probabilities proportional to 1 / (rank + 2.7) ** exponent, shape (n,): Mandelbrot's form of Zipf's
    law.
    """
    weights = 1.0 / (np.arange(n) + 2.7) ** exponent
    return weights / weights.sum()


def make_text(n_bytes: int, seed: int) -> str:
    """Zipf-like text of many scripts, a little over `n_bytes` bytes of UTF-8, the same for the same
    arguments.
    """
    rng = np.random.default_rng(seed)
    lines = []
    for first, n_letters, syllable_length, max_syllables, share in SCRIPTS.values():
        letters = [chr(first + i) for i in rng.permutation(n_letters)]
        n_syllables = min(n_letters**syllable_length, 900)
        syllables = ["".join(rng.choice(letters, syllable_length)) for _ in range(n_syllables)]
        types = []
        for length in rng.integers(1, max_syllables + 1, size=20_000):
            types.append("".join(syllables[i] for i in rng.choice(n_syllables, length, p=zipf(n_syllables, 0.9))))
        budget, size = share * n_bytes, 0.0
        while size < budget:
            sentence = " ".join(types[i] for i in rng.choice(len(types), 12, p=zipf(len(types), 1.0))) + ".\n"
            lines.append(sentence)
            size += len(sentence.encode("utf-8"))
    return "".join(lines[i] for i in rng.permutation(len(lines)))


# ---- what is timed: each takes the text and gives seconds and what it found ----------------------


def cut(text: str, n_merges: int) -> tuple[float, dict]:
    bpe = load_reference()
    begun = time.process_time()
    words = bpe.count_words(text)
    return time.process_time() - begun, {"distinct": len(words), "pretokens": sum(words.values())}


def reference(text: str, n_merges: int) -> tuple[float, dict]:
    bpe = load_reference()
    words = list(bpe.count_words(text).items())
    begun = time.process_time()
    counts, where = bpe.index_pairs(words)
    merges = bpe.train_incremental(counts, where, lambda number: words[number], n_merges)
    return time.process_time() - begun, {"merges": merges}


def rescan(text: str, n_merges: int, merges: list) -> tuple[float, dict]:
    bpe = load_reference()
    words = bpe.count_words(text)
    per_merge = []
    for fraction in CHECKPOINTS:
        done = round(fraction * n_merges)
        ranks = {pair: rank for rank, pair in enumerate(merges[:done])}
        now = {tuple(bpe.encode_word(b"".join(word), ranks)): n_times for word, n_times in words.items()}
        begun = time.process_time()
        found = bpe.train(now, bpe.N_BYTES + MERGES_PER_CHECKPOINT)
        per_merge.append((time.process_time() - begun) / len(found))
        assert found[: n_merges - done] == merges[done : done + len(found)]  # the two trainers agree
    return float(np.trapezoid(per_merge, CHECKPOINTS)) * n_merges, {"per_merge": per_merge}


def library(text: str, n_merges: int) -> tuple[float, dict]:
    import tokenizers
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    pattern = load_reference().PATTERN.pattern
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=256 + n_merges, initial_alphabet=alphabet, show_progress=False)
    begun = time.process_time()
    tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
    seconds = time.process_time() - begun
    return seconds, {"version": tokenizers.__version__, "size": tokenizer.get_vocab_size()}


def _measure(task: Callable[..., tuple[float, dict]]) -> tuple[float, dict, float]:
    """Run one contestant; its seconds, findings and the process's peak resident memory in MiB."""
    seconds, found = task()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    return seconds, found, peak / (2**20 if sys.platform == "darwin" else 2**10)


def in_fresh_process(task: Callable[..., tuple[float, dict]]) -> tuple[float, dict, float]:
    """`_measure` in a process that has done nothing else."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (task,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mebibytes", type=float, default=5.0)
    parser.add_argument("--merges", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    text = make_text(int(options.mebibytes * 2**20), options.seed)
    n_merges = options.merges
    cut_s, found, cut_mib = in_fresh_process(partial(cut, text, n_merges))
    print(
        f"text: {len(text.encode('utf-8')) / 2**20:.2f} MiB, "
        f"{found['pretokens']:,} pre-tokens, {found['distinct']:,} distinct"
    )
    print(f"{'':<12} {'CPU s':>9} {'peak MiB':>9}")
    print(f"{'cut':<12} {cut_s:>9.2f} {cut_mib:>9.0f}")
    ours_s, trained, ours_mib = in_fresh_process(partial(reference, text, n_merges))
    merges = trained["merges"]
    print(f"{'reference':<12} {ours_s:>9.2f} {ours_mib:>9.0f}   {len(merges):,} merges")
    rescan_s, timed, rescan_mib = in_fresh_process(partial(rescan, text, len(merges), merges))
    shown = ", ".join(f"{1000 * seconds:.0f}" for seconds in timed["per_merge"])
    print(
        f"{'rescan':<12} {rescan_s:>9.0f} {rescan_mib:>9.0f}   "
        f"extrapolated; ms per merge at 0, 25, 50, 75, 100%: {shown}"
    )
    library_s, about, library_mib = in_fresh_process(partial(library, text, n_merges))
    print(f"{'tokenizers':<12} {library_s:>9.2f} {library_mib:>9.0f}   {about['version']}, {about['size']:,} tokens")
    print(f"rescanning takes {rescan_s / ours_s:.0f} times as long as the reference")
    print(f"the reference, with cutting, takes {(cut_s + ours_s) / library_s:.1f} times as long as tokenizers")


if __name__ == "__main__":
    main()
