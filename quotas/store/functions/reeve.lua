#!lua name=reeve
--[[
reeve - the commit: what makes quotas and budgets true. One call is one journal entry, or a run of them.

Order of a call: fence, then every check, then the entries, then the counters. Redis doesn't roll back, so no error path
is left after the first write; the first entry comes first, because its XADD is the only write that Redis could still
refuse. Without the flag allow-oom Redis asks about memory before the function starts, never in the middle of it.

Speed: what costs is the number of redis.call()s (about 1.5 us each) and of texts that pass between Redis and Lua (about
1 us each, more when they are numbers). So all counters of a cell are fields of one hash, a tenant or an account is one
field of packed integers, and a call reads with one HMGET (the fence too) and writes with one HSET. What is committed
most often (placements, renewals, ends, notes) comes in runs: each entry is decided on its own, on what those before it
left, but what several of them read and write is read and written once (docs/adr/0010).

Numbers: amounts come as text. Lua counts in doubles, so everything is kept, and compared, below 2^53, where doubles
are exact; what would grow beyond is refused as "bad". quotas/ledger*.c is the same rules in C, the tests hold one
against the other.

Keys (in one hash tag; P = reeve3:{<cell>}:)
  k[1] P c   the cell's hash, see below     k[2] P j   stream: the journal     k[3] P h   hash: attempt -> hold
  k[4] P i:<tenant>:<key>   string "<job> <hash of the body>": the idempotency key (submit only; the facts that end a
       job don't name it again: it is built from P c, in the same slot by its tag)
  P as set of all accounts
  P x:<n>  hash: "#<tenant's id>:<key>" of each adjustment that was posted when n billing periods were closed -> what
       tells it from another under that key
Fields of P c
  schema library writer term seq durable      the fence, as text
  closed              how many billing periods were closed, and KEYS: for so many of them keys of adjustments are known
  t:<path>            a tenant: TENANT, then the names of its generic resources, each with a space behind it
  t:<path> <generic>  GENERIC: use and limit of a generic resource, and its share
  q:<path>            QUOTA: shares of cpu, memory and scratch, then the buckets of submissions and starts. Only of
                      tenants that have, or had, something in it; t:<path> says whether.
  a:<account>         ACCOUNT, then the resource whose time it is; nothing for money
  k:<job>             "<tenant>:<key>" until the job is done
  about               a sentence; long enough to keep the hash from the encoding of small ones
Hold: HOLD, spent and held of each account of time; then its shape: SHAPE, an amount of each generic resource, packed
  {"a:<account>", …}, those of money, then those of time; packed {"t:<path>", …, "t:<path> <generic>", …}: all generic
  ones of a tenant together.

Replies: one for each entry of the call: "ok" | "dup" | "gap" | "fenced" | {refusal code, where}. An error reply means
that nothing was written.
]]

local LIBRARY = 6
local MONEY_MAX = 4503599627370496 -- 2^52
local COUNT_MAX = 9007199254740991 -- 2^53 - 1

-- Signed 64-bit integers, little endian. A limit of 0 is none.
local TENANT = '<i8i8i8i8i8i8i8i8i8i8i8i8'
local QUEUED, RUNNING, CPU, MEMORY, SCRATCH = 1, 2, 3, 4, 5
local L_QUEUED, CHILDREN, EXTRA = 6, 11, 12 -- EXTRA: 1 = there is a "q:<path>"
local LIMITS = 5 -- the limit of a use lies so far behind it
local TENANT_BYTES = 96
local DEPTH_MAX, NAME_MAX = 8, 255 -- levels and bytes of a tenant's path
local KEYS = 3 -- billing periods that are closed before a key of an adjustment is forgotten
local ACCOUNT = '<i8i8i8i8i8' -- limit (-1 = none), spent, held; its period's begin and end, in us
local ACCOUNT_BYTES = 40
local GENERIC = '<i8i8i8i8i8i8i8' -- use, limit, share
-- A share of one resource, see quotas/ledger_quota.h; borrow and lend: -1 = no limit; total: the root's alone.
local NOMINAL, BORROW, LEND, HAVE, TOTAL = 1, 2, 3, 4, 5
local QUOTA = '<' .. ('i8'):rep(21)
local SUBMITS, STARTS = 16, 19 -- buckets: limit (0 = none), parts, at; see quotas/rate.h
local TOKEN = 60000000
local HOLD = '<i8i8I1' -- spent, held; accounts of time
local HOLD_PLAIN = HOLD .. 'c0' -- without any: its shape follows
-- What of it stays: cpu, memory, scratch; how many tenants, accounts of money, generic resources; bytes of its accounts.
local SHAPE = '<i8i8i8I1I1I1I2'
-- Entries of a run begin with a byte that says what they are (runs), and numbers.
local PLACEMENT = '<I1i8' -- time
local GANG = '<I1i8i8' -- time, how many of it are left out
local RENEWAL = '<I1i8i8i8I1I1I1' -- cumulative cost, new hold, time; accounts of money, of time, of time that is settled
local END = '<I1i8i8I1I1I1' -- cumulative cost, seconds; 1 = waits again, 1 = job done; accounts of time that is settled
local RULE = '<' .. ('i8'):rep(11) -- a rule's: nominal, borrow, lend of cpu, memory, scratch; submits, starts
local GENERIC_RULE = '<i8i8i8i8' -- limit, nominal, borrow, lend

-- k[1] is P c: what stands before "c" is the prefix of every key.
local function prefix_of(k) return k[1]:sub(1, -2) end

-- "t:acme/etl" -> "acme/etl", "a:job:8" -> "job:8".
local function name_of(field) return field:sub(3) end

local function refuse(code, where) return {code, where or ''} end

-- Every amount of money that a fact names.
local function is_amount(number) return number and number >= 0 and number <= MONEY_MAX end

-- The first three fields of every read: is this entry the next one?
local function fence(a, v)
    if v[1] ~= a[1] or v[2] ~= a[2] then
        return 'fenced'
    end
    local seq, last = tonumber(a[3]), tonumber(v[3])
    if seq <= last then
        return 'dup'
    end
    if seq ~= last + 1 then
        return 'gap'
    end
end

local function read(k, ...)
    return redis.call('HMGET', k[1], 'writer', 'term', 'seq', ...)
end

-- The journal entry and the new counters: w = {field, value, field, value, …}.
local function write(k, a, w)
    redis.call('XADD', k[2], a[3] .. '-0', 'd', a[7])
    redis.call('HSET', k[1], 'seq', a[3], 'durable', a[4], unpack(w))
end

local function write_refused(k, a, code)
    redis.call('XADD', k[2], a[3] .. '-0', 'd', a[7], 'r', code)
    redis.call('HSET', k[1], 'seq', a[3], 'durable', a[4])
end

local function put(w, field, value)
    w[#w + 1] = field
    w[#w + 1] = value
end

local function tenant_unpack(text) return {generics = text:sub(TENANT_BYTES + 1), struct.unpack(TENANT, text)} end

local function tenant_pack(t)
    return struct.pack(TENANT, unpack(t, 1, EXTRA)) .. t.generics
end

local function tenant_new() return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, generics = ''} end

local function generic_unpack(text)
    return text and {struct.unpack(GENERIC, text)} or {0, 0, 0, -1, -1, 0, 0, fresh = true}
end

local function generic_pack(g) return struct.pack(GENERIC, unpack(g, 1, 7)) end

-- ---- guarantees and rates --------------------------------------------------------------------------------------

local function quota_unpack(text)
    return text and {struct.unpack(QUOTA, text)} or
        {0, -1, -1, 0, 0, 0, -1, -1, 0, 0, 0, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0}
end

-- Of the tenants ts, whose fields are fields[first ..]: their "q:", as far as there is one.
local function quotas_read(k, ts, fields, first)
    local ask, which = {}, {}
    for i, t in ipairs(ts) do
        if t[EXTRA] ~= 0 then
            ask[#ask + 1] = 'q:' .. name_of(fields[first + i - 1])
            which[#which + 1] = i
        end
    end
    local qs = {}
    if #ask > 0 then
        for n, text in ipairs(redis.call('HMGET', k[1], unpack(ask))) do
            qs[which[n]] = quota_unpack(text)
        end
    end
    return qs
end

-- What a tenant leaves to its siblings; below zero: has borrowed of them.
local function gives(lend, left) return lend >= 0 and left > lend and lend or left end

--[[ u more of one resource is used in the first of n tenants, the last is the root. used[i]: before it, shares[i][base
+ …] the shares (nil: as at birth). Gives the first tenant that would have to borrow more than it can.
What no lend limit cuts off changes no share. ]]
local function use_along(n, used, shares, base, u, touched)
    if not shares[n] or shares[n][base + TOTAL] == 0 then
        return nil -- guaranteed to nobody
    end
    local before = (shares[1] and shares[1][base + HAVE] or 0) - used[1]
    local after, blocked = before - u, nil
    for i = 1, n do
        local s = shares[i]
        local borrow = i == n and 0 or s and s[base + BORROW] or -1
        if not blocked and borrow >= 0 and after < -borrow then
            blocked = i
        end
        if i < n then
            local lend, above = s and s[base + LEND] or -1, shares[i + 1]
            local g = gives(lend, after) - gives(lend, before)
            before = (above and above[base + HAVE] or 0) - used[i + 1]
            after = before + g
            if g + u ~= 0 then
                if not above then
                    above = quota_unpack()
                    shares[i + 1] = above
                end
                above[base + HAVE] = above[base + HAVE] + g + u
                touched[i + 1] = true
            end
        end
    end
    return blocked
end

-- The same for cpu, memory and scratch, use[1..3]; ts before it. sign 1: more, -1: less.
local function use_all(ts, qs, use, sign, touched)
    local first
    if not qs[#ts] then
        return nil -- the root has no share: nothing is guaranteed to anybody
    end
    for r = 1, 3 do
        if use[r] > 0 then
            local used = {}
            for i, t in ipairs(ts) do
                used[i] = t[CPU + r - 1]
            end
            local at = use_along(#ts, used, qs, 5 * (r - 1), sign * use[r], touched)
            first = at and (not first or at < first) and at or first
        end
    end
    return first
end

-- Takes tokens of the buckets q[which ..]; gives the first tenant that hasn't so many.
local function rates_take(n, qs, which, tokens, at, touched)
    local first
    for i = 1, n do
        local q = qs[i]
        local limit = q and q[which] or 0
        if limit > 0 then
            local passed = math.max(0, math.min(at - q[which + 2], TOKEN))
            local parts = math.min(limit * TOKEN, q[which + 1] + passed * limit)
            if not first and (tokens > limit or parts < tokens * TOKEN) then
                first = i
            end
            q[which + 1], q[which + 2] = parts - tokens * TOKEN, math.max(at, q[which + 2])
            touched[i] = true
        end
    end
    return first
end

-- Whatever was touched, into w.
local function quotas_put(w, ts, qs, touched, fields, first)
    for i, t in ipairs(ts) do
        if touched[i] then
            t[EXTRA] = 1
            put(w, 'q:' .. name_of(fields[first + i - 1]), struct.pack(QUOTA, unpack(qs[i], 1, 21)))
        end
    end
end

-- ---- accounts ------------------------------------------------------------------------------------------------

-- An account's numbers, and the resource behind them.
local function account_unpack(text)
    local limit, spent, held, from, to = struct.unpack(ACCOUNT, text)
    return limit, spent, held, from, to, #text > ACCOUNT_BYTES and text:sub(ACCOUNT_BYTES + 1) or ''
end

local function account_pack(limit, spent, held, from, to, resource)
    return struct.pack(ACCOUNT, limit, spent, held, from, to) .. resource
end

local function list_accounts(k, opened)
    if #opened > 0 then
        redis.call('SADD', prefix_of(k) .. 'as', unpack(opened))
    end
end

-- ---- jobs ----------------------------------------------------------------------------------------------------

-- A job's account closes with its last task; nothing but `held_by_this` may be held on it then.
local function job_account_busy(k, job, held_by_this)
    local text = redis.call('HGET', k[1], 'a:job:' .. job)
    if not text then
        return false
    end
    local _, _, held = account_unpack(text)
    return held ~= held_by_this
end

-- The idempotency key lives on for a while, so that a late repetition of the submission still finds its job.
local function job_done(k, job, ttl_s)
    local name = redis.call('HGET', k[1], 'k:' .. job)
    if name then
        redis.call('EXPIRE', prefix_of(k) .. 'i:' .. name, ttl_s)
        redis.call('HDEL', k[1], 'k:' .. job)
    end
    if redis.call('HDEL', k[1], 'a:job:' .. job) == 1 then
        redis.call('SREM', prefix_of(k) .. 'as', 'job:' .. job)
    end
end

-- ---- operations that come alone ------------------------------------------------------------------------------
-- Fence, checks, writes. A word of the fence or a refusal when one of them said no, nothing when all is written.
-- Arguments a[1..7]: writer, term, seq, durable, mode, operation, bytes of the fact. `force`: don't ask, write.

local ops = {}

-- a: 8 job, 9 hash of the body, 10 tasks, 11 tenants, 12 budget or "", 13 "<tenant>:<key>", 14.. the tenants' fields;
--    last: the time.
function ops.submit(k, a, force)
    local tasks, depth = tonumber(a[10]), tonumber(a[11])
    local v = read(k, unpack(a, 14, 13 + depth)) -- v[i] is the value of a[i + 10]
    local stop = fence(a, v)
    if stop then
        return stop
    end
    local known = not force and redis.call('GET', k[4])
    if known then
        local space = known:find(' ', 1, true) or #known + 1
        local same = known:sub(space + 1) == a[9]
        return refuse(same and 'key_exists' or 'key_conflict', known:sub(1, space - 1))
    end
    local full
    local w, opened, ts = {'k:' .. a[8], a[13]}, {}, {}
    for i = 4, 3 + depth do
        if not v[i] then
            return refuse('no_tenant', name_of(a[i + 10]))
        end
        local t = tenant_unpack(v[i])
        t[QUEUED] = t[QUEUED] + tasks
        if not full and t[L_QUEUED] > 0 and t[QUEUED] > t[L_QUEUED] then
            full = refuse('queue_full', name_of(a[i + 10]))
        end
        ts[i - 3] = t
        put(w, a[i + 10], tenant_pack(t))
    end
    local qs, touched = quotas_read(k, ts, a, 14), {}
    local late = rates_take(depth, qs, SUBMITS, tasks, tonumber(a[#a]), touched)
    quotas_put(w, ts, qs, touched, a, 14)
    if a[12] ~= '' then
        local budget = tonumber(a[12])
        if not is_amount(budget) then
            return refuse('bad')
        end
        opened[1] = 'job:' .. a[8]
        put(w, 'a:job:' .. a[8], account_pack(budget, 0, 0, -COUNT_MAX, COUNT_MAX, ''))
    end
    if (full or late) and not force then
        return full or refuse('rate', name_of(a[13 + late]))
    end
    write(k, a, w)
    list_accounts(k, opened)
    redis.call('SET', k[4], a[8] .. ' ' .. a[9])
end

-- a: 8 job, 9 tasks, 10 tenants, 11 "1" = job done, 12 seconds, 13.. the tenants' fields.
function ops.cancel(k, a, force)
    local tasks, depth = tonumber(a[9]), tonumber(a[10])
    local v = read(k, unpack(a, 13, 12 + depth)) -- v[i] is the value of a[i + 9]
    local stop = fence(a, v)
    if stop then
        return stop
    end
    local bad
    local w = {}
    for i = 4, 3 + depth do
        if not v[i] then
            return refuse('no_tenant', name_of(a[i + 9]))
        end
        local t = tenant_unpack(v[i])
        t[QUEUED] = t[QUEUED] - tasks
        if not bad and t[QUEUED] < 0 then
            bad = refuse('bad', name_of(a[i + 9]))
        end
        put(w, a[i + 9], tenant_pack(t))
    end
    if not force and not bad and a[11] == '1' and job_account_busy(k, a[8], 0) then
        bad = refuse('bad')
    end
    if bad and not force then
        return bad
    end
    write(k, a, w)
    if a[11] == '1' then
        job_done(k, a[8], a[12])
    end
end

-- a: 8 account, 9 its tenant's field, 10 limit, 11 begin, 12 end, 13 resource or "".
function ops.open(k, a, force)
    local field = 'a:' .. a[8]
    local v = read(k, a[9], field)
    local stop = fence(a, v)
    if stop then
        return stop
    end
    local limit = tonumber(a[10])
    if a[9] == '' or not limit or limit < -1 or limit > COUNT_MAX then
        return refuse('bad', a[8])
    end
    if not v[4] then
        return refuse('no_tenant', a[8])
    end
    if v[5] and not force then
        return refuse('duplicate', a[8])
    end
    write(k, a, {field, account_pack(limit, 0, 0, tonumber(a[11]), tonumber(a[12]), a[13])})
    list_accounts(k, {a[8]})
end

-- Was something posted under this key, since when keys are remembered? closed: so many periods are.
local function is_posted(k, closed, key)
    for n = math.max(0, closed - KEYS + 1), closed do
        if redis.call('HEXISTS', prefix_of(k) .. 'x:' .. string.format('%.0f', n), key) == 1 then
            return true
        end
    end
    return false
end

-- a: 8 micro-units, 9 accounts, 10 "#<tenant's id>:<key>", 11 hash, 12.. fields of the accounts.
function ops.adjust(k, a, force)
    local micros, count = tonumber(a[8]), tonumber(a[9])
    local v = read(k, unpack(a, 12, 11 + count)) -- v[i] is the value of a[i + 8]
    local stop = fence(a, v)
    if stop then
        return stop
    end
    local closed = tonumber(redis.call('HGET', k[1], 'closed') or 0)
    if not force and is_posted(k, closed, a[10]) then
        return refuse('duplicate', a[10])
    end
    if not micros or micros == 0 or not is_amount(math.abs(micros)) then
        return refuse('bad')
    end
    local w = {}
    for i = 4, 3 + count do
        if not v[i] then
            return refuse('no_account', name_of(a[i + 8]))
        end
        local limit, spent, held, from, to, resource = account_unpack(v[i])
        spent = spent + micros
        if spent + held > COUNT_MAX or spent < -COUNT_MAX or resource ~= '' then
            return refuse('bad', name_of(a[i + 8]))
        end
        put(w, a[i + 8], account_pack(limit, spent, held, from, to, resource))
    end
    write(k, a, w)
    redis.call('HSET', prefix_of(k) .. 'x:' .. string.format('%.0f', closed), a[10], a[11])
end

-- A billing period takes no more lines; the oldest keys of adjustments are forgotten. a: 8 KEYS, as the caller has it.
function ops.close_period(k, a)
    local stop = fence(a, read(k))
    if stop then
        return stop
    end
    if tonumber(a[8]) ~= KEYS then
        return refuse('bad')
    end
    write(k, a, {})
    local closed = redis.call('HINCRBY', k[1], 'closed', 1)
    redis.call('UNLINK', prefix_of(k) .. 'x:' .. string.format('%.0f', closed - KEYS), prefix_of(k) .. 'x') -- library 2's
end

--[[ Accounts that nothing can come to any more. That no hold names one without holding anything on it is what the
writer knows; all that can be seen here is asked. a: 8 accounts, 9 at, 10.. account, what was spent, … ]]
function ops.close_accounts(k, a)
    local stop = fence(a, read(k))
    if stop then
        return stop
    end
    local names, fields, seen = {}, {}, {}
    for i = 10, 8 + 2 * tonumber(a[8]), 2 do
        local text = redis.call('HGET', k[1], 'a:' .. a[i])
        if not text then
            return refuse('no_account', a[i])
        end
        local _, spent, held, _, to = account_unpack(text)
        if seen[a[i]] then
            return refuse('bad', a[i])
        end
        if held ~= 0 then
            return refuse('in_use', a[i])
        end
        if to > tonumber(a[9]) or spent ~= tonumber(a[i + 1]) then
            return refuse('bad', a[i])
        end
        seen[a[i]] = true
        names[#names + 1], fields[#fields + 1] = a[i], 'a:' .. a[i]
    end
    write(k, a, {})
    redis.call('HDEL', k[1], unpack(fields))
    redis.call('SREM', prefix_of(k) .. 'as', unpack(names))
end

-- ---- holds ---------------------------------------------------------------------------------------------------

local NONE = {} -- stays empty

local function numbers_unpack(text, at, count)
    return count > 0 and {struct.unpack('<' .. ('i8'):rep(count), text, at)} or NONE
end

local function numbers_pack(numbers, count)
    return count > 0 and struct.pack('<' .. ('i8'):rep(count), unpack(numbers, 1, count)) or ''
end

-- What is unpacked of texts that come again and again and mean the same for ever: to be read only. It is forgotten when
-- it has become too much.
local MEMO_MAX = 1000
local function memo_new(unpacked)
    local known, count = {}, 0
    return function(text)
        local value = known[text]
        if not value then
            if count >= MEMO_MAX then
                known, count = {}, 0
            end
            value = unpacked(text)
            known[text], count = value, count + 1
        end
        return value
    end
end

local fields_of = memo_new(function(packed) return cmsgpack.unpack(packed) end)

local shape_of = memo_new(function(text)
    local cpu, memory, scratch, depth, money, generics, size, at = struct.unpack(SHAPE, text)
    local accounts = at + 8 * generics
    return {
        text = text, cpu = cpu, memory = memory, scratch = scratch, depth = depth, money = money, generics = generics,
        amounts = numbers_unpack(text, at, generics), accounts = text:sub(accounts, accounts + size - 1),
        use = text:sub(accounts + size),
    }
end)

local function shape_pack(shape, depth, money, accounts, use)
    return struct.pack(SHAPE, shape.cpu, shape.memory, shape.scratch, depth, money, shape.generics, #accounts) ..
               numbers_pack(shape.amounts, shape.generics) .. accounts .. use
end

-- numbers: spent and held of each account of time.
local H_SPENT, H_HELD, H_TIMES, H_NUMBERS, H_SHAPE = 1, 2, 3, 4, 5

local function hold_unpack(text)
    local spent, held, times, at = struct.unpack(HOLD, text)
    if times == 0 then
        return {spent, held, 0, NONE, shape_of(text:sub(at))}
    end
    return {spent, held, times, numbers_unpack(text, at, 2 * times), shape_of(text:sub(at + 16 * times))}
end

local function hold_pack(h)
    if h[H_TIMES] == 0 then
        return struct.pack(HOLD_PLAIN, h[H_SPENT], h[H_HELD], 0, h[H_SHAPE].text)
    end
    return struct.pack(HOLD, h[H_SPENT], h[H_HELD], h[H_TIMES]) .. numbers_pack(h[H_NUMBERS], 2 * h[H_TIMES]) ..
               h[H_SHAPE].text
end

-- ---- runs ----------------------------------------------------------------------------------------------------
--[[ A run: entries of the kinds below, one seq behind the other. Each is decided on its own and changes nothing when it
is refused; the next one sees what it left. All happens in the tables of `run`, and is written behind the last entry:
  object   field -> what Redis has there: its text, or its numbers once somebody asked; false: isn't there
  group    packed list of a hold -> its tenants or accounts, false for who isn't there; these know when they changed
  changed  field -> text of what else changed (nil: nothing)
  hold     attempt -> its hold, its text at first; false: has none    held: the attempts whose holds changed
  done     job -> seconds, of jobs that are done (nil: none)
  crowd    of renewals that are counted together (nil: none)
  [i]      of the entry at a[i]: the hold of a placement, attempts and the hold of a gang, the packed accounts of a renewal; packed: of the last renewal ]]

local function run_new(k) return {k = k, object = {}, group = {}, hold = {}, held = {}} end

local CHUNK = 2000 -- texts that one redis.call() takes at a time: far below what fits on Lua's stack

-- HMGET of `ask`, each into `known`; gives the first three.
local function fetch(key, ask, known)
    local one, two, three
    for first = 1, #ask, CHUNK do
        local texts = redis.call('HMGET', key, unpack(ask, first, math.min(first + CHUNK - 1, #ask)))
        for i = 1, #texts do
            known[ask[first + i - 1]] = texts[i]
        end
        if first == 1 then
            one, two, three = texts[1], texts[2], texts[3]
        end
    end
    return one, two, three
end

local function set_all(key, w)
    for first = 1, #w, CHUNK do
        redis.call('HSET', key, unpack(w, first, math.min(first + CHUNK - 1, #w)))
    end
end

-- What of a packed list isn't known yet, to what is asked for.
local function want(run, packed, ask)
    if run.group[packed] ~= nil then
        return
    end
    local object, n = run.object, #ask
    for _, field in ipairs(fields_of(packed)) do
        if object[field] == nil then
            object[field], n = false, n + 1
            ask[n] = field
        end
    end
    run.group[packed] = false
end

-- The object under a field, or false. `unpacked` makes its numbers of a text.
local function object_of(run, field, unpacked)
    local o = run.object[field]
    if o == nil then
        o = redis.call('HGET', run.k[1], field)
    end
    if type(o) == 'string' then
        o = unpacked(o)
    end
    run.object[field] = o
    return o
end

local LIMIT, SPENT, HELD, FROM, TO, RESOURCE, ACCOUNT_CHANGED = 1, 2, 3, 4, 5, 6, 7
local TENANT_CHANGED = 13 -- struct.unpack() leaves a place there
local function account_numbers(text)
    local limit, spent, held, from, to, resource = account_unpack(text)
    return {limit, spent, held, from, to, resource, false}
end

local function accounts_of(run, packed)
    local group = run.group[packed]
    if not group then
        group = {}
        for i, field in ipairs(fields_of(packed)) do
            group[i] = object_of(run, field, account_numbers)
        end
        run.group[packed] = group
    end
    return group
end

local function tenants_of(run, shape)
    local group = run.group[shape.use]
    if not group then
        local fields = fields_of(shape.use)
        group = {}
        for i = 1, shape.depth do
            group[i] = object_of(run, fields[i], tenant_unpack)
        end
        run.group[shape.use] = group
    end
    return group
end

local function hold_of(run, id)
    local h = run.hold[id]
    if h == nil then
        h = redis.call('HGET', run.k[3], id)
    end
    if type(h) == 'string' then
        h = hold_unpack(h)
    end
    run.hold[id] = h
    return h
end

-- ---- tenants of a run

-- `sign` attempts more (1, -1), and as many as `queued` more that wait.
local function tenants_add(group, shape, sign, queued)
    local cpu, memory, scratch = sign * shape.cpu, sign * shape.memory, sign * shape.scratch
    for i = 1, shape.depth do
        local t = group[i]
        t[QUEUED], t[RUNNING] = t[QUEUED] + queued, t[RUNNING] + sign
        t[CPU], t[MEMORY], t[SCRATCH] = t[CPU] + cpu, t[MEMORY] + memory, t[SCRATCH] + scratch
        t[TENANT_CHANGED] = true
    end
end

local function change(run, field, object, text)
    run.changed = run.changed or {}
    run.object[field], run.changed[field] = object, text
end

local function hold_change(run, id, h)
    run.hold[id], run.held[#run.held + 1] = h, id
end

-- Shares and buckets of the tenants that have any, as copies; nil: none has.
local function quotas_of(run, group, fields, depth)
    local qs
    for i = 1, depth do
        if group[i][EXTRA] ~= 0 then
            qs = qs or {}
            qs[i] = {unpack(object_of(run, 'q:' .. name_of(fields[i]), quota_unpack) or quota_unpack(), 1, 21)}
        end
    end
    return qs
end

local function quotas_keep(run, group, fields, qs, touched)
    for i in pairs(touched) do
        group[i][EXTRA], group[i][TENANT_CHANGED] = 1, true
        change(run, 'q:' .. name_of(fields[i]), qs[i], struct.pack(QUOTA, unpack(qs[i], 1, 21)))
    end
end

--[[ Generic resources of the tenants of a hold: one more use of them all, or one less (sign). Gives them as they are then,
in the order of their fields; for each tenant whether a limit is reached, whether it leaves the exact numbers; then the
first that would have to borrow too much. ]]
local function generics_moved(run, shape, sign)
    local fields, depth, generics = fields_of(shape.use), shape.depth, shape.generics
    local moved, reached, wrong, lent = {}, {}, {}, nil
    for g = 1, generics do
        local used, rows, amount = {}, {}, sign * shape.amounts[g]
        for i = 1, depth do
            local at = depth + (i - 1) * generics + g
            local old = object_of(run, fields[at], generic_unpack) or generic_unpack()
            local row = {unpack(old, 1, 7)}
            row.fresh, rows[i], used[i], moved[at - depth] = old.fresh, row, row[1], row
            row[1] = row[1] + amount
            reached[i] = reached[i] or (row[2] > 0 and row[1] > row[2])
            wrong[i] = wrong[i] or row[1] > COUNT_MAX
        end
        local first = use_along(depth, used, rows, 2, amount, {})
        lent = first and (not lent or first < lent) and first or lent
    end
    return moved, reached, wrong, lent
end

local function generics_keep(run, group, fields, shape, moved)
    local depth, generics = shape.depth, shape.generics
    for n, row in ipairs(moved) do
        local tenant = group[1 + math.floor((n - 1) / generics)]
        local of = fields[1 + math.floor((n - 1) / generics)]
        if row.fresh then
            tenant.generics = tenant.generics .. fields[depth + n]:sub(#of + 2) .. ' '
            row.fresh = nil
        end
        change(run, fields[depth + n], row, generic_pack(row))
    end
end

-- What of these two comes first along the path.
local function sooner(one, two) return one and (not two or one < two) and one or two end

--[[ n attempts more on their tenants, where `waiting` tasks leave the queue by that. Gives: a refusal that nothing weighs
against; the first quota that is reached; the first tenant that starts too fast; what tenants_more() is to keep. ]]
local function tenants_check(run, shape, group, n, waiting, at)
    local fields, depth, bad, full = fields_of(shape.use), shape.depth, nil, nil
    for i = 1, depth do
        if not group[i] then
            return refuse('no_tenant', name_of(fields[i]))
        end
    end
    local qs, touched, lent, late = quotas_of(run, group, fields, depth), {}, nil, nil
    local moved, reached, wrong = NONE, NONE, NONE
    if qs then
        lent = use_all({unpack(group, 1, depth)}, qs, {shape.cpu, shape.memory, shape.scratch}, n, touched)
        late = rates_take(depth, qs, STARTS, n, at, touched)
    end
    if shape.generics > 0 then
        local lent_too
        moved, reached, wrong, lent_too = generics_moved(run, shape, n)
        lent = sooner(lent, lent_too)
    end
    local more_cpu, more_memory, more_scratch = n * shape.cpu, n * shape.memory, n * shape.scratch
    for i = 1, depth do
        local t = group[i]
        local running, cpu = t[RUNNING] + n, t[CPU] + more_cpu
        local memory, scratch = t[MEMORY] + more_memory, t[SCRATCH] + more_scratch
        if not bad and (t[QUEUED] < waiting or running > COUNT_MAX or cpu > COUNT_MAX or memory > COUNT_MAX or
            scratch > COUNT_MAX or wrong[i]) then
            bad = refuse('bad', name_of(fields[i]))
        end
        if not full and (t[RUNNING + LIMITS] > 0 and running > t[RUNNING + LIMITS] or
            more_cpu > 0 and t[CPU + LIMITS] > 0 and cpu > t[CPU + LIMITS] or
            more_memory > 0 and t[MEMORY + LIMITS] > 0 and memory > t[MEMORY + LIMITS] or
            more_scratch > 0 and t[SCRATCH + LIMITS] > 0 and scratch > t[SCRATCH + LIMITS] or reached[i]) then
            full = refuse('quota', name_of(fields[i]))
        end
    end
    full = full or lent and refuse('borrow', name_of(fields[lent]))
    return bad, full, late and refuse('rate', name_of(fields[late])), qs, touched, moved
end

local function tenants_more(run, shape, group, n, waiting, qs, touched, moved)
    local fields = fields_of(shape.use)
    tenants_add(group, shape, n, -waiting)
    if qs then
        quotas_keep(run, group, fields, qs, touched)
    end
    generics_keep(run, group, fields, shape, moved)
end

-- One of their attempts is over; `again` of it wait anew.
local function tenants_less(run, shape, group, again)
    local fields = fields_of(shape.use)
    local qs, touched = quotas_of(run, group, fields, shape.depth), {}
    if qs then
        use_all({unpack(group, 1, shape.depth)}, qs, {shape.cpu, shape.memory, shape.scratch}, -1, touched)
        quotas_keep(run, group, fields, qs, touched)
    end
    tenants_add(group, shape, -1, again)
    if shape.generics > 0 then
        generics_keep(run, group, fields, shape, (generics_moved(run, shape, -1)))
    end
end

-- ---- accounts of a run

-- May what was spent, covered by what is held, grow to `spent`? Then by how much.
local function growth_check(before, held, spent)
    if spent < before or spent > COUNT_MAX then
        return refuse('bad')
    end
    if spent - before > held then
        return refuse('overrun')
    end
    return nil, spent - before
end

--[[ May the cumulative cost of a hold grow to `spent`, and the time on each of its accounts to what numbers[first ..]
says, `count` of them, on the packed accounts `settled`? Gives a refusal, or what it grows by and each time does. ]]
local function settle_check(h, spent, settled, numbers, first, count)
    local refusal, delta = growth_check(h[H_SPENT], h[H_HELD], spent)
    if refusal or count ~= h[H_TIMES] then
        return refusal or refuse('bad')
    end
    if count == 0 then
        return nil, delta
    end
    local fields, named, deltas = fields_of(h[H_SHAPE].accounts), fields_of(settled), {}
    for i = 1, count do
        if named[i] ~= fields[h[H_SHAPE].money + i] then
            return refuse('bad')
        end
        refusal, deltas[i] = growth_check(h[H_NUMBERS][2 * i - 1], h[H_NUMBERS][2 * i], numbers[first + i - 1])
        if refusal then
            return refusal
        end
    end
    return nil, delta, deltas
end

-- What a hold returns is settled; sign -1: is taken back.
local function settle(h, group, delta, deltas, sign)
    local money, more, less = h[H_SHAPE].money, sign * delta, sign * h[H_HELD]
    for i = 1, money + h[H_TIMES] do
        local account = group[i]
        if i > money then
            more, less = sign * deltas[i - money], sign * h[H_NUMBERS][2 * (i - money)]
        end
        account[SPENT], account[HELD] = account[SPENT] + more, account[HELD] - less
        account[ACCOUNT_CHANGED] = true
    end
end

--[[ What a hold asks of its accounts: `money` of them, each for `ask`, then `times` of time, for numbers[2], [4], … Gives a
refusal that nothing weighs against; the first budget that is short. Who renews and asks for nothing is never short. ]]
local function claims_check(packed, group, money, ask, times, numbers, at, renews)
    local short
    for i = 1, times do
        if not is_amount(numbers[2 * i]) then
            return refuse('bad')
        end
    end
    if not is_amount(ask) then
        return refuse('bad')
    end
    for i = 1, money + times do
        local account = group[i]
        if not account then
            return refuse('no_account', name_of(fields_of(packed)[i]))
        end
        if i > money then
            ask = numbers[2 * (i - money)]
        end
        local used, limit = account[SPENT] + account[HELD] + ask, account[LIMIT]
        if used > COUNT_MAX or (i <= money) ~= (account[RESOURCE] == '') then
            return refuse('bad', name_of(fields_of(packed)[i]))
        end
        if limit >= 0 and not short and (ask > 0 or not renews) and
            (used > limit or at < account[FROM] or at >= account[TO]) then
            short = refuse('budget', name_of(fields_of(packed)[i]))
        end
    end
    return nil, short
end

local function claim(group, money, ask, times, numbers)
    for i = 1, money + times do
        local account = group[i]
        account[HELD] = account[HELD] + (i <= money and ask or numbers[2 * (i - money)])
        account[ACCOUNT_CHANGED] = true
    end
end

--[[ Renewals come in crowds on the very same accounts of money. What all of these can still take is worked out once, what
they took is one sum for them all; each renewal is held against it on its own. Whoever else asks for accounts comes
behind crowd_end(). ]]
local function crowd_begin(run, packed, money)
    local group, room, top, from, to = accounts_of(run, packed), COUNT_MAX, 0, -COUNT_MAX, COUNT_MAX
    for i = 1, #group do
        local account = group[i]
        if not account or account[RESOURCE] ~= '' or #group ~= money then
            return nil
        end
        local used, limit = account[SPENT] + account[HELD], account[LIMIT]
        top = math.max(top, used)
        if limit >= 0 then
            room, from, to = math.min(room, limit - used), math.max(from, account[FROM]), math.min(to, account[TO])
        end
    end
    local crowd = {
        group = group, packed = packed, money = money, room = math.min(room, COUNT_MAX - top), from = from, to = to,
        spent = 0, held = 0,
    }
    run.crowd = crowd
    return crowd
end

local function crowd_end(run)
    local crowd = run.crowd
    for i = 1, crowd and #crowd.group or 0 do
        local account = crowd.group[i]
        account[SPENT], account[HELD] = account[SPENT] + crowd.spent, account[HELD] + crowd.held
        account[ACCOUNT_CHANGED] = true
    end
    run.crowd = nil
end

-- Has the crowd room for a hold of `ask` where `held` is returned, of which delta was spent? Then it has it.
local function crowd_renew(run, packed, money, held, delta, ask, at)
    local crowd = run.crowd
    if not crowd or crowd.packed ~= packed then
        crowd_end(run)
        crowd = crowd_begin(run, packed, money)
    end
    local more = delta - held + ask
    if not crowd or crowd.money ~= money or ask <= 0 or ask > MONEY_MAX or more > crowd.room or at < crowd.from or
        at >= crowd.to then
        return false
    end
    crowd.room, crowd.spent, crowd.held = crowd.room - more, crowd.spent + delta, crowd.held + ask - held
    return true
end

-- ---- entries of a run: a[i] what it is and its numbers, a[i + 1] bytes of the fact, then `words` - 2 more. wants() asks
-- for what the entry will look at, does() gives a refusal or has done it. The attempt is the third word; of more than one,
-- names() gives them.

local runs = {}

runs[1] = {words = 2, does = function() end} -- a note: a fact that touches no counters

local function want_shape(run, shape, ask)
    want(run, shape.accounts, ask)
    want(run, shape.use, ask)
end

--[[ n attempts of one shape start at once, by which `waiting` tasks leave the queue; held of money and the numbers of time
for all of them together. Gives a refusal, or has counted them. ]]
local function start(run, shape, n, waiting, held, times, numbers, at, force)
    crowd_end(run)
    local tenants, accounts = tenants_of(run, shape), accounts_of(run, shape.accounts)
    local bad, full, late, qs, touched, moved = tenants_check(run, shape, tenants, n, waiting, at)
    if bad then
        return bad
    end
    local wrong, short = claims_check(shape.accounts, accounts, shape.money, held, times, numbers, at)
    if wrong or ((full or short or late) and not force) then
        return wrong or full or short or late
    end
    tenants_more(run, shape, tenants, n, waiting, qs, touched, moved)
    claim(accounts, shape.money, held, times, numbers)
end

-- a[i]: PLACEMENT, then: attempt, hold.
runs[2] = {
    words = 4,
    wants = function(run, a, i, ask)
        run[i] = hold_unpack(a[i + 3])
        want_shape(run, run[i][H_SHAPE], ask)
    end,
    does = function(run, a, i, force)
        local id, h, _, at = a[i + 2], run[i], struct.unpack(PLACEMENT, a[i])
        if not force and hold_of(run, id) then
            return refuse('duplicate')
        end
        local refusal = start(run, h[H_SHAPE], 1, 1, h[H_HELD], h[H_TIMES], h[H_NUMBERS], at, force)
        if refusal then
            return refusal
        end
        hold_change(run, id, h)
    end,
}

-- A gang starts as a whole. a[i]: GANG, what each member holds. Then: packed attempts, the hold of any of them.
runs[6] = {
    words = 4,
    names = function(run, a, i)
        run[i] = {ids = cmsgpack.unpack(a[i + 2]), hold = hold_unpack(a[i + 3])}
        return run[i].ids
    end,
    wants = function(run, _, i, ask) want_shape(run, run[i].hold[H_SHAPE], ask) end,
    does = function(run, a, i, force)
        local ids, h = run[i].ids, run[i].hold
        local n, _, at, left, from = #ids, struct.unpack(GANG, a[i])
        local held, all, numbers = numbers_unpack(a[i], from, n), 0, {}
        if not is_amount(left) then
            return refuse('bad')
        end
        for m = 1, n do
            if not force and hold_of(run, ids[m]) then
                return refuse('duplicate')
            end
            if not is_amount(held[m]) then
                return refuse('bad')
            end
            all = all + held[m]
        end
        for t = 1, 2 * h[H_TIMES] do
            numbers[t] = n * h[H_NUMBERS][t]
        end
        local refusal = start(run, h[H_SHAPE], n, n + left, all, h[H_TIMES], numbers, at, force)
        if refusal then
            return refusal
        end
        for m = 1, n do
            hold_change(run, ids[m], {h[H_SPENT], held[m], h[H_TIMES], h[H_NUMBERS], h[H_SHAPE]})
        end
    end,
}

-- A hold is renewed: the old one is returned first, the new one may ask for what that frees. Gives what stands against it.
local function accounts_renew(run, h, packed, money, ask, times, numbers, at, delta, deltas, force)
    local old, accounts = accounts_of(run, h[H_SHAPE].accounts), accounts_of(run, packed)
    settle(h, old, delta, deltas, 1)
    local wrong, short = claims_check(packed, accounts, money, ask, times, numbers, at, true)
    if wrong or (short and not force) then
        settle(h, old, delta, deltas, -1)
        return wrong or short
    end
    claim(accounts, money, ask, times, numbers)
end

local function want_renewal(run, a, i, ask, packed)
    local h = run.hold[a[i + 2]] and hold_of(run, a[i + 2])
    if h and h[H_SHAPE].accounts ~= packed then
        want(run, h[H_SHAPE].accounts, ask)
    end
    want(run, packed, ask)
    run[i], run.packed = packed, packed
end

-- a[i]: RENEWAL, spent and held of each account of time, spent of each that is settled, their packed list. Then: attempt,
-- packed accounts.
runs[3] = {
    words = 4,
    wants = function(run, a, i, ask) want_renewal(run, a, i, ask, a[i + 3]) end,
    does = function(run, a, i, force)
        local id, packed, h = a[i + 2], run[i], hold_of(run, a[i + 2])
        if not h then
            return refuse('no_hold')
        end
        local _, spent, ask, at, money, times, done, from = struct.unpack(RENEWAL, a[i])
        local count, shape = 2 * times + done, h[H_SHAPE]
        local numbers, refusal, delta, deltas = NONE, nil, nil, nil
        if count + h[H_TIMES] == 0 then
            refusal, delta = growth_check(h[H_SPENT], h[H_HELD], spent)
        else
            local named = done > 0 and a[i]:sub(from + 8 * count)
            numbers = numbers_unpack(a[i], from, count)
            refusal, delta, deltas = settle_check(h, spent, named, numbers, 2 * times + 1, done)
        end
        if refusal then
            return refusal
        end
        local same = shape.accounts == packed and shape.money == money
        if not (same and count == 0 and crowd_renew(run, packed, money, h[H_HELD], delta, ask, at)) then
            crowd_end(run)
            refusal = accounts_renew(run, h, packed, money, ask, times, numbers, at, delta, deltas, force)
            if refusal then
                return refusal
            end
        end
        if not same then
            h[H_SHAPE] = shape_of(shape_pack(shape, shape.depth, money, packed, shape.use))
        end
        h[H_SPENT], h[H_HELD], h[H_TIMES], h[H_NUMBERS] = spent, ask, times, numbers
        hold_change(run, id, h)
    end,
}

-- The same, on the accounts of the renewal before it in the run.
runs[5] = {
    words = 3,
    wants = function(run, a, i, ask) want_renewal(run, a, i, ask, run.packed) end,
    does = runs[3].does,
}

-- A job's account closes with its last task: is anything but this hold held on it?
local function job_is_held_elsewhere(run, job, h, accounts)
    local own, held = object_of(run, 'a:job:' .. job, account_numbers), 0
    for i = 1, h[H_SHAPE].money do
        held = accounts[i] == own and h[H_HELD] or held
    end
    return own and own[HELD] ~= held
end

-- From here on its account isn't there.
local function job_close(run, job, seconds)
    local field = 'a:job:' .. job
    local own = object_of(run, field, account_numbers)
    run.done = run.done or {}
    run.object[field], run.done[job] = false, seconds
    for _, group in pairs(own and run.group or NONE) do
        for i = 1, group and #group or 0 do
            group[i] = group[i] ~= own and group[i]
        end
    end
end

-- a[i]: END, spent of each account of time, their packed list. Then: attempt.
runs[4] = {
    words = 3,
    wants = function(run, a, i, ask)
        local h = run.hold[a[i + 2]] and hold_of(run, a[i + 2])
        if h then
            want_shape(run, h[H_SHAPE], ask)
        end
    end,
    does = function(run, a, i, force)
        local id, h = a[i + 2], hold_of(run, a[i + 2])
        if not h then
            return refuse('no_hold')
        end
        crowd_end(run)
        local _, spent, seconds, again, job_ends, done, from = struct.unpack(END, a[i])
        local numbers, named = numbers_unpack(a[i], from, done), done > 0 and a[i]:sub(from + 8 * done)
        local refusal, delta, deltas = settle_check(h, spent, named, numbers, 1, done)
        if refusal then
            return refusal
        end
        local shape, job = h[H_SHAPE], job_ends == 1 and id:match('^%d+')
        local accounts = accounts_of(run, shape.accounts)
        if job and not force and job_is_held_elsewhere(run, job, h, accounts) then
            return refuse('bad')
        end
        tenants_less(run, shape, tenants_of(run, shape), again)
        settle(h, accounts, delta, deltas, 1)
        hold_change(run, id, false)
        if job then
            job_close(run, job, seconds)
        end
    end,
}

-- ---- a run from end to end

-- Where each entry begins, and what it is.
local function run_entries(a)
    local places, kinds, i, n, byte = {}, {}, 6, 0, string.byte
    while a[i] do
        n = n + 1
        places[n], kinds[n] = i, runs[byte(a[i])]
        i = i + kinds[n].words
    end
    return places, kinds
end

-- Reads what the entries will look at; gives the writer, the term and the seq that Redis has.
local function run_read(run, a, places, kinds)
    local ids, ask, count = {}, {'writer', 'term', 'seq'}, 0
    for n = 1, #places do
        if kinds[n].names then
            for _, id in ipairs(kinds[n].names(run, a, places[n])) do
                count = count + 1
                ids[count] = id
            end
        elseif kinds[n].wants then
            count = count + 1
            ids[count] = a[places[n] + 2]
        end
    end
    fetch(run.k[3], ids, run.hold)
    for n = 1, #places do
        if kinds[n].wants then
            kinds[n].wants(run, a, places[n], ask)
        end
    end
    return fetch(run.k[1], ask, run.object)
end

-- The tenants and accounts that changed, each once, whatever lists it is in.
local function groups_put(run, w)
    local n = #w
    for packed, group in pairs(run.group) do
        local fields = fields_of(packed)
        for i = 1, group and #group or 0 do
            local o, text = group[i], nil
            if o and o.generics then
                text = o[TENANT_CHANGED] == true and tenant_pack(o)
                o[TENANT_CHANGED] = false
            elseif o then
                text = o[ACCOUNT_CHANGED] and account_pack(o[1], o[2], o[3], o[4], o[5], o[6])
                o[ACCOUNT_CHANGED] = false
            end
            if text then
                w[n + 1], w[n + 2], n = fields[i], text, n + 2
            end
        end
    end
end

local function holds_write(run)
    local w, gone, n = {}, {}, 0
    for _, id in ipairs(run.held) do
        local h = run.hold[id]
        if h then
            w[n + 1], w[n + 2], n = id, hold_pack(h), n + 2
        else
            gone[#gone + 1] = id
        end
    end
    set_all(run.k[3], w)
    if #gone > 0 then
        redis.call('HDEL', run.k[3], unpack(gone))
    end
end

local function run_write(run, durable, last)
    local seq = string.format('%.0f', last)
    local w = {'seq', seq, 'durable', tonumber(durable) > last and seq or durable}
    crowd_end(run)
    groups_put(run, w)
    for field, text in pairs(run.changed or NONE) do
        put(w, field, text)
    end
    set_all(run.k[1], w)
    holds_write(run)
    for job, seconds in pairs(run.done or NONE) do
        job_done(run.k, job, seconds)
    end
end

-- "<seq>-0". A number is costly to write out: a hundred of them are alike but for the end.
local ENDS, alike, alike_text = {}, nil, nil
for i = 0, 99 do
    ENDS[i] = (i < 10 and '0' or '') .. i .. '-0'
end

local function entry_id(seq)
    local high = (seq - seq % 100) / 100
    if high == 0 then
        return seq .. '-0'
    end
    if high ~= alike then
        alike, alike_text = high, string.format('%.0f', high)
    end
    return alike_text .. ENDS[seq % 100]
end

-- The journal entries of what was decided. An answer of the fence leaves none, nor does a refusal of a replay.
local function run_record(k, a, places, answers, first, force)
    local call, journal = redis.call, k[2]
    for n = 1, #answers do
        local answer = answers[n]
        if answer == 'ok' then
            call('XADD', journal, entry_id(first + n - 1), 'd', a[places[n] + 1])
        elseif type(answer) == 'table' and not force then
            call('XADD', journal, entry_id(first + n - 1), 'd', a[places[n] + 1], 'r', answer[1])
        end
    end
end

-- The answers to the entries of a run, all of which are done.
local function run_commit(k, a)
    local run, answers, force = run_new(k), {}, a[5] == '!'
    local places, kinds = run_entries(a)
    local writer, term, seq = run_read(run, a, places, kinds)
    local fenced, first, before = writer ~= a[1] or term ~= a[2], tonumber(a[3]), tonumber(seq)
    local last = before
    for n = 1, #places do
        local at, answer = first + n - 1, 'ok'
        if fenced then
            answer = 'fenced'
        elseif at ~= last + 1 then
            answer = at <= last and 'dup' or 'gap'
        else
            local refusal = kinds[n].does(run, a, places[n], force)
            last = refusal and force and last or at
            answer = refusal or answer
        end
        answers[n] = answer
    end
    if last ~= before then
        run_record(k, a, places, answers, first, force)
        run_write(run, a[4], last)
    end
    return answers
end

-- ---- policy --------------------------------------------------------------------------------------------------

local function tenant_read(k, path)
    local text = redis.call('HGET', k[1], 't:' .. path)
    return text and tenant_unpack(text)
end

--[[ A desk: tenants, shares and generic resources of one change, each read once and written once, at its end. What was
only looked at and isn't there comes into being by no look. d.t[path]: false = isn't there. d.order: the generic ones. ]]
local function desk_new(k) return {k = k, t = {}, q = {}, g = {}, order = {}, gone = {}} end

local function desk_tenant(d, path)
    if d.t[path] == nil then
        d.t[path] = tenant_read(d.k, path) or false
    end
    return d.t[path]
end

local function desk_quota(d, path)
    if not d.q[path] then
        local t = desk_tenant(d, path)
        d.q[path] = quota_unpack(t[EXTRA] ~= 0 and redis.call('HGET', d.k[1], 'q:' .. path))
    end
    return d.q[path]
end

local function desk_generic(d, path, name)
    local field = path .. ' ' .. name
    local g = d.g[field]
    if not g then
        desk_tenant(d, path) -- it names what comes into being
        g = generic_unpack(redis.call('HGET', d.k[1], 't:' .. field))
        g.path, g.name = path, name
        d.g[field] = g
        d.order[#d.order + 1] = field
    end
    return g
end

local function same_numbers(one, two, count)
    for i = 1, count do
        if one[i] ~= two[i] then
            return false
        end
    end
    return true
end

local function desk_clear(d)
    for path in pairs(d.gone) do
        local t = desk_tenant(d, path)
        for name in t.generics:gmatch('%S+') do
            redis.call('HDEL', d.k[1], 't:' .. path .. ' ' .. name)
            d.g[path .. ' ' .. name] = nil
        end
        redis.call('HDEL', d.k[1], 't:' .. path, 'q:' .. path)
        for field, g in pairs(d.g) do
            d.g[field] = g.path ~= path and g or nil
        end
        d.t[path], d.q[path] = false, nil
    end
    for path, q in pairs(d.q) do
        local t = d.t[path]
        if t[EXTRA] ~= 0 or not same_numbers(q, quota_unpack(), 21) then
            t[EXTRA] = 1
            redis.call('HSET', d.k[1], 'q:' .. path, struct.pack(QUOTA, unpack(q, 1, 21)))
        end
    end
    for _, field in ipairs(d.order) do
        local g = d.g[field]
        if g and not (g.fresh and same_numbers(g, generic_unpack(), 7)) then
            if g.fresh then
                d.t[g.path].generics = d.t[g.path].generics .. g.name .. ' '
            end
            redis.call('HSET', d.k[1], 't:' .. field, generic_pack(g))
        end
    end
    for path, t in pairs(d.t) do
        if t then
            redis.call('HSET', d.k[1], 't:' .. path, tenant_pack(t))
        end
    end
end

-- "acme/etl" -> "acme", "acme" -> "/"; nil for the root.
local function parent_of(path) return path ~= '/' and (path:match('^(.*)/') or '/') or nil end

-- The share of a resource (1..3, or a name), where it begins, how much is used.
local function desk_share(d, path, resource)
    if type(resource) == 'number' then
        return desk_quota(d, path), 5 * (resource - 1), desk_tenant(d, path)[CPU + resource - 1]
    end
    local g = desk_generic(d, path, resource)
    return g, 2, g[1]
end

-- From `path` on upward what is left grows by g, and the use by w.
local function carry_up(d, path, resource, g, w)
    while path and (g ~= 0 or w ~= 0) do
        local s, base, used = desk_share(d, path, resource)
        local before, lend = s[base + HAVE] - used, s[base + LEND]
        s[base + HAVE] = s[base + HAVE] + g + w
        g = gives(lend, before + g) - gives(lend, before)
        path = parent_of(path)
    end
end

local function set_share(d, path, resource, nominal, borrow, lend)
    local s, base, used = desk_share(d, path, resource)
    local before, grows = s[base + HAVE] - used, nominal - s[base + NOMINAL]
    local gave = gives(s[base + LEND], before)
    s[base + NOMINAL], s[base + BORROW], s[base + LEND] = nominal, borrow, lend
    s[base + HAVE] = s[base + HAVE] + grows
    carry_up(d, parent_of(path), resource, gives(lend, before + grows) - gave, 0)
    if grows ~= 0 then
        local root, at = desk_share(d, '/', resource)
        root[at + TOTAL] = root[at + TOTAL] + grows
    end
end

-- A bucket that begins is full; one that goes on keeps what is in it.
local function set_rate(q, which, limit, at)
    local old, parts, since = q[which], q[which + 1], q[which + 2]
    if limit == old then
        return
    end
    q[which], q[which + 1], q[which + 2] = limit, limit * TOKEN, at
    if limit == 0 then
        q[which + 2] = 0
    elseif old > 0 then
        local passed = math.max(0, math.min(at - since, TOKEN))
        q[which + 1] = math.min(limit * TOKEN, old * TOKEN, parts + passed * old)
        q[which + 2] = math.max(at, since)
    end
end

local NO_RULE = {0, -1, -1, 0, -1, -1, 0, -1, -1, 0, 0}

-- A tenant that has no "q:" and gets none is left alone.
local function set_quota(d, path, rule, at)
    local plain = desk_tenant(d, path)[EXTRA] == 0
    for i = 1, 11 do
        plain = plain and rule[i] == NO_RULE[i]
    end
    if plain then
        return
    end
    for r = 1, 3 do
        set_share(d, path, r, rule[3 * r - 2], rule[3 * r - 1], rule[3 * r])
    end
    local q = desk_quota(d, path)
    set_rate(q, SUBMITS, rule[10], at)
    set_rate(q, STARTS, rule[11], at)
end

-- A set tenant: path, parent, generic limits, 5 numbers, RULE, then pairs (generic, GENERIC_RULE).
-- Where its generic limits begin, where the next one does.
local function set_parts(a, at)
    local generics = at + 9
    return generics, generics + 2 * tonumber(a[at + 2])
end

local function policy_refusal(k, a, removed, set)
    local leaving, gone, coming = {}, {}, {}
    for i = 10, 8 + 2 * removed, 2 do
        gone[a[i]] = true
        if tenant_read(k, a[i]) then
            leaving[a[i + 1]] = (leaving[a[i + 1]] or 0) + 1
        end
    end
    for i = 10, 8 + 2 * removed, 2 do
        local t = tenant_read(k, a[i])
        if not t then
            return refuse('no_tenant', a[i])
        end
        if t[QUEUED] > 0 or t[RUNNING] > 0 or t[CHILDREN] > (leaving[a[i]] or 0) then
            return refuse('in_use', a[i])
        end
    end
    local at = 10 + 2 * removed
    for _ = 1, set do
        local path, parent = a[at], a[at + 1]
        coming[path] = true
        if parent ~= path and not tenant_read(k, path) and not coming[parent] and
            (gone[parent] or not tenant_read(k, parent)) then
            return refuse('no_tenant', path)
        end
        _, at = set_parts(a, at)
    end
end

local function adopt(d, parent, children)
    local t = desk_tenant(d, parent)
    if t then
        t[CHILDREN] = t[CHILDREN] + children
    end
end

-- What it is guaranteed and lends leaves those above it. Before any of them leaves: each carries on upward.
local function release_tenant(d, path)
    local t = desk_tenant(d, path)
    if t then
        set_quota(d, path, NO_RULE, 0)
        for name in t.generics:gmatch('%S+') do
            set_share(d, path, name, 0, -1, -1)
        end
    end
end

local function remove_tenant(d, path, parent)
    if desk_tenant(d, path) then
        d.gone[path] = true
        adopt(d, parent, -1)
    end
end

local function set_generics(d, a, path, from, to)
    local named = {}
    for i = from, to, 2 do
        local limit, nominal, borrow, lend = struct.unpack(GENERIC_RULE, a[i + 1])
        named[a[i]] = true
        desk_generic(d, path, a[i])[2] = limit
        set_share(d, path, a[i], nominal, borrow, lend)
    end
    for name in desk_tenant(d, path).generics:gmatch('%S+') do
        if not named[name] then -- what the new rule doesn't name has no limit
            desk_generic(d, path, name)[2] = 0
            set_share(d, path, name, 0, -1, -1)
        end
    end
end

local function set_tenant(d, a, at)
    local path, parent = a[at], a[at + 1]
    local generics, next_at = set_parts(a, at)
    local t = desk_tenant(d, path)
    if not t then
        t = tenant_new()
        d.t[path] = t
        adopt(d, parent, 1)
    end
    for i = 0, 4 do
        t[L_QUEUED + i] = tonumber(a[at + 3 + i])
    end
    set_quota(d, path, {struct.unpack(RULE, a[at + 8])}, tonumber(a[#a]))
    set_generics(d, a, path, generics, next_at - 2)
    return next_at
end

-- The new limits and periods of accounts: field, limit, begin, end, … What isn't open stays so.
local function set_limits(k, a, at, count)
    for i = at, at + 4 * count - 1, 4 do
        local text = redis.call('HGET', k[1], a[i])
        if text then
            local _, spent, held, _, _, resource = account_unpack(text)
            local limit, from, to = tonumber(a[i + 1]), tonumber(a[i + 2]), tonumber(a[i + 3])
            redis.call('HSET', k[1], a[i], account_pack(limit, spent, held, from, to, resource))
        end
    end
end

-- a: 8 removed, 9 set, 10.. for each removed one: path, parent; then the set ones (set_parts), parents before children;
-- then how many limits, and these (set_limits). The root's parent is the root. Last: the time.
function ops.policy(k, a, force)
    local removed, set = tonumber(a[8]), tonumber(a[9])
    local stop = fence(a, read(k))
    if stop then
        return stop
    end
    local refusal = not force and policy_refusal(k, a, removed, set)
    if refusal then
        return refusal
    end
    write(k, a, {})
    local d = desk_new(k)
    for i = 10, 8 + 2 * removed, 2 do
        release_tenant(d, a[i])
    end
    for i = 10, 8 + 2 * removed, 2 do
        remove_tenant(d, a[i], a[i + 1])
    end
    if removed > 0 then
        desk_clear(d) -- some may come back at once
        d = desk_new(k)
    end
    local at = 10 + 2 * removed
    for _ = 1, set do
        at = set_tenant(d, a, at)
    end
    desk_clear(d)
    set_limits(k, a, at + 1, tonumber(a[at]))
end

-- ---- moving --------------------------------------------------------------------------------------------------

local function is_below(name, top, marks)
    return name == top or (name:sub(1, #top) == top and marks:find(name:sub(#top + 1, #top + 1), 1, true) ~= nil)
end

-- The tenants of a move: all of `from`, each once? Else it contradicts the state.
local function is_whole(d, a, from, tenants)
    local seen, children = {}, 0
    for i = 14, 13 + tenants do
        local t = is_below(a[i], from, '/') and not seen[a[i]] and desk_tenant(d, a[i])
        if not t then
            return false
        end
        seen[a[i]] = true
        children = children + t[CHILDREN]
    end
    return seen[from] and children == tenants - 1
end

local function runs_below(shape, from)
    local fields = fields_of(shape.use)
    for i = 1, shape.depth do
        if fields[i] == 't:' .. from then
            return true
        end
    end
    return false
end

local function is_every_attempt(k, a, first, count, from, t)
    local seen, running = {}, 0
    for i = first, first + count - 1 do
        local text = not seen[a[i]] and redis.call('HGET', k[3], a[i])
        if not text then
            return false
        end
        seen[a[i]] = true
        running = running + (runs_below(hold_unpack(text)[H_SHAPE], from) and 1 or 0)
    end
    return running == t[RUNNING]
end

local function accounts_refused(k, a, first, count)
    for i = first, first + 2 * count - 2, 2 do
        if redis.call('HEXISTS', k[1], 'a:' .. a[i]) == 0 then
            return refuse('bad', a[i])
        end
        if redis.call('HEXISTS', k[1], 'a:' .. a[i + 1]) == 1 then
            return refuse('bad', a[i + 1])
        end
    end
end

local function depth_of(path) return select(2, path:gsub('/', '')) + 1 end

-- Would any of the tenants lie deeper, or be called longer, than tenants may?
local function too_deep(a, from, to, tenants)
    for i = 14, 13 + tenants do
        if depth_of(a[i]) - depth_of(from) + depth_of(to) > DEPTH_MAX or #a[i] - #from + #to > NAME_MAX then
            return true
        end
    end
    return false
end

-- "a/b" -> {"a/b", "a", "/"}
local function path_up(path)
    local up = {}
    while path do
        up[#up + 1] = path
        path = parent_of(path)
    end
    return up
end

-- Resources of a tenant, as desk_share() takes them: 1, 2, 3, then the generic ones in the order of their names.
local function resources_of(t)
    local all, names = {1, 2, 3}, {}
    for name in t.generics:gmatch('%S+') do
        names[#names + 1] = name
    end
    table.sort(names)
    for _, name in ipairs(names) do
        all[#all + 1] = name
    end
    return all
end

local function used_of(d, path, resource)
    local _, _, used = desk_share(d, path, resource)
    return used
end

local function left_of(d, path, resource)
    local s, base, used = desk_share(d, path, resource)
    return s[base + HAVE] - used
end

-- The use of `path` is taken from all of `up`, or comes to them (sign); with it what it leaves to its siblings.
local function graft(d, path, up, sign)
    local t = desk_tenant(d, path)
    for _, resource in ipairs(resources_of(t)) do
        local s, base, used = desk_share(d, path, resource)
        carry_up(d, up[1], resource, sign * gives(s[base + LEND], s[base + HAVE] - used), sign * used)
        for _, above in ipairs(up) do
            if type(resource) == 'number' then
                local at, place = desk_tenant(d, above), CPU + resource - 1
                at[place] = at[place] + sign * used
            elseif used > 0 then
                local g = desk_generic(d, above, resource)
                g[1] = g[1] + sign * used
            end
        end
    end
    for _, above in ipairs(up) do
        local at = desk_tenant(d, above)
        at[QUEUED] = at[QUEUED] + sign * t[QUEUED]
        at[RUNNING] = at[RUNNING] + sign * t[RUNNING]
    end
    adopt(d, up[1], sign)
end

-- Is a tenant, into whom the use of t has come, beyond one of its limits by it?
local function beyond_limits(d, path, t)
    local at, full = desk_tenant(d, path), false
    for use = RUNNING, SCRATCH do
        full = full or (t[use] > 0 and at[use + LIMITS] > 0 and at[use] > at[use + LIMITS])
    end
    for name in t.generics:gmatch('%S+') do
        local theirs = desk_generic(d, path, name)
        full = full or (theirs.moved and theirs[2] > 0 and theirs[1] > theirs[2])
    end
    if full then
        return refuse('quota', path)
    end
    if t[QUEUED] > 0 and at[L_QUEUED] > 0 and at[QUEUED] > at[L_QUEUED] then
        return refuse('queue_full', path)
    end
end

--[[ `from` goes below up_new[1], on the desk alone; what stands against it. Those above the new place but not the old one
must keep their limits, and nobody may be left short of what it can borrow. ]]
local function move_on_desk(d, from, up_old, up_new)
    local t, before, above = desk_tenant(d, from), {}, {}
    local resources = resources_of(t)
    for _, path in ipairs(up_old) do
        above[path] = true
    end
    local touched = {unpack(up_old)}
    for _, path in ipairs(up_new) do
        if not above[path] then
            touched[#touched + 1] = path
        end
    end
    for _, r in ipairs(resources) do
        before[r] = {}
        for i, path in ipairs(touched) do
            before[r][i] = left_of(d, path, r)
        end
    end
    graft(d, from, up_old, -1)
    graft(d, from, up_new, 1)
    for i = #up_old + 1, #touched do
        local moved = t.generics:gmatch('%S+')
        for name in moved do
            desk_generic(d, touched[i], name).moved = used_of(d, from, name) > 0
        end
        local refusal = beyond_limits(d, touched[i], t)
        if refusal then
            return refusal
        end
    end
    for _, r in ipairs(resources) do
        local root, base = desk_share(d, '/', r)
        for i, path in ipairs(touched) do
            local s, at = desk_share(d, path, r)
            local left, borrow = left_of(d, path, r), path == '/' and 0 or s[at + BORROW]
            if root[base + TOTAL] > 0 and left < before[r][i] and borrow >= 0 and left < -borrow then
                return refuse('borrow', path)
            end
        end
    end
end

local function rename_field(k, old, new)
    local value = redis.call('HGET', k[1], old)
    if value then
        redis.call('HSET', k[1], new, value)
        redis.call('HDEL', k[1], old)
    end
end

local function rename_tenant(k, old, new)
    local t = tenant_read(k, old)
    for name in t.generics:gmatch('%S+') do
        rename_field(k, 't:' .. old .. ' ' .. name, 't:' .. new .. ' ' .. name)
    end
    rename_field(k, 'q:' .. old, 'q:' .. new)
    rename_field(k, 't:' .. old, 't:' .. new)
end

-- The fields of a hold's tenants and of their generic resources, led up from the new place, and how many tenants; as they
-- are, if it runs elsewhere.
local function lead_use(shape, from, to, up_new)
    local use, path = fields_of(shape.use), {}
    for i = 1, shape.depth do
        local tenant = name_of(use[i])
        if is_below(tenant, from, '/') then
            path[#path + 1] = 't:' .. to .. tenant:sub(#from + 1)
        end
    end
    if #path == 0 then
        return shape.use, shape.depth
    end
    for _, above in ipairs(up_new) do
        path[#path + 1] = 't:' .. above
    end
    local depth = #path
    for i = 1, depth do
        for g = 1, shape.generics do
            path[#path + 1] = path[i] .. use[shape.depth + g]:sub(#use[1] + 1)
        end
    end
    return cmsgpack.pack(path), depth
end

-- The hold of an attempt: if it runs there, its tenants lead up from the new place; its accounts have their new names.
local function lead_hold(k, id, from, to, up_new, renamed)
    local h, accounts = hold_unpack(redis.call('HGET', k[3], id)), {}
    local shape = h[H_SHAPE]
    local use, depth = lead_use(shape, from, to, up_new)
    for i, field in ipairs(fields_of(shape.accounts)) do
        accounts[i] = renamed[field] or field
    end
    h[H_SHAPE] = shape_of(shape_pack(shape, depth, shape.money, cmsgpack.pack(accounts), use))
    redis.call('HSET', k[3], id, hold_pack(h))
end

-- The idempotency key of a job belongs to the tenant, wherever it is.
local function lead_key(k, job, from, to)
    local name = redis.call('HGET', k[1], 'k:' .. job)
    local tenant, key = (name or ''):match('^([^:]*):(.*)$')
    if tenant and is_below(tenant, from, '/') then
        local moved = to .. tenant:sub(#from + 1) .. ':' .. key
        redis.call('HSET', k[1], 'k:' .. job, moved)
        if redis.call('EXISTS', prefix_of(k) .. 'i:' .. name) == 1 then
            redis.call('RENAME', prefix_of(k) .. 'i:' .. name, prefix_of(k) .. 'i:' .. moved)
        end
    end
end

--[[ a: 8 from, 9 to, 10 tenants, 11 accounts, 12 attempts, 13 jobs, 14.. the tenants by their old paths, parents first;
pairs (old account, new account); the attempts; the jobs. ]]
function ops.move(k, a, force)
    local stop = fence(a, read(k))
    if stop then
        return stop
    end
    local from, to = a[8], a[9]
    local tenants, accounts, attempts, jobs = tonumber(a[10]), tonumber(a[11]), tonumber(a[12]), tonumber(a[13])
    local first = 14 + tenants
    local d, up_old, up_new = desk_new(k), path_up(parent_of(from)), path_up(parent_of(to))
    local t = desk_tenant(d, from)
    if not t then
        return refuse('no_tenant', from)
    end
    if from == '/' then
        return refuse('bad', from)
    end
    if desk_tenant(d, to) then
        return refuse('bad', to)
    end
    if not desk_tenant(d, up_new[1]) then
        return refuse('no_tenant', to)
    end
    if is_below(up_new[1], from, '/') then
        return refuse('bad', to)
    end
    if not is_whole(d, a, from, tenants) or not is_every_attempt(k, a, first + 2 * accounts, attempts, from, t) then
        return refuse('bad', from)
    end
    if too_deep(a, from, to, tenants) then
        return refuse('bad', to)
    end
    local refusal = accounts_refused(k, a, first, accounts) or move_on_desk(d, from, up_old, up_new)
    if refusal and (refusal[1] == 'bad' or not force) then
        return refusal
    end
    write(k, a, {})
    desk_clear(d)
    for i = 14, first - 1 do
        rename_tenant(k, a[i], to .. a[i]:sub(#from + 1))
    end
    local renamed = {}
    for i = first, first + 2 * accounts - 2, 2 do
        renamed['a:' .. a[i]] = 'a:' .. a[i + 1]
        rename_field(k, 'a:' .. a[i], 'a:' .. a[i + 1])
        redis.call('SREM', prefix_of(k) .. 'as', a[i])
        redis.call('SADD', prefix_of(k) .. 'as', a[i + 1])
    end
    first = first + 2 * accounts
    for i = first, first + attempts - 1 do
        lead_hold(k, a[i], from, to, up_new, renamed)
    end
    for i = first + attempts, first + attempts + jobs - 1 do
        lead_key(k, a[i], from, to)
    end
end

-- ---- functions -----------------------------------------------------------------------------------------------

--[[ a: writer, term, seq of the first entry, durable, mode, then one operation (its name, bytes of the
fact, arguments) or the entries of a run. Mode "" asks and writes; "!" writes without asking about limits (replay); anything else is the refusal to record
(replay), of a note. A replay that contradicts the state is refused: the caller sees an answer that isn't "ok". ]]
local function commit(k, a)
    if a[5] ~= '' and a[5] ~= '!' then
        local stop = fence(a, read(k))
        if not stop then
            write_refused(k, a, a[5])
        end
        return {stop or 'ok'}
    end
    if runs[a[6]:byte()] then
        return run_commit(k, a)
    end
    local answer = ops[a[6]](k, a, a[5] == '!')
    if type(answer) == 'table' and a[5] == '' then
        write_refused(k, a, answer[1])
    end
    return {answer or 'ok'}
end

-- k: 1 P c.  a: writer, term, schema, about. The fence itself: only a higher term takes it. Counters without a fence
-- are what a seeding or a wipe left that broke off.
local function take_term(k, a)
    local v = redis.call('HMGET', k[1], 'term', 'schema')
    if v[2] and v[2] ~= a[3] then
        return {'schema', v[2]}
    end
    if v[1] and tonumber(v[1]) >= tonumber(a[2]) then
        return {'stale', v[1]}
    end
    if not v[1] and redis.call('EXISTS', k[1]) == 1 then
        return {'torn', ''}
    end
    redis.call('HSET', k[1], 'schema', a[3], 'library', LIBRARY, 'writer', a[1], 'term', a[2], 'about', a[4])
    redis.call('HSETNX', k[1], 'seq', '0')
    redis.call('HSETNX', k[1], 'durable', '0')
    if not tenant_read(k, '/') then
        redis.call('HSET', k[1], 't:/', tenant_pack(tenant_new()))
    end
    return 'ok'
end

-- k: 1 P c.  a: term, durable.
local function durable(k, a)
    local v = redis.call('HMGET', k[1], 'term', 'durable')
    if v[1] ~= a[1] then
        return 'fenced'
    end
    if tonumber(v[2]) < tonumber(a[2]) then
        redis.call('HSET', k[1], 'durable', a[2])
    end
    return 'ok'
end

redis.register_function('reeve_commit', commit)
redis.register_function('reeve_take_term', take_term)
redis.register_function('reeve_durable', durable)
redis.register_function{
    function_name = 'reeve_library',
    callback = function() return LIBRARY end,
    flags = {'no-writes'},
}
