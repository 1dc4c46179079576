"""An EMR that lives ("our model"), in place of the one in ministack, whose clusters are ready at once and whose steps never run.

Requests come in at `api`; `queries` read, `commands` change; `request` and `checks` say what EMR makes of a cluster as asked for;
`fates` what is in store for it; `lifecycle` moves clusters on the clock; `bootstrap`, `steps`, `logs` and `node` do what its nodes
do; `network` and `permissions` are its view of EC2 and IAM, `metrics` what it tells CloudWatch; `crowd` plants clusters for tests.
Written from AWS's API reference and guides: it must never learn from what one client happens to send.
"""
