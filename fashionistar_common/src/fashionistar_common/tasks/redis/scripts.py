"""What happens inside Redis, each step at once or not at all.

The keys of one queue share a hash tag, `{prefix:queue}`, so that a script finds all of them in one slot of a Cluster:

    {tasks:emails}:high, :normal, :low      streams of task ids, read by the group `workers`
    {tasks:emails}:delayed                  sorted set of task ids by the millisecond at which they are due
    {tasks:emails}:task:<id>                hash: the message, and what became of it

A script may run twice (an answer got lost, a caller tried again): the second time it changes nothing.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import redis
import redis.asyncio

GROUP = "workers"


class Script:
    """A Lua script, sent whole only to a server that does not know it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def run(self, client: redis.Redis, keys: Sequence[str], *arguments: str | float) -> Any:
        rest = (len(keys), *keys, *arguments)
        try:
            return client.execute_command("EVALSHA", self.digest, *rest)
        except redis.exceptions.NoScriptError:
            return client.execute_command("EVAL", self.text, *rest)

    async def arun(self, client: redis.asyncio.Redis, keys: Sequence[str], *arguments: str | float) -> Any:
        rest = (len(keys), *keys, *arguments)
        try:
            return await client.execute_command("EVALSHA", self.digest, *rest)
        except redis.exceptions.NoScriptError:
            return await client.execute_command("EVAL", self.text, *rest)


# KEYS: stream, delayed, task. ARGV: id, due (ms, 0: now), message, band, enqueued_at.
# Known already: one more write all the same, for WAIT waits only for what its own connection has written.
ENQUEUE = Script("""
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('HINCRBY', KEYS[3], 'repeats', 1)
  return 0
end
redis.call('HSET', KEYS[3], 'message', ARGV[3], 'band', ARGV[4], 'status', 'READY', 'enqueued_at', ARGV[5])
local time = redis.call('TIME')
if tonumber(ARGV[2]) > time[1] * 1000 + time[2] / 1000 then
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
else
  redis.call('XADD', KEYS[1], '*', 'id', ARGV[1])
end
return 1
""")

# Marks an entry's task as running and returns what a worker needs; nothing for a task that is done or gone.
_BEGIN = """
local function begin(stream, entry, id, worker, now)
  local key = string.gsub(stream, '[^:]+$', '') .. 'task:' .. id
  local known = redis.call('HMGET', key, 'status', 'message', 'workers', 'enqueued_at', 'started_at')
  if not known[1] or known[1] == 'SUCCESSFUL' or known[1] == 'FAILED' then
    redis.call('XACK', stream, 'workers', entry)
    redis.call('XDEL', stream, entry)
    return nil
  end
  local workers = known[3] and known[3] ~= '' and known[3] .. ',' .. worker or worker
  local started = known[5] or now
  redis.call('HSET', key, 'status', 'RUNNING', 'workers', workers, 'started_at', started, 'last_attempted_at', now)
  return {stream, entry, id, known[2], workers, known[4], started}
end
"""

# KEYS: stream. ARGV: entry, id, worker, now (ISO).
BEGIN = Script(_BEGIN + "return begin(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])")

# KEYS: high, normal, low, delayed. ARGV: worker, now (ISO), lease (ms; 0: leave alone what other workers hold).
# Returns a begun task, or the milliseconds until the next delayed one is due, or -1.
TAKE = Script(
    _BEGIN
    + """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 100)) do
  local prefix = string.gsub(KEYS[4], '[^:]+$', '')
  -- Read first: while the slot moves to another server this fails, and nothing undoes what a script did before.
  local band = redis.call('HGET', prefix .. 'task:' .. id, 'band')
  redis.call('ZREM', KEYS[4], id)
  if band then redis.call('XADD', prefix .. band, '*', 'id', id) end
end
if ARGV[3] ~= '0' then
  for i = 1, 3 do
    for _, pending in ipairs(redis.call('XPENDING', KEYS[i], 'workers', 'IDLE', ARGV[3], '-', '+', 10)) do
      local entries = redis.call('XCLAIM', KEYS[i], 'workers', ARGV[1], ARGV[3], pending[1])
      local begun = entries[1] and begin(KEYS[i], entries[1][1], entries[1][2][2], ARGV[1], ARGV[2])
      if begun then return begun end
    end
  end
end
for i = 1, 3 do
  for _ = 1, 100 do
    local got = redis.call('XREADGROUP', 'GROUP', 'workers', ARGV[1], 'COUNT', 1, 'STREAMS', KEYS[i], '>')
    if not got then break end
    local entry = got[1][2][1]
    local begun = begin(KEYS[i], entry[1], entry[2][2], ARGV[1], ARGV[2])
    if begun then return begun end
  end
end
local next = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
return next[2] and math.max(0, tonumber(next[2]) - now) or -1
"""
)

# KEYS: stream, task. ARGV: entry, status, return value (JSON), errors (JSON), finished_at, seconds to keep it.
# A success is never overwritten: the other run of a task that ran twice may have failed.
FINISH = Script("""
redis.call('XACK', KEYS[1], 'workers', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
local status = redis.call('HGET', KEYS[2], 'status')
if status and status ~= 'SUCCESSFUL' then
  redis.call('HSET', KEYS[2], 'status', ARGV[2], 'return_value', ARGV[3], 'errors', ARGV[4], 'finished_at', ARGV[5])
  redis.call('EXPIRE', KEYS[2], ARGV[6])
end
return status
""")

# KEYS: stream, delayed, task. ARGV: entry, id, worker, pause (ms), whether this beginning counts (1 or 0).
# Back to the end of its stream, at once for whoever reads; or into the delayed ones.
RELEASE = Script("""
local held = redis.call('XPENDING', KEYS[1], 'workers', ARGV[1], ARGV[1], 1, ARGV[3])
if #held == 0 then return 0 end
redis.call('XACK', KEYS[1], 'workers', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
local known = redis.call('HMGET', KEYS[3], 'status', 'workers')
if known[1] == 'RUNNING' then
  local workers = known[2]
  if ARGV[5] == '0' then
    workers = string.gsub(workers, ',?' .. string.gsub(ARGV[3], '%W', '%%%0') .. '$', '')
  end
  redis.call('HSET', KEYS[3], 'status', 'READY', 'workers', workers)
end
if ARGV[4] == '0' then
  redis.call('XADD', KEYS[1], '*', 'id', ARGV[2])
else
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4], ARGV[2])
end
return 1
""")

# KEYS: stream. ARGV: worker, entries. The lease begins anew; returns the entries that another worker has taken over.
RENEW = Script("""
local lost = {}
for i = 2, #ARGV do
  local held = redis.call('XPENDING', KEYS[1], 'workers', ARGV[i], ARGV[i], 1)[1]
  if held and held[2] == ARGV[1] then
    redis.call('XCLAIM', KEYS[1], 'workers', ARGV[1], 0, ARGV[i], 'JUSTID')
  elseif held then
    table.insert(lost, ARGV[i])
  end
end
return lost
""")

# KEYS: high, normal, low, delayed. ARGV: lease (ms).
# Returns: waiting, running, delayed, age of the oldest that waits (ms), workers, silent workers that hold tasks.
# With a second argument it also forgets workers that hold nothing and have been silent for that long (ms).
FACTS = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local waiting, running, oldest, alive, dead = 0, 0, now, {}, {}
for i = 1, 3 do
  local length = redis.call('XLEN', KEYS[i])
  local groups = redis.pcall('XINFO', 'GROUPS', KEYS[i])
  local pending, after = 0, '-'
  if not groups.err then
    for _, group in ipairs(groups) do
      for field = 1, #group, 2 do
        if group[field] == 'pending' then pending = group[field + 1] end
        if group[field] == 'last-delivered-id' then after = '(' .. group[field + 1] end
      end
    end
  end
  local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[i], 'workers')
  if not consumers.err then
    for _, consumer in ipairs(consumers) do
      local name, held, idle
      for field = 1, #consumer, 2 do
        if consumer[field] == 'name' then name = consumer[field + 1] end
        if consumer[field] == 'pending' then held = consumer[field + 1] end
        if consumer[field] == 'idle' then idle = consumer[field + 1] end
      end
      if idle < tonumber(ARGV[1]) then
        alive[name] = true
      elseif held > 0 then
        dead[name] = true
      elseif ARGV[2] and idle > tonumber(ARGV[2]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[i], 'workers', name)
      end
    end
  end
  local first = redis.call('XRANGE', KEYS[i], after, '+', 'COUNT', 1)[1]
  if first then oldest = math.min(oldest, tonumber(string.match(first[1], '^%d+'))) end
  waiting, running = waiting + length - pending, running + pending
end
local workers, silent = 0, 0
for _ in pairs(alive) do workers = workers + 1 end
for name in pairs(dead) do if not alive[name] then silent = silent + 1 end end
return {waiting, running, redis.call('ZCARD', KEYS[4]), now - oldest, workers, silent}
""")
