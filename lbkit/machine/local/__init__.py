"""Processes and files of a machine on the kernel that this Python runs on. Needs the standard library alone: it goes into guests."""
