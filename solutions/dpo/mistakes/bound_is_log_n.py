"""log n alone."""

TASK = "best_of_n"
HINT = """For n = 1 you are right, and for large n about 1 too high: a bound too, but a looser one. log n is
reached when the answer kept has a probability n times the reference's. Can all answers that are ever
kept have n times their probability?"""


def best_of_n_kl_bound(n):
    return math.log(n)
