"""The bill of materials is valid CycloneDX, names what is installed, and has the same bytes for the same packages."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from evidence.sbom import Package, installed, sbom_bytes

PACKAGES = (
    Package(name="numpy", version="2.3.1", licences=("BSD-3-Clause",)),
    Package(name="both", version="1.0", licences=("MIT OR Apache-2.0",)),
    Package(name="named", version="1.0", licences=("Some licence of its own",)),
    Package(name="several", version="1.0", licences=("Mozilla Public License 1.1 (MPL 1.1)", "MIT AND ISC")),
    Package(name="silent", version="0.1+local.1"),
)


def problems(data: bytes) -> object:
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode())


@pytest.mark.parametrize("packages", [PACKAGES, installed(), ()], ids=["made up", "installed", "none"])
def test_it_keeps_to_the_schema_of_cyclonedx_1_6(packages: tuple[Package, ...]) -> None:
    data = sbom_bytes(packages)
    assert problems(data) is None
    document = json.loads(data)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")


def test_the_schema_check_finds_what_it_is_for() -> None:
    document = json.loads(sbom_bytes(PACKAGES)) | {"specVersion": 16}
    assert problems(json.dumps(document).encode()) is not None


def test_the_same_packages_give_the_same_bytes_in_any_order() -> None:
    assert sbom_bytes(PACKAGES) == sbom_bytes(reversed(PACKAGES))
    assert b"timestamp" not in sbom_bytes(PACKAGES)


def test_another_version_of_one_package_is_another_bill_with_another_serial_number() -> None:
    changed = (PACKAGES[0].model_copy(update={"version": "2.3.2"}), *PACKAGES[1:])
    serials = {json.loads(sbom_bytes(packages))["serialNumber"] for packages in (PACKAGES, changed)}
    assert len(serials) == 2
    assert all(serial.startswith("urn:uuid:") for serial in serials)


def test_a_licence_is_an_spdx_name_an_expression_or_the_words_of_the_package() -> None:
    stated = {entry["name"]: entry.get("licenses") for entry in json.loads(sbom_bytes(PACKAGES))["components"]}
    assert [one["license"]["id"] for one in stated["numpy"]] == ["BSD-3-Clause"]
    assert [one["expression"] for one in stated["both"]] == ["MIT OR Apache-2.0"]
    assert [one["license"]["name"] for one in stated["named"]] == ["Some licence of its own"]
    assert sorted(one["license"]["name"] for one in stated["several"]) == [
        "MIT AND ISC", "Mozilla Public License 1.1 (MPL 1.1)",
    ]  # fmt: skip
    assert stated["silent"] is None


def test_a_package_is_named_by_its_address_in_the_index() -> None:
    (entry,) = [entry for entry in json.loads(sbom_bytes(PACKAGES))["components"] if entry["name"] == "silent"]
    assert entry["purl"] == entry["bom-ref"] == "pkg:pypi/silent@0.1%2Blocal.1"


def test_it_lists_what_is_installed_here_once_each_by_the_normal_name() -> None:
    found = {package.name: package.version for package in installed()}
    assert len(found) == len(installed())
    assert found["cryptography"] == version("cryptography")
    assert found["pyyaml"] == version("PyYAML")


def test_it_does_not_claim_that_packages_need_nothing() -> None:
    assert "dependencies" not in json.loads(sbom_bytes(PACKAGES))


def test_what_was_imported_before_changes_nothing() -> None:
    script = "from evidence.sbom import installed; a = installed(); import setuptools; print(a == installed(), len(a))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    same, count = done.stdout.split()
    assert same == "True"
    assert int(count) > 100
