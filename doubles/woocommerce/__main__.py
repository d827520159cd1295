"""`python -m doubles.woocommerce --port 8100 --state shop.sqlite3`: run the simulated shop."""

from doubles.woocommerce.process import main

if __name__ == "__main__":
    main()
