"""The demo: a workflow that indexes a library, an engine that is killed under it, and a proof that nothing was lost.

`indexing` is plain Python that knows nothing of workflows; `workflow` makes it durable; `engine` is the process that
is killed; `driver` starts, watches and kills it; `record` reads what the store says; `proof` compares that with a
computation without an engine; `show` and `command` are what people see.
"""
