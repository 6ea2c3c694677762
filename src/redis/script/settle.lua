-- Takes more from a bucket afterwards, or with a negative cost gives back; never more than was taken.
-- KEYS: the bucket. ARGV: microseconds that a unit takes to come back, cost.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + ARGV[1] * ARGV[2]
if full > now then
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1000)
else
  redis.call('DEL', KEYS[1])
end
return 1
