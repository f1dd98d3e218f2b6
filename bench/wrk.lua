-- The figures of a run in one line, for the script that has started it.
done = function(summary, latency)
  local errors = summary.errors
  print(string.format("figures %d %d %d %d %d", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
