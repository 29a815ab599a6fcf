"""From a rule to a step: plan, history, kernels. Private: `SymbolicOptimizer` is its public face."""
