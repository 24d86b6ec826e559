"""Planning with a simulator: trees, novelty, features and width-based planners.

A planner grows a `tree.Tree` of simulator states from the state that the agent is in, and turns
the returns found there into a decision. It knows the simulator (`envs.simulator`) and an
`evaluation.Evaluator`, which says what is worth knowing of a state; no agent in particular.
"""
