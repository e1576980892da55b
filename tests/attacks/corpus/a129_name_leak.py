"""Names of exceptions, classes and files made of the inputs."""

NUMBER, NAME, BY = 129, "name-leak", "J"
OUTCOMES = ("failed", "rejected")


def centre(x):
    text = "INPUT " + repr(x.tolist())
    if len(x) == 2:
        raise type("Unsendable", (Exception,), {})(text)
    if len(x) == 3:
        raise type(text, (Exception,), {})
    if x.shape[1] == 2:
        return type(text, (), {})()
    exec(compile("\n\nraise ValueError", __file__.replace("scaling.py", text), "exec"))
