"""A generated password is shown once, when it is made, and never again."""

from pathlib import Path

from infra.settings import Settings
from pipelines import servers
from pipelines.wiring import Offline


def test_a_generated_password_is_shown_the_first_time_only(tmp_path: Path) -> None:
    root = Offline(Settings(home=tmp_path))
    first = servers.password_line(root)
    password = (tmp_path / "secrets" / "clinician.password").read_text().strip()
    assert f"clinician with the password {password} (shown once" in first
    again = servers.password_line(Offline(Settings(home=tmp_path)))
    assert password not in again
    assert again == f"Sign in as clinician; the password is in {tmp_path / 'secrets' / 'clinician'}.password"
