"""Joins feature tables to rows as of the rows' times."""
