"""WooCommerce REST v3: the channel, and a stateful double of such a shop that runs as its own process."""
