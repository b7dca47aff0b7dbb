"""How data comes in: fetch, unpack, scan, look, clean, hold or release. Above `datasets` and `runs`, below `api`."""
