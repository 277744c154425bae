"""What a run tells about itself. Returns records; writes no tables, changes no predictions."""
