"""Which version this is, for the files that it writes."""

VERSION = "0.1.0"
