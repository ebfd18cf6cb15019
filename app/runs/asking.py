"""What the model was asked for and has not answered yet, on disk before the request is sent: whatever was sent is counted."""

from app.runs import tables
from app.runs.engine import Engine, Json


class Asking:
    """Of one run."""

    def __init__(self, engine: Engine, task: str, run: str) -> None:
        self._engine = engine
        self._of = (task, run)

    async def spent(self, turn: int) -> Json | None:
        return await self._engine.db(tables.asking_of(*self._of, turn))

    async def note(self, turn: int, spent: Json) -> None:
        await self._engine.keep(tables.note_asking(*self._of, turn, spent))
