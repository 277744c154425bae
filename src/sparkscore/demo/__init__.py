"""The flights of New York in 2013 and a model of their delays, for the quickstart. Nothing else imports them."""
