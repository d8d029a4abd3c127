"""The pages that are generated; `writers` lists the functions that write them."""
