"""The paper's speech: PESQ at six rates, beside Opus and the published figures."""

from typing import Any

from matplotlib import pyplot

from benchmarks.paper.common import COLOURS, PUBLISHED, Rows, Section, save

SPEECH = """
# The paper's speech

Wide-band PESQ (`pesq` 0.0.4, P.862.2), the mean over recordings with its 2.5 % and 97.5 % quantiles, STOI, and the
perceptually weighted segmental SNR in dB, which says nothing of coders that shift phases, such as Opus. Of ours, whole
files count: the average rate of a file, found with all of it known, goes beside Opus VBR, and the constant rate beside
Opus CBR. Of Opus (libopus, frames of 20 ms, for speech), packets count without their container. Published are the means
of additive VQ over other recordings. Measured by `python -m benchmarks.speech FOLDER --json FILE --against opus`.

The paper's order of methods, everything but the quantiser the same, is what `python train.py -m experiment=speech
quantizer=avq,rvq,pvq seed=0,1` trains models for, which the same command compares, by `--models`.

![PESQ against the rate, ours, Opus and the paper's](figures/speech.svg)
"""


def speech(report: dict[str, Any]) -> Section:
    """Heading, table and notes of the experiment on speech; draws its figure."""
    summary = report["summary"]
    _draw(summary)
    published = PUBLISHED["speech"]
    theirs = dict(zip(published["kbit_s"], published["pesq"]["AVQ"]["mean"], strict=True))
    table: Rows = [
        {
            "kbit/s": f"{row['target']:g}",
            "codec": row["coder"],
            "real kbit/s": f"{row['kbps']:.2f}",
            "PESQ": f"{row['pesq']:.2f}",
            "95 % of recordings": f"{row['pesq_low']:.2f} to {row['pesq_high']:.2f}",
            "published PESQ": f"{theirs[row['target']]:.2f}",
            "STOI": f"{row['stoi']:.3f}",
            "weighted SNR": f"{row['psnr']:.1f}",
            "recordings": row["recordings"],
        }
        for row in sorted(summary, key=lambda row: (row["target"], row["coder"]))
    ]
    return SPEECH, table, report.get("about", "")


def _draw(summary: Rows) -> None:
    figure, axis = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for coder in dict.fromkeys(row["coder"] for row in summary):
        rows = sorted((row for row in summary if row["coder"] == coder), key=lambda row: row["kbps"])
        axis.plot([row["kbps"] for row in rows], [row["pesq"] for row in rows], "o-", label=coder, markersize=3)
    published = PUBLISHED["speech"]
    for method, figures in published["pesq"].items():
        axis.plot(published["kbit_s"], figures["mean"], "--", color=COLOURS[method], label=f"{method}, published")
    axis.set(xlabel="kbit/s", ylabel="PESQ")
    axis.legend(fontsize="x-small")
    save(figure, "speech")
