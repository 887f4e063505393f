"""Thousands of clips measured once and kept as tables: on one machine or on a cluster, read by anything that reads Parquet."""
