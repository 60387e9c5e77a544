"""What clients of a mirror talk to: nginx and rsync, before the generations of one disk."""
