"""From a rule to a step: private, `SymbolicOptimizer` is its public face.

1. `numbers`: what all coordinates share becomes an argument; every variable left is a feature with a lag.
2. `history`: which past values of features have to be stored, beside those of the rule's own states.
3. `running_sums` (optional), `partial_sums`: cheaper ways to sum over many past values.
4. `plan`: all of it together: features, stored tensors, and the arithmetic of each kind of step.
5. `kernels`: that arithmetic as a graph, which `blocks` runs in PyTorch and `cpp` and `build` compile.
6. `memory`, `buckets`, `stepping`: the tensors it runs on, checked, and gathered anew when they change.
"""
