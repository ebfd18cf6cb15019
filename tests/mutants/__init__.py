"""Gates, lookups, retries and leases, each switched off by an edit of the source: at least one test must fail for each.

What is switched off stands in a file for each area, and they are all in `every.py`.
"""
