"""Virtual addresses: one that the machines of a load balancer share, held by keepalived (VRRP)."""
