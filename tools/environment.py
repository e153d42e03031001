"""Make the virtual environments which the Makefile works in.

    python tools/environment.py create DIR           a virtual environment with pip
    python tools/environment.py probe DIR            can this interpreter compile?
    python tools/environment.py install DIR MODE     build a wheel and install it
    python tools/environment.py extra DIR EXTRA      add the packages of an extra
    python tools/environment.py server               a Redis server for the tests
    python tools/environment.py browser              a Chromium for the tests, or status 1
    python tools/environment.py interpreters         the interpreters to test with

Only the standard library is used, on any Python from 3.10 on. What is already right is
left alone, so that make sees no change. What is missing on a Debian machine is
installed by root, and named to everybody else.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path

OLDEST, NEWEST = (3, 10), (3, 14)
DEBIAN_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"

# As tests/test_web_page.py looks for it.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

COMPILED, PURE = "compiled", "pure"
SWITCHES = {
    COMPILED: {"SCRUBJAY_REQUIRE_COMPILED": "1", "SCRUBJAY_PURE_PYTHON": ""},
    PURE: {"SCRUBJAY_REQUIRE_COMPILED": "", "SCRUBJAY_PURE_PYTHON": "1"},
}


def say(message: str) -> None:
    """Tell the person at the terminal, in order with what the commands print."""
    print(f"==> {message}", flush=True)


def write_if_changed(path: Path, text: str) -> None:
    """Write a file, but leave its time stamp alone if it says that already."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def debian_package(package: str, purpose: str) -> bool:
    """Install a Debian package if we may, else say what to install.

    Args:
        package: The package's name.
        purpose: What cannot be done without it.

    Returns:
        Whether it was installed.
    """
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        say(f"{purpose} is missing. On Debian or Ubuntu: sudo apt-get install {package}")
        return False
    say(f"{purpose} is missing: installing {package}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        [apt, "update", "-qq"],
        [apt, "install", "-y", "-qq", "--no-install-recommends", package],
    ):
        if subprocess.run(command, env=environment, check=False).returncode != 0:
            say(f"{shlex.join(command)} failed")
            return False
    return True


def python_of(directory: Path) -> str:
    """Return the path of an environment's interpreter."""
    return str(directory.absolute() / "bin" / "python")


def create(directory: Path) -> None:
    """Create an environment for the running interpreter, unless it is there.

    Args:
        directory: Where. Replaced if it was made for another interpreter or place.

    Raises:
        SystemExit: This interpreter cannot make environments.
    """
    # pip inside: an environment which was cut short has no stamp and is made anew.
    stamp = directory / ".python"
    identity = f"{sys.executable}\n{sys.version}\n{directory.absolute()}\n"
    if stamp.exists() and stamp.read_text() == identity:
        return
    if sys.version_info < OLDEST:
        sys.exit(f"scrubjay needs Python {OLDEST[0]}.{OLDEST[1]} or newer: make PYTHON=...")
    if not has_ensurepip() and not debian_package(
        f"{DEBIAN_PYTHON}-venv", "Python's ensurepip, which virtual environments need,"
    ):
        sys.exit(1)
    say(f"creating {directory} with Python {sys.version.split()[0]}")
    shutil.rmtree(directory, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
    stamp.write_text(identity)


def has_ensurepip() -> bool:
    """Tell whether pip can be put into a new environment."""
    spec = find_spec("ensurepip")
    return spec is not None and spec.origin is not None  # a bare directory has no origin


def probe(directory: Path) -> None:
    """Write the mode to install an environment in to its file `.mode`.

    Args:
        directory: The environment.
    """
    write_if_changed(directory / ".mode", COMPILED if can_compile() else PURE)


def can_compile() -> bool:
    """Tell whether a C file that includes Python.h compiles; say why, if not."""
    configured = shlex.split(sysconfig.get_config_var("CC") or "cc")
    compiler = shlex.split(os.environ.get("CC", "")) or configured
    if shutil.which(compiler[0]) is None:
        say(f"NO C COMPILER ({compiler[0]}): only the uncompiled build is used")
        return False
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").exists() and not debian_package(
        f"{DEBIAN_PYTHON}-dev", "Python.h, which compiling needs,"
    ):
        say("NO PYTHON HEADERS: only the uncompiled build is used")
        return False
    with tempfile.TemporaryDirectory() as workshop:
        source = Path(workshop) / "probe.c"
        source.write_text("#include <Python.h>\n")
        command = [*compiler, "-c", f"-I{headers}", "probe.c", "-o", "probe.o"]
        done = subprocess.run(command, cwd=workshop, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        say(f"THE C COMPILER FAILS: only the uncompiled build is used\n{done.stderr}")
    return done.returncode == 0


def install(directory: Path, mode: str) -> None:
    """Build a wheel and install it, without its extras.

    Args:
        directory: The environment.
        mode: "compiled" or "pure".

    Raises:
        SystemExit: What was installed is not what was asked for.
        CalledProcessError: The build failed.
    """
    say(f"building scrubjay ({mode}) for {directory}")
    wheels = directory / "wheel"
    shutil.rmtree(wheels, ignore_errors=True)
    environment = {"SCRUBJAY_BUILD_CACHE": str(Path("build").absolute())}
    environment |= os.environ | SWITCHES[mode]
    pip = [python_of(directory), "-m", "pip"]
    subprocess.run(
        [*pip, "wheel", "-q", "--no-deps", "-w", str(wheels), "."], env=environment, check=True
    )
    subprocess.run(
        [*pip, "install", "-q", "--no-deps", "--force-reinstall", str(wheel_of(directory))],
        check=True,
    )
    question = "import scrubjay; print(scrubjay.compiled)"
    answer = subprocess.run(
        [python_of(directory), "-I", "-c", question], check=True, capture_output=True, text=True
    ).stdout.strip()
    if answer != str(mode == COMPILED):
        sys.exit(f"{directory}: asked for a {mode} build, but scrubjay.compiled is {answer}")


def wheel_of(directory: Path) -> Path:
    """Return the one wheel which was built for an environment."""
    (wheel,) = (directory / "wheel").glob("scrubjay-*.whl")
    return wheel


def extra(directory: Path, name: str) -> None:
    """Install what an extra of the built wheel asks for.

    Args:
        directory: The environment.
        name: The extra, or several joined by commas.
    """
    say(f"installing the packages of [{name}] in {directory}")
    requirement = f"{wheel_of(directory)}[{name}]"
    subprocess.run([python_of(directory), "-m", "pip", "install", "-q", requirement], check=True)


def server() -> None:
    """See to it that there is a Redis or Valkey server for the tests to start.

    Without one they leave its tier out, and say so; where `CI` is set, they fail.
    """
    if not any(map(shutil.which, ("redis-server", "valkey-server"))):
        debian_package("redis-server", "A Redis server, which tests of its tier need,")


def browser() -> None:
    """See to it that there is a Chromium for the tests of the live page.

    Raises:
        SystemExit: There is none, and none can be had.
    """
    if any(map(shutil.which, BROWSERS)):
        return
    if not debian_package("chromium", "Chromium, which tests of the live page need,"):
        sys.exit(1)


def interpreters() -> None:
    """Print one working interpreter per supported minor version, a line each."""
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        version = f"3.{minor}"
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        candidates = sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)
        for candidate in (*candidates, shutil.which(f"python{version}")):
            # A name on PATH may be a shim for a version which is not there.
            if candidate and answers(candidate, version):
                print(candidate)
                break


def answers(interpreter: str | Path, version: str) -> bool:
    """Tell whether an interpreter runs and is of a version such as "3.12"."""
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run(
        [str(interpreter), "-c", question], check=False, capture_output=True, text=True
    )
    return done.stdout.strip() == version


def main(arguments: list[str]) -> None:
    """Run one command.

    Args:
        arguments: The command and its arguments.

    Raises:
        SystemExit: No such command, or it failed.
    """
    try:
        match arguments:
            case ["create", directory]:
                create(Path(directory))
            case ["probe", directory]:
                probe(Path(directory))
            case ["install", directory, "compiled" | "pure" as mode]:
                install(Path(directory), mode)
            case ["extra", directory, name]:
                extra(Path(directory), name)
            case ["server"]:
                server()
            case ["browser"]:
                browser()
            case ["interpreters"]:
                interpreters()
            case _:
                sys.exit(__doc__)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{shlex.join(error.cmd)} failed\n{error.stderr or ''}")


if __name__ == "__main__":
    main(sys.argv[1:])
