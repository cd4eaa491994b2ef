"""The `models` command: the bundled models."""

from functools import partial

from vqvae.cli.options import Force, Json


def models(json_file: Json = None, force: Force = False) -> None:
    """List the bundled models; kMAC/pixel are thousands of multiply-accumulates, of encoder + decoder.

    For variable-rate models, payload and PSNR are means over their rates.
    """
    from vqvae.cli.inspect import describe_models, print_models
    from vqvae.cli.report import claim_json, publish

    claim_json(json_file, force)
    rows = describe_models()
    publish("models", {"models": rows}, json_file, show=partial(print_models, rows))
