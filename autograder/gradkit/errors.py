"""What can go wrong, drawn as a tree. Every message is one line: what is wrong, where, and what to do."""


class GradkitError(Exception):
    """Something the engine could not do. The command line prints the message and exits non-zero."""


class InputError(GradkitError):
    """Bad usage or bad input from whoever runs the command (exit code 2)."""


class AuthoringError(InputError):
    """A file of an assignment breaks a rule of authoring; the message starts with `file:line:` or `file:`."""


class IsolationError(GradkitError):
    """This machine can't isolate a submission as required, and nothing silently runs with less."""


class WorkerError(GradkitError):
    """The untrusted side broke off. Always a fact about the submission, never a grader error.

    Attributes:
        at_import: While its file was imported, before any check called it.
    """

    at_import = False


class WorkerTimeout(WorkerError):
    """The submission took too long.

    Attributes:
        function: Which of its functions was called and did not return, or empty.
        called: False where the function was not called at all, since it did not return in earlier checks.
        asked_for: Which of its functions, or what one of them returned, was used in vain, or empty: for the message alone.
    """

    function = ""
    called = True
    asked_for = ""


class WorkerCrashed(WorkerError):
    """The worker ended before it answered."""


class ProtocolError(WorkerError):
    """The worker sent bytes that are not an answer."""


class ZygoteError(GradkitError):
    """The trusted process that forks workers failed: the grader's fault, so no check is scored."""
