"""Arguments -> settings -> session -> pipeline -> result line -> exit code. One module per verb: `<verb>_verb.py`."""
