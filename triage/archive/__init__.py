"""The incident archive: tables, queries, and what is derived from them."""
