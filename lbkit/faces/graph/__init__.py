"""A Picture as SVG, laid out in layers without help of other programs, and as Mermaid. Same input, same bytes."""
