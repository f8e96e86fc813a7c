"""The dataset card: what a reader must know before believing a number that comes from this dataset version."""

from domain.dataset import DatasetVersion, Distribution, SourceCard, Split

SPLIT_NAMES = {Split.TRAIN: "training", Split.TUNE: "tuning", Split.TEST: "test"}


def render(card: SourceCard, *, version: DatasetVersion, merged: int) -> str:
    """The card in Markdown."""
    used = next(one for one in card.distributions if one.name == version.distribution)
    parts = [
        f"# {card.title}",
        "**SYNTHETIC: no patient is shown.**" if card.synthetic else "",
        f"Dataset version `{version.name}`, digest `{version.digest}`.",
        "External: for validation and drift only, never for training or tuning." if card.use == "external" else "",
        _facts(card),
        _counts(version),
        _exclusions(version, merged=merged),
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


def _exclusions(version: DatasetVersion, *, merged: int) -> str:
    lines = ["## Excluded", "", "| reason | films |", "|---|---:|"]
    lines += [f"| {reason} | {count} |" for reason, count in version.excluded.items()]
    return "\n".join([*lines, "", f"Patients merged because they share the same bytes: {merged}."])


def _distribution(used: Distribution) -> str:
    lines = [f"## Distribution `{used.name}`", "", used.note, "", "| file | SHA-256 |", "|---|---|"]
    lines += [f"| {file.name} | {f'`{file.sha256}`' if file.sha256 else 'not recorded'} |" for file in used.files]
    return "\n".join(lines)
