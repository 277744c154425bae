"""Reports of a run and of a job: HTML in one file, without scripts, that opens without a network. Does no I/O."""
