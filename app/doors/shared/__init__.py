"""Pages that every audience uses: a background job, uploads in parts, and pictures."""
