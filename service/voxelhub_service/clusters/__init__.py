"""Dask clusters: the service owns them, a driver holds their processes, the reconciler keeps each as wanted."""
