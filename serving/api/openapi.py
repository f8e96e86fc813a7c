"""The OpenAPI document: FastAPI's, with an example of everything and problems under their own media type."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter

from serving.api import examples
from serving.api.schemas import Problem
from serving.problems import MEDIA_TYPE

JSON = "application/json"
_STUDY = {"answered": examples.STUDY, "accepted": examples.ACCEPTED}
_PREDICTION = {
    "done": examples.DONE,
    "abstained": examples.ABSTAINED,
    "pending": examples.PENDING,
    "refused": examples.REFUSED,
    "failed": examples.FAILED,
}
Document = dict[str, Any]


def problems(*statuses: int) -> dict[int | str, Document]:
    """What a route declares of the problems it may answer with."""
    return {status: {"model": Problem} for status in statuses}


PROTECTED = problems(401, 403, 429)  # of every route that asks for a right


def complete(app: FastAPI) -> None:
    """Have the application give the document with examples."""
    plain = app.openapi

    def with_examples() -> Document:
        return app.openapi_schema or _with_examples(plain())  # FastAPI keeps what it gives, and this completes it

    app.openapi = with_examples  # type: ignore[method-assign]


def _with_examples(document: Document) -> Document:
    schemas = document["components"]["schemas"]
    for name, example in _example_of_each_type().items():
        if name in schemas:
            schemas[name]["examples"] = [example]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(operation, path=path)
    return document


def _complete(operation: Document, *, path: str) -> None:
    parameters, responses = operation.get("parameters", ()), operation["responses"]
    for parameter in parameters:
        parameter["example"] = examples.PARAMETERS.get(parameter["name"])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = examples.REQUESTS.get(path)
    if "requestBody" not in operation and not any(parameter["in"] == "query" for parameter in parameters):
        responses.pop("422", None)  # there is nothing that could be invalid
    for status, response in responses.items():
        if int(status) >= 400:
            response["description"], response["content"] = _problem(int(status), path=path)
        for media_type, content in response.get("content", {}).items():
            if media_type == JSON:
                content["examples"] = _named(_answers(content["schema"], status, waits="202" in responses))
            elif path in examples.TEXTS and media_type.startswith("text/plain"):
                content["example"] = examples.TEXTS[path]


def _problem(status: int, *, path: str) -> tuple[str, Document]:
    found = examples.problems_of(status, path=path)
    schema = {"$ref": "#/components/schemas/Problem"}
    return " / ".join(one.title for one in found.values()), {MEDIA_TYPE: {"schema": schema, "examples": _named(found)}}


def _answers(schema: Document, status: str, *, waits: bool) -> Mapping[str, BaseModel]:
    if "oneOf" in schema:
        return _PREDICTION
    name = schema.get("$ref", "").rpartition("/")[2]
    if name != "StudyView":  # a type without an example is found by tests/unit/serving/test_openapi.py
        found = next((answer for answer in examples.ANSWERS if type(answer).__name__ == name), None)
        return {name: found} if found else {}
    return {state: study for state, study in _STUDY.items() if not waits or (state == "accepted") == (status == "202")}


def _named(models: Mapping[str, BaseModel]) -> Document:
    return {name: {"value": _shown(model)} for name, model in models.items()}


def _shown(part: Any) -> Document:
    shown: Document = TypeAdapter(type(part)).dump_python(part, mode="json", exclude_none=isinstance(part, Problem))
    return shown


def _example_of_each_type() -> dict[str, Document]:
    """The first value of each of our types within the examples."""
    found: dict[str, Document] = {}
    for model in (*examples.ANSWERS, *examples.BODIES, *examples.problems_of(422, path="").values()):
        for part in _parts(model):
            found.setdefault(type(part).__name__, _shown(part))
    return found


def _parts(value: Any) -> Iterator[Any]:
    """Every model and dataclass within a value, itself among them."""
    names = type(value).model_fields if isinstance(value, BaseModel) else getattr(value, "__dataclass_fields__", None)
    if names is not None:
        yield value
        for name in names:
            yield from _parts(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _parts(item)
