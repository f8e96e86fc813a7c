"""The page of a report: every section, figures anyone can read, nothing fetched, honest words for what is missing."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.electronic_signature import ElectronicSignature
from domain.identifiers import sha256_of
from evidence import plot
from evidence.limitations import limitations
from evidence.page import render
from evidence.record import Provenance, ReportedModel, ValidationReport
from evidence.report import build_report, report_bytes
from evidence.scored_set import ScoredSet

SECTIONS = (
    "1 Intended use", "2 Data", "3 Model and operating point", "4 Plan and deviations",
    "5 Primary and secondary results", "6 Subgroups", "7 External site", "8 Robustness",
    "9 Comparison with champion and baseline", "10 Explanation check", "11 Failure gallery", "12 Limitations",
    "13 Model card", "14 Reporting checklists", "15 Environment and software bill of materials",
    "16 Identity, provenance, digests", "17 Signatures", "18 Methods",
)  # fmt: skip


def drawn(report: ValidationReport, *signatures: ElectronicSignature) -> str:
    return render(report, report_sha256=sha256_of(report_bytes(report)), gallery={}, signatures=signatures)


@pytest.fixture(scope="module")
def page(full_report: ValidationReport, signed: ElectronicSignature) -> str:
    return drawn(full_report, signed)


def test_each_section_stands_in_order_in_both_a_full_and_a_bare_report(page: str, report: ValidationReport) -> None:
    for text in (page, drawn(report)):
        assert tuple(re.findall(r"<h2[^>]*>([^<]+)</h2>", text)) == SECTIONS
        anchors = re.findall(r'href="#(\w+)"', text)
        assert len(anchors) == len(SECTIONS)
        assert all(f'id="{anchor}"' in text for anchor in anchors)


@pytest.mark.parametrize(
    "words",
    [
        "✗ 1 of 2 primary endpoints missed",
        "2026-03-02 12:00 UTC by quality.officer",
        "lower end of AUROC ≥ 0.900",
        "Sensitivity less than 0.030 below the champion’s, paired",
        "32 films less than planned",
        "model number 2 of at most 5",
        "would be up to 4.9 %",
        "judged at α = 0.0125",
        "The lower limit −0.039 lies below the margin −0.030.",
        "Average precision",
        "Negative likelihood ratio",
        'aria-label="Decision curve"',
        'aria-label="Precision–recall curve"',
        'aria-label="Flow of inclusion, kermany_chest_xray"',
        "label disagrees with second",
        "Table 1",
        "CC BY 4.0",
        "0.820 lies below 0.850.",
        "subtype: fungus – Sensitivity floor by subtype: 4 of 50 films needed",
        "σ = 25 grey levels",
        "Champion: chest_xray_pneumonia/network-seed7",
        "Retention",
        "Likeness to the map of randomised weights",
        "Every figure outside this table is on all films",
        "“present” from probability 0.312 on, “absent” up to 0.508",
        "exceeds 24.00, which it may for at most 0.5 % of films like the tuning data (n = 768)",
        "Films abstained on",
        "External: nih_chest_xray",
        "<strong>openvino at int8</strong> serves this model. It is 2.8 times as fast.",
        "0.061 (allowed 0.05)",
        "no probability differs by more than 0.034 (allowed 0.05)",
        "✓ confirmed",
        "CLAIM 2024: 8 of 12 items answered",
        "not answered by this run",
        "sbom.cdx.json SHA-256",
        "Dr. Martha Lehmann",
        "1 signature",
    ],
)
def test_a_full_report_shows_what_it_holds(page: str, words: str) -> None:
    assert words in page


def test_nothing_is_called_missing_in_a_full_report(page: str) -> None:
    assert 'class="missing"' not in page
    assert "Every earlier opening of this test set that is on record" in page


@pytest.mark.parametrize(
    "sentence",
    [
        "no planned endpoint judged",
        "Table 1 was not made",
        "How the reference standard was made is not recorded",
        "No plan is part of this report",
        "No opening of this test set is recorded",
        "how many models this test set has answered is not part",
        "No planned endpoint was judged",
        "No floor for subgroups was judged",
        "was not scored again with noise",
        "No champion was compared",
        "there is no previous version to learn from",
        "deletion, insertion and the randomised-weights check were not made",
        "prediction sets and abstention are not part of this report",
        "No engine was chosen by measurement",
        "No reporting checklist (CLAIM 2024, STARD-AI, TRIPOD+AI) was filled",
        "software bill of materials are not part",
        "Not signed.",
        "nobody yet: this report is not signed",
    ],
)
def test_a_part_that_is_missing_says_so(report: ValidationReport, sentence: str) -> None:
    assert sentence in drawn(report)


def test_a_report_that_stands_alone_says_what_it_was_not_compared_with(
    scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance
) -> None:
    page = drawn(build_report(reported, provenance=provenance, test=scored(subgroups={})))
    for sentence in ("No external set was scored", "No baseline was compared", "states nothing by which films",
                     "The task states no acceptance criterion", "looked on tuning data is not recorded"):  # fmt: skip
        assert sentence in page


def test_a_signature_of_other_bytes_is_marked(full_report: ValidationReport, signed: ElectronicSignature) -> None:
    assert "signs other bytes" not in drawn(full_report, signed)
    other = signed.model_copy(update={"sha256": sha256_of(b"another report")})
    assert "signs other bytes than this report" in drawn(full_report, signed, other)


def test_the_page_is_the_same_bytes_twice_and_fetches_nothing(
    page: str, full_report: ValidationReport, signed: ElectronicSignature
) -> None:
    assert drawn(full_report, signed) == page
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in page
    assert not re.search(r"\bon\w+=|@import|url\(| style=", page)
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in page


def test_figures_use_only_colours_that_colour_blind_readers_tell_apart(page: str) -> None:
    palette = {getattr(plot, name) for name in ("BLUE", "VERMILLION", "GREEN", "SKY", "INK", "MUTED", "GRID", "PAPER")}
    used = {colour for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)
            for colour in re.findall(r'(?:stroke|fill)="(#\w+)"', svg)}  # fmt: skip
    assert used <= palette


def test_no_two_curves_of_a_figure_share_their_dashes(page: str) -> None:
    figure = re.search(r'<svg[^>]*aria-label="ROC curve".*?</svg>', page, re.DOTALL)
    assert figure
    curves = re.findall(r'<polyline[^>]*stroke-width="(?:1\.8|2\.5)"[^>]*/>', figure.group())
    dashes = [re.findall(r'dasharray="([^"]+)"', curve) for curve in curves]
    assert len(curves) == 4  # test set, external, baseline, champion
    assert len({str(dash) for dash in dashes}) == 4


def test_words_of_plans_ledgers_and_signatures_cannot_become_markup(
    full_report: ValidationReport, signed: ElectronicSignature
) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    assert full_report.planned is not None
    planned = full_report.planned.model_copy(update={"deviations": (hostile,), "registered_by": hostile})
    opening = full_report.ledger[0].model_copy(update={"opened_by": hostile})
    version = full_report.test.dataset_version.model_copy(update={"excluded": {hostile: 1}, "source": hostile})
    test = full_report.test.model_copy(update={"dataset_version": version})
    who = signed.signer.model_copy(update={"printed_name": hostile})
    report = full_report.model_copy(update={"planned": planned, "ledger": (opening,), "test": test})
    assert "<img src=x" not in drawn(report, signed.model_copy(update={"signer": who}))


def test_limitations_follow_from_the_facts(full_report: ValidationReport, report: ValidationReport) -> None:
    said = "\n".join(limitations(full_report))
    for words in ("Deviation from the plan", "“Sensitivity not inferior to champion” was missed",
                  "has answered 2 models", "No age and no sex per film", "labels are text-mined",
                  "subtype fungus (n = 4)",
                  "Below their floor: subtype virus", "sex not stated (n = 6)", "told apart by age, site",
                  "must not be read as the reason", "The primary figures are on all films",
                  "nih_chest_xray: prediction sets hold “present”, where it is true, on 70.0 % of films"):  # fmt: skip
        assert words in said
    assert "kermany_chest_xray: prediction sets" not in said
    bare = "\n".join(limitations(report))
    for words in ("No plan was registered", "was not measured", "was not checked"):
        assert words in bare
        assert words not in said


def test_synthetic_images_and_a_missing_or_one_sided_external_site_are_limitations(
    report: ValidationReport, scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance
) -> None:
    version = report.test.dataset_version.model_copy(update={"synthetic": True})
    alone = build_report(reported, provenance=provenance, test=replace(scored(), dataset_version=version))
    said = "\n".join(limitations(alone))
    assert "nothing here was measured on a patient" in said
    assert "No external site was tested" in said
    one = scored(source="nih_chest_xray", labels=scored().labels * 0, split="external")
    both = build_report(reported, provenance=provenance, test=scored(), external=[one])
    assert any("nih_chest_xray holds one class only" in sentence for sentence in limitations(both))


def test_a_test_set_opened_before_its_plan_was_registered_is_a_limitation(full_report: ValidationReport) -> None:
    assert full_report.planned is not None
    assert not any("before the plan was registered" in sentence for sentence in limitations(full_report))
    late = full_report.planned.registered_at + timedelta(hours=1, minutes=30)
    planned = full_report.planned.model_copy(update={"registered_at": late})
    said = limitations(full_report.model_copy(update={"planned": planned}))
    assert any("before the plan was registered (ledger no. 1)" in sentence for sentence in said)


def test_a_first_model_is_told_that_nothing_was_lost(full_report: ValidationReport) -> None:
    assert full_report.reuse is not None
    first = full_report.reuse.model_copy(update={"models": 1, "adjusted_alpha": 0.025})
    assert "the first model that the test set answered" in drawn(full_report.model_copy(update={"reuse": first}))
    unadjusted = full_report.reuse.model_copy(update={"adjusted_alpha": 0.025})
    assert "makes no adjustment" in drawn(full_report.model_copy(update={"reuse": unadjusted}))


def test_an_endpoint_without_a_champion_decides_nothing(full_report: ValidationReport) -> None:
    met, missed, *rest = full_report.endpoints
    absent = missed.model_copy(update={"applicable": False, "value": None, "met": True, "reason": "no champion yet"})
    page = drawn(full_report.model_copy(update={"endpoints": (met, absent, *rest)}))
    assert "✓ 1 applicable primary endpoint met" in page
    assert "decides nothing" in page
    assert "no champion yet" in page


def test_the_first_page_counts_only_endpoints_that_apply_and_says_so(full_report: ValidationReport) -> None:
    met, missed, *rest = full_report.endpoints
    absent = met.model_copy(update={"applicable": False, "value": None, "reason": "no champion yet"})
    for judged, said in (
        ((met, met, absent, absent), "✓ all 2 applicable primary endpoints met"),
        ((met, missed, absent), "✗ 1 of 2 applicable primary endpoints missed"),
        ((met, met), "✓ all 2 primary endpoints met"),
    ):
        assert said in drawn(full_report.model_copy(update={"endpoints": (*judged, *rest)}))


def test_an_engine_that_test_data_do_not_confirm_is_marked_and_stands_in_the_limitations(
    full_report: ValidationReport,
) -> None:
    assert full_report.engine is not None
    apart = full_report.engine.confirmation.model_copy(update={"max_difference": 0.0501})
    doubted = full_report.model_copy(update={"engine": full_report.engine.model_copy(update={"confirmation": apart})})

    sentence = "Test data do not confirm the engine: openvino at int8 answers up to 0.05 apart"
    assert "✗ not confirmed" in drawn(doubted)
    assert [said for said in limitations(doubted) if said.startswith(sentence)]
    assert not [said for said in limitations(full_report) if "confirm the engine" in said]
