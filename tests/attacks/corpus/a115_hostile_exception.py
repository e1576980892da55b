"""An exception whose text and class fight back when they are read."""

NUMBER, NAME, BY = 115, "hostile-exception", "C"
OUTCOMES = ("crashed", "failed")


class Meta(type):
    @property
    def __name__(cls):
        raise SystemExit(0)


class Hostile(Exception, metaclass=Meta):
    def __str__(self):
        raise KeyboardInterrupt


def centre(x):
    raise Hostile
