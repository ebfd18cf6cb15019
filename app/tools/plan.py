from pydantic import BaseModel, Field

from app.core.events import Plan, PlanStep
from app.sandbox.base import Sandbox
from app.tools.tool import Tool, ToolResult


class StepInput(BaseModel):
    text: str = Field(min_length=1, max_length=200)
    done: bool


class PlanInput(BaseModel):
    steps: list[StepInput] = Field(min_length=1, max_length=20, description="The whole plan, in order.")


class MakePlan(Tool[PlanInput]):
    name = "plan"
    reads_only = True
    takes = PlanInput

    def subject(self, given: PlanInput) -> str:
        return f"{sum(step.done for step in given.steps)} of {len(given.steps)} done"

    async def act(self, sandbox: Sandbox, key: str, given: PlanInput) -> ToolResult:
        steps = tuple(PlanStep(text=step.text, done=step.done) for step in given.steps)
        return ToolResult("The plan is shown.", False, (Plan(steps=steps),))
