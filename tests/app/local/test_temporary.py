"""Throw-away servers go with their user."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from app import local
from app.settings import ROOT
from tests.app.local.asking import sockets_of


@pytest.mark.slow
def test_throw_away_servers_go_with_their_user_even_when_it_is_killed(wait_for: Callable[..., Any]) -> None:
    code = (
        "from app import local\n"
        "with local.throw_away() as servers:\n"
        "    print(servers.database_url, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        url = user.stdout.readline().strip()
        directory = sockets_of(url).parent.parent
        assert local.alive(directory)
        user.kill()
    wait_for(lambda: not directory.exists(), 15, "the directory of the killed user to go")
