"""Rules that hold for every type of the vocabulary."""

import importlib
import inspect
import pkgutil

import pytest
from pydantic import BaseModel

import domain
from domain.audit import AuditAction
from domain.drift import IMAGE_FEATURES

MODELS = sorted(
    {
        value
        for module in pkgutil.iter_modules(domain.__path__)
        for _, value in inspect.getmembers(importlib.import_module(f"domain.{module.name}"), inspect.isclass)
        if issubclass(value, BaseModel) and value.__module__.startswith("domain.")
    },
    key=lambda model: model.__name__,
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_type_is_frozen_and_says_what_it_is(model: type[BaseModel]) -> None:
    assert model.model_config.get("frozen") is True
    assert model.__doc__


def test_image_features_have_distinct_names() -> None:
    assert len(set(IMAGE_FEATURES)) == len(IMAGE_FEATURES) == 12


def test_audit_actions_read_as_noun_and_past_participle() -> None:
    assert all(action.value.count(".") == 1 for action in AuditAction)
