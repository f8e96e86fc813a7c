"""The software bill of materials: what was installed when a model was validated, as CycloneDX 1.6 (ECMA-424)."""

import json
import re
import sysconfig
import uuid
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from domain.canonical import canonical_json
from evidence.strict import Record

_LONGEST_NAME = 100  # characters; what is longer is the licence's text, not its name
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:fiducial:sbom")


class Package(Record):
    """One installed distribution."""

    name: str  # normalised (PEP 503)
    version: str
    licences: tuple[str, ...] = ()  # as the distribution states them


def installed() -> tuple[Package, ...]:
    """What is installed in this environment, by name.

    Asked of the environment's folders, not of the import path: setuptools puts its private copies there once it is
    imported, and the list must not depend on what ran before.
    """
    found: dict[str, Package] = {}
    folders = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    for distribution in distributions(path=list(folders)):
        stated = distribution.metadata["Name"]
        if stated:  # a removal that was cut short leaves a folder without metadata
            name = re.sub(r"[-_.]+", "-", stated).lower()
            found.setdefault(name, Package(name=name, version=distribution.version, licences=_licences(distribution)))
    return tuple(found[name] for name in sorted(found))


def sbom_bytes(packages: Iterable[Package]) -> bytes:
    """``sbom.cdx.json``: the same packages give the same bytes, so there is no time in it and the serial number is
    derived from the rest (RFC 9562, version 5).

    Which package needs which is left out: an entry without dependencies would claim that there are none.
    """
    bom = Bom(components=[_component(package) for package in packages])
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    for key in ("serialNumber", "metadata", "dependencies"):
        document.pop(key, None)
    document["components"] = sorted(document.get("components", []), key=lambda entry: str(entry["bom-ref"]))
    document["serialNumber"] = uuid.uuid5(_NAMESPACE, canonical_json(document).decode()).urn
    return (json.dumps(document, sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()


def _component(package: Package) -> Component:
    purl = PackageURL(type="pypi", name=package.name, version=package.version)
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=_stated(package.licences),
    )


def _stated(licences: tuple[str, ...]) -> list[License]:
    factory, declared = LicenseFactory(), LicenseAcknowledgement.DECLARED
    if len(licences) == 1:
        return [factory.make_from_string(licences[0], license_acknowledgement=declared)]
    # CycloneDX 1.6: an expression stands alone; of several statements each is a name, as the distribution has it.
    made = [factory.make_from_string(licence, license_acknowledgement=declared) for licence in licences]
    return [
        factory.make_with_name(licence, acknowledgement=declared) if isinstance(one, LicenseExpression) else one
        for licence, one in zip(licences, made, strict=True)
    ]


def _licences(distribution: Distribution) -> tuple[str, ...]:
    """The expression (PEP 639), else a short statement, else the classifiers; the best known comes first."""
    metadata = distribution.metadata
    lines = (metadata.get_all("License-Expression") or []) + (metadata.get_all("License") or [])
    stated = lines[0].strip() if lines else ""
    if stated and "\n" not in stated and len(stated) <= _LONGEST_NAME and stated.upper() != "UNKNOWN":
        return (stated,)
    classifiers = metadata.get_all("Classifier") or []
    named = {line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")}
    return tuple(sorted(named - {"OSI Approved"}))
