"""Whether the needs of the jobs can be met: no unknown id, no cycle. Pure and without recursion."""

from collections.abc import Iterator, Sequence

from runbook.plan.model import Instance

# Each cycle is its own mistake; a plan with more of them was generated, and these show how.
_CYCLES_SHOWN = 20
_SUGGESTIONS = 20
_OTHERWISE = "name the id of another job, or remove it"


def judge_needs(
    instances: Sequence[Instance], *, left_out: frozenset[str] | None
) -> Iterator[tuple[str, str, str]]:
    """Yield path, message and hint of every need that cannot be met.

    `left_out` are ids of instances that could not be read; None says that some of those have no id
    of their own, so that an unknown id proves nothing.
    """
    by_id = {instance.id: instance for instance in instances}
    if left_out is not None:
        yield from _unknown(instances, by_id, left_out)
    yield from _cycles(by_id)


def _unknown(
    instances: Sequence[Instance], by_id: dict[str, Instance], left_out: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    shown = 0
    for instance in instances:
        for i, need in enumerate(instance.needs):
            if need in by_id or need in left_out:
                continue
            shown += 1
            near = _near(need, by_id) if shown <= _SUGGESTIONS else _OTHERWISE
            message = f"`{instance.id}` needs `{need}`, which is not in the plan"
            yield f"{instance.path}.needs[{i}]", message, near


def _near(need: str, by_id: dict[str, Instance]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(need, list(by_id)[:1000], n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return _OTHERWISE


def _cycles(by_id: dict[str, Instance]) -> Iterator[tuple[str, str, str]]:
    shown = 0
    done: set[str] = set()
    for start in by_id.values():
        if start.id in done:
            continue
        trail: list[list[int]] = [[0]]
        route = [start]
        position_of = {start.id: 0}
        while route:
            instance, step = route[-1], trail[-1]
            if step[0] == len(instance.needs):
                done.add(instance.id)
                del position_of[instance.id]
                route.pop()
                trail.pop()
                continue
            need = by_id.get(instance.needs[step[0]])
            step[0] += 1
            if need is None or need.id in done:
                continue
            if need.id in position_of:
                shown += 1
                if shown <= _CYCLES_SHOWN:
                    loop = [member.id for member in route[position_of[need.id] :]]
                    path = f"{instance.path}.needs[{step[0] - 1}]"
                    yield path, _loop(loop), "remove one of these needs"
                continue
            position_of[need.id] = len(route)
            route.append(need)
            trail.append([0])


def _loop(ids: list[str]) -> str:
    shown = ids if len(ids) <= 8 else [*ids[:7], f"… {len(ids) - 7} more …"]
    return "jobs that wait for each other: " + " -> ".join((*shown, ids[0]))
