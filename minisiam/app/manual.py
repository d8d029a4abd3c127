"""What `--help` says of each command: what it is for, and words to begin with."""

ABOUT = """\
Siamese and triplet networks from first principles, in NumPy.

A method is an encoder × a distance × a loss. The encoder turns an image into a few numbers,
the distance says how far apart two images are, and the loss says how far they should be.
"""
TRAIN = """\
Train an embedding on the built-in pen glyphs, or on your data, and examine it on alphabets it has never seen.

    minisiam train                                        the best method, in about a minute
    minisiam train --network siamese                      pairs: same or different? (contrastive loss)
    minisiam train --network triplet --loss ratio         triplets (Hoffer & Ailon 2015)
    minisiam train --network verification --distance weighted-l1      p(same) (Koch et al. 2015)
    minisiam train --loss hinge --miner semi-hard-facenet     FaceNet's triplets of a batch
    minisiam train --loss cosface                         a learned proxy for each class
    minisiam train --augment affine                       every image a little turned, slanted, stretched and moved
    minisiam train --resume runs/batch-cosine-supcon      go on with a run that was stopped or killed
    minisiam train --data omniglot:images_background.zip  other data: mnist:FOLDER, fashion-mnist:FOLDER, and
    minisiam train --data folder:my_pictures              yours, as my_pictures/CLASS/NAME.png, .jpg, .pgm …
    minisiam train --preset drlim-object                  an experiment of a paper: an aeroplane's views as a cylinder

What a loss reads, and so which network can have it:

    siamese        two images         contrastive, double-margin, pair-hinge, margin-loss, cosine-embedding
    triplet        three images       soft-margin, hinge, ratio
    verification   two images         cross-entropy
    batch          64 letters × 4     all of these but the last, with --miner, and
                                      supcon, nt-xent, nca, n-pair, lifted, generalised-lifted, multi-similarity,
                                      circle, tuplet-margin, angular, histogram, fast-ap         (every pair at once)
                                      proxy-nca, proxy-nca++, proxy-anchor, normalised-softmax, cosface, arcface,
                                      soft-triple                                                (a point a class)
                                      prototypical, matching                                     (episodes)
                                      info-nce, vicreg                                           (two views)
"""
XRAY = """\
What a loss does to each point of a batch: who pulls whom, how hard, and whether the forces obey their laws.

    minisiam xray                                     a small batch in the plane, batch-hard triplets on L2
    minisiam xray --loss contrastive --distance cosine
    minisiam xray --loss supcon --out supcon.png      the figure
    minisiam xray --run runs/batch-cosine-supcon      32 images of a run's unseen letters, under the run's own loss
"""
COMPARE = """\
One name, many functions: "the triplet loss" and "the contrastive loss" of well-known libraries on one batch.

    minisiam compare-losses                           twelve points of four classes
    minisiam compare-losses --data batch.npz          your own: arrays z (n, d) and labels (n,)
"""
METHODS = """\
Every loss on one protocol: the same encoder, images and steps, a search for each loss, several seeds, paired tests.

    minisiam compare-methods                          all losses, 400 steps a run
    minisiam compare-methods --losses supcon,hinge,cosface --steps 2500 --out mine
    minisiam compare-methods --out mine               continues where it was stopped or killed; nothing is run twice
    minisiam compare-methods --out mine --seeds 10    more seeds of the same losses
    minisiam compare-methods --out mine --draw        the figure and the page of what there is so far

Every loss takes 256 images a step. Its learning rate and its own constants are searched on validation alphabets, which
also name the reference; runs with other seeds are then tested against it on test alphabets. Needs the extra
"benchmark" (SciPy).
"""
EXPLORE = """\
Drag five points in the plane, and see what a loss makes of them: distances, rings, and the way down for each.

    minisiam explore contrastive                      pairs of an anchor; --loss pair-hinge
    minisiam explore triplet                          easy, semi-hard and hard; --loss soft-margin or ratio
    minisiam explore cosine                           angles on the unit circle
    minisiam explore triplet --save triplet.png       the picture, where there is no display
"""
EVALUATE = """\
Examine a run again: 20-way one-shot on unseen alphabets, beside pixels and the untrained network.

    minisiam evaluate runs/batch-l2-soft-margin                       the letters it was examined on
    minisiam evaluate runs/batch-l2-soft-margin --data pen-glyphs:7   the same letters by other simulated hands
    minisiam evaluate runs/batch-l2-soft-margin --way 5 --shot 5      an easier examination
    minisiam evaluate runs/omniglot-minimal-0 --data omniglot-runs:all_runs.zip     Omniglot's own 400 questions
    minisiam evaluate runs/omniglot-minimal-0 --data omniglot-runs:all_runs.zip --against runs/omniglot-30-0
    minisiam evaluate runs/omniglot-minimal-0 --unseen omniglot:images_evaluation.zip
    minisiam evaluate runs/omniglot-minimal-0 --save                  replace its report.json

The intervals are over episodes, or over the runs of the official questions: they say how precisely these alphabets are
measured, and hold for no others. Two networks that answer the same questions are compared by McNemar's exact test, on
the questions that only one of them answers correctly; their intervals may overlap where the test finds a difference.
"""
DATA = """\
List the classes of a data set, how they are divided, and show them; or download a published set.

    minisiam data --show                              the built-in pen glyphs, as a sheet
    minisiam data --data folder:my_pictures --show    yours, as my_pictures/CLASS/NAME.png, .jpg, .pgm …
    minisiam data fetch omniglot                      into data/omniglot; also omniglot-small1, mnist, fashion-mnist
"""
REPORT = """\
The papers' numbers beside those of runs, with intervals, this project's targets, and verdicts (met, not met, cannot
tell) that follow from the intervals. Several seeds of a preset make one row.

    minisiam train --preset omniglot-minimal --data omniglot:small1.zip --unseen omniglot:images_background.zip
    minisiam report runs/omniglot-minimal-*                       on the screen
    minisiam report runs/omniglot-minimal-* --out RESULTS.md      as a page with its figures
"""
FROM = (
    "pen-glyphs, pen-glyphs:SEED in other hands, omniglot:PATH, mnist:FOLDER, fashion-mnist:FOLDER, folder:PATH; "
    "for maps rendered, mnist-4-9:FOLDER, mnist-4-shifted:FOLDER"
)
CHECK = """\
Compare an op's value and gradients with two oracles, autograd and differences, and its kinks with their
documented values. Says "correct", or shows the smallest input on which it is wrong, with a clue.

    minisiam check losses.contrastive              an op of the library
    minisiam check my_losses.py:contrastive        a function of yours with the name of one of the library's
    minisiam check my_losses.py:mine --definition my_losses.py:formula
    minisiam check --all                           a table of every op
    minisiam check --figure contrastive            the loss, its slope and its forces in the plane

A file to be checked looks like this:

    from __future__ import annotations
    import numpy as np
    from minisiam.typing import Array, Bool, Float

    def contrastive(d: Float[Array, "n"], /, same: Bool[Array, "n"], margin: float = 1.0):
        value = ...
        def pullback(dl):
            return (dd,)                # a tuple, one gradient for each variable left of the slash
        return value, pullback
"""
