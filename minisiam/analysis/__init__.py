"""What a loss does to a batch, and how a training run goes.

registry     losses and miners by name
counts       how many pairs and triplets a batch has, and how many of them are hard
forces       the forces of a loss on a batch, the X-ray
zones        hard, semi-hard, easy: where a loss treats a point differently
diagnosis    the problems of a training run
statistics   intervals over runs, and paired tests
maps         principal components and the spectral map, to compare a trained map with
plateau      whether the loss is constant, so that training can stop
"""
