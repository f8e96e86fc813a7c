"""A bundle is checked with nothing but itself and a key, and whatever was changed in it is found and named."""

import io
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from domain.electronic_signature import ElectronicSignature
from domain.errors import IntegrityViolation, InvalidField, SignatureInvalid
from domain.model_version import ModelManifest
from evidence.bundle import FILES, pack, seal, unpack, verify
from evidence.signatures import signatures_bytes
from evidence.verdict import BundleVerdict

Files = dict[str, bytes]


def blamed(verdict: BundleVerdict) -> set[str]:
    return {check.file for check in verdict.failed}


def test_a_whole_bundle_is_verified_in_every_file(bundle: bytes, platform: Any) -> None:
    verdict = verify(bundle, public_key=platform.pem)
    assert verdict.ok
    assert verdict.trust == "key given"
    assert verdict.key_id == platform.keyid
    assert {check.status for check in verdict.checks} == {"verified"}
    assert {check.file for check in verdict.checks} == set(unpack(bundle))


def test_it_holds_what_the_issue_lists_and_says_how_to_check_it_by_hand(bundle: bytes) -> None:
    assert set(unpack(bundle)) == FILES | {
        "report.pdf", "README.txt", "attestation.dsse.json", "platform.pub.pem",
    }  # fmt: skip
    assert b"openssl pkeyutl -verify" in unpack(bundle)["README.txt"]


def test_the_verdict_lists_who_signed_in_which_role_with_what_meaning(bundle: bytes, platform: Any) -> None:
    verdict = verify(bundle, public_key=platform.pem)
    (signature,) = verdict.signatures
    assert (signature.signer.name, signature.signer.role, signature.meaning) == ("rosa", "clinician", "approval")
    said = {check.reason for check in verdict.checks if check.file == "signatures.json"}
    assert "approval by Dr. Rosa Müller (clinician) at 2026-11-25 12:00:00 UTC" in said


def test_with_the_key_inside_it_the_bundle_is_self_consistent_and_no_more(bundle: bytes) -> None:
    verdict = verify(bundle, public_key=None)
    assert verdict.ok
    assert verdict.trust == "self-consistent, key not checked"
    (unproven,) = [check for check in verdict.checks if check.status == "not_checked"]
    assert unproven.file == "platform.pub.pem"
    assert "no origin" in unproven.reason


def test_the_same_files_give_the_same_bundle(
    files: Files, bundle: bytes, manifest: ModelManifest, platform: Any
) -> None:
    shuffled = dict(random.Random(1).sample(sorted(files.items()), len(files)))
    assert seal(shuffled, manifest=manifest, sign=platform.sign, public_key=platform.pem) == bundle


def test_the_pdf_may_be_missing(files: Files, manifest: ModelManifest, platform: Any) -> None:
    without = {name: content for name, content in files.items() if name != "report.pdf"}
    assert verify(
        seal(without, manifest=manifest, sign=platform.sign, public_key=platform.pem), public_key=platform.pem
    ).ok


def test_checking_needs_no_heavy_library() -> None:
    probe = "import sys, evidence.bundle; print(*{name.partition('.')[0] for name in sys.modules})"
    imported = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"numpy", "pandas", "torch", "mlflow", "sqlalchemy", "prefect", "jinja2", "weasyprint", "cyclonedx"}
    assert "evidence" in imported
    assert set(imported) & heavy == set()


# Tampering


def test_every_flipped_byte_is_found_and_named(bundle: bytes, platform: Any) -> None:
    whole = unpack(bundle)
    starts = {name: bundle.index(name.encode() + content) + len(name) for name, content in whole.items()}
    bodies = {at: name for name, start in starts.items() for at in range(start, start + len(whole[name]))}
    headers = set(range(len(bundle))) - bodies.keys()
    for at in sorted(headers | set(range(0, len(bundle), 11))):
        flipped = bytearray(bundle)
        flipped[at] ^= 1 << at % 8
        blame = blamed(verify(bytes(flipped), public_key=platform.pem))
        assert blame
        assert blame == {bodies[at]} if at in bodies else blame <= {*whole, "the archive's own structure"}, (at, blame)


def test_a_byte_changed_by_someone_who_can_pack_is_found_and_named(bundle: bytes, platform: Any) -> None:
    draw, whole = random.Random(3), unpack(bundle)
    for name, content in whole.items():
        for _ in range(2 + 2000 // len(whole)):
            changed = bytearray(content)
            changed[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
            verdict = verify(pack(whole | {name: bytes(changed)}), public_key=platform.pem)
            assert name in blamed(verdict)


def test_two_files_that_changed_places_are_both_named(bundle: bytes, platform: Any) -> None:
    whole = unpack(bundle)
    swapped = whole | {"plan.yaml": whole["pccp.yaml"], "pccp.yaml": whole["plan.yaml"]}
    assert {"plan.yaml", "pccp.yaml"} <= blamed(verify(pack(swapped), public_key=platform.pem))


@pytest.mark.parametrize(
    "name", sorted(FILES | {"report.pdf", "README.txt", "attestation.dsse.json", "platform.pub.pem"})
)
def test_a_file_that_was_taken_out_is_named(bundle: bytes, name: str, platform: Any) -> None:
    rest = {other: content for other, content in unpack(bundle).items() if other != name}
    assert name in blamed(verify(pack(rest), public_key=platform.pem))


def test_a_renamed_file_is_missing_and_too_many(bundle: bytes, platform: Any) -> None:
    whole = unpack(bundle)
    whole["report.old.json"] = whole.pop("report.json")
    assert {"report.json", "report.old.json"} <= blamed(verify(pack(whole), public_key=platform.pem))


def test_an_added_file_is_named_and_attesting_it_does_not_help(
    bundle: bytes, platform: Any, attest_anyway: Callable[..., bytes]
) -> None:
    more = unpack(bundle) | {"note.txt": b"trust me"}
    assert blamed(verify(pack(more), public_key=platform.pem)) == {"note.txt"}
    assert blamed(verify(attest_anyway(more), public_key=platform.pem)) == {"note.txt"}


def test_a_bundle_by_another_platform_is_refused(
    files: Files, manifest: ModelManifest, platform: Any, other_platform: Any
) -> None:
    theirs = seal(files, manifest=manifest, sign=other_platform.sign, public_key=other_platform.pem)
    assert verify(theirs, public_key=other_platform.pem).ok
    assert verify(theirs, public_key=None).ok
    assert blamed(verify(theirs, public_key=platform.pem)) == {"attestation.dsse.json", "platform.pub.pem"}


def test_the_true_platforms_key_put_into_a_forged_bundle_does_not_help(
    files: Files, platform: Any, other_platform: Any, attest_anyway: Callable[..., bytes]
) -> None:
    forged = unpack(attest_anyway(files, by=other_platform)) | {"platform.pub.pem": platform.pem}
    for key in (platform.pem, None):
        assert "attestation.dsse.json" in blamed(verify(pack(forged), public_key=key))


def test_something_that_is_no_key_is_not_a_reason_to_trust(bundle: bytes) -> None:
    for key in (b"", b"not a key"):
        with pytest.raises(SignatureInvalid, match="not an Ed25519 key"):
            verify(bundle, public_key=key)


def test_a_file_that_only_holds_a_key_is_no_key(bundle: bytes, platform: Any, other_platform: Any) -> None:
    assert verify(bundle, public_key=b"\n" + platform.pem + b"\n").ok
    for key in (bundle, platform.pem + other_platform.pem, b"# ours\n" + platform.pem, platform.pem + b"\n" * 1024):
        with pytest.raises(SignatureInvalid, match="not an Ed25519 key"):
            verify(bundle, public_key=key)


# Packed again by another tool


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


STRUCTURE = "the archive's own structure"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_packed_again_by_another_tool_it_is_refused_and_what_was_edited_is_named(
    bundle: bytes, platform: Any, method: int
) -> None:
    whole = unpack(bundle)
    for key in (platform.pem, None):
        assert blamed(verify(zipped(whole, method), public_key=key)) == {STRUCTURE}
        edited = whole | {"report.json": whole["report.json"].replace(b"0", b"1"), "note.txt": b"trust me"}
        del edited["ledger.json"]
        verdict = verify(zipped(edited, method), public_key=key)
        assert blamed(verdict) == {STRUCTURE, "report.json", "note.txt", "ledger.json"}
        assert verdict.signatures == ()


def test_packed_again_the_attestation_is_still_checked_with_the_key_that_was_given(
    bundle: bytes, platform: Any, other_platform: Any
) -> None:
    verdict = verify(zipped(unpack(bundle)), public_key=other_platform.pem)
    assert blamed(verdict) == {STRUCTURE, "attestation.dsse.json", "platform.pub.pem"}


@pytest.mark.parametrize("spoil", ["method", "twice", "bomb", "many", "escape", "encrypted", "cut"])
def test_what_cannot_be_read_within_bounds_is_refused_by_its_structure_alone(
    bundle: bytes, platform: Any, spoil: str
) -> None:
    whole = unpack(bundle)
    if spoil == "method":
        data = zipped(whole, zipfile.ZIP_BZIP2)
    elif spoil == "twice":
        data = zipped(whole | {"report.jsoN": b""}).replace(b"report.jsoN", b"report.json")
    elif spoil == "bomb":
        data = zipped(whole | {"report.json": bytes(2**26 + 1)})
    elif spoil == "many":
        data = zipped(whole | {f"{number}.txt": b"" for number in range(64)})
    elif spoil == "escape":
        data = zipped(whole | {"\x1b[2J": b""})
    elif spoil == "encrypted":
        data = encrypted(zipped(whole))
    else:
        data = zipped(whole)[:-30]
    assert blamed(verify(data, public_key=platform.pem)) == {STRUCTURE}


def encrypted(data: bytes) -> bytes:
    """The first file in the directory says that it is encrypted."""
    flags = data.index(b"PK\x01\x02") + 8
    return data[:flags] + b"\x01" + data[flags + 1 :]


# Sealing


def test_a_bundle_that_contradicts_itself_is_never_written(
    files: Files, manifest: ModelManifest, platform: Any, sign_report: Callable[..., ElectronicSignature]
) -> None:
    wrong = files | {"signatures.json": signatures_bytes([sign_report(b"another report")])}
    with pytest.raises(IntegrityViolation, match=r"contradicts itself: signatures\.json"):
        seal(wrong, manifest=manifest, sign=platform.sign, public_key=platform.pem)


def test_a_bundle_is_not_sealed_with_a_key_that_is_not_the_one_shown(
    files: Files, manifest: ModelManifest, platform: Any, other_platform: Any
) -> None:
    with pytest.raises(IntegrityViolation, match=r"attestation\.dsse\.json"):
        seal(files, manifest=manifest, sign=other_platform.sign, public_key=platform.pem)


def test_what_is_missing_or_too_much_is_listed(files: Files, manifest: ModelManifest, platform: Any) -> None:
    wrong = {name: content for name, content in files.items() if name != "plan.yaml"} | {"notes.txt": b""}
    with pytest.raises(InvalidField, match=r"notes\.txt, plan\.yaml"):
        seal(wrong, manifest=manifest, sign=platform.sign, public_key=platform.pem)
