"""What everything that ran cost, and what may still be spent: one ledger for notebook servers, clusters and runs."""
