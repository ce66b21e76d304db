"""The steps that ship: each is one function in a file of its own and one line here."""

from ml_orchestrator.orchestration.steps._base import (
    STEPS,
    Signature,
    Step,
    StepContext,
    load_plugins,
)

__all__ = ["STEPS", "Signature", "Step", "StepContext", "load_plugins"]

STEPS.register("drift")(Step(f"{__name__}.drift:compare"))
STEPS.register("search")(Step(f"{__name__}.search:search", isolated=True, restarts=12, moves=True))
STEPS.register("compress")(Step(f"{__name__}.compress:compress_version", isolated=True))
STEPS.register("register")(Step(f"{__name__}.register:register"))
STEPS.register("promote")(Step(f"{__name__}.promote:promote"))
STEPS.register("look")(Step(f"{__name__}.look:look"))
STEPS.register("hand_over")(Step(f"{__name__}.hand_over:hand_over"))
STEPS.register("roll_out")(Step(f"{__name__}.roll_out:roll_out", waits=True))
STEPS.register("optimize_rules")(
    Step(f"{__name__}.optimize_rules:optimize_rules", isolated=True, restarts=12)
)
STEPS.register("register_rules")(Step(f"{__name__}.register_rules:register_rules"))


def _for_pipelines(
    name: str,
    target: str,
    models: str,
    about: str,
    *,
    right: str | None = None,
    is_pure: bool = False,
    isolated: bool = False,
    restarts: int = 0,
    cpu: float = 1.0,
    waits: bool = False,
    moves: bool = False,
) -> None:
    where = f"{__name__}.models:{models}"
    signature = Signature(about, f"{where}Inputs", f"{where}Output", right=right, is_pure=is_pure)
    STEPS.register(name)(
        Step(f"{__name__}.{target}", isolated, restarts, signature, cpu, waits, moves)
    )


_for_pipelines("profile", "profile:profile", "Profile", "Describe a data set.", is_pure=True)
_for_pipelines(
    "check_drift", "check_drift:check_drift", "Drift", "Compare two data sets.", is_pure=True
)
_for_pipelines(
    "train",
    "train:train",
    "Train",
    "Search for a model and tune it; register makes a version of it.",
    right="training_start",
    is_pure=True,
    isolated=True,
    restarts=12,
    moves=True,
)
_for_pipelines(
    "pick_best", "judge:pick_best", "Best", "Take the best of a list.", is_pure=True, cpu=0
)
_for_pipelines(
    "require", "judge:require", "Require", "Fail unless a number is enough.", is_pure=True, cpu=0
)
_for_pipelines(
    "register_version",
    "versions:register_version",
    "Register",
    "Register a trained model as a version with its manifest.",
    right="training_start",
)
_for_pipelines(
    "verify", "versions:verify", "Verify", "Fail unless a version is what was registered."
)
_for_pipelines(
    "evaluate",
    "versions:evaluate",
    "Evaluate",
    "Score a version on labelled rows.",
    is_pure=True,
)
_for_pipelines(
    "set_alias",
    "versions:set_alias",
    "Alias",
    "Point an alias at a version; its rules hold.",
    right="registry_move_alias",
)
_for_pipelines(
    "deploy",
    "deploy:deploy",
    "RollOut",
    "Bring a version before users by a roll-out, and wait for its end.",
    right="deployment_start",
    isolated=True,
    restarts=3,
    cpu=0,  # it waits for another run
    waits=True,
)
_for_pipelines(
    "send_message", "tell:send_message", "Message", "Tell agents.", right="message_send", cpu=0
)
STEPS.register("compress_version")(
    Step(
        f"{__name__}.compress:compress_for_pipeline",
        isolated=True,
        signature=Signature(
            "Make a version smaller; register_version makes a version of the winner.",
            "ml_orchestrator.orchestration.compressing.models:CompressInputs",
            "ml_orchestrator.orchestration.compressing.models:CompressOutput",
        ),
    )
)
