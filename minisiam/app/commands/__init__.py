"""The commands, one per file: each has its options, its help (`HELP` is the line in the list) and what it does."""
