"""CLAIM, 2024 update: 44 items.

Source: Tejani AS, Klontzas ME, Gatti AA, Mongan JT, Moy L, Park SH, Kahn CE Jr. Radiology: Artificial Intelligence
2024; 6(4): e240300, doi:10.1148/ryai.240300. Numbers, order and sections agree with two independent transcriptions of
the checklist; the publisher's own file was not at hand. What an item asks is said in our words: the checklist has no
open licence. Items 26 and 27 stay open because no report records how models were selected or combined.
"""

from evidence.checklists import about_data as data
from evidence.checklists import about_model as model
from evidence.checklists import about_plan as plan
from evidence.checklists import about_results as results
from evidence.checklists.item import (
    DATA,
    ENVIRONMENT,
    EXPLANATION,
    EXTERNAL,
    FAILURES,
    LIMITATIONS,
    METHODS,
    MODEL,
    PLAN,
    PROVENANCE,
    RESULTS,
    ROBUSTNESS,
    USE,
    Guideline,
    Item,
    several,
)

_TITLE, _INTRODUCTION, _DESIGN = "Title and abstract", "Introduction", "Methods: study design"
_DATA, _STANDARD, _PARTITIONS = "Methods: data", "Methods: reference standard", "Methods: data partitions"
_TESTING, _MODEL, _TRAINING = "Methods: testing data", "Methods: model", "Methods: training"
_EVALUATION, _FOUND_DATA, _FOUND = "Methods: evaluation", "Results: data", "Results: model performance"
_DISCUSSION, _OTHER = "Discussion", "Other information"

CLAIM_2024 = Guideline(
    name="CLAIM 2024",
    citation="Tejani AS et al. Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 Update. Radiol "
    "Artif Intell 2024; 6(4): e240300. doi:10.1148/ryai.240300",
    items=(
        Item("1", _TITLE, "Does the title or abstract say that this is AI, and of which kind?"),
        Item("2", _TITLE, "Does an abstract sum up design, methods, results and conclusions?"),
        Item("3", _INTRODUCTION, "What is the background, and what is the model for?", model.intended_use, USE),
        Item("4", _INTRODUCTION, "Which aims and hypotheses were set?", plan.objectives, PLAN),
        Item("5", _DESIGN, "Were the data collected before or after the study was planned?"),
        Item("6", _DESIGN, "What was the study to achieve?", plan.goal, PLAN),
        Item("7", _DATA, "Where do the data come from?", data.sources, DATA),
        Item("8", _DATA, "Who and what was let in, who was kept out?", several(plan.population, data.exclusions), DATA),
        Item("9", _DATA, "How were images prepared before the model saw them?", data.preprocessing, MODEL),
        Item("10", _DATA, "How were parts of the data selected, if they were?"),
        Item("11", _DATA, "How were patients' identities removed?"),
        Item("12", _DATA, "What was done about missing data?", plan.missing_data, PLAN),
        Item("13", _DATA, "How were the images acquired?"),
        Item(
            "14", _STANDARD, "How was the reference standard made?",
            several(data.reference_standards, plan.reference_standard), DATA,
        ),
        Item("15", _STANDARD, "Why this reference standard and no other?"),
        Item("16", _STANDARD, "Who gave the annotations?", data.annotation_sources, DATA),
        Item("17", _STANDARD, "How was the test set annotated?"),
        Item("18", _STANDARD, "How far do annotators agree with each other and with themselves?"),
        Item("19", _PARTITIONS, "How were cases assigned to partitions, and how many?", data.partition_sizes, DATA),
        Item("20", _PARTITIONS, "What may two partitions not share: patient, study, image?", data.leakage, DATA),
        Item("21", _TESTING, "How large was the test set to be, and why?", plan.sample_size, PLAN),
        Item("22", _MODEL, "What is the model, so that it could be built again?", model.identity, MODEL),
        Item("23", _MODEL, "Which software and versions?", model.software, ENVIRONMENT),
        Item("24", _MODEL, "How were the parameters initialised?", model.initialisation, PROVENANCE),
        Item("25", _TRAINING, "How was it trained?", model.training_record, PROVENANCE),
        Item("26", _TRAINING, "How was the final model selected?"),
        Item("27", _TRAINING, "How were models combined, if they were?"),
        Item("28", _EVALUATION, "By which measures is it judged?", results.measures, METHODS),
        Item(
            "29", _EVALUATION, "How are uncertainty and significance computed?",
            several(results.interval_methods, plan.significance), METHODS,
        ),
        Item("30", _EVALUATION, "How does it bear disturbed or changed inputs?", results.robustness, ROBUSTNESS),
        Item("31", _EVALUATION, "How are answers explained, and is that checked?", results.explanation, EXPLANATION),
        Item("32", _EVALUATION, "How was it tested on data of its own source?", results.internal, RESULTS),
        Item("33", _EVALUATION, "How was it tested on data from elsewhere?", results.external, EXTERNAL),
        Item("34", _EVALUATION, "Where is the trial registered, if it is one?"),
        Item(
            "35", _FOUND_DATA, "How many patients and examinations came in and fell out?",
            several(data.exclusions, data.analysed), DATA,
        ),
        Item("36", _FOUND_DATA, "Who are the patients of each partition?", data.characteristics, DATA),
        Item(
            "37", _FOUND, "How well does it do, with what uncertainty, in which groups?",
            several(results.discrimination, results.calibration, results.strata), RESULTS,
        ),
        Item("38", _FOUND, "How accurate are its calls, and how precisely is that known?", results.diagnostic, RESULTS),
        Item("39", _FOUND, "Where and how does it err?", several(results.failures, results.cross_table), FAILURES),
        Item("40", _DISCUSSION, "What limits the study?", results.limitations, LIMITATIONS),
        Item("41", _DISCUSSION, "What follows for practice, and in which role?", model.intended_use, USE),
        Item("42", _OTHER, "Where is the full protocol?", plan.protocol, PLAN),
        Item("43", _OTHER, "How can software, model and data be had?", data.licences, DATA),
        Item("44", _OTHER, "Who paid, and with what say?"),
    ),
)  # fmt: skip
