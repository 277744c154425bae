"""The model process: one per executor, model and GPU, which all Python workers of the executor share; or one for a
single worker that already holds another model. Linux only.

`host_client.py` is the worker's side, a scorer: it finds the process in a folder (`host_directory.py`), or starts it
(`host_start.py`), and sends it batches (`host_connection.py`, `wire_format.py`). `host_server.py` is the process;
`client_threads.py` serves its clients. It ends with the executor, or its worker (`executor_process.py`), and has
nothing of other models (`inherited_environment.py`). Errors are sent as text (`error_messages.py`); children that the
model forks must not keep what belongs to the process (`fork_safety.py`).
"""
