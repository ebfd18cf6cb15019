"""GitHub's log of deliveries, page by page."""

from app.github.app import App
from app.github.deliveries import Deliveries
from tests.github.conftest import Fake, Reply


def delivery(number: int, status: int = 200) -> dict[str, object]:
    at = f"2026-11-20T10:{number:02}:00Z"
    return {
        "id": number,
        "guid": f"g{number}",
        "delivered_at": at,
        "event": "push",
        "action": None,
        "status_code": status,
    }


async def test_every_page_is_read_until_a_delivery_is_too_old(app: App, fake: Fake) -> None:
    """FL-G25: however many came while the server was down."""

    def following(cursor: str) -> dict[str, str]:
        return {"link": f'<{fake.url}/app/hook/deliveries?per_page=100&cursor={cursor}>; rel="next"'}

    pages = ([delivery(9), delivery(8, 502)], [delivery(7), delivery(6)], [delivery(5)])
    fake.mint_replies.extend(Reply(200, page, following(f"c{n}")) for n, page in enumerate(pages))
    oldest = 1795169220.0  # the one numbered 7
    found = [attempt async for attempt in Deliveries(app).since(oldest)]
    assert [(attempt.id, attempt.succeeded) for attempt in found] == [(9, True), (8, False), (7, True)]
    assert ["cursor=c0" in seen.path for seen in fake.asked("/app/hook/deliveries")] == [False, True]
