"""The OpenAPI document keeps its word: its version is true, everything has an example, and every example is valid."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from serving.problems import MEDIA_TYPE

Document = dict[str, Any]
ANONYMOUS = {"/api/v1/about", "/api/v1/token", "/healthz", "/readyz", "/metrics"}
PICTURES = "image/png"


@pytest.fixture
def document(client: Any) -> Document:
    found: Document = client.get("/openapi.json", auth=None).json()
    return found


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def media(operation: Document) -> Iterator[tuple[str, str, Document]]:
    """Status (or ``request``), media type and content of everything an operation takes or answers."""
    bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
    for where, body in bodies.items():
        for media_type, content in body.get("content", {}).items():
            yield where, media_type, content


def values(content: Document) -> list[Any]:
    named = [example["value"] for example in content.get("examples", {}).values()]
    return named + ([content["example"]] if "example" in content else [])


def complaints(value: Any, schema: Document, document: Document) -> list[str]:
    validator = Draft202012Validator({**schema, "components": document["components"]})
    return [error.message for error in validator.iter_errors(value)]


def test_it_is_openapi_3_1_and_its_schemas_are_json_schema_2020_12(document: Document) -> None:
    assert document["openapi"] == "3.1.0"
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert '"nullable"' not in json.dumps(document)  # 3.0's own word


def test_everything_that_is_taken_or_answered_has_an_example(document: Document) -> None:
    without = {
        f"{name} {where} {media_type}"
        for name, operation in operations(document)
        for where, media_type, content in media(operation)
        if media_type != PICTURES and not values(content)
    }
    assert without == set()


def test_every_example_of_a_request_or_an_answer_is_valid(document: Document) -> None:
    examples = [
        (f"{name} {where}", value, content.get("schema", {}))
        for name, operation in operations(document)
        for where, _, content in media(operation)
        for value in values(content)
    ]
    assert len(examples) > 50
    assert {name: found for name, value, schema in examples if (found := complaints(value, schema, document))} == {}


def test_every_object_has_an_example_that_is_valid(document: Document) -> None:
    schemas = {name: s for name, s in document["components"]["schemas"].items() if s.get("type") == "object"}
    forms = {name for name in schemas if name.startswith("Body_")}  # their examples stand beside them in the operation
    assert {name for name, schema in schemas.items() if not schema.get("examples")} == forms
    for name, schema in schemas.items():
        for example in schema.get("examples", ()):
            assert complaints(example, schema, document) == [], name


def test_every_example_of_a_member_or_parameter_is_valid(document: Document) -> None:
    for name, schema in document["components"]["schemas"].items():
        for member, described in schema.get("properties", {}).items():
            for example in described.get("examples", ()):
                assert complaints(example, described, document) == [], f"{name}.{member}"
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert complaints(parameter["example"], parameter["schema"], document) == [], f"{name} {parameter['name']}"


def test_every_protected_operation_declares_how_it_refuses(document: Document) -> None:
    for name, operation in operations(document):
        path = name.partition(" ")[2]
        assert bool(operation.get("security")) == (path not in ANONYMOUS), name
        if path in ANONYMOUS:
            continue
        needed = {"401", "429"} if path == "/api/v1/me" else {"401", "403", "429"}
        assert needed <= set(operation["responses"]), name


def test_every_problem_is_declared_as_a_problem_document_of_its_status(document: Document) -> None:
    for name, operation in operations(document):
        for where, media_type, content in media(operation):
            if not where.isdecimal() or int(where) < 400:
                assert media_type != MEDIA_TYPE
                continue
            assert (media_type, content["schema"]) == (MEDIA_TYPE, {"$ref": "#/components/schemas/Problem"}), name
            assert {value["status"] for value in values(content)} == {int(where)}, name


@pytest.mark.parametrize(
    ("auth", "path", "status"),
    [(None, "/api/v1/me", 401), (("engineer", "pw engineer"), "/api/v1/studies/{study_id}", 403),
     (("clinician", "pw clinician"), "/api/v1/studies/{study_id}", 404),
     (("clinician", "pw clinician"), "/api/v1/predictions/{prediction_id}", 404)],
)  # fmt: skip
def test_a_problem_that_is_sent_is_of_the_declared_shape_and_its_example_of_the_same_code(
    auth: tuple[str, str] | None, path: str, status: int, client: Any, document: Document
) -> None:
    sent = client.get(path.replace("{", "").replace("}", ""), auth=auth)
    declared = document["paths"][path]["get"]["responses"][str(status)]["content"][MEDIA_TYPE]
    assert sent.status_code == status
    assert complaints(sent.json(), declared["schema"], document) == []
    assert sent.json()["code"] in declared["examples"]


def test_an_answer_that_is_sent_is_of_the_declared_shape(client: Any, film: Any, document: Document) -> None:
    fields = {"patient_id": "P-1", "modality": "DX", "body_part_examined": "CHEST", "view_position": "PA"}
    sent = client.post("/api/v1/studies", files={"files": ("f", film())}, data=fields)
    declared = document["paths"]["/api/v1/studies"]["post"]["responses"][str(sent.status_code)]["content"]
    assert complaints(sent.json(), declared["application/json"]["schema"], document) == []
