"""The model process per executor. Empty for now: models stay resident in the Python workers (`model/resident.py`)."""
