"""The language: load YAML or JSON, report every mistake at once with file:line, and the JSON Schema."""
