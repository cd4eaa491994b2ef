"""The paper's images: CIFAR10."""

from collections import defaultdict
from math import log10
from statistics import mean

from matplotlib import pyplot

from benchmarks.complexity import METHODS
from benchmarks.paper.common import PUBLISHED, Rows, Section, draw, how, published_psnr, save

CIFAR10 = """
# The paper's images: CIFAR10

Four codebooks, 12 to 40 bits a vector, on a grid of 8×8: PSNR (dB) and SSIM on the 10,000 test images; published are
the means of 10 runs of 15,000 batches. The published counts of operations leave out one of the four stages of residual
and product VQ: WMOPS are log10 as published, and corrected. `python train.py -m experiment=cifar10` trains them all
(where the table has other batches, with `trainer.max_steps=`).

What agrees: each method gains with every bit, ever less; residual VQ is ahead of product VQ from 16 bits on.

What differs: all three are well above the published means, by more at high rates than at low ones. The network is
another one (the size of the paper's is not published), codebooks are initialised by a joint fit, unused codewords
are replaced, weights are averaged, and the decoder learns from what it will be given (DiVeQ) instead of from noise in
its place. Additive VQ is as good as residual VQ here, not behind it: with the same codebooks and beam its search never
finds a worse sum. Product VQ is last at 12 bits, too, where the paper has it first: all begin with the networks of the
bundled model, which were trained with residual VQ, and the encoder has to learn anew how to split what it says into
four parts.

The published counts of operations run over three of the four stages of residual and product VQ; corrected, they are a
third higher, which changes no order: additive VQ remains far costlier.

![PSNR and SSIM against bits a vector, ours and the paper's](figures/cifar10.svg)
"""


def cifar10(rows: Rows) -> Section:
    """Heading, table and notes of the experiment on images; draws its figure."""
    runs = defaultdict(list)
    for row in rows:
        runs[row["method"], row["bits"]].append(row)
    published = PUBLISHED["cifar10"]
    table, curves = [], defaultdict(dict)
    for (method, bits), some in sorted(runs.items()):
        place = published["bits"].index(bits)
        psnr, ssim = ([run["test"][key] for run in some] for key in ("psnr_dataset", "ssim"))
        theirs = published_psnr(method, bits)
        operations = [count(64, 4, 2 ** (bits // 4)).wmops for count in METHODS[method][1:]]
        curves[method][bits] = {"psnr_db": mean(psnr), "ssim": mean(ssim)}
        table.append(
            {
                "method": method,
                "bits": bits,
                "PSNR": f"{mean(psnr):.2f}",
                "lowest to highest": f"{min(psnr):.2f} to {max(psnr):.2f}" if len(psnr) > 1 else "",
                "published": f"{theirs:.2f}",
                "difference": f"{mean(psnr) - theirs:+.2f}",
                "SSIM": f"{mean(ssim):.3f}",
                "published SSIM": f"{published['ssim'][method]['mean'][place]:.3f}",
                "log10 WMOPS": " / ".join(f"{log10(one):.2f}" for one in operations),
                "batches": ", ".join(sorted({str(run["steps"]) for run in some})),
                "seeds": len(some),
            }
        )
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, key, label in zip(axes, ("psnr_db", "ssim"), ("PSNR, dB", "SSIM"), strict=True):
        for method, points in curves.items():
            ours = {bits: values[key] for bits, values in points.items()}
            draw(axis, method, ours, published["bits"], published[key][method])
        axis.set(xlabel="bits a vector", ylabel=label, xticks=published["bits"])
    axes[0].legend(fontsize="small")
    save(figure, "cifar10")
    return CIFAR10, table, how(rows)
