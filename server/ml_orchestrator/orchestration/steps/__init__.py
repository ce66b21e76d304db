"""The steps that ship: each is one function in a file of its own and one line here."""

from ml_orchestrator.orchestration.steps._base import STEPS, Step, StepContext, load_plugins

__all__ = ["STEPS", "Step", "StepContext", "load_plugins"]

STEPS.register("drift")(Step(f"{__name__}.drift:compare"))
STEPS.register("search")(Step(f"{__name__}.search:search", isolated=True, restarts=12))
STEPS.register("register")(Step(f"{__name__}.register:register"))
STEPS.register("promote")(Step(f"{__name__}.promote:promote"))
STEPS.register("roll_out")(Step(f"{__name__}.roll_out:roll_out"))
STEPS.register("optimize_rules")(
    Step(f"{__name__}.optimize_rules:optimize_rules", isolated=True, restarts=12)
)
STEPS.register("register_rules")(Step(f"{__name__}.register_rules:register_rules"))
