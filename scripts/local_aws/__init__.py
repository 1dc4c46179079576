"""An AWS that runs on this machine, for `fruitsinfra --local`: loopback only, state in memory only.

A model of AWS that others wrote (ministack, or moto as a second opinion) stands behind a gateway of ours, which adds a call
log, faults and a clock, and an EMR of ours ("our model"), whose clusters live and whose steps really run. It must never
listen beyond loopback, call out, or change its behaviour to suit what one client happens to send.
"""

REGIONS = ("eu-west-1", "eu-west-3", "eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2")
