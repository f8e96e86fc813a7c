"""STARD-AI: 40 items in 48 rows, because items 15, 16, 17, 26 and 40 have parts. 30 rows are those of STARD 2015, 4 are
changed, 14 are new.

Source: Sounderajah V, Guni A, Liu X, et al. Nature Medicine 2025; 31(10): 3283-3289, doi:10.1038/s41591-025-03953-8
(CC BY; the author correction of 2026 adds a name, no item). Numbers and order agree with two independent transcriptions
of its Table 2; the table itself was not at hand.
"""

from evidence.checklists import about_data as data
from evidence.checklists import about_model as model
from evidence.checklists import about_plan as plan
from evidence.checklists import about_results as results
from evidence.checklists.item import (
    DATA,
    ENVIRONMENT,
    EXTERNAL,
    LIMITATIONS,
    METHODS,
    MODEL,
    PLAN,
    RESULTS,
    SUBGROUPS,
    USE,
    Guideline,
    Item,
    several,
)

_TITLE, _INTRODUCTION, _DESIGN, _ETHICS = (
    "Title and abstract",
    "Introduction",
    "Methods: study design",
    "Methods: ethics",
)
_PARTICIPANTS, _DATASET, _TEST = "Methods: participants", "Methods: dataset", "Methods: test methods"
_ANALYSIS, _FOUND_DATA, _FOUND = "Methods: analysis", "Results: participants and dataset", "Results: test results"
_DISCUSSION, _OTHER = "Discussion", "Other information"

STARD_AI = Guideline(
    name="STARD-AI",
    citation="Sounderajah V et al. The STARD-AI reporting guideline for diagnostic accuracy studies using artificial "
    "intelligence. Nat Med 2025; 31(10): 3283-3289. doi:10.1038/s41591-025-03953-8",
    items=(
        Item("1", _TITLE, "Does title or abstract name diagnostic accuracy of AI and one measure of it?"),
        Item("2", _TITLE, "Does an abstract sum up design, methods, results and conclusions?"),
        Item(
            "3", _INTRODUCTION, "What is the background, the intended use, and the place in the workflow?",
            model.intended_use, USE,
        ),
        Item("4", _INTRODUCTION, "Which objectives and hypotheses were set?", plan.objectives, PLAN),
        Item("5", _DESIGN, "Were the data collected before or after the study was planned?"),
        Item("6", _ETHICS, "Which ethics committee approved it, or why was none needed?"),
        Item(
            "7", _PARTICIPANTS, "Which participants and which data were let in and kept out, in which order?",
            several(plan.population, data.exclusions), DATA,
        ),
        Item("8", _PARTICIPANTS, "By what were eligible participants found?"),
        Item("9", _PARTICIPANTS, "Where and when were they found?", data.populations, DATA),
        Item("10", _PARTICIPANTS, "Were they consecutive, random, or those at hand?"),
        Item("11", _DATASET, "Where do the data come from, and why were they collected?", data.sources, DATA),
        Item("12", _DATASET, "Who annotated, with what experience, and when?", data.annotation_sources, DATA),
        Item("13", _DATASET, "Which devices took the images, which software made it?", model.software, ENVIRONMENT),
        Item("14", _DATASET, "How were images acquired and prepared?", data.preprocessing, MODEL),
        Item("15a", _TEST, "What is the index test, so that it could be built again?", model.identity, MODEL),
        Item(
            "15b", _TEST, "On how many cases was it developed and evaluated?",
            several(data.partitions, data.analysed), DATA,
        ),
        Item("15c", _TEST, "From where on is it positive, why, and was that set before?", model.operating_point, MODEL),
        Item("15d", _TEST, "Who is to use it, and with what expertise?"),
        Item(
            "16a", _TEST, "What is the reference standard?", several(data.reference_standards, plan.reference_standard),
            DATA,
        ),
        Item("16b", _TEST, "Why this reference standard and no other?"),
        Item("16c", _TEST, "From where on is the reference standard positive, and why?"),
        Item("17a", _TEST, "What did those who ran the index test know?"),
        Item("17b", _TEST, "What did those who set the reference standard know?"),
        Item(
            "18", _ANALYSIS, "How is accuracy estimated and compared?",
            several(results.interval_methods, plan.significance), METHODS,
        ),
        Item("19", _ANALYSIS, "What was done with indeterminate results?"),
        Item("20", _ANALYSIS, "What was done about missing data?", plan.missing_data, PLAN),
        Item(
            "21", _ANALYSIS, "Where was a change of accuracy looked for, and was that set before?", results.strata,
            SUBGROUPS,
        ),
        Item("22", _ANALYSIS, "How large was the study to be, and why?", plan.sample_size, PLAN),
        Item(
            "23", _ANALYSIS, "How were errors, bias and fairness examined?", several(plan.floors, results.failures),
            SUBGROUPS,
        ),
        Item(
            "24", _FOUND_DATA, "How did participants come in and fall out, drawn as a diagram?",
            several(data.exclusions, data.analysed), DATA,
        ),
        Item("25", _FOUND_DATA, "Who are the patients of each partition?", data.characteristics, DATA),
        Item("26a", _FOUND_DATA, "How severe was the condition in those who had it?"),
        Item("26b", _FOUND_DATA, "What else had those who did not have it?"),
        Item("27", _FOUND_DATA, "What time and treatment lay between the two tests?"),
        Item("28", _FOUND_DATA, "Do the data show the condition as often as the intended patients do?"),
        Item("29", _FOUND_DATA, "How do data from elsewhere differ?", data.external_differences, EXTERNAL),
        Item("30", _FOUND, "How do calls and reference standard cross?", results.cross_table, RESULTS),
        Item(
            "31", _FOUND, "How accurate is it, and how precisely is that known?",
            several(results.discrimination, results.diagnostic), RESULTS,
        ),
        Item("32", _FOUND, "Was anybody harmed by either test?"),
        Item("33", _DISCUSSION, "What limits the study?", results.limitations, LIMITATIONS),
        Item("34", _DISCUSSION, "What follows for practice, and in which role?", model.intended_use, USE),
        Item("35", _DISCUSSION, "Which ethical questions and which unfairness does its use raise?"),
        Item("36", _OTHER, "Where is the study registered?"),
        Item("37", _OTHER, "Where is the full protocol?", plan.protocol, PLAN),
        Item("38", _OTHER, "Who paid, and with what say?"),
        Item("39", _OTHER, "Who has a commercial interest?"),
        Item("40a", _OTHER, "How can data and code be had, and what may be done with them?", data.licences, DATA),
        Item("40b", _OTHER, "Are outputs kept, so that they can be audited?"),
    ),
)  # fmt: skip
