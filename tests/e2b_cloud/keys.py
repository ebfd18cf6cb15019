"""What the parts of the application share, by name."""

from aiohttp import web

from tests.e2b_cloud.cloud import Cloud

API_KEY = "e2b_" + "5e" * 20
"""The one key that the control plane takes."""
CLOUD: web.AppKey[Cloud] = web.AppKey("cloud", Cloud)
