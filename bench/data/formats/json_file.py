"""Base of the JSON formats: read a file into its model, write it with its checksum."""

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.errors import UserError
from bench.utils.io import parsed_json, unsealed, write_json


class Entry(BaseModel):
    """A value inside a JSON file. Types are strict; unknown keys are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)


class JsonFile(Entry):
    """A JSON file with a checksum over its other keys."""

    stage: ClassVar[str] = ""
    """The stage that writes the file; named in messages."""

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return the content of ``path``, or None if there is no such file.

        Raises UserError if the file is damaged: invalid JSON, a wrong checksum or a wrong shape.
        """
        try:
            return cls.model_validate(unsealed(parsed_json(path.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            reason = first_error(error)
        except ValueError as error:
            reason = str(error)
        rerun = f"run 'bench stage {cls.stage}'" if cls.stage else "rerun its stage"
        raise UserError(f"{path}: damaged ({reason}); delete it and {rerun}")

    @classmethod
    def require(cls, path: Path) -> Self:
        """Return the content of ``path``; UserError if the file is missing or damaged."""
        found = cls.read(path)
        if found is None:
            raise UserError(f"{path} is missing; run 'bench stage {cls.stage}'")
        return found

    def content(self) -> dict[str, Any]:
        """Return the fields that were set, as JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)

    def write(self, path: Path) -> None:
        """Write the file with its checksum, completely or not at all."""
        write_json(path, self.content())


def first_error(error: ValidationError) -> str:
    """Return the first complaint of pydantic in one line: ``classes.0: Input should be …``."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
