"""What rules measure of rows, part by part, in states that merge. Runs on executors: pyarrow and numpy only."""
