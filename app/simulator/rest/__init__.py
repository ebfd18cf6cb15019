"""GitHub's REST API, as much of it as an App like ours uses, under `/api/v3` as on Enterprise Server."""
