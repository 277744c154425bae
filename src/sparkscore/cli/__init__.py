"""Arguments -> settings -> session -> pipeline -> result line -> exit code."""
