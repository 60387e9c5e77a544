"""Whether a machine can be a mirror's master or node: asked on it, by the standard library alone, before anything is started there."""
