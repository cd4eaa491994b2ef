"""The `info` command: the facts of a compressed file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from vqvae.cli.commands import is_coded_speech


def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .vqz, .vqa or .vqs file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Describe a file, list the images of an archive, and verify its checksums."""
    from vqvae.cli.inspect import describe_archive, describe_file, print_facts
    from vqvae.formats.vqa.reader import Archive, is_archive

    if is_coded_speech(file):
        from vqvae.cli.speech import describe_speech

        facts = describe_speech(file)
        print(json.dumps(facts, indent=2)) if as_json else print_facts(facts)
        return
    archive = Archive(file) if is_archive(file) else None
    facts = describe_file(file) if archive is None else describe_archive(archive)
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        print_facts(facts)
    if archive is not None:
        archive.check_payloads()
