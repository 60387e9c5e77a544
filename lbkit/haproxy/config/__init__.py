"""What one HAProxy shall do, as typed values: sections, and the files that they speak of."""
