"""Divides each count by the total instead of by its context's count."""

TASK = "ngram"
HINT = """With unigrams you are right; with longer contexts your value is larger, by the entropy of the
contexts themselves. What is already known when the next token is to be predicted?"""


def conditional_entropy(counts):
    each = [count for followers in counts.values() for count in followers.values()]
    total = sum(each)
    return sum(count * math.log(total / count) for count in each) / total
