"""From a rule to a step: private, `SymbolicOptimizer` is its public face.

1. `binding`: hyper-parameters become numbers; every variable left is a feature with a lag.
2. `history`: which past values have to be stored.
3. `running_sums` (optional), `partial_sums`: cheaper ways to sum over many past values.
4. `plan`: all of it together: features, stored tensors, and the arithmetic of each kind of step.
5. `kernels`, `cpp`: that arithmetic as code; `buckets`: the parameters it runs on.
"""
