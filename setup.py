"""The wheel's own step: what `bench new` starts a project from goes into bench/starter/."""

from pathlib import Path
from shutil import copyfile

from setuptools import setup
from setuptools.command.build_py import build_py

STARTER = ("params.yaml", "dvc.yaml", ".dvcignore", ".gitignore", ".dvc/config", ".dvc/.gitignore")


class WithStarter(build_py):
    """Copy the project's files and methods; a wheel has no package of the common name methods."""

    def run(self) -> None:
        """Build the packages, then bench/starter/."""
        if self.editable_mode:
            super().run()
            return
        self.packages = [name for name in self.packages if name.split(".")[0] == "bench"]
        super().run()
        here, target = Path(__file__).parent, Path(self.build_lib, "bench", "starter")
        methods = [f"methods/{path.name}" for path in sorted((here / "methods").glob("*.py"))]
        for name in (*STARTER, *methods):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            copyfile(here / name, target / name)


setup(cmdclass={"build_py": WithStarter})
