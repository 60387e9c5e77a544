"""HAProxy: its configuration, its Runtime API, and the virtual address before it."""
