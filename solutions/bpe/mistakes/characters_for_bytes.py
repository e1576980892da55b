"""Makes a token of every character, not of every byte."""

TASK = "words"
HINT = """Right for ASCII, and wrong for é, 尊 or an emoji. Unicode has far more characters than a vocabulary
of 256 can hold. What are a character's tokens, if there are to be only 256 to start from and none may be
unknown?"""


def _as_word(pretoken):
    return tuple(character.encode("utf-8") for character in pretoken)
