"""Runs flows by hand, one effect at a time, in whatever order a source of chance says."""

from __future__ import annotations

from contextvars import Context

from scrubjay._flow.effects import Ask, Call, Start, Wait


class Strand:
    """A flow under way.

    Args:
        flow: the flow.
        done: called with its flight, or with the error that it ended with.
    """

    def __init__(self, flow, done=None):
        self.flow = flow
        self.context = Context()
        self.done = done
        self.answer = None
        self.error = None
        self.waits = None  # for this flight

    @property
    def ready(self):
        return self.waits is None or self.waits.done


class Ended:
    """Stands for the end of a watch, or of the time for which it is waited."""

    def __init__(self, watch, seconds, scheduler):
        self.watch = watch
        self.key = "a watch"
        self.scheduler = scheduler
        self.patience = 30  # steps of others

    @property
    def done(self):
        self.patience -= 1
        return not self.watch.live or self.patience < 0


class Bounded:
    """Stands for a flight that is waited for until it is done, or until time is up.

    Args:
        flight: the flight.
    """

    def __init__(self, flight):
        self.flight = flight
        self.key = flight.key
        self.patience = 10  # steps of others

    @property
    def done(self):
        self.patience -= 1
        return self.flight.done or self.patience < 0


class Scheduler:
    """Takes turns between strands.

    Args:
        random: the source of chance.
        now: counts the effects so far.
    """

    def __init__(self, random):
        self.random = random
        self.now = 0
        self.strands = []

    def begin(self, flow, done=None):
        self.strands.append(Strand(flow, done))

    def run(self):
        """Run everything to its end."""
        while self.strands:
            self.step()

    def go_on(self, most):
        """Carry out some effects, fewer than `most`."""
        for _ in range(self.random.randrange(most)):
            if self.strands:
                self.step()

    def step(self):
        """Carry out one effect of one strand."""
        ready = [strand for strand in self.strands if strand.ready]
        if not ready:  # time passes
            ready = [
                strand for strand in self.strands if isinstance(strand.waits, (Ended, Bounded))
            ]
        assert ready, f"everyone waits: {[one.waits.key for one in self.strands]}"
        strand = self.random.choice(ready)
        self.now += 1
        strand.waits = None
        answer, error = strand.answer, strand.error
        strand.answer = strand.error = None
        try:
            resume = strand.flow.send if error is None else strand.flow.throw
            effect = strand.context.run(resume, answer if error is None else error)
        except StopIteration as end:
            self.end(strand, end.value)
            return
        except Exception as failure:
            self.end(strand, failure)
            return
        if isinstance(effect, Start):
            effect.flight.release()
            self.begin(effect.flow)
        elif isinstance(effect, Wait):
            strand.waits = effect.flight if effect.seconds is None else Bounded(effect.flight)
            strand.answer = effect.flight.done  # as it is when the strand goes on, or before
        elif isinstance(effect, Call):
            loader = effect.flight.loader
            strand.answer = loader.function(*loader.args, **loader.named)
        else:
            assert isinstance(effect, Ask)
            if effect.method == "until_changed":
                strand.waits = Ended(*effect.arguments, self)
                strand.answer = True
                return
            try:
                call = getattr(effect.tier, effect.method)
                strand.answer = call(*effect.arguments, **effect.named)
            except Exception as failure:
                strand.error = failure

    def end(self, strand, outcome):
        self.strands.remove(strand)
        if strand.done is not None:
            strand.done(outcome)
