"""The benchmark: ours, what people use today, and the bare limit, on the same rows and models, in one interleaved run.

    ci/bench.sh --help

`plan` says as data what is compared and which goals hold; `rounds` runs it; `ways` are the contenders, each a process
of its own; `report` makes the page and the picture from the JSON.
"""
