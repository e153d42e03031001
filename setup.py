"""Build the compiled store from the same Python files that run without it.

Every module of `scrubjay/_core`, of the disk tier and of prefetch with a `.pxd` beside it is written
in Cython's pure-Python mode: it runs as it stands, and compiles to C when there is a compiler.
Either the whole list is compiled or none of it, because a compiled module reaches
its neighbours through C structures that an uncompiled one does not have.

Two environment variables, read when the package is built:

- `SCRUBJAY_PURE_PYTHON=1`: do not compile.
- `SCRUBJAY_REQUIRE_COMPILED=1`: a build that cannot compile fails. Without it the
  install goes on uncompiled, with a warning; `scrubjay.compiled` tells which it is.

Everything a build makes lives in a temporary directory. The source tree stays as it
was, so no build can leak into another, and builds may run side by side. The Makefile, to
be quick, names a directory in `SCRUBJAY_BUILD_CACHE`: compiled modules are kept there,
under a digest of all they were made from.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
SRC = Path("src")  # setuptools wants source paths relative to setup.py
CORE = SRC / "scrubjay" / "_core"
DISK = SRC / "scrubjay" / "tiers" / "_disk"
PREFETCH = SRC / "scrubjay" / "prefetch"

# Cython's own run-time support, written out once and not into every module: less than
# half the size, and less than half the time to compile.
SHARED = "scrubjay._core._cyutility"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "annotation_typing": False,
    "binding": False,
    "embedsignature": True,
    "embedsignature.format": "clinic",
}


def switch(name: str) -> bool:
    """Tell whether an environment variable is switched on.

    Args:
        name: The variable. Unset, empty, "0", "false" and "no" are off.
    """
    return os.environ.get(name, "").strip().lower() not in {"", "0", "false", "no"}


def build_list(root: Path = ROOT) -> dict[str, str]:
    """Find the modules to compile.

    Args:
        root: The directory that holds `src`.

    Returns:
        Dotted module name to source path (relative to `root`), sorted by name.
    """
    modules = {}
    declared = [path for place in (CORE, DISK, PREFETCH) for path in (root / place).rglob("*.pxd")]
    for declarations in sorted(declared):
        source = declarations.with_suffix(".py")
        if source.exists() and source.stem != "__init__":
            relative = source.relative_to(root)
            name = ".".join(relative.relative_to(SRC).with_suffix("").parts)
            modules[name] = relative.as_posix()
    return modules


def wants_compiling() -> bool:
    """Decide whether to try the compiler at all.

    Raises:
        SystemExit: The two switches contradict each other, or compiling is required
            where it is not possible.
    """
    pure, required = switch("SCRUBJAY_PURE_PYTHON"), switch("SCRUBJAY_REQUIRE_COMPILED")
    if pure and required:
        sys.exit("SCRUBJAY_PURE_PYTHON and SCRUBJAY_REQUIRE_COMPILED contradict each other.")
    if required and not build_list():
        sys.exit(f"SCRUBJAY_REQUIRE_COMPILED is set, but {CORE} has nothing to compile.")
    # Other implementations have a JIT which does better than a C extension would.
    if platform.python_implementation() != "CPython":
        if required:
            sys.exit("SCRUBJAY_REQUIRE_COMPILED is set, but only CPython is compiled for.")
        return False
    return not pure


class BuildCore(build_ext):
    """Translate and compile the whole list in parallel, or give it up as a whole."""

    def finalize_options(self) -> None:
        """Use every processor, unless `--parallel` says otherwise."""
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count() or 1

    def run(self) -> None:
        """Compile; on failure warn and leave the package uncompiled.

        Raises:
            Exception: Whatever stopped the build, if compiling is required.
        """
        try:
            if self.inplace or self.editable_mode:
                # An extension module in src/ would hide every later edit of its
                # source, and would leak into the uncompiled environment.
                raise RuntimeError("an editable install is always uncompiled")
            cache = self.cache()
            if cache is not None and cache.is_dir():
                shutil.copytree(cache, self.build_lib, dirs_exist_ok=True)
                return
            self.translate()
            super().run()
            if cache is not None:
                self.keep(cache)
        except Exception as error:  # any failure at all: no compiler, no headers, no Cython
            if switch("SCRUBJAY_REQUIRE_COMPILED"):
                print(f"scrubjay: SCRUBJAY_REQUIRE_COMPILED is set: {error}", file=sys.stderr)
                raise
            self.give_up(error)

    def cache(self) -> Path | None:
        """Return the directory of what these very sources compile to, if any is kept.

        Raises:
            ImportError: Cython is not installed.
        """
        directory = os.environ.get("SCRUBJAY_BUILD_CACHE")
        if not directory:
            return None
        import Cython  # noqa: PLC0415 - optional

        digest = hashlib.sha256()
        sources = map(Path, build_list().values())
        for path in (Path("setup.py"), *sources, *sorted(SRC.rglob("*.pxd"))):
            digest.update(f"\0{path.as_posix()}\0".encode() + path.read_bytes())
        flags = (os.environ.get(name) for name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS"))
        digest.update(repr((sys.version, Cython.__version__, self.plat_name, *flags)).encode())
        return Path(directory) / digest.hexdigest()[:20]

    def keep(self, cache: Path) -> None:
        """Copy the compiled modules into the cache, all at once.

        Args:
            cache: The directory to make.
        """
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent) as directory:
            complete = Path(directory) / "complete"
            for output in map(Path, self.get_outputs()):
                target = complete / output.relative_to(self.build_lib)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(output, target)
            with contextlib.suppress(OSError):  # a build beside this one was first
                complete.rename(cache)

    def translate(self) -> None:
        """Turn the Python sources of every extension into C, in the build directory.

        Raises:
            ImportError: Cython is not installed.
            CompileError: Cython does not accept a source.
        """
        from Cython.Build import cythonize  # noqa: PLC0415 - optional, needed here alone

        for extension in self.extensions:
            if extension.name == SHARED:  # named only now: no source tree has this file
                extension.sources = [(CORE / "_cyutility.c").as_posix()]
        translated = cythonize(
            self.extensions,
            shared_utility_qualified_name=SHARED,
            build_dir=self.build_temp,
            compiler_directives=DIRECTIVES,
            include_path=[str(SRC)],
            nthreads=self.parallel if self.parallel > 1 else 0,
            force=True,
        )
        sources = {extension.name: extension.sources for extension in translated}
        for extension in self.extensions:
            extension.sources = sources[extension.name]

    def build_extensions(self) -> None:
        """Add the compiler's flags, known only once the compiler is."""
        if self.compiler.compiler_type != "msvc":
            for extension in self.extensions:
                # No debugging symbols: they are four fifths of the size.
                extension.extra_compile_args = ["-O3", "-g0"]
        super().build_extensions()

    def give_up(self, error: Exception) -> None:
        """Drop what was compiled so far and say so.

        Args:
            error: What stopped the build.
        """
        for extension in self.extensions:
            Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
        self.extensions = []
        line = "*" * 78
        print(
            f"{line}\nWARNING: scrubjay is being installed UNCOMPILED: it works the same,\n"
            f"several times slower. The cause: {type(error).__name__}: {error}\n"
            "Compiling takes Cython, a C compiler and Python's headers (Debian: gcc, python3-dev).\n"
            f"SCRUBJAY_REQUIRE_COMPILED=1 turns this warning into an error.\n{line}",
            file=sys.stderr,
        )


def main() -> None:
    """Run setuptools."""
    os.chdir(ROOT)
    extensions = []
    if wants_compiling():
        extensions = [Extension(name, [source]) for name, source in build_list().items()]
        extensions.append(Extension(SHARED, []))
    with tempfile.TemporaryDirectory(prefix="scrubjay-build-") as workshop:
        setup(
            ext_modules=extensions,
            cmdclass={"build_ext": BuildCore},
            options={
                "build": {"build_base": workshop},
                "egg_info": {"egg_base": workshop},
            },
        )


if __name__ == "__main__":  # the tests read build_list() without building anything
    main()
