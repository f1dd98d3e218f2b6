-- Sends what the arguments say, and prints the figures of the run in one line for the script that has started it.
function init(args)
  wrk.method = args[1] or "GET"
  if args[2] then
    wrk.body = string.rep("x", tonumber(args[2]))
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format("figures %d %d %d %d %d", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
