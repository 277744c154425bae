"""The web page: jobs, runs and what was measured of them, read from their tables without Spark. Writes nothing."""
