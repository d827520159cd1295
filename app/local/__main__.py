"""`python -m app.local DIRECTORY`: the watcher of throw-away servers."""

import sys
from pathlib import Path

from app.local.temporary import watch

watch(Path(sys.argv[1]))
