"""Zones by their server and key, whoever made them: `operations` is what can be done, public as `lbkit.zones`."""
