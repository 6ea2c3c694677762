-- Answers the server's version, and what it does when its memory is full.
local info = redis.call('INFO')
return { string.match(info, 'redis_version:(%S+)'), string.match(info, 'maxmemory_policy:(%S+)') }
