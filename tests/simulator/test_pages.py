"""What somebody sees in a browser."""

from app.simulator.markdown import rendered
from tests.simulator.conftest import GitHub
from tests.simulator.test_git import branch, pull, text

COMMENT = """\
### Working

- [x] Read the code
- [ ] Mend it

| check | exit |
|---|---|
| `pytest` | 0 |

<details><summary>Log</summary>

```
1 passed <b>
```

</details>
<script>alert(1)</script><img src=x onerror=alert(1)>
"""


def test_a_comment_looks_as_on_github() -> None:
    html = rendered(COMMENT)
    assert '<li class="task"><input type="checkbox" disabled checked> Read the code</li>' in html
    assert '<li class="task"><input type="checkbox" disabled> Mend it</li>' in html
    assert "<td><code>pytest</code></td>" in html
    assert "<details><summary>Log</summary>" in html
    assert "1 passed &lt;b&gt;" in html


def test_nothing_active_gets_through() -> None:
    html = rendered(COMMENT + "\n[x](javascript:alert(1)) <a href='javascript:alert(1)' onclick=x>y</a>\n")
    for forbidden in ("<script", "<img", "onerror", "onclick", 'href="javascript', "alert(1)</"):
        assert forbidden not in html.replace("(javascript:alert(1))", "")


async def test_every_page_opens(github: GitHub) -> None:
    number = await github.issue("Mend <it>", "Please **do**.")
    await github.comment(number, COMMENT)
    await github.rest("POST", f"/issues/{number}/reactions", {"content": "eyes"})
    await branch(github, "fix/1", text("README.md", "# <Bye>\n"))
    opened = (await pull(github, "fix/1", body=f"Fixes #{number}", draft=True)).body["number"]
    base = f"/{github.full_name}"
    pages = {
        "/": [github.full_name],
        base: ["README.md", "a/b.txt", "Mend &lt;it&gt;"],
        f"{base}/tree/fix/1": ["README.md", "fix/1"],
        f"{base}/blob/fix/1/README.md": ["# &lt;Bye&gt;"],
        f"{base}/issues/{number}": ["<strong>do</strong>", "👀 1", "ada", "Mend it"],
        f"{base}/pull/{opened}": ["Draft", "+# &lt;Bye&gt;", "-# Hello", f"Fixes #{number}"],
        f"{base}/compare/main...fix/1": ["+# &lt;Bye&gt;"],
    }
    for path, words in pages.items():
        reply = await github.call("GET", path)
        assert reply.status == 200, path
        assert [word for word in words if word not in reply.body] == [], path
    diff = await github.call("GET", f"{base}/pull/{opened}.diff")
    assert diff.body.startswith("diff --git a/README.md")
    assert (await github.call("GET", f"{base}/issues/99")).status == 404


async def test_no_other_site_gets_in_through_the_browser(github: GitHub) -> None:
    assert (await github.call("GET", "/", headers={"Host": "evil.example"})).status == 403
    crossing = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    assert (await github.call("POST", "/_sim/users", {"login": "x"}, headers=crossing)).status == 403
