"""The command line as a program: Ctrl-C and a reader that left end it without a traceback, while modules load, too."""

import os
import signal
import sys


def run() -> int:
    """Exit code of one command; 130 after Ctrl-C, 141 when nobody reads its output any more (`boundlab runs | head -1`)."""
    try:
        try:
            from boundlab.cli.main import main

            return main()
        finally:
            sys.stdout.flush()  # here, and not after the last handler of errors
    except KeyboardInterrupt:
        print("boundlab: stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes nowhere
        return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(run())
