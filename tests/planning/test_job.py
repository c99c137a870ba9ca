"""Jobs in an order in which they could run."""

from kaiku.planning.job import Job, plan_of


def job(name, inputs=(), outputs=(), **more):
    return Job(name, {}, tuple(inputs), tuple(outputs), f"logs/{name}/{name}.log", (), **more)


def test_jobs_come_after_those_they_need():
    pack = job("pack", ["rows", "codes", "leaf"], ["pack"])
    encode, segment = job("encode", ["tar"], ["codes"]), job("segment", ["leaf"], ["rows", "tar"])
    plan = plan_of([pack, encode, segment])
    assert [j.rule for j in plan.jobs] == ["segment", "encode", "pack"]
    assert [j.rule for j in plan.needs(pack)] == ["segment", "encode"] and plan.needs(segment) == []


def test_a_long_chain_needs_no_recursion():
    chain = [job(f"n{i}", [str(i - 1)], [str(i)]) for i in range(5000)]
    assert [j.rule for j in plan_of(reversed(chain)).jobs] == [f"n{i}" for i in range(5000)]
