"""The command line: what `minisiam train`, `evaluate`, `check` and the other commands do."""
