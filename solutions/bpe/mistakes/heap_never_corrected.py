"""Trusts a heap's entries, although counts have fallen since they were pushed."""

# A little more than a third of the task: wrong choices show wherever many merges are learned.
TASK = "incremental"
HINT = """Your updates are right, but pairs are chosen by counts that they had earlier. A heap keeps what was
pushed: when a count falls afterwards, what does its entry still say, and when do you find out?"""


def train_incremental(counts, where, read, n_merges, *, merge=merge_pair):
    if n_merges < 0:
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    counts, where = dict(counts), {pair: set(numbers) for pair, numbers in where.items()}
    heap = [(-n_times, pair) for pair, n_times in counts.items()]
    heapq.heapify(heap)
    words, merges = {}, []
    while heap and len(merges) < n_merges:
        _, pair = heapq.heappop(heap)
        if not counts[pair]:
            continue
        merges.append(pair)
        created = set()
        for number in where.pop(pair, ()):
            word, weight = words[number] if number in words else read(number)
            merged = merge(word, pair)
            if merged == word:
                continue
            words[number] = merged, weight
            for old in pairwise(word):
                counts[old] -= weight
            for new in pairwise(merged):
                counts[new] = counts.get(new, 0) + weight
                if pair[0] + pair[1] in new:
                    where.setdefault(new, set()).add(number)
                    created.add(new)
        for new in created:
            heapq.heappush(heap, (-counts[new], new))
    return merges
