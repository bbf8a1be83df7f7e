"""A virtual environment of its own for a script, below `target/`."""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def enter(name: str, requirements: list[str]) -> None:
    """Goes on in the virtual environment `name`, which has `requirements`; makes it if needed.

    Must come before the imports that need them: the script starts anew in there.
    """
    if Path(sys.prefix) == folder_of(name):
        return
    python = make(name, requirements) / "bin" / "python"
    sys.stdout.flush()
    os.execv(python, [str(python), *sys.argv])


def folder_of(name: str) -> Path:
    return ROOT / "target" / "python" / name


def make(name: str, requirements: list[str]) -> Path:
    """The folder of the virtual environment `name`, which has `requirements`."""
    folder = folder_of(name)
    installed = folder / "requirements.txt"
    wanted = "\n".join(requirements) + "\n"
    python = folder / "bin" / "python"
    if not installed.is_file() or installed.read_text() != wanted:
        print(f"installing {', '.join(requirements)} into {folder}", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        installed.write_text(wanted)
    return folder
