"""Breaks ties by the largest pair of byte strings instead of the smallest."""

TASK = "pairs"
HINT = """You choose a pair of the highest count, and of several always the last in byte order. Other courses
break ties so; the handout here says otherwise. When one `max` or `min` decides by count and by pair together,
do both go in the direction you want?"""


def best_pair(counts):
    return max(counts, key=lambda pair: (counts[pair], pair))
