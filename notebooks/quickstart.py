# ---
# jupyter:
#   jupytext:
#     formats: py:percent,ipynb
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quickstart: from a black box to an equation
#
# **What this page shows.** The whole road of *Symbolic Learning to Optimize* {cite}`zheng2022symbolic`
# on its smallest problem: train a neural optimizer, distil it into an equation, measure the equation,
# race it, and use it as a `torch.optim.Optimizer`. Then the same distiller is shown Adam's inputs and
# outputs, and hands Adam back.
#
# **What it costs.** Two to three minutes on two CPU cores, in every profile. Nothing is downloaded.

# %% tags=["parameters"]
profile = "quick"  # quick, standard or paper: only written into the record here
seed = 0
train_seconds = 60.0  # meta-training of the teacher
search_seconds = 30.0  # each symbolic regression
race_steps = 100
race_instances = 64
tuning_instances = 64

# %%
import time

import numpy as np
import torch
from IPython.display import Markdown, display

from l2o_core import distiller, expressions, meta, metrics, models, optim, plots, records, tasks

plots.use_style()
started = time.perf_counter()

# %% [markdown]
# ## 1. A problem and a teacher
#
# The problem $\mathcal{P}_1$ is a family of small non-convex functions: a random quadratic bowl with a
# ripple (SymL2O Eq. 4),
#
# $$f(\mathbf{x}) = \lVert \mathbf{A}\mathbf{x} + \mathbf{b} \rVert_2^2 + 0.5\,\mathbf{c}^\top \cos(\mathbf{x}),
# \qquad \mathbf{x} \in \mathbb{R}^{10},\quad A_{ij}, b_i, c_i \sim \mathcal{N}(0, 1).$$
#
# The teacher, **DM**, is a small LSTM that reads one coordinate's gradient and proposes that
# coordinate's update; all coordinates share its weights. *Meta-training* plays many instances of the
# problem and changes the LSTM so that the losses along the way become smaller.

# %%
