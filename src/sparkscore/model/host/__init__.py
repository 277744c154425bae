"""The model process: one per executor, model and GPU, that all Python workers of the executor share. Linux only.

`client.py` is the worker's side, a scorer: it finds the process in a folder (`place.py`), or starts it (`start.py`),
and sends it batches (`connection.py`, `wire.py`). `server.py` is the process, `serving.py` its clients; it ends with
the executor (`executor.py`). Errors travel as text (`failures.py`); children that the model forks must not keep what is
the process's (`forks.py`).
"""
