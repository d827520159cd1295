"""`python -m app.marketplace_sync.channels.woocommerce.double --port 8100 --state shop.sqlite3`: run the simulated shop."""

from app.marketplace_sync.channels.woocommerce.double.process import main

if __name__ == "__main__":
    main()
