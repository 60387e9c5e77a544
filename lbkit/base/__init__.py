"""Errors, files, programs, locks, time: what every room needs. Knows no load balancer."""
