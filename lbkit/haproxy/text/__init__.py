"""From a Config to the text of haproxy.cfg: `render.py` the whole, a file for each kind of section."""
