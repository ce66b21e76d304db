"""Trainers of other packages: whether what they build may be saved and loaded again."""

import io
from collections.abc import Iterable

import skops.io

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.modelfiles.skops_file import TRUSTED_TYPES
from ml_orchestrator.orchestration.trust import trusted_types
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.trainers import TRAINERS, Problem

__all__ = ["refuse_untrusted"]


def refuse_untrusted(settings: Settings, trainers: Iterable[str]) -> None:
    """Return unless a model of another package's trainer could not be registered afterwards.

    Looks at an estimator that has not been fitted; what fitting adds is checked at registration.

    Raises:
        InvalidInputError: its types are not trusted; the message names them and the setting.
    """
    allowed = {*TRUSTED_TYPES, *trusted_types(settings)}
    for name in trainers:
        if name in TRAINERS.ours:
            continue
        if unknown := sorted(_types_of(name) - allowed):
            raise InvalidInputError(
                f"Models of trainer {name!r} hold types of another package, which nobody has "
                f"allowed: {', '.join(unknown)}. If you trust that package, set "
                f"ML_ORCHESTRATOR_TRUSTED_TYPES={','.join(unknown)} and start the server again."
            )


def _types_of(name: str) -> set[str]:
    classes, numbers = Problem("classification", n_classes=2), Problem("regression")
    with TRAINERS.calling(name):
        trainer = TRAINERS[name]
        problem = classes if trainer.fits(classes) else numbers
        estimator = trainer.build(problem, dict(trainer.first_params), seed=0, n_jobs=None)
        saved = io.BytesIO()
        skops.io.dump(estimator, saved)
    return set(skops.io.get_untrusted_types(data=saved.getvalue()))
