"""The `info` command: the facts of a compressed file."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from vqvae.cli.commands import finish, is_coded_speech
from vqvae.cli.options import Force, Json


def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .vqz, .vqa or .vqs file.")],
    json_file: Json = None,
    force: Force = False,
) -> None:
    """Describe a file, list the images of an archive, and verify its checksums."""
    from vqvae.cli.inspect import describe_archive, describe_file, print_facts
    from vqvae.cli.progress import ItemError, say
    from vqvae.cli.report import claim_json, publish
    from vqvae.formats.vqa.reader import Archive, is_archive

    claim_json(json_file, force)
    if is_coded_speech(file):
        from vqvae.cli.speech import describe_speech

        facts = describe_speech(file)
        publish("info", facts, json_file, show=partial(print_facts, facts))
        return
    archive = Archive(file) if is_archive(file) else None
    facts = describe_file(file) if archive is None else describe_archive(archive)
    damage = archive.damaged_blocks() if archive is not None else []
    errors = [ItemError(str(file), str(error)) for error in damage]
    publish("info", facts, json_file, errors, partial(print_facts, facts))
    for error in errors:
        say(f"error: {error.error}")
    finish(not errors)
