"""The dataset card: what a reader must know before believing a number that comes from this dataset version."""

from collections import Counter
from collections.abc import Callable, Sequence

from domain.dataset import DatasetVersion, Distribution, Sample, SourceCard, Split
from evidence.scored_set import NOT_STATED, age_band, stratum_order

SPLIT_NAMES = {Split.TRAIN: "training", Split.TUNE: "tuning", Split.TEST: "test"}
STRATA: dict[str, Callable[[Sample], str]] = {
    "site": lambda sample: sample.site,
    "view": lambda sample: sample.view_position or NOT_STATED,
    "age": lambda sample: age_band(sample.age_years),
    "sex": lambda sample: sample.sex or NOT_STATED,
}


def render(
    card: SourceCard, *, version: DatasetVersion, samples: Sequence[Sample], rules: Sequence[str], merged: int
) -> str:
    """The card in Markdown. ``rules``: the reasons of the source's exclusions, which ``version`` counts."""
    used = next(one for one in card.distributions if one.name == version.distribution)
    parts = [
        f"# {card.title}",
        "**SYNTHETIC: no patient is shown.**" if card.synthetic else "",
        f"Dataset version `{version.name}`, digest `{version.digest}`.",
        "External: for validation and drift only, never for training or tuning." if card.use == "external" else "",
        _facts(card),
        _counts(version),
        _strata(samples),
        _flow(version, rules=rules, merged=merged),
        "## Known flaws\n\n" + "\n".join(f"- {flaw}" for flaw in card.known_flaws),
        _distribution(used),
        "## Words\n\nTraining, tuning and test are the FDA's words; the EU AI Act, Art. 3(30), calls tuning data "
        '"validation data". Patients, not films, are split, by a keyed hash; a test split of the publisher is kept.',
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(card: SourceCard) -> str:
    facts = {
        "Population": card.population,
        "Reference standard": card.reference_standard,
        "Licence": card.licence,
        "Citation": card.citation,
        "Publisher": str(card.homepage) if card.homepage else "–",
        "Use": card.use,
    }
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {text} |" for name, text in facts.items())


def _counts(version: DatasetVersion) -> str:
    lines = ["## Samples", "", "| split | films | patients | with finding |", "|---|---:|---:|---:|"]
    for part, name in SPLIT_NAMES.items():
        count = version.counts[part.value]
        share = f" ({count['positives'] / count['samples']:.0%})" if count["samples"] else ""
        lines.append(f"| {name} | {count['samples']} | {count['patients']} | {count['positives']}{share} |")
    return "\n".join(lines)


def _strata(samples: Sequence[Sample]) -> str:
    """Films of each split by what the manifest states of them; what it states of none is named below the table."""
    lines = ["## Strata", "", f"| films | {' | '.join(SPLIT_NAMES.values())} |", f"|---|{'---:|' * len(SPLIT_NAMES)}"]
    unknown = []
    for name, of in STRATA.items():
        counts = Counter((of(sample), sample.split) for sample in samples)
        values = sorted({value for value, _ in counts}, key=stratum_order)
        if values == [NOT_STATED]:
            unknown.append(name)
            continue
        lines += [f"| {name}: {value} | {' | '.join(str(counts[value, s]) for s in SPLIT_NAMES)} |" for value in values]
    return "\n".join([*lines, *(["", f"Stated for no film: {', '.join(unknown)}."] if unknown else [])])


def _flow(version: DatasetVersion, *, rules: Sequence[str], merged: int) -> str:
    """From the films the distribution holds to those included, as STARD's flow diagram counts them."""
    included = sum(count["samples"] for count in version.counts.values())
    copies = {reason: count for reason, count in version.excluded.items() if reason not in rules}
    stated = {f"excluded by rule: {reason}": version.excluded[reason] for reason in rules}
    flow = {
        "considered": included + sum(version.excluded.values()),
        **(stated or {"excluded by rule (none stated)": 0}),
        **{f"excluded as {reason}": count for reason, count in copies.items()},
        "included": included,
    }
    lines = [
        "## Inclusion",
        "",
        "| | films |",
        "|---|---:|",
        *(f"| {step} | {count} |" for step, count in flow.items()),
    ]
    return "\n".join([*lines, "", f"Patients merged because they share the same bytes: {merged}."])


def _distribution(used: Distribution) -> str:
    lines = [f"## Distribution `{used.name}`", "", used.note, "", "| file | SHA-256 |", "|---|---|"]
    lines += [f"| {file.name} | {f'`{file.sha256}`' if file.sha256 else 'not recorded'} |" for file in used.files]
    return "\n".join(lines)
