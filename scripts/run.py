#!/usr/bin/env python3
"""Set up everything, then run the suite or the tests.  Needs Python 3.11+ and nothing else.

    python3 scripts/run.py verify [options of 'eostheory verify']
    python3 scripts/run.py test   [options of pytest]
    python3 scripts/run.py ...    any other command of eostheory

The first call makes the virtual environment .venv in the repository and installs eostheory in it;
later calls find it and start at once.  Called from inside a virtual environment, it uses that one.

A torch of this Python that can be imported is used (it is not downloaded again).  Otherwise the CPU
build is installed, unless an NVIDIA GPU is found.  EOSTHEORY_TORCH=cpu or =default (what PyPI has)
overrides that.
"""

# Old Pythons must be able to read this file, so that they can say that they are too old.
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from typing import NoReturn

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
TORCH = "2.13.0"
TORCH_OLDEST = (2, 6)
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
STAMP = ".eostheory-installed"
# pip's doubly quiet mode still shows errors
_PIP = ["-m", "pip", "install", "-qq", "--disable-pip-version-check"]
_INSTALLED = """
from importlib.util import find_spec
assert all(map(find_spec, ("eostheory", "torch", "pytest")))
"""


def main(arguments: "list[str]") -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    if sys.version_info < OLDEST:
        return run_with_newer_python(arguments)
    python = environment()
    install(python)
    if arguments[0] == "test":
        # All tests on all cores, with one worker more as some tests wait for other processes; with
        # options of your own, exactly those.
        workers = str((os.cpu_count() or 1) + 1)
        chosen = arguments[1:] or ["-n", workers, "--dist", "worksteal"]
        command = [python, "-m", "pytest", *chosen]
    else:
        command = [python, "-m", "eostheory", *arguments]
    if arguments[0] == "test":
        os.chdir(ROOT)
    if os.name != "nt":
        # so that Ctrl-C and exit codes are the command's own
        os.execv(python, command)
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def run_with_newer_python(arguments: "list[str]") -> int:
    """Start again with a newer Python of this machine, if there is one."""
    for minor in (14, 13, 12, 11):
        found = shutil.which(f"python3.{minor}")
        if found:
            return subprocess.call([found, os.path.abspath(__file__), *arguments])
    fail(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}")


def environment() -> str:
    """The Python of the environment to use, made if it is missing."""
    if sys.prefix != sys.base_prefix:
        return sys.executable
    folder = os.path.join(ROOT, ".venv")
    inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    python = os.path.join(folder, *inside)
    if works(python, "import sys; assert sys.version_info >= (3, 11); import pip"):
        return python
    say(f"making the virtual environment {folder} (once; takes a few minutes)")
    options = ["--clear"]
    if has_torch(sys.executable):
        say("torch is already installed for this Python and will be used")
        options.append("--system-site-packages")
    made = subprocess.run(
        [sys.executable, "-m", "venv", *options, folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if made.returncode and not venv_without_ensurepip(folder, python, options):
        sys.stderr.write(made.stdout)
        fail(
            "this Python cannot make virtual environments; install its venv module first, e.g. "
            "'sudo apt install python3-venv' on Debian and Ubuntu"
        )
    return python


def venv_without_ensurepip(folder: str, python: str, options: "list[str]") -> bool:
    """Distributions may leave ensurepip out: make a bare environment and fetch pip into it."""
    bare = [sys.executable, "-m", "venv", "--without-pip", *options, folder]
    if subprocess.call(bare, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        return False
    if works(python, "import pip"):
        return True
    # a pip of the system may install into another environment
    system = [sys.executable, "-m", "pip", "--python", python, "install", "pip"]
    if subprocess.call(system, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
        return works(python, "import pip")
    say("neither ensurepip nor pip is here; downloading pip from pypi.org")
    try:
        with urllib.request.urlopen("https://pypi.org/pypi/pip/json", timeout=60) as answer:
            files = json.load(answer)["urls"]
        wheel = next(f for f in files if f["packagetype"] == "bdist_wheel")
        with urllib.request.urlopen(wheel["url"], timeout=60) as answer:
            data = answer.read()
    except (OSError, ValueError, KeyError, StopIteration) as reason:
        say(f"that failed: {reason}")
        return False
    if hashlib.sha256(data).hexdigest() != wheel["digests"]["sha256"]:
        fail("the downloaded pip is damaged; try again")
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(temporary, wheel["filename"])
        with open(path, "wb") as file:
            file.write(data)
        # a wheel of pip can be run from inside itself
        subprocess.call([python, os.path.join(path, "pip"), "install", "--no-index", path])
    return works(python, "import pip")


def install(python: str) -> None:
    """Install eostheory with its tests' needs, unless that has been done for these sources."""
    prefix = subprocess.check_output([python, "-c", "import sys; print(sys.prefix)"], text=True)
    stamp = os.path.join(prefix.strip(), STAMP)
    state = fingerprint()
    if read(stamp) == state and works(python, _INSTALLED):
        return
    if not works(python, "import pip"):
        bootstrap = [python, "-m", "ensurepip", "--upgrade"]
        if subprocess.call(bootstrap, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            fail(f"the environment of {python} has no pip; install it there, or leave it")
    if not has_torch(python):
        install_torch(python)
    say("installing eostheory and its tools")
    pip(python, ["-e", ROOT + "[dev]"], "eostheory could not be installed; see pip's message")
    with open(stamp, "w") as file:
        file.write(state)


def install_torch(python: str) -> None:
    """Install torch without its gigabytes of CUDA packages where no GPU could use them."""
    wanted = os.environ.get("EOSTHEORY_TORCH", "")
    if wanted not in ("", "cpu", "default"):
        fail(f"EOSTHEORY_TORCH is {wanted!r}; it may be 'cpu' or 'default'")
    gpu = shutil.which("nvidia-smi") or glob.glob("/dev/nvidia[0-9]*")
    if wanted == "default" or (gpu and wanted != "cpu"):
        say("installing torch with GPU support" if gpu else "installing torch")
        pip(python, [f"torch>={TORCH_OLDEST[0]}.{TORCH_OLDEST[1]}"], "torch could not be installed")
        return
    say("installing torch for the CPU (EOSTHEORY_TORCH=default takes the usual build)")
    local = [f"torch=={TORCH}+cpu"]
    ways = (
        local,  # where the configured indexes have it, e.g. a mirror
        ["--index-url", CPU_INDEX, f"torch=={TORCH}"],
        [f"torch=={TORCH}"],  # on Linux with an x86 processor this one brings CUDA along
        [f"torch>={TORCH_OLDEST[0]}.{TORCH_OLDEST[1]}"],
    )
    for way in ways[:-1]:
        command = [python, *_PIP, "--retries", "1", *way]
        if subprocess.call(command, stderr=subprocess.DEVNULL) == 0:
            return
    pip(python, ways[-1], "torch could not be installed; see pytorch.org for other ways")


def pip(python: str, packages: "list[str]", complaint: str) -> None:
    if subprocess.call([python, *_PIP, *packages]):
        fail(complaint)


def has_torch(python: str) -> bool:
    check = "import torch; v = torch.__version__.split('.'); assert (int(v[0]), int(v[1])) >= "
    return works(python, check + repr(TORCH_OLDEST))


def works(python: str, code: str) -> bool:
    """Whether ``python -c code`` succeeds."""
    if not os.path.exists(python):
        return False
    # not from the repository: its folder would make 'import eostheory' work by itself
    void, elsewhere = subprocess.DEVNULL, tempfile.gettempdir()
    return subprocess.call([python, "-c", code], cwd=elsewhere, stdout=void, stderr=void) == 0


def fingerprint() -> str:
    """What an installation depends on: our requirements, and where the repository is."""
    total = hashlib.sha256(ROOT.encode())
    for name in ("pyproject.toml", os.path.join("scripts", "run.py")):
        with open(os.path.join(ROOT, name), "rb") as file:
            total.update(file.read())
    return total.hexdigest()


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def say(text: str) -> None:
    sys.stderr.write(f"run.py: {text}\n")
    sys.stderr.flush()


def fail(text: str) -> NoReturn:
    say(text)
    raise SystemExit(2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
