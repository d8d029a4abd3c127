"""Turn the functions of exercises that are not ops into ops, for the universal check.

`small` has small definitions and inputs of ops, `branches` networks, `chunks` encoders in chunks, `ranks` many ranks.
"""
