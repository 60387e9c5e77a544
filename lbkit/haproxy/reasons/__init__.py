"""Why one server gets traffic or none: what each HAProxy and its machine know, and the likely cause in a sentence."""
