"""What a running site tells about itself: log lines, traces, metrics, queries.

Nothing here needs the extra `observability`: without it traces are not recorded and metrics not kept, and the same code
runs. Spans: `tracing.span()`. Facts on log lines: `logs.bound()`. Numbers: `metrics.counter()` and its siblings.
"""
