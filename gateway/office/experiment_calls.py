"""The changing calls about experiments: each request is checked whole, then it is looked at what it
would come to, then it is made as a deed.

Flows in: a request and who asks. Flows out: the experiment, or CallRefused.
"""

from collections.abc import Callable
from dataclasses import dataclass

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.fleet.errors import not_possible
from gateway.office.errors import deed_of, in_words
from gateway.office.experiment_fields import ExperimentFields
from gateway.office.v1 import experiment_service_pb2 as wire
from storage.experiments.content import Content, Design
from storage.experiments.experiments import (
    Experiments,
    ExperimentView,
    check_enough,
    drawn,
)
from storage.experiments.foreseeing import Foreseeing, Foresight
from storage.experiments.history import DaySpan
from storage.insight import days

REHEARSAL = "rehearsal"
"""The seed by which it is counted beforehand how many pairs there would be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """An experiment, with how many machines can be in it and how many are left out."""

    view: ExperimentView
    machines: int
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentCalls:
    """One method for each call. ``begun`` is told when machines may have to get something else;
    ``new_seed`` makes the luck of an experiment.
    """

    experiments: Experiments
    foreseeing: Foreseeing
    clock: Clock
    begun: Callable[[], None]
    new_seed: Callable[[], str]

    async def create(self, request: wire.CreateExperimentRequest, act: Act) -> Created:
        """CreateExperiment."""
        fields = ExperimentFields().experiment(request.code)
        content = fields.content(request.content)
        fields.done()
        with in_words():
            foresight = await self.foreseeing.foreseen(content, self.clock.now_ms())
            _check(content, foresight)
            view = await self.experiments.create(
                request.code, content, foresight, deed_of(act, "CreateExperiment", self.clock)
            )
        return Created(view=view, machines=len(foresight.units), left_out=len(foresight.left_out))

    async def start(self, request: wire.StartExperimentRequest, act: Act) -> ExperimentView:
        """StartExperiment."""
        ExperimentFields().experiment(request.code).done()
        with in_words():
            before = await self.experiments.get(request.code)
            if before.started_at_ms is not None:
                foresight, first_d = _NOBODY, 0
            else:
                foresight = await self.foreseeing.foreseen(before.content, self.clock.now_ms())
                _check(before.content, foresight)
                first_d = await self.foreseeing.next_day(self.clock.now_ms())
            view = await self.experiments.start(
                request.code,
                foresight,
                first_d,
                self.new_seed(),
                deed_of(act, "StartExperiment", self.clock),
            )
        self.begun()
        return view

    async def stop(self, request: wire.StopExperimentRequest, act: Act) -> ExperimentView:
        """StopExperiment."""
        ExperimentFields().experiment(request.code).reason(request.reason, needed=True).done()
        with in_words():
            view = await self.experiments.stop(
                request.code,
                deed_of(act, "StopExperiment", self.clock),
                reason=request.reason,
            )
        self.begun()
        return view


_NOBODY = Foresight(
    units=(), left_out={}, pre=DaySpan(first=20000101, last=20000101), detectable_permille=None
)


def _check(content: Content, foresight: Foresight) -> None:
    """Refuse what can say nothing, or not what is sought. Raises NotPossible, CallRefused."""
    over = foresight.pre.last
    span = DaySpan(first=over, last=days.moved(over, content.days - 1))
    check_enough(content, drawn(content, foresight, span, REHEARSAL))
    smallest = foresight.detectable_permille
    if content.forced or (smallest is not None and smallest <= content.sought_permille):
        return
    longer = content.days + content.pre_days
    better = "a switchback " if content.design is Design.PAIRED else ""
    raise not_possible(
        "LIFT_NOT_DETECTABLE",
        (
            f"nobody can say what would be seen: too few of these {len(foresight.units)} machines "
            f"have sold for the {longer} days before today"
            if smallest is None
            else f"{content.sought_permille / 10:.1f} % is sought, and a lift below "
            f"{smallest / 10:.1f} % would be missed in more than one of five tries by these "
            f"{len(foresight.units)} machines"
        )
        + f": choose more machines, more days, {better}or a larger sought_permille, or say in "
        "forced_reason why it is to be tried all the same",
        detectable_permille="" if smallest is None else str(smallest),
        machines=str(len(foresight.units)),
    )
