"""What a run stands on, once its repository is in its sandbox."""

from app.core.task import AnyRequest, Words


class Ground(Words):
    """From recorded steps alone."""

    run: str
    request: AnyRequest
    branch: str
    """The default branch."""
    start: str
    """The branch that was cloned."""
    sandbox: str
    base: str
    """SHA of the commit that everything is judged against."""
    rules: str = ""
    """As in `Begun`."""
