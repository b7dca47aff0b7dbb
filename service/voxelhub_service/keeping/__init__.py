"""The worker's part in the ledger, above all that costs: reads what runs, and ends what a spent budget ends."""
