"""HTTP: translate a request to a call of a feature module, and its result to the wire."""
