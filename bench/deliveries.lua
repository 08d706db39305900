-- Sends prepared requests, each once: wrk … -- PREFIX SIZE, where each thread reads PREFIX0, PREFIX1, … of its own.
-- wrk cannot end before its time, so a thread whose file is at its end begins anew, and says so.
local threads = {}

function setup(thread)
  thread:set("mine", #threads)
  thread:set("again", 0)
  table.insert(threads, thread)
end

function init(args)
  file = assert(io.open(args[1] .. mine, "rb"))
  size = tonumber(args[2])
end

function request()
  local prepared = file:read(size)
  if prepared == nil then
    again = 1
    file:seek("set")
    prepared = file:read(size)
  end
  return prepared
end

function done(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  local again = 0
  for _, thread in ipairs(threads) do
    again = again + thread:get("again")
  end
  io.write(string.format('\nTOLD {"count": %d, "microseconds": %d, "bad": %d, "again": %d, "p50": %d, "p99": %d}\n',
    summary.requests, summary.duration, bad, again, latency:percentile(50), latency:percentile(99)))
end
