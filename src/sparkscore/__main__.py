"""`python -m sparkscore` is the command `sparkscore`, of this Python."""

from sparkscore.cli.main import run_console

if __name__ == "__main__":
    run_console()
