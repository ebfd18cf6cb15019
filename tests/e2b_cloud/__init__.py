"""A stand-in for E2B on this machine: the control plane and the agent in each sandbox (envd), as far as README.md says."""
