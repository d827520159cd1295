"""`python -m demo ADDRESS`: load the demo into this installation's database, then print its doors."""

import sys

from app import settings as settings_module
from demo.loader import doors, load


def main(address: str) -> None:
    settings = settings_module.load()
    load(settings)
    print("\n".join(doors(settings, address)))


if __name__ == "__main__":
    main(sys.argv[1])
