-- Tells all nodes something, and wakes them.
-- KEYS: who signed out, cooldowns. ARGV: the channel, the node, milliseconds for which a
-- sign-out is kept, then of each: its kind, its text, milliseconds for which it holds. Of cooldowns the latest end counts.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 4, #ARGV, 3 do
  local kind, text, holds = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  if kind == 'cools' then
    redis.call('ZADD', KEYS[2], 'GT', now + holds, text)
    redis.call('PEXPIRE', KEYS[2], 86400000)
  else
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
    redis.call('ZADD', KEYS[1], now, text)
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
  end
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
