-- A node says that it is there, and hears what was told.
-- KEYS: nodes, who signed out, cooldowns. ARGV: the node, milliseconds that it counts without a
-- beat, since when to tell who signed out, how much of that where this lies ahead, most of each to tell.
-- Answers whether the node was known, how many there are, the time, who signed out (each with the
-- time), cooldowns (each with its end). Times are milliseconds of the server's clock.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
local known = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
-- A clock may have gone back, where another server took over.
local since = tonumber(ARGV[3])
if since > now then since = now - ARGV[4] end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
return {
  known, redis.call('ZCARD', KEYS[1]), now,
  redis.call('ZRANGEBYSCORE', KEYS[2], since, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[5]),
  redis.call('ZRANGEBYSCORE', KEYS[3], now, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[5]),
}
