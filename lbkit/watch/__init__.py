"""Keep a topology as a person applied it, unattended: look, plan, carry out what may be, again and again (docs/watch.md)."""
