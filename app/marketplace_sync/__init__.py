"""Channel accounts, listings, evidence that a listing is live, and reconciliation with each marketplace."""
