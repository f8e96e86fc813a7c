"""What every file in ``models/tasks`` must keep, so that training, validation and serving can rely on it."""

import subprocess
import sys

import pytest

from data.sources import get_source, list_sources
from domain.errors import UnknownTask
from models.tasks import get_task, list_tasks


@pytest.mark.parametrize("name", list_tasks())
def test_the_file_name_is_the_task_name(name: str) -> None:
    assert get_task(name).name == name


@pytest.mark.parametrize("name", list_tasks())
def test_the_task_states_whom_it_is_for(name: str) -> None:
    use = get_task(name).intended_use

    assert len(use.statement.split()) > 10
    assert use.modalities
    assert use.body_parts
    assert use.view_positions


@pytest.mark.parametrize("name", list_tasks())
def test_the_finding_is_a_coded_concept(name: str) -> None:
    finding = get_task(name).finding

    assert finding.value
    assert finding.scheme_designator
    assert finding.meaning


@pytest.mark.parametrize("name", list_tasks())
def test_it_learns_from_development_sources_only_and_has_a_synthetic_substitute(name: str) -> None:
    task = get_task(name)

    assert {task.source, task.substitute, *task.external_sources, *task.substitute_externals} <= set(list_sources())
    assert get_source(task.source).card.use == "development"
    assert get_source(task.substitute).card.synthetic
    assert all(get_source(source).card.use == "external" for source in task.external_sources)
    assert task.source not in task.external_sources


@pytest.mark.parametrize("name", list_tasks())
def test_acceptance_criteria_are_declared_before_any_result(name: str) -> None:
    task = get_task(name)

    assert task.accept
    assert 0.5 < task.min_sensitivity < 1


@pytest.mark.parametrize("name", list_tasks())
def test_it_is_accepted_on_discrimination_first_and_a_bound_on_sensitivity_lies_below_what_is_aimed_at(
    name: str,
) -> None:
    task = get_task(name)
    bounds = {criterion.metric: criterion.lower_bound for criterion in task.accept}

    assert bounds["auroc"] >= 0.8
    assert bounds.get("sensitivity", 0) < task.min_sensitivity


@pytest.mark.parametrize("name", list_tasks())
def test_every_preset_can_be_built_and_the_baselines_grid_fits(name: str) -> None:
    for preset in get_task(name).presets.values():
        assert preset.preprocessing.size_px % preset.baseline_grid_px == 0
        assert preset.epochs >= 1
        assert preset.patience >= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", list_tasks())
def test_every_network_gives_a_logit_a_map_and_an_embedding(name: str) -> None:
    import torch

    from models import networks

    for preset in get_task(name).presets.values():
        size = preset.preprocessing.size_px
        with torch.inference_mode():
            output = networks.forward(networks.build(preset.network, seed=1).eval(), torch.zeros(2, 1, size, size))

        assert output.logit.shape == (2,)
        assert output.activation_map.ndim == 3
        assert output.embedding.ndim == 2
        assert torch.allclose(output.activation_map.mean(dim=(1, 2)), output.logit)


@pytest.mark.parametrize("name", list_tasks())
def test_parameters_of_a_run_are_flat_and_name_everything_that_decides_it(name: str) -> None:
    parameters = get_task(name).parameters("smoke")

    assert {"preset", "epochs", "learning_rate", "network.kind", "augmentation.kind", "loss.kind"} <= parameters.keys()
    assert not any(isinstance(value, dict) for value in parameters.values())


def test_an_unknown_task_is_named_with_those_that_exist() -> None:
    with pytest.raises(UnknownTask, match=list_tasks()[0]):
        get_task("no_such_task")


def test_reading_a_task_needs_neither_torch_nor_monai() -> None:
    program = (
        "import sys; from models.tasks import get_task, list_tasks; [get_task(name) for name in list_tasks()]; "
        "sys.stdout.write(' '.join({'torch', 'monai', 'mlflow'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert finished.stdout == ""
