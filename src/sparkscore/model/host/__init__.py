"""The model process: one per executor, model and GPU, that all Python workers of the executor share; or one beside a
worker that holds another model, which is that worker's alone. Linux only.

`client.py` is the worker's side, a scorer: it finds the process in a folder (`place.py`), or starts it (`start.py`),
and sends it batches (`connection.py`, `wire.py`). `server.py` is the process, `serving.py` its clients; it ends with
the executor, or its worker (`executor.py`), and has nothing of other models (`heritage.py`). Errors travel as text
(`failures.py`); children that the model forks must not keep what is the process's (`forks.py`).
"""
