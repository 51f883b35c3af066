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
from storage.experiments.content import Channel, Content, Design
from storage.experiments.experiments import (
    Experiments,
    ExperimentView,
    check_enough,
    drawn,
)
from storage.experiments.foreseeing import Foreseeing, Foresight
from storage.experiments.history import DaySpan
from storage.experiments.payer_foreseeing import PayerForeseeing, PayerForesight
from storage.experiments.payer_starting import PayerStarts
from storage.insight import days

REHEARSAL = "rehearsal"
"""The seed by which it is counted beforehand how many pairs there would be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """An experiment, with how many machines can be in it and how many are left out; or how many
    payers, as far as that is told.
    """

    view: ExperimentView
    machines: int = 0
    left_out: int = 0
    payers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentCalls:
    """One method for each call. ``begun`` is told when machines may have to get something else;
    ``new_seed`` makes the luck of an experiment.
    """

    experiments: Experiments
    foreseeing: Foreseeing
    payers: PayerForeseeing
    starts: PayerStarts
    clock: Clock
    begun: Callable[[], None]
    new_seed: Callable[[], str]

    async def create(self, request: wire.CreateExperimentRequest, act: Act) -> Created:
        """CreateExperiment."""
        fields = ExperimentFields().experiment(request.code)
        content = fields.content(request.content)
        fields.done()
        if content.channel is Channel.OFFER:
            return await self._create_with_payers(request.code, content, act)
        with in_words():
            foresight = await self.foreseeing.foreseen(content, self.clock.now_ms())
            _check(content, foresight)
            view = await self.experiments.create(
                request.code, content, foresight, deed_of(act, "CreateExperiment", self.clock)
            )
        return Created(view=view, machines=len(foresight.units), left_out=len(foresight.left_out))

    async def _create_with_payers(self, code: str, content: Content, act: Act) -> Created:
        with in_words():
            foresight = await self.payers.foreseen(content, self.clock.now_ms())
            _check_payers(content, foresight)
            kept = Foresight(
                units=(),
                left_out={},
                pre=foresight.pre,
                detectable_permille=foresight.detectable_permille,
            )
            deed = deed_of(act, "CreateExperiment", self.clock)
            view = await self.experiments.create(code, content, kept, deed)
        return Created(view=view, payers=foresight.payers)

    async def start(self, request: wire.StartExperimentRequest, act: Act) -> ExperimentView:
        """StartExperiment."""
        ExperimentFields().experiment(request.code).done()
        with in_words():
            before = await self.experiments.get(request.code)
            if before.content.channel is Channel.OFFER and before.started_at_ms is None:
                return await self._start_with_payers(before, act)
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

    async def _start_with_payers(self, before: ExperimentView, act: Act) -> ExperimentView:
        foresight = await self.payers.foreseen(before.content, self.clock.now_ms())
        _check_payers(before.content, foresight)
        deed = deed_of(act, "StartExperiment", self.clock)
        return await self.starts.start(before.experiment, foresight, self.new_seed(), deed)

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
    if _is_seen(content, smallest):
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


def _check_payers(content: Content, foresight: PayerForesight) -> None:
    """Refuse what does not say what is sought. Raises CallRefused."""
    smallest = foresight.detectable_permille
    if _is_seen(content, smallest):
        return
    these = "these payers" if foresight.payers is None else f"these {foresight.payers} payers"
    raise not_possible(
        "LIFT_NOT_DETECTABLE",
        (
            "nobody can say what would be seen: too few payers bought at these machines, or had "
            f"the offer's tag, {content.days + content.pre_days} days ago"
            if smallest is None
            else f"{content.sought_permille / 10:.1f} % is sought, and a lift below "
            f"{smallest / 10:.1f} % would be missed in more than one of five tries by {these}"
        )
        + ": make an offer to more payers, at more machines, or with a holdout_percent nearer to "
        "50, choose more days or a larger sought_permille, or say in forced_reason why it is to be "
        "tried all the same",
        detectable_permille="" if smallest is None else str(smallest),
        payers="" if foresight.payers is None else str(foresight.payers),
    )


def _is_seen(content: Content, smallest: int | None) -> bool:
    return bool(content.forced) or (smallest is not None and smallest <= content.sought_permille)
