"""The families of simulators; `envs.simulator` chooses among them."""
