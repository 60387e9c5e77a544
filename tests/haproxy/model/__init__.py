"""A model of a running HAProxy, in memory and with a clock of its own: what lbkit asks of it answered as the real one.

`world.py` is what surrounds it: which addresses answer, time, and a stream of requests that never rests. `server.py` is
one server, `stored.py` maps and certificates, `worker.py` a process and its Runtime API, `machine.py` what lbkit takes
for a machine. `tests/haproxy/model/test_contract.py` holds it against real HAProxys.
"""
