"""Other engines that run the tasks of the scan in the place of Spark: Ray Data, and Dask."""
