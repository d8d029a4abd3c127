"""Bridges to other tools. Each needs the package of the same name, which is an extra."""
