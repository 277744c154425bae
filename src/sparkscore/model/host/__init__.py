"""The model process: one per executor, model and GPU, that all Python workers of the executor share. Linux only.

client.py    in the worker: a scorer that sends each batch to the process, and starts it again when it is gone
place.py     the folder in which they meet: who starts the process (lock), whether it lives (alive), socket, log
start.py     a fresh Python with its own session and environment
server.py    the process: loads the model, serves, ends with the executor or when nobody has asked for long
serving.py   its clients, one thread each
wire.py      batches through shared memory, headers over the socket
executor.py  which executor this is, and when it ends
"""
