"""What a validation needs besides the stage: the champion's bytes beside the data, and who opens the test set."""

from pathlib import Path

from domain.errors import NotFound
from models import champion
from pipelines import opening, plans
from pipelines.results import read_trained
from pipelines.wiring import Offline


def get_ready(task: str, *, by: str, root: Offline) -> None:
    """Lay the champion in force beside the data for the paired comparison, and leave the validator's name.

    The champion is not laid out anew once it is the first variant trained here: a report must not change because its
    own model was promoted. A demonstration is no predecessor of a model trained on real films.

    Raises:
        UnknownTask, NotFound: there is no such task, or nothing was trained yet.
        InvalidPlan: the task's plan or change control plan does not keep to its schema.
    """
    trained = read_trained(task)
    plans.plan_of(task, folder=root.copy)
    plans.change_control_of(task, folder=root.copy)
    folder = root.store("champion", task)
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        policy = work.traffic.current(task)
        served = work.model_versions.get(task, policy.champion) if policy else None
    if served is not None and served.manifest.demo and not trained[0].dataset_version.synthetic:
        champion.lay_out(folder, None, None)
    elif served is None or served.manifest.model_sha256 == trained[0].model_sha256:
        if not folder.is_dir():
            champion.lay_out(folder, None, None)
    else:
        champion.lay_out(folder, served.manifest, _model(served.bento_path))
    opening.announce(root.copy, by=by)


def _model(bento_path: str) -> bytes:
    file = Path(bento_path) / "src" / "model" / "model.onnx"
    if not file.is_file():
        raise NotFound(
            f"The champion's model is not at {file}.", next_step="`fiducial package` builds its Bento again."
        )
    return file.read_bytes()
