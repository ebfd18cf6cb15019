"""Gates and lookups, each switched off by an edit of the source: at least one test must fail for each."""
