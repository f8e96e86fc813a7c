"""From the clinical level on a model serves only when those whom the change control plan names signed its report."""

import shutil
from typing import Any

import pytest

from domain.electronic_signature import ElectronicSignature, SignatureMeaning, SignerRole
from domain.errors import Conflict, CriteriaNotMet, ForbiddenByLevel, NotFound, SignatureRefused
from domain.level import LevelName
from pipelines import kept_evidence, promotion, signing
from pipelines.wiring import Offline

pytestmark = pytest.mark.slow
TASK = "chest_xray_pneumonia"
PEOPLE = {"eva": SignerRole.ENGINEER, "carl": SignerRole.CLINICIAN, "quinn": SignerRole.QUALITY}
ASKED = {"eva": SignatureMeaning.AUTHOR, "carl": SignatureMeaning.REVIEW, "quinn": SignatureMeaning.APPROVAL}
PASSPHRASE = "correct horse battery"


@pytest.fixture
def signers(validated: Any) -> Any:
    """An installation with a validated model and one signer of each role."""
    for name, role in PEOPLE.items():
        signing.add_signer(name, printed_name=name.title(), role=role, passphrase=passphrase(name), root=validated.root)
    return validated


def passphrase(name: str) -> str:
    return f"{PASSPHRASE} of {name}"


def sign(
    installation: Any, name: str, *, meaning: str = "", said: str = "", variant: str = "network-seed1"
) -> ElectronicSignature:
    return signing.sign_report(
        TASK, variant, name=name, passphrase=said or passphrase(name),
        meaning=SignatureMeaning(meaning) if meaning else ASKED[name], root=installation.root,
    )  # fmt: skip


def promote(installation: Any, by: str) -> promotion.Promotion:
    """At the clinical level, for this call alone: it could not be started on SQLite."""
    clinical = Offline(installation.root.settings.model_copy(update={"level": LevelName.CLINICAL}))
    try:
        return promotion.put_in_force(TASK, approver=by, root=clinical)
    finally:
        clinical.database.close()


def test_promotion_waits_for_every_signature_that_the_plan_asks_for(signers: Any) -> None:
    for missing in ({"author", "review", "approval"}, {"review", "approval"}, {"approval"}):
        with pytest.raises(CriteriaNotMet) as refused:
            promote(signers, "quinn")
        named = {name for name in ("author", "review", "approval") if f"signature_{name}:" in refused.value.what}
        assert (named, signers.in_force()) == (missing, None)
        sign(signers, next(name for name, meaning in ASKED.items() if meaning in missing))
    promoted = promote(signers, "quinn")
    assert promoted.approver == "quinn"
    assert {check.name for check in promoted.decisions[0].checks if check.kind == "signature" and check.met} == {
        "signature_author", "signature_review", "signature_approval",
    }  # fmt: skip
    assert signers.in_force() == promoted.policy


def test_what_demo_approves_does_not_count_even_when_everybody_signed(signers: Any) -> None:
    for name in PEOPLE:
        sign(signers, name)
    with pytest.raises(ForbiddenByLevel, match="'demo' approves nothing"):
        promote(signers, "demo")
    assert signers.in_force() is None


def test_a_signature_on_an_earlier_report_does_not_count(signers: Any) -> None:
    for name in PEOPLE:
        sign(signers, name)
    signers.validated("worse")
    with pytest.raises(CriteriaNotMet) as refused:
        promote(signers, "quinn")
    for name in ("author", "review", "approval"):
        assert f"signature_{name}:" in refused.value.what


def test_what_was_promoted_without_signatures_is_no_answer_once_they_are_asked_for(promoted: Any) -> None:
    before = promoted.in_force()
    with pytest.raises(CriteriaNotMet, match="signature_author: found"):
        promote(promoted, "Dr. First")  # who promoted it before
    assert promoted.in_force() == before


def test_a_network_signed_later_stays_a_shadow_without_evidence_until_it_is_compared_with_the_champion(
    signers: Any,
) -> None:
    second = "network-seed2"
    shutil.copytree(signers.trainings.checkpoints("second") / second, signers.root.store("checkpoints", TASK, second))
    assert signers.stage() == 0
    for name in PEOPLE:
        sign(signers, name)
    first = promote(signers, "quinn").policy
    assert (first.challengers, len(first.shadows)) == ((), 2)
    with pytest.raises(NotFound, match="No evidence of"):
        kept_evidence.names_kept(TASK, first.shadows[0], root=signers.root)
    for name in PEOPLE:
        sign(signers, name, variant=second)
    assert promote(signers, "quinn").policy == first


def test_a_role_that_may_not_sign_so_is_refused_and_in_the_audit_trail(signers: Any) -> None:
    with pytest.raises(SignatureRefused, match="eva, engineer, may not sign as approval") as refused:
        sign(signers, "eva", meaning="approval")
    assert "approval by quality" in refused.value.next_step
    assert signers.audited(signers.report_sha256()) == [("signing.refused", "eva", "failure")]
    assert signers.signatures() == ()


def test_a_wrong_passphrase_and_an_unknown_name_are_refused_in_the_same_words_and_recorded(signers: Any) -> None:
    said = []
    for name in ("eva", "nobody", "../eva"):
        with pytest.raises(SignatureRefused) as refused:
            sign(signers, name, meaning="author", said="not the passphrase")
        said.append(str(refused.value))
    assert len(set(said)) == 1
    assert "eva" not in said[0]
    assert signers.audited(signers.report_sha256()) == [
        ("signing.refused", "eva", "failure"), ("signing.refused", "unknown", "failure"),
        ("signing.refused", "unknown", "failure"),
    ]  # fmt: skip
    assert signers.signatures() == ()


def test_a_signature_is_recorded_with_who_when_and_over_which_bytes(signers: Any) -> None:
    given = sign(signers, "eva")
    assert (given.sha256, given.signer.role, given.meaning) == (signers.report_sha256(), "engineer", "author")
    assert signers.signatures() == (given,)
    assert signers.audited(given.sha256) == [("record.signed", "eva", "success")]


def test_nobody_says_the_same_of_the_same_bytes_twice(signers: Any) -> None:
    given = sign(signers, "eva")
    with pytest.raises(Conflict, match="eva has signed these bytes as author already"):
        sign(signers, "eva")
    assert signers.signatures() == (given,)
    assert signers.audited(given.sha256) == [("record.signed", "eva", "success")]


def test_a_signers_name_is_given_once_and_only_what_was_validated_is_signed(signers: Any) -> None:
    with pytest.raises(Conflict, match="There is a signer eva already"):
        signing.add_signer(
            "eva", printed_name="Another", role=SignerRole.QUALITY, passphrase=PASSPHRASE, root=signers.root
        )
    with pytest.raises(NotFound, match="no variant 'network-seed9'"):
        signing.sign_report(
            TASK, "network-seed9", name="eva", passphrase=passphrase("eva"), meaning=SignatureMeaning.AUTHOR,
            root=signers.root,
        )  # fmt: skip
