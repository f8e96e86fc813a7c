"""Composition root of the facade: ``python -m serving.wiring.api``."""

from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI

from infra.db.session import Database
from infra.objects import ObjectStore
from infra.secrets import Secrets
from infra.settings import Settings
from serving.api.app import build_app
from serving.api.deps import Facade
from serving.api.metrics import Metrics
from serving.authentication import BasicAuthenticator, TokenAuthenticator, accounts_of
from serving.intake import Intake
from serving.wiring.common import limits_of, run, serve, start


def build(settings: Settings, database: Database) -> FastAPI:
    """The facade of an installation."""
    secrets = Secrets(settings.secrets)
    objects = ObjectStore(settings.objects)
    limits = limits_of(settings)
    facade = Facade(
        tenant=settings.tenant,
        level=settings.limits_of_level,
        authentication=settings.authentication_in_force,
        database=database,
        objects=objects,
        intake=Intake(
            database=database,
            objects=objects,
            limits=limits,
            dicom_scope=settings.limits_of_level.dicom,
            pseudonym_key=secrets.pseudonym_key,
        ),
        limits=limits,
        accounts=BasicAuthenticator(accounts_of(settings.tenant, password_of=secrets.password)),
        tokens=TokenAuthenticator(secrets.signing_key),
        metrics=Metrics(),
        max_upload_bytes=settings.max_upload_bytes,
    )
    return build_app(facade, version=_version())


def main() -> None:
    """Serve the facade until told to stop."""
    settings, database = start()
    serve(build(settings, database), host=settings.host, port=settings.api_port)


def _version() -> str:
    try:
        return version("fiducial")
    except PackageNotFoundError:
        return "0.0.0+source"


if __name__ == "__main__":
    run(main)
