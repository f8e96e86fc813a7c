"""TRIPOD+AI: 27 items in 52 rows; the 13 items for abstracts are not among them.

Source: Collins GS, Moons KGM, Dhiman P, et al. BMJ 2024; 385: e078378, doi:10.1136/bmj-2023-078378 (CC BY). Numbers and
order were checked against a transcription of the checklist of 11 January 2024. Items for developing a model alone are
9a, 12a to 12c, 15, 22, 27a and 27b, for evaluating one alone 12f, 12g, 20c and 24; a report answers both, for it says
of one model how it came to be and how it was tested.
"""

from evidence.checklists import about_data as data
from evidence.checklists import about_model as model
from evidence.checklists import about_plan as plan
from evidence.checklists import about_results as results
from evidence.checklists.item import (
    COMPARISONS,
    DATA,
    EXTERNAL,
    LIMITATIONS,
    METHODS,
    MODEL,
    PLAN,
    PROVENANCE,
    RESULTS,
    USE,
    Guideline,
    Item,
    several,
)

_TITLE, _INTRODUCTION, _METHODS = "Title and abstract", "Introduction", "Methods"
_OPEN, _PUBLIC, _RESULTS = "Open science", "Patient and public involvement", "Results"
_DISCUSSION = "Discussion"

TRIPOD_AI = Guideline(
    name="TRIPOD+AI",
    citation="Collins GS et al. TRIPOD+AI statement: updated guidance for reporting clinical prediction models that "
    "use regression or machine learning methods. BMJ 2024; 385: e078378. doi:10.1136/bmj-2023-078378",
    items=(
        Item("1", _TITLE, "Does the title say that a model is developed or evaluated, for whom, and of what?"),
        Item("2", _TITLE, "Does the abstract follow the checklist for abstracts?"),
        Item("3a", _INTRODUCTION, "In which clinical context, why, and which models exist already?"),
        Item(
            "3b", _INTRODUCTION, "For which patients, with what purpose, for which users?",
            several(plan.population, model.intended_use), USE,
        ),
        Item("3c", _INTRODUCTION, "Which health inequalities are known?"),
        Item("4", _INTRODUCTION, "What was the study to find out?", several(plan.goal, plan.objectives), PLAN),
        Item("5a", _METHODS, "Where do the data come from, and whom do they represent?", data.sources, DATA),
        Item("5b", _METHODS, "From when to when were they collected?"),
        Item("6a", _METHODS, "In which setting, at how many places?", data.populations, DATA),
        Item("6b", _METHODS, "Who was eligible?", several(plan.population, data.exclusions), DATA),
        Item("6c", _METHODS, "Which treatments were given, and how were they handled?"),
        Item(
            "7", _METHODS, "How were the data prepared and their quality checked, the same for all groups?",
            several(data.exclusions, data.preprocessing), DATA,
        ),
        Item(
            "8a", _METHODS, "What is predicted, and how and when was the truth found?",
            several(model.finding, data.reference_standards, plan.reference_standard), DATA,
        ),
        Item("8b", _METHODS, "Who judged the outcome, with what qualification?"),
        Item("8c", _METHODS, "Did those who judged it know the predictors?"),
        Item("9a", _METHODS, "How were the first predictors chosen?"),
        Item("9b", _METHODS, "What are the predictors, and how and when were they measured?"),
        Item("9c", _METHODS, "Who judged the predictors, with what qualification?"),
        Item("10", _METHODS, "How large was the study to be, and why is that enough?", plan.sample_size, PLAN),
        Item("11", _METHODS, "What was done about missing data?", plan.missing_data, PLAN),
        Item("12a", _METHODS, "Which data served what?", data.partition_sizes, DATA),
        Item("12b", _METHODS, "How were predictors transformed?"),
        Item("12c", _METHODS, "Which kind of model, built and tuned how?", model.training_record, PROVENANCE),
        Item("12d", _METHODS, "How were differences between clusters, such as hospitals, handled?"),
        Item(
            "12e", _METHODS, "By which measures and plots is it judged and compared?",
            several(results.measures, results.interval_methods), METHODS,
        ),
        Item("12f", _METHODS, "Was the model changed after evaluation, and how?"),
        Item("12g", _METHODS, "By what were the predictions computed?", model.scoring, PROVENANCE),
        Item("13", _METHODS, "What was done about class imbalance, and was it calibrated again?"),
        Item("14", _METHODS, "What was done for fairness, and why?", plan.floors, PLAN),
        Item(
            "15", _METHODS, "What does the model put out, and how was a threshold found?",
            several(model.finding, model.operating_point), MODEL,
        ),
        Item(
            "16", _METHODS, "How do evaluation data differ from the data it learned from?", data.external_differences,
            EXTERNAL,
        ),
        Item("17", _METHODS, "Which ethics committee approved it, and how did participants consent?"),
        Item("18a", _OPEN, "Who paid, and with what say?"),
        Item("18b", _OPEN, "Which conflicts of interest have the authors?"),
        Item("18c", _OPEN, "Where is the protocol?", plan.protocol, PLAN),
        Item("18d", _OPEN, "Where is the study registered?"),
        Item("18e", _OPEN, "How can the data be had?", data.licences, DATA),
        Item("18f", _OPEN, "How can the code be had?"),
        Item("19", _PUBLIC, "How did patients and the public take part?"),
        Item(
            "20a", _RESULTS, "How did participants come in and fall out, with and without the outcome?",
            several(data.exclusions, data.analysed), DATA,
        ),
        Item("20b", _RESULTS, "Who are they, overall and by source?", data.characteristics, DATA),
        Item("20c", _RESULTS, "How do evaluation and development data compare?", data.case_mix, DATA),
        Item(
            "21", _RESULTS, "How many participants and outcomes are in each analysis?",
            several(data.partitions, data.analysed), DATA,
        ),
        Item("22", _RESULTS, "What is the whole model, so that others can run it?", model.identity, PROVENANCE),
        Item(
            "23a", _RESULTS, "How well does it do, with intervals, and in which groups?",
            several(
                results.discrimination, results.diagnostic, results.calibration, results.strata, results.floor_results
            ), RESULTS,
        ),
        Item("23b", _RESULTS, "How does that differ between clusters?", results.places, EXTERNAL),
        Item("24", _RESULTS, "What came of changing the model?", results.updating, COMPARISONS),
        Item(
            "25", _DISCUSSION, "What do the results mean, fairness included?",
            several(results.judgement, results.floor_results, results.comparisons), RESULTS,
        ),
        Item("26", _DISCUSSION, "What limits the study?", results.limitations, LIMITATIONS),
        Item("27a", _DISCUSSION, "What is done with poor or missing input?", model.refused_inputs, USE),
        Item("27b", _DISCUSSION, "What must users do and know?"),
        Item("27c", _DISCUSSION, "What should be studied next?"),
    ),
)  # fmt: skip
