"""Desired state meets observed state, leaves as a Plan, is carried out and read back. Knows no noun."""
