"""Kernel settings that every machine has, whatever it is: in a namespace, or in a guest."""

from __future__ import annotations

SYSCTLS = {
    # services may bind ports below 1024 as users other than root: the machine is theirs alone
    "net.ipv4.ip_unprivileged_port_start": "0",
    # a load balancer binds its virtual address before it holds it
    "net.ipv4.ip_nonlocal_bind": "1",
    "net.ipv6.ip_nonlocal_bind": "1",
}
