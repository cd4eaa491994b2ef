"""The `models` command: the bundled models."""

from vqvae.cli.options import Force, Json


def models(json_file: Json = None, force: Force = False) -> None:
    """List the bundled models, for images and then for speech.

    kMAC/pixel are thousands of multiply-accumulates, of encoder + decoder.

    For variable-rate models, payload and PSNR are means over their rates.
    """
    from vqvae.cli.inspect import describe_models, describe_speech_models, print_models, print_speech_models
    from vqvae.cli.report import claim_json, publish

    claim_json(json_file, force)
    images, speech = describe_models(), describe_speech_models()

    def show() -> None:
        print_models(images)
        print_speech_models(speech)

    publish("models", {"models": [*images, *speech]}, json_file, show=show)
