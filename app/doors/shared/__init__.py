"""What every audience uses: the page of a background job, uploads in parts, and pictures."""
