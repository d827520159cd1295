"""WooCommerce REST v3. Its double is doubles/woocommerce, a process of its own."""
