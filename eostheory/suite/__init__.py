"""Discover, plan, run, cache and judge a folder of proofs against its expectations."""
