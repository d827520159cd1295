"""`python -m demo.front`, with granian's options: as `python -m app.front`, with the demo's pages."""

from app import front
from app.front.__main__ import run
from app.front.layer import Front
from demo.factory import create_app


def create() -> Front:
    """What granian loads in each web process."""
    return front.create(create_app)


if __name__ == "__main__":
    run("demo.front:create")
