"""One request from arrival to answer: pauses, faults, the world, the log.

This is what all adapters share. It waits on the world's clock inside `answering()`, so that virtual
time goes on although the client counts as busy.
"""

from email.utils import format_datetime

from runbook.simulator.faults import ASKS_THE_WORLD, Fault, FaultKind, altered, instead
from runbook.simulator.messages import Call, Closed, Ending, Reply
from runbook.simulator.model import Asked
from runbook.simulator.router import answer, template_of
from runbook.simulator.world import World


async def exchange(world: World, call: Call) -> Reply | Closed:
    """Return what the client of this request gets."""
    if world.is_dark():
        return Closed(ending=Ending.REFUSED)
    if world.settings.latency_s > 0.0:
        await pause(world, world.settings.latency_s)
    fault = None
    if world.faults.rules:
        fault = world.faults.hit(call, template_of(world, call), world.clock.now())
    if fault is None:
        return _dated(world, _asked(world, call, None))
    return await _faulty(world, call, fault)


async def pause(world: World, seconds: float) -> None:
    """Wait as a server that takes its time."""
    with world.clock.answering():
        await world.clock.sleep(seconds)


async def _faulty(world: World, call: Call, fault: Fault) -> Reply | Closed:
    if fault.kind not in ASKS_THE_WORLD:
        got = instead(fault, world.clock.now())
        _write_log(world, call, got, fault, template=template_of(world, call), email=None)
        return _dated(world, got)
    if fault.kind is FaultKind.SLOW:
        await pause(world, fault.amount_s)
    submitted = len(world.submissions)
    true = _asked(world, call, fault)
    if fault.kind is FaultKind.OUTAGE:
        world.go_dark(fault.amount_s)
        # The connection goes with the outage; keeping it would let later requests pass.
        return _dated(world, true.with_headers([("Connection", "close")]))
    got = altered(fault, true)
    if len(world.submissions) > submitted:
        world.submissions[-1].answer_arrived = got is true or fault.kind is FaultKind.SLOW
    return _dated(world, got)


def _asked(world: World, call: Call, fault: Fault | None) -> Reply:
    reply, template, email = answer(world, call)
    _write_log(world, call, reply, fault, template=template, email=email)
    return reply


def _write_log(
    world: World,
    call: Call,
    got: Reply | Closed,
    fault: Fault | None,
    *,
    template: str,
    email: str | None,
) -> None:
    world.log.append(
        Asked(
            at=world.clock.now(),
            method=call.method,
            host=call.host,
            path=call.path,
            query=call.query,
            template=template,
            account=email,
            body=call.body,
            status=got.status if isinstance(got, Reply) else None,
            fault=None if fault is None else fault.kind.value,
        )
    )


def _dated(world: World, got: Reply | Closed) -> Reply | Closed:
    if isinstance(got, Closed):
        return got
    date = format_datetime(world.clock.now().replace(microsecond=0), usegmt=True)
    trace = f"{world.seed:08x}{world.next_number():024x}"
    return got.with_headers((("Date", date), ("Atl-Traceid", trace)))
