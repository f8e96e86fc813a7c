"""Scoring stored studies again in this process: bytes from the object store, decoded as the worker does, in batches.

Images are read, decoded and prepared by threads ahead of the model; no more than ``_AHEAD`` are in memory at once. A
study whose bytes are gone or altered is told with its reason and stops no other.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import numpy as np

from domain import study_rule
from domain.errors import BadInput, IntegrityViolation
from domain.identifiers import Sha256
from domain.model_version import ModelManifest
from domain.prediction import ImageScore, InstanceScore, Prediction, study_probability
from domain.replay import NotReplayed, Outcome, StudyAnswer
from domain.study import Instance, Study
from domain.study_rule import Refusals
from imaging.limits import Limits
from imaging.radiograph import decode
from models.inference import Classifier
from models.preprocess import ModelInput
from models.uncertainty import Judge
from pipelines.bentos import MODEL_FOLDER, require_bento

BATCH = 16
_AHEAD = 3 * BATCH


@dataclass(frozen=True)
class Asked:
    """One study to be answered again, and which of its instances may not be scored."""

    prediction: Prediction
    study: Study
    refusals: Refusals


@dataclass(frozen=True)
class _Image:
    """One eligible instance of a study; None stands for a study that has none."""

    asked: Asked
    instance: Instance | None


@dataclass(frozen=True)
class _Lost:
    """Why an image cannot be read."""

    code: str
    reason: str


_Prepared = ModelInput | BadInput | _Lost | None
_Scored = ImageScore | BadInput | _Lost | None


@dataclass(frozen=True)
class LoadedVersion:
    """A version as a service of it would hold it: the model, and the judge of what its scores may be trusted for."""

    classifier: Classifier
    judge: Judge | None

    @property
    def manifest(self) -> ModelManifest:
        """Of the version."""
        return self.classifier.manifest

    def scores(self, inputs: list[ModelInput]) -> list[ImageScore]:
        """Scores of prepared images."""
        found = self.classifier.score_prepared(np.stack(inputs)) if inputs else []
        return found if self.judge is None else [self.judge.judge(score) for score in found]


@dataclass
class Rescoring:
    """One loaded model version, and what it needs to answer studies."""

    version: LoadedVersion
    read: Callable[[Sha256], bytes]
    limits: Limits
    threads: int
    images: int = 0  # scored so far

    def answers(self, studies: Iterable[Asked]) -> Iterator[tuple[Asked, StudyAnswer | NotReplayed]]:
        """Each study's answer, in order."""
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="decode")
        try:
            scored = self._scored(self._prepared(pool, _images(studies)))
            for _, images in groupby(scored, key=lambda pair: pair[0].asked.prediction.prediction_id):
                of_study = list(images)
                asked = of_study[0][0].asked
                yield asked, self._answer(asked, [(image.instance, found) for image, found in of_study])
        finally:
            pool.shutdown(cancel_futures=True)  # an interrupt does not wait for what is queued

    def _prepared(self, pool: ThreadPoolExecutor, images: Iterator[_Image]) -> Iterator[tuple[_Image, _Prepared]]:
        waiting: deque[tuple[_Image, Future[_Prepared]]] = deque()
        for image in images:
            waiting.append((image, pool.submit(self._prepare, image.instance)))
            if len(waiting) == _AHEAD:
                first, prepared = waiting.popleft()
                yield first, prepared.result()
        while waiting:
            first, prepared = waiting.popleft()
            yield first, prepared.result()

    def _prepare(self, instance: Instance | None) -> _Prepared:
        if instance is None:
            return None
        try:
            return self.version.classifier.prepare(decode(self.read(instance.object_sha256), limits=self.limits).pixels)
        except BadInput as error:
            return error
        except IntegrityViolation as error:
            return _Lost(error.code, error.what)
        except OSError as error:
            return _Lost("unreadable", f"Object {instance.object_sha256[:12]} cannot be read ({error.strerror}).")

    def _scored(self, prepared: Iterator[tuple[_Image, _Prepared]]) -> Iterator[tuple[_Image, _Scored]]:
        while batch := list(islice(prepared, BATCH)):
            inputs = [found for _, found in batch if isinstance(found, np.ndarray)]
            scores = iter(self.version.scores(inputs))
            self.images += len(inputs)
            for image, found in batch:
                yield image, next(scores) if isinstance(found, np.ndarray) else found

    def _answer(self, asked: Asked, found: list[tuple[Instance | None, _Scored]]) -> StudyAnswer | NotReplayed:
        lost = next((one for _, one in found if isinstance(one, _Lost)), None)
        if lost is not None:  # the highest of fewer instances would be another study's answer
            of = asked.prediction
            return NotReplayed(study_id=of.study_id, prediction_id=of.prediction_id, code=lost.code, reason=lost.reason)
        refusals = dict(asked.refusals)
        scored: list[tuple[Instance, ImageScore]] = []
        for instance, one in found:
            if instance is not None and isinstance(one, BadInput):
                refusals[instance.sop_instance_uid] = (one.what,)
            elif instance is not None and isinstance(one, ImageScore):
                scored.append((instance, one))
        if not scored:
            return self._says("refused", reasons=study_rule.reasons(asked.study, refusals))
        return self._of_scores(asked.study, scored)

    def _of_scores(self, study: Study, scored: list[tuple[Instance, ImageScore]]) -> StudyAnswer:
        # As in serving: one instance abstained on is enough, for the finding may be on that very film.
        why = {one.sop_instance_uid: (score.abstained,) for one, score in scored if score.abstained is not None}
        if why:
            return self._says("abstained", reasons=study_rule.reasons(study, why))
        kept = tuple(
            InstanceScore(
                sop_instance_uid=one.sop_instance_uid, object_sha256=one.object_sha256, probability=score.probability
            )
            for one, score in scored
        )
        probability = study_probability(kept)
        present = probability >= self.version.manifest.operating_point.threshold
        return self._says("present" if present else "absent", probability=probability)

    def _says(
        self, outcome: Outcome, *, probability: float | None = None, reasons: tuple[str, ...] = ()
    ) -> StudyAnswer:
        version = None if outcome == "refused" else self.version.manifest.model_version
        return StudyAnswer(outcome=outcome, model_version=version, probability=probability, reasons=reasons)


def _images(studies: Iterable[Asked]) -> Iterator[_Image]:
    for asked in studies:
        eligible = [one for one in asked.study.instances if not asked.refusals[one.sop_instance_uid]]
        for instance in eligible or (None,):
            yield _Image(asked, instance)


def load_version(manifest: ModelManifest, bento: Path, *, threads: int) -> LoadedVersion:
    """The registered version out of its Bento, checked byte by byte and against its recorded answers.

    Raises:
        ModelUnavailable: the Bento is not there.
        IntegrityViolation: it carries another manifest or other bytes, or does not repeat its recorded answers.
    """
    require_bento(manifest, bento)
    classifier = Classifier.load(bento / MODEL_FOLDER, threads=threads)
    classifier.self_test()
    return LoadedVersion(classifier, Judge.of(manifest.conformal, manifest.out_of_distribution, bento / MODEL_FOLDER))


def decoding_threads() -> int:
    """As many as this process has processors: decoding lets the others work meanwhile."""
    return len(os.sched_getaffinity(0))
