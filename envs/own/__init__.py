"""The project's own environments, one module each; envs/registration.py names them all."""
