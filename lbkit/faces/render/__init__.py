"""What people see on a terminal or in a log: plans, progress, status, findings, errors. Data in, rich out."""
