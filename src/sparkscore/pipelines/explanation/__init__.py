"""The steps of `explain`: the key as it was given, its rows, and why there is none."""
