"""The flights of New York in 2013 and a model of their delays, for the quickstart. No other package imports it."""
