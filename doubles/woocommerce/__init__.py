"""A stateful simulated WooCommerce shop for the demo, the tests and sandboxes; `process` says what it can do."""
