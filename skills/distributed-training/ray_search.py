"""Search on a Ray cluster: Optuna decides what to try, Ray tasks try it.

Start it with RAY_ADDRESS set to use a cluster; without, it uses this machine. Replace ``score``.
A trial that dies with its machine is tried again by Ray and told to Optuna once.
"""

import optuna
import ray
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

N_TRIALS = 12
N_AT_ONCE = 2


@ray.remote(num_cpus=1, max_retries=2)
def score(number: int, strength: float) -> tuple[int, float]:
    """Return the trial's number and its cross-validated score."""
    rows, target = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength))
    return number, float(cross_val_score(model, rows, target, cv=3, scoring="roc_auc").mean())


def search(study: optuna.Study) -> None:
    """Keep ``N_AT_ONCE`` trials running until ``N_TRIALS`` have been told."""
    running: list[ray.ObjectRef] = []
    for _ in range(N_TRIALS):
        if len(running) == N_AT_ONCE:
            finished, running = ray.wait(running)
            study.tell(*ray.get(finished[0]))
        trial = study.ask()
        strength = trial.suggest_float("C", 1e-4, 1e2, log=True)
        running.append(score.remote(trial.number, strength))
    for number, value in ray.get(running):
        study.tell(number, value)


if __name__ == "__main__":
    ray.init()
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend("search.journal")
    )
    study = optuna.create_study(storage=storage, direction="maximize")
    search(study)
    best = study.best_trial
    study.set_user_attr("summary", f"trial {best.number}: {best.value:.4f} with {best.params}")
    optuna.logging.get_logger("optuna").info(study.user_attrs["summary"])
