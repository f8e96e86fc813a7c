"""What a report says of its data: sources, reference standard, sizes, exclusions, who the patients are."""

from domain.dataset import DatasetVersion, Split
from evidence.checklists.words import counted, listed, named, sentence, share
from evidence.record import SetResults, ValidationReport

_SPLITS = {Split.TRAIN.value: "training", Split.TUNE.value: "tuning", Split.TEST.value: "test"}


def sources(report: ValidationReport) -> str:
    """The dataset versions, by the first digits of their digests."""
    trained, tested = report.provenance.dataset_version, report.test.dataset_version
    outside = listed(_version(results.dataset_version) for results in report.external)
    said = f"Trained and tuned on {_version(trained)}, tested on {_version(tested)}"
    return sentence(f"{said}; external: {outside}" if outside else said)


def licences(report: ValidationReport) -> str:
    """Under which licence each source gives its data, with its citation."""
    return sentence(
        listed(f"{one.source}: {one.licence}, {one.citation.rstrip('.')}" for one in report.reference_standards)
    )


def populations(report: ValidationReport) -> str:
    """Whom each source says it holds."""
    return sentence(listed(f"{one.source}: {one.population.rstrip('.')}" for one in report.reference_standards))


def reference_standards(report: ValidationReport) -> str:
    """How each source made its reference standard."""
    return sentence(listed(f"{one.source}: {one.statement.rstrip('.')}" for one in report.reference_standards))


def annotation_sources(report: ValidationReport) -> str:
    """Whose annotations they are: as published with each source."""
    return sentence(
        listed(f"as published with {one.source}, {one.citation.rstrip('.')}" for one in report.reference_standards)
    )


def partitions(report: ValidationReport) -> str:
    """Sizes by split; the rule that made the splits is not in a report."""
    version = report.provenance.dataset_version
    sizes = listed(_size(split, version) for split in _SPLITS if split in version.counts)
    return sentence(f"{version.name}: {sizes}") if sizes else ""


def partition_sizes(report: ValidationReport) -> str:
    """As ``partitions``, and where the rule stands."""
    sizes = partitions(report)
    return f"{sizes} The rule that assigned them stands on the dataset card, not in this report." if sizes else ""


def preprocessing(report: ValidationReport) -> str:
    """How pixels became the model's input."""
    spec = report.model.preprocessing
    if spec is None:
        return ""
    return (
        f"Each film is resized to {spec.size_px} × {spec.size_px}, its grey levels between the "
        f"{spec.lower_percentile:g}th and {spec.upper_percentile:g}th percentile mapped to 0–1, "
        f"less {spec.mean:g}, divided by {spec.standard_deviation:g}."
    )


def leakage(report: ValidationReport) -> str:
    """What may not stand on two sides, and over how many films that was checked."""
    check = report.leakage
    return "" if check is None else sentence(f"{check.rule}; {check.films_compared:,} films were compared")


def exclusions(report: ValidationReport) -> str:
    """Reasons of exclusion in the order applied, with counts."""
    version = report.provenance.dataset_version
    reasons = listed(f"{count:,} for {named(reason)}" for reason, count in version.excluded.items())
    return sentence(f"excluded from {version.name}, in this order: {reasons}") if reasons else ""


def analysed(report: ValidationReport) -> str:
    """Samples, patients and findings of each set that was scored."""
    outside = (f"external {results.dataset_version.name}: {_analysed(results)}" for results in report.external)
    return sentence(listed((f"analysed: test set {_analysed(report.test)}", *outside)))


def characteristics(report: ValidationReport) -> str:
    """Which characteristics table 1 gives, and for how many."""
    table = report.table_one
    if table is None:
        return ""
    groups = ", ".join(dict.fromkeys(row.group for row in table.rows))
    columns = listed(
        f"{column} {samples:,} samples of {patients:,} patients"
        for column, samples, patients in zip(table.columns, table.samples, table.patients, strict=True)
    )
    return f"Table 1 gives {groups} for {columns}."


def case_mix(report: ValidationReport) -> str:
    """The share with the finding in the data it learned from, the test set and outside."""
    learned = report.provenance.dataset_version.counts.get(Split.TRAIN.value)
    shares = [f"training {share(learned['positives'], learned['samples'])}"] if learned else []
    shares += [f"test {share(report.test.positives, report.test.n)}"]
    shares += [f"{r.dataset_version.name} {share(r.positives, r.n)}" for r in report.external]
    return sentence(f"with the finding: {listed(shares)}") if len(shares) > 1 else ""


def external_differences(report: ValidationReport) -> str:
    """How each external set differs, as far as the record knows: size, share with the finding, stated flaws."""
    inside = share(report.test.positives, report.test.n)
    return sentence(
        listed(
            f"{r.dataset_version.name}: {r.n:,} samples of {r.patients:,} patients, with the finding "
            f"{share(r.positives, r.n)} against {inside} in the test set; {counted(len(r.known_flaws), 'stated flaw')}"
            for r in report.external
        )
    )


def _version(version: DatasetVersion) -> str:
    return f"{version.name} ({version.distribution}{', synthetic' if version.synthetic else ''})"


def _size(split: str, version: DatasetVersion) -> str:
    count = version.counts[split]
    return (
        f"{_SPLITS[split]} {count['samples']:,} samples of {count['patients']:,} patients, "
        f"{count['positives']:,} with the finding"
    )


def _analysed(results: SetResults) -> str:
    return f"{results.n:,} samples of {results.patients:,} patients, {results.positives:,} with the finding"
