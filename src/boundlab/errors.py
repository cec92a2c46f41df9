"""What the command line and the pages show as one sentence instead of a traceback."""


class BoundlabError(Exception):
    """Bad input or a missing file; the message names what was expected, what came, and what to do."""


class DataError(BoundlabError):
    """A data set that is missing or damaged."""


class CheckpointError(BoundlabError):
    """A file that is not a usable checkpoint."""


class RunError(BoundlabError):
    """A run folder or pack that cannot be read."""


class Diverged(BoundlabError):
    """Training's loss, weights or what is measured of them became infinite or NaN."""


class LessonError(BoundlabError):
    """A lesson that is written wrongly, or that the runs contradict; the message names the file and the line."""
