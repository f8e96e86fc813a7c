"""A database, a store, manifests, films and the facade's application for the tests of serving."""

import functools
import io
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from PIL import Image
from starlette.applications import Starlette

from domain.access import Principal, UserRole
from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.identifiers import DEFAULT_TENANT, sha256_of
from domain.intended_use import ImageAttributes, IntendedUse
from domain.level import LEVELS, LevelName
from domain.model_version import ModelManifest, OperatingPoint
from domain.preprocessing import Preprocessing
from imaging.limits import Limits
from infra import logs
from infra.db.session import Database
from infra.objects import ObjectStore
from serving.api.app import build_app
from serving.api.deps import Facade
from serving.api.metrics import Metrics
from serving.authentication import BasicAuthenticator, TokenAuthenticator, accounts_of
from serving.intake import Declared, Intake

TENANT = DEFAULT_TENANT
CLINICIAN = ("clinician", "pw clinician")
MAX_UPLOAD = 300_000
METRICS = Metrics()


@pytest.fixture(autouse=True, scope="session")
def terse_logs() -> None:
    """Our own formatter; structlog's default draws each traceback with all its values, which takes seconds."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure()
    root.handlers, root.level = handlers, level


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("migrated") / "platform.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> Iterator[Database]:
    """An empty, migrated SQLite database."""
    shutil.copy(migrated, tmp_path / "platform.db")
    database = Database(f"sqlite:///{tmp_path / 'platform.db'}")
    yield database
    database.close()


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    """An empty object store."""
    return ObjectStore(tmp_path / "objects")


@pytest.fixture
def clinician() -> Principal:
    """A clinician of the default tenant."""
    return Principal(name="clinician", tenant=TENANT, role=UserRole.CLINICIAN)


@pytest.fixture
def intake(database: Database, objects: ObjectStore) -> Intake:
    """Intake at the starter level."""
    return Intake(
        database=database,
        objects=objects,
        limits=Limits(max_bytes=2**20, max_pixels=10**6, min_side_px=32),
        dicom_scope="basic",
        pseudonym_key=b"p" * 32,
    )


@pytest.fixture
def film() -> Callable[..., bytes]:
    """Makes PNG films; the seed makes the difference."""

    def make(seed: int = 0, *, rows: int = 64, columns: int = 48) -> bytes:
        pixels = np.random.default_rng(seed).integers(0, 255, (rows, columns), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="PNG")
        return buffer.getvalue()

    return make


@pytest.fixture
def declared() -> Callable[..., Declared]:
    """Makes declarations inside the intended use, with changes."""

    def make(**changes: Any) -> Declared:
        stated = {"modality": "DX", "body_part_examined": "CHEST", "view_position": "PA", "age_years": 4.0}
        patient_id = changes.pop("patient_id", "patient-1")
        return Declared(ImageAttributes(**{**stated, **changes}), patient_id=patient_id, site="north")

    return make


@pytest.fixture
def manifest() -> Callable[..., ModelManifest]:
    """Makes manifests of task ``chest``, with changes."""

    def make(**changes: Any) -> ModelManifest:
        facts: dict[str, Any] = {
            "task": "chest", "title": "Chest", "version": 1, "variant": "network-seed1", "demo": False,
            "intended_use": IntendedUse(
                statement="Pneumonia on frontal chest films of children.", modalities=frozenset({"DX", "CR"}),
                body_parts=frozenset({"CHEST"}), view_positions=frozenset({"PA", "AP"}), max_age_years=18,
            ),
            "finding": PNEUMONIA, "preprocessing": Preprocessing(size_px=32),
            "operating_point": OperatingPoint(threshold=0.4, rule="test", chosen_on="tune"),
            "engine": "onnxruntime", "explains": True, "parameters": 1, "weights_sha256": sha256_of(b"w"),
            "model_sha256": sha256_of(b"m"), "report_sha256": sha256_of(b"r"),
            "dataset_version": DatasetVersion(
                source="phantom", distribution="generated", digest=sha256_of(b"d"), synthetic=True, counts={},
                excluded={}, shards={},
            ),
            "run_id": "run-1", "git_commit": "c" * 40, "git_dirty": False, "seed": 1, "performance": (),
            "criteria": (), "reference_answers": (), "approver": "Dr Ada",
        }  # fmt: skip
        return ModelManifest(**{**facts, **changes})

    return make


class Client:
    """The application's own client: httpx inside an event loop of its own."""

    def __init__(self, app: Starlette, portal: BlockingPortal) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://facade")
        self._portal = portal
        self.facade: Facade = app.state.facade
        self.auth: tuple[str, str] | None = None

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        request = functools.partial(self._client.request, method, path, **{"auth": self.auth, **options})
        return self._portal.call(request)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)


@pytest.fixture(scope="module")
def apps() -> dict[str, Starlette]:
    """The application, built once (0.2 s) and given new parts by each test."""
    return {}


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def build(
    database: Database, objects: ObjectStore, intake: Intake, portal: BlockingPortal, apps: dict[str, Starlette]
) -> Callable[[LevelName], Client]:
    def at(level: LevelName) -> Client:
        facade = Facade(
            tenant=DEFAULT_TENANT, level=LEVELS[level], authentication=LEVELS[level].authentication,
            database=database, objects=objects, intake=intake, limits=Limits(min_side_px=32),
            accounts=BasicAuthenticator(accounts_of(DEFAULT_TENANT, password_of=lambda name: f"pw {name}")),
            tokens=TokenAuthenticator(b"s" * 32), metrics=METRICS, max_upload_bytes=MAX_UPLOAD, upload_patience_s=0.05,
        )  # fmt: skip
        apps["app"] = apps.get("app") or build_app(facade, version="1.2.3")
        apps["app"].state.facade = facade
        return Client(apps["app"], portal)

    return at


@pytest.fixture
def client(build: Callable[[LevelName], Client]) -> Client:
    client = build(LevelName.STARTER)
    client.auth = CLINICIAN
    return client


@pytest.fixture
def enhanced(build: Callable[[LevelName], Client]) -> Client:
    return build(LevelName.ENHANCED)
