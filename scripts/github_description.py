"""Cut the routes that we use out of GitHub's published REST description, as data for the tests.

`python scripts/github_description.py` needs `npm`; it writes tests/data/github_rest.json. What is kept is what a validator can
check: parameters, bodies, replies. All prose is dropped, and OpenAPI 3.0's `nullable` becomes JSON Schema's.
"""

import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

PACKAGE = "@octokit/openapi@23.0.2"
MEMBER = "package/generated/api.github.com.json"
TARGET = Path(__file__).parent.parent / "tests/data/github_rest.json"

R = "/repos/{owner}/{repo}"
ROUTES = {
    "/app": ["get"],
    "/app/hook/deliveries": ["get"],
    "/app/hook/deliveries/{delivery_id}": ["get"],
    "/app/hook/deliveries/{delivery_id}/attempts": ["post"],
    "/app/installations/{installation_id}/access_tokens": ["post"],
    "/installation/token": ["delete"],
    "/users/{username}": ["get"],
    "/user": ["get"],
    R: ["get"],
    f"{R}/forks": ["post"],
    f"{R}/installation": ["get"],
    f"{R}/collaborators/{{username}}/permission": ["get"],
    f"{R}/branches/{{branch}}": ["get"],
    f"{R}/issues/{{issue_number}}": ["get"],
    f"{R}/issues/{{issue_number}}/comments": ["get", "post"],
    f"{R}/issues/comments/{{comment_id}}": ["get", "patch", "delete"],
    f"{R}/issues/{{issue_number}}/reactions": ["post"],
    f"{R}/issues/comments/{{comment_id}}/reactions": ["post"],
    f"{R}/git/ref/{{ref}}": ["get"],
    f"{R}/git/refs": ["post"],
    f"{R}/git/refs/{{ref}}": ["patch"],
    f"{R}/git/matching-refs/{{ref}}": ["get"],
    f"{R}/git/commits": ["post"],
    f"{R}/git/commits/{{commit_sha}}": ["get"],
    f"{R}/git/trees": ["post"],
    f"{R}/git/trees/{{tree_sha}}": ["get"],
    f"{R}/git/blobs": ["post"],
    f"{R}/pulls": ["get", "post"],
    f"{R}/pulls/{{pull_number}}": ["get", "patch"],
}

WEBHOOKS = ["issue-comment-created", "issue-comment-edited", "issue-comment-deleted", "issues-opened", "issues-labeled"]

CHECKED = {
    "$ref", "type", "properties", "required", "items", "enum", "nullable", "additionalProperties", "oneOf", "anyOf", "allOf",
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern",
}  # fmt: skip


class Description:
    """The whole description, and the components that the routes cut out so far refer to."""

    def __init__(self, whole: dict[str, Any]) -> None:
        self.whole = whole
        self.components: dict[str, Any] = {}

    def deref(self, node: dict[str, Any]) -> dict[str, Any]:
        """A parameter or reply itself, where the description names it by reference."""
        while "$ref" in node:
            _, section, name = node["$ref"].rsplit("/", 2)
            node = self.whole["components"][section][name]
        return node

    def schema(self, node: dict[str, Any]) -> dict[str, Any]:
        """`node` without prose, and with every component that it needs kept."""
        kept: dict[str, Any] = {}
        for key, value in node.items():
            if key not in CHECKED:
                continue
            if key == "properties":
                kept[key] = {name: self.schema(inner) for name, inner in value.items()}
            elif key in ("oneOf", "anyOf", "allOf"):
                kept["anyOf" if key == "oneOf" else key] = [self.schema(inner) for inner in value]
            elif key in ("items", "additionalProperties") and isinstance(value, dict):
                kept[key] = self.schema(value)
            elif key == "$ref":
                kept[key] = self.component(value)
            else:
                kept[key] = value
        return nullable(kept)

    def component(self, ref: str) -> str:
        name = ref.rsplit("/", 1)[1]
        if name not in self.components:
            self.components[name] = {}  # it may refer to itself
            self.components[name] = self.schema(self.whole["components"]["schemas"][name])
        return f"#/$defs/{name}"

    def body(self, content: dict[str, Any]) -> dict[str, Any] | None:
        json_body = content.get("content", {}).get("application/json")
        return None if json_body is None else self.schema(json_body["schema"])

    def route(self, path: str, method: str) -> dict[str, Any]:
        """One operation: its query parameters, its request body and its replies by status."""
        operation = self.whole["paths"][path][method]
        parameters = [self.deref(p) for p in operation.get("parameters", [])]
        return {
            "query": {p["name"]: self.schema(p["schema"]) for p in parameters if p["in"] == "query"},
            "body": self.body(operation.get("requestBody", {})),
            "replies": {s: self.body(self.deref(r)) for s, r in operation["responses"].items()},
        }

    def webhook(self, name: str) -> dict[str, Any]:
        body = self.body(self.whole["x-webhooks"][name]["post"]["requestBody"])
        assert body is not None
        return body


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if not schema.pop("nullable", False):
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def description() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            member = archive.extractfile(MEMBER)
            assert member is not None
            loaded: dict[str, Any] = json.load(member)
            return loaded


def main() -> None:
    cut = Description(description())
    routes = {path: {m: cut.route(path, m) for m in methods} for path, methods in ROUTES.items()}
    webhooks = {name: cut.webhook(name) for name in WEBHOOKS}
    whole = {"source": PACKAGE, "routes": routes, "webhooks": webhooks, "$defs": cut.components}
    text = json.dumps(whole, sort_keys=True)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text + "\n")
    print(f"{TARGET.name}: {len(text) // 1000} kB, {sum(map(len, ROUTES.values()))} operations")


if __name__ == "__main__":
    main()
