"""Averages over contexts without regard to how often they occur."""

TASK = "ngram"
HINT = """Where all contexts are equally frequent you are right. A context that occurs once counts in
yours as much as one that occurs a hundred times: over what is the mean of the training loss taken?"""


def conditional_entropy(counts):
    values = []
    for followers in counts.values():
        times_seen = sum(followers.values())
        surprise = sum(count * math.log(times_seen / count) for count in followers.values())
        values.append(surprise / times_seen)
    return sum(values) / len(values)
