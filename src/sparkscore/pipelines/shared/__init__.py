"""The steps that several verbs share."""
