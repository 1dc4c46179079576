"""An EventBridge Scheduler that acts on the simulated clock ("our model"), in place of ministack's, whose one-off schedules
fire on real time, as nobody, or not at all.

Requests come in at `api`, and what they say is checked in `request`; `firing` does what has come due. Schedules live among
ministack's own records, beside its schedule groups. Written from AWS's API reference and user guide: it must never learn from
what one client happens to send.
"""
