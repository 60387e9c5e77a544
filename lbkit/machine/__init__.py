"""What runs services: namespace machines, and later virtual ones."""
