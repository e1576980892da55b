"""log pi / pi_ref, with no beta."""

TASK = "dpo"
HINT = """Your reward is right up to a factor that is the same everywhere. In which units is it: nats, or
reward? What converts one to the other?"""


def implicit_reward(policy_logps, reference_logps, *, beta):
    return policy_logps - reference_logps.detach()
