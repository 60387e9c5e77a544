"""What a person declares of load balancers: one idea a file, `balancer.py` at the top."""
