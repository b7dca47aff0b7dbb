"""The trusted service of VoxelHub: identity, policy, audit, datasets, runs and tools behind one HTTP API."""

__version__ = "0.1.0"
