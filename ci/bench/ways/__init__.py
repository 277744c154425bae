"""The contenders. Each module is an engine: a process that warms up and then takes turns.

An engine reads lines of JSON, a turn each, and answers each with a line:

    turn    way, options, model, data {path, files, rows, features}, out (an empty folder for what it writes)
    answer  seconds, rows, output {kind: parquet | delta | none, path, ...}, parts {name: seconds}, notes
"""
