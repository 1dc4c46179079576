"""The models of AWS that can stand behind the gateway. Each offers `app`, `start`, `settle` and `stop`, and nothing else."""
