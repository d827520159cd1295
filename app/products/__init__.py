"""OCOP products, their packs and prices, where they are made, and the certificates that stand behind them."""
