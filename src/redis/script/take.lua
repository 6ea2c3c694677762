-- GCRA for all buckets of a request: from each its cost is taken, or from none.
-- A bucket is the time at which it will be full again, in microseconds of the server's clock.
-- KEYS: buckets. ARGV of each: microseconds that a unit takes to come back, most units, cost.
-- Answers 1 and what is left in each; or 0, the bucket that lacks, milliseconds until it does not.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = {}
for i = 1, #KEYS do
  local each, most, cost = tonumber(ARGV[i * 3 - 2]), tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3])
  local before = math.max(tonumber(redis.call('GET', KEYS[i]) or now), now)
  full[i] = before + cost * each
  local wait = full[i] - most * each - now
  if cost > most then wait = before - now end -- larger than the bucket: only when it is full
  if wait > 0 then return { 0, i, math.ceil(wait / 1000) } end
end
local answer = { 1 }
for i = 1, #KEYS do
  local each, most = tonumber(ARGV[i * 3 - 2]), tonumber(ARGV[i * 3 - 1])
  -- Lua would write 14 digits of 16.
  redis.call('SET', KEYS[i], string.format('%.0f', full[i]), 'PX', math.ceil((full[i] - now) / 1000) + 1000)
  answer[i + 1] = math.floor((most * each - (full[i] - now)) / each)
end
return answer
