/**
 * Lua scripts. A row's hash holds, for each shape: `v` its bytes, `u` its expiry, `l` the lease to fill it, `m` the lease's expiry;
 * instants are on Redis's clock. An invalidation is a DEL of the hash, which removes leases, too.
 */
const now = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local shape = ARGV[1]
local function keep(ms)
  if redis.call('PTTL', KEYS[1]) < ms then redis.call('PEXPIRE', KEYS[1], ms) end
end`;

/** shape, lease, the lease's duration, minimum time to live -> {bytes, time to live} | {"lease"} | {"wait"} */
export const readScript = `${now}
local row = redis.call('HMGET', KEYS[1], 'v' .. shape, 'u' .. shape, 'm' .. shape)
local left = tonumber(row[2] or 0) - now
if left > tonumber(ARGV[4]) then return {row[1], left} end
if tonumber(row[3] or 0) > now then
  if left > 0 then return {row[1], left} end
  return {'wait'}
end
redis.call('HSET', KEYS[1], 'l' .. shape, ARGV[2], 'm' .. shape, now + ARGV[3])
keep(tonumber(ARGV[3]))
return {'lease'}`;

/** shape, lease, bytes, time to live */
export const fillScript = `${now}
if redis.call('HGET', KEYS[1], 'l' .. shape) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], 'l' .. shape, 'm' .. shape)
redis.call('HSET', KEYS[1], 'v' .. shape, ARGV[3], 'u' .. shape, now + ARGV[4])
keep(tonumber(ARGV[4]))
return 1`;
