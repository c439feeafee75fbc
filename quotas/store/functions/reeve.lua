#!lua name=reeve
--[[
reeve - the commit: what makes quotas and budgets true. One call is one journal entry.

Order of a call: fence, then every check, then the entry, then the counters. Redis doesn't roll back, so no error path
is left after the first write; the entry comes first, because XADD is the only write that Redis could still refuse.
Without the flag allow-oom Redis asks about memory before the function starts, never in the middle of it.

Speed: what costs is the number of redis.call()s (about 1.5 us each) and of texts that pass between Redis and Lua (about
1 us each, more when they are numbers). So all counters of a cell are fields of one hash, a tenant or an account is one
field of packed integers, and a call reads with one HMGET (the fence too) and writes with one HSET.

Numbers: amounts come as text. Lua counts in doubles, so everything is kept, and compared, below 2^53, where doubles
are exact; what would grow beyond is refused as "bad". quotas/ledger*.c is the same rules in C, the tests hold one
against the other.

Keys (in one hash tag; P = reeve1:{<cell>}:)
  k[1] P c   the cell's hash, see below     k[2] P j   stream: the journal     k[3] P h   hash: attempt -> hold
  k[4] P i:<tenant>:<key>   string "<job> <hash of the body>": the idempotency key (submit only; the facts that end a
       job don't name it again: it is built from P c, in the same slot by its tag)
  P as set of all accounts
  P x  hash: "<tenant>:<key>" of each adjustment -> what tells it from another under that key
Fields of P c
  schema library writer term seq durable      the fence, as text
  t:<path>            a tenant: TENANT, then the names of its generic resources, each with a space behind it
  t:<path> <generic>  GENERIC: use and limit of a generic resource
  a:<account>         ACCOUNT, then the resource whose time it is; nothing for money
  k:<job>             "<tenant>:<key>" until the job is done
  about               a sentence; long enough to keep the hash from the encoding of small ones
Hold: "<spent> <held> <n> <m>\n", n bytes: packed {"a:<account>", …} of money, m bytes: packed {"a:<account>", spent,
  held, …} of time (m = 0: none), then packed {tenants, cpu, memory, scratch, "t:<path>", …, generic, amount, …}.

Replies: "ok" | "dup" | "gap" | "fenced" | {refusal code, where}. An error reply means that nothing was written.
]]

local LIBRARY = 2
local MONEY_MAX = 4503599627370496 -- 2^52
local COUNT_MAX = 9007199254740991 -- 2^53 - 1

-- Signed 64-bit integers, little endian. A limit of 0 is none.
local TENANT = '<i8i8i8i8i8i8i8i8i8i8i8'
local QUEUED, RUNNING, CPU, MEMORY, SCRATCH = 1, 2, 3, 4, 5
local L_QUEUED, CHILDREN = 6, 11
local LIMITS = 5 -- the limit of a use lies so far behind it
local TENANT_BYTES = 88
local ACCOUNT = '<i8i8i8i8i8' -- limit (-1 = none), spent, held; its period's begin and end, in us
local ACCOUNT_BYTES = 40
local GENERIC = '<i8i8'   -- use, limit

-- k[1] is P c: what stands before "c" is the prefix of every key.
local function prefix_of(k) return k[1]:sub(1, -2) end

-- "t:acme/etl" -> "acme/etl", "a:job:8" -> "job:8".
local function name_of(field) return field:sub(3) end

local function refuse(code, where) return {code, where or ''} end

-- Every amount of money that a fact names.
local function is_amount(number) return number and number >= 0 and number <= MONEY_MAX end

-- The first three fields of every read.
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

local function tenant_unpack(text)
    local t = {struct.unpack(TENANT, text)}
    t.generics = text:sub(TENANT_BYTES + 1)
    return t
end

local function new_tenant()
    return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, generics = ''}
end

local function tenant_pack(t)
    return struct.pack(TENANT, unpack(t, 1, CHILDREN)) .. t.generics
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

--[[ The accounts that a hold names: their fields are a[c.first ..], values v[i + c.shift], c.count of them. The first
c.money of them are money, each for c.ask, the others time, for a[c.asks ..]. c.at is the fact's time.
c.back (renewals): what the old hold returns before this one is taken: field -> {delta, held}.
Gives: a refusal that nothing weighs against; the first budget that is short; each account with the hold taken. ]]
local function look_at_accounts(a, v, c)
    local short, after, back, at = nil, {}, c.back, c.at
    for i = 1, c.count do
        local field, text, ask = a[c.first + i - 1], v[i + c.shift], c.ask
        if i > c.money then
            ask = tonumber(a[c.asks + i - c.money - 1])
        end
        if not text then
            return refuse('no_account', name_of(field))
        end
        local limit, spent, held, from, to, resource = account_unpack(text)
        local old = back and back[field]
        if old then
            spent, held = spent + old[1], held - old[2]
        end
        if spent + held + ask > COUNT_MAX or (i <= c.money) ~= (resource == '') then
            return refuse('bad', name_of(field))
        end
        local asks = limit >= 0 and (ask > 0 or not back)
        if asks and not short and (limit - spent - held < ask or at < from or at >= to) then
            short = refuse('budget', name_of(field))
        end
        after[i] = account_pack(limit, spent, held + ask, from, to, resource)
    end
    return nil, short, after
end

-- Is each amount that a hold asks for one?
local function claims_are_amounts(a, c)
    for i = c.asks, c.asks + c.count - c.money - 1 do
        if not is_amount(tonumber(a[i])) then
            return false
        end
    end
    return is_amount(c.ask)
end

local function list_accounts(k, opened)
    if #opened > 0 then
        redis.call('SADD', prefix_of(k) .. 'as', unpack(opened))
    end
end

-- ---- holds ---------------------------------------------------------------------------------------------------

local function hold_text(spent, held, accounts, times, use)
    return spent .. ' ' .. held .. ' ' .. #accounts .. ' ' .. #times .. '\n' .. accounts .. times .. use
end

local function hold_read(k, id)
    local text = redis.call('HGET', k[3], id)
    if not text then
        return nil
    end
    local spent, held, len, len_times, from = text:match('^(%d+) (%d+) (%d+) (%d+)\n()')
    len, len_times = tonumber(len), tonumber(len_times)
    local hold = {spent = tonumber(spent), held = tonumber(held), times = {}}
    hold.accounts = cmsgpack.unpack(text:sub(from, from + len - 1))
    if len_times > 0 then
        hold.times = cmsgpack.unpack(text:sub(from + len, from + len + len_times - 1))
    end
    hold.use = text:sub(from + len + len_times)
    return hold
end

-- May what was spent, covered by what is held, grow to `spent`? Then by how much.
local function growth_check(before, held, spent)
    if not spent or spent < before or spent > COUNT_MAX then
        return refuse('bad'), 0
    end
    local delta = spent - before
    if delta > held then
        return refuse('overrun'), delta
    end
    return nil, delta
end

--[[ May the cumulative cost grow to `spent`, and the time on each account to what a[first ..] says (field, spent, …,
`count` pairs)? Gives a refusal, or field -> {delta, returned} for all accounts of the hold. ]]
local function settle_check(hold, spent, a, first, count)
    local refusal, delta = growth_check(hold.spent, hold.held, spent)
    if refusal then
        return refusal
    end
    local back = {}
    for _, field in ipairs(hold.accounts) do
        back[field] = {delta, hold.held}
    end
    if count * 3 ~= #hold.times then
        return refuse('bad')
    end
    for i = 0, count - 1 do
        local field, before, held = hold.times[3 * i + 1], hold.times[3 * i + 2], tonumber(hold.times[3 * i + 3])
        if a[first + 2 * i] ~= field then
            return refuse('bad')
        end
        refusal, delta = growth_check(tonumber(before), held, tonumber(a[first + 2 * i + 1]))
        if refusal then
            return refusal
        end
        back[field] = {delta, held}
    end
    return nil, back
end

-- All accounts of a hold, money first.
local function hold_fields(hold)
    if #hold.times == 0 then
        return hold.accounts
    end
    local fields = {unpack(hold.accounts)}
    for i = 1, #hold.times, 3 do
        fields[#fields + 1] = hold.times[i]
    end
    return fields
end

-- An account with back[1] more spent and back[2] no longer held.
local function settled(text, back)
    local limit, spent, held, from, to, resource = account_unpack(text)
    return account_pack(limit, spent + back[1], held - back[2], from, to, resource)
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

-- ---- operations ----------------------------------------------------------------------------------------------
-- Fence, checks, writes. A word of the fence or a refusal when one of them said no, nothing when all is written.
-- Arguments a[1..7]: writer, term, seq, durable, mode, operation, bytes of the fact. `force`: don't ask, write.

local ops = {}

-- A fact that touches no counters.
function ops.note(k, a)
    local stop = fence(a, read(k))
    if stop then
        return stop
    end
    write(k, a, {})
end

-- a: 8 job, 9 hash of the body, 10 tasks, 11 tenants, 12 budget or "", 13 "<tenant>:<key>", 14.. the tenants' fields.
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
    local w, opened = {'k:' .. a[8], a[13]}, {}
    for i = 4, 3 + depth do
        if not v[i] then
            return refuse('no_tenant', name_of(a[i + 10]))
        end
        local t = tenant_unpack(v[i])
        t[QUEUED] = t[QUEUED] + tasks
        if not full and t[L_QUEUED] > 0 and t[QUEUED] > t[L_QUEUED] then
            full = refuse('queue_full', name_of(a[i + 10]))
        end
        put(w, a[i + 10], tenant_pack(t))
    end
    if a[12] ~= '' then
        local budget = tonumber(a[12])
        if not is_amount(budget) then
            return refuse('bad')
        end
        opened[1] = 'job:' .. a[8]
        put(w, 'a:job:' .. a[8], account_pack(budget, 0, 0, -COUNT_MAX, COUNT_MAX, ''))
    end
    if full and not force then
        return full
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

-- One more use of `amount` in t[use]: is the limit reached, would it leave the exact numbers.
local function use_more(t, use, amount)
    local after = t[use] + amount
    local limit = t[use + LIMITS]
    t[use] = after
    return amount > 0 and limit > 0 and after > limit, after > COUNT_MAX
end

--[[ One more use of each generic resource by the tenant `field`: amounts[i] of names[i], whose values begin at v[at].
A resource that the tenant hasn't used before is noted in t.generics. ]]
local function generics_more(t, field, names, amounts, v, at, w)
    local reached, wrong = false, false
    for i, name in ipairs(names) do
        local use, limit = 0, 0
        if v[at + i - 1] then
            use, limit = struct.unpack(GENERIC, v[at + i - 1])
        else
            t.generics = t.generics .. name .. ' '
        end
        use = use + amounts[i]
        reached = reached or (limit > 0 and use > limit)
        wrong = wrong or use > COUNT_MAX
        put(w, field .. ' ' .. name, struct.pack(GENERIC, use, limit))
    end
    return reached, wrong
end

--[[ One more attempt on the tenants, whose values are v[4 .. 3 + depth] and whose generic ones begin at v[generic].
Gives: a refusal that nothing weighs against, the first quota that is reached. ]]
local function look_at_tenants(a, v, depth, generic, names, amounts, w)
    local bad, full
    local cpu, memory, scratch = tonumber(a[14]), tonumber(a[15]), tonumber(a[16])
    for i = 4, 3 + depth do
        if not v[i] then
            return refuse('no_tenant', name_of(a[i + 17]))
        end
    end
    for i = 4, 3 + depth do
        local field, t = a[i + 17], tenant_unpack(v[i])
        t[QUEUED] = t[QUEUED] - 1
        local r1, w1 = use_more(t, RUNNING, 1)
        local r2, w2 = use_more(t, CPU, cpu)
        local r3, w3 = use_more(t, MEMORY, memory)
        local r4, w4 = use_more(t, SCRATCH, scratch)
        local r5, w5 = generics_more(t, field, names, amounts, v, generic + (i - 4) * #names, w)
        if not bad and (t[QUEUED] < 0 or w1 or w2 or w3 or w4 or w5) then
            bad = refuse('bad', name_of(field))
        end
        if not full and (r1 or r2 or r3 or r4 or r5) then
            full = refuse('quota', name_of(field))
        end
        put(w, field, tenant_pack(t))
    end
    return bad, full
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

-- k[4] is P x: the keys of adjustments -> hash of what was posted.
-- a: 8 micro-units, 9 accounts, 10 "<tenant>:<key>", 11 hash, 12.. fields of the accounts.
function ops.adjust(k, a, force)
    local micros, count = tonumber(a[8]), tonumber(a[9])
    local v = read(k, unpack(a, 12, 11 + count)) -- v[i] is the value of a[i + 8]
    local stop = fence(a, v)
    if stop then
        return stop
    end
    if not force and redis.call('HEXISTS', k[4], a[10]) == 1 then
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
    redis.call('HSET', k[4], a[10], a[11])
end

--[[ a: 8 attempt, 9 hold, 10 tenants, 11 accounts of money, 12 of time, 13 generic resources, 14 cpu, 15 memory,
16 scratch, 17 packed accounts, 18 packed times, 19 packed use, 20 at, 21.. fields of the tenants, of the accounts, of
each tenant's generic resources; then names and amounts of the generic resources, and what is held of each time. ]]
function ops.place(k, a, force)
    local depth, money, times, generics = tonumber(a[10]), tonumber(a[11]), tonumber(a[12]), tonumber(a[13])
    local first = 21 + depth
    local after_fields = first + money + times + depth * generics
    local v = read(k, unpack(a, 21, after_fields - 1)) -- v[i] is the value of a[i + 17]
    local stop = fence(a, v)
    if stop then
        return stop
    end
    if not force and redis.call('HEXISTS', k[3], a[8]) == 1 then
        return refuse('duplicate')
    end
    local w, names, amounts = {}, {}, {}
    for i = 1, generics do
        names[i], amounts[i] = a[after_fields + i - 1], tonumber(a[after_fields + generics + i - 1])
    end
    local bad, full = look_at_tenants(a, v, depth, first - 17 + money + times, names, amounts, w)
    local c = {
        first = first, shift = 3 + depth, count = money + times, money = money, ask = tonumber(a[9]),
        asks = after_fields + 2 * generics, at = tonumber(a[20]),
    }
    if bad or not claims_are_amounts(a, c) then
        return bad or refuse('bad')
    end
    local wrong, short, after = look_at_accounts(a, v, c)
    if wrong or ((full or short) and not force) then
        return wrong or full or short
    end
    for i = 1, c.count do
        put(w, a[first + i - 1], after[i])
    end
    write(k, a, w)
    redis.call('HSET', k[3], a[8], hold_text('0', a[9], a[17], a[18], a[19]))
end

--[[ a: 8 attempt, 9 cumulative cost, 10 new hold, 11 accounts of money, 12 of time, 13 of time that is settled,
14 packed accounts, 15 packed times, 16 at, 17.. fields of the accounts; then what is held of each time; then field and
spent of each that is settled. ]]
function ops.renew(k, a, force)
    local money, times, done = tonumber(a[11]), tonumber(a[12]), tonumber(a[13])
    local asks = 17 + money + times
    local v = read(k, unpack(a, 17, asks - 1)) -- v[i] is the value of a[i + 13]
    local stop = fence(a, v)
    if stop then
        return stop
    end
    local hold = hold_read(k, a[8])
    if not hold then
        return refuse('no_hold')
    end
    local refusal, back = settle_check(hold, tonumber(a[9]), a, asks + times, done)
    local c = {
        first = 17, shift = 3, count = money + times, money = money, ask = tonumber(a[10]), asks = asks,
        at = tonumber(a[16]), back = back,
    }
    if refusal or not claims_are_amounts(a, c) then
        return refusal or refuse('bad')
    end
    local wrong, short, after = look_at_accounts(a, v, c)
    if wrong or (short and not force) then
        return wrong or short
    end
    local w, old = {}, hold_fields(hold)
    for i = 1, c.count do
        put(w, a[16 + i], after[i])
        back[a[16 + i]] = nil
    end
    for _, field in ipairs(old) do
        if back[field] then -- another period has begun: settled on the account of the old one
            put(w, field, settled(redis.call('HGET', k[1], field), back[field]))
        end
    end
    write(k, a, w)
    redis.call('HSET', k[3], a[8], hold_text(a[9], a[10], a[14], a[15], hold.use))
end

-- The fields that the end of an attempt changes: tenants, accounts, generic resources of each tenant.
local function finish_fields(hold, use, depth)
    local fields = {unpack(use, 5, 4 + depth)}
    for _, field in ipairs(hold_fields(hold)) do
        fields[#fields + 1] = field
    end
    for i = 1, depth do
        for g = 5 + depth, #use, 2 do
            fields[#fields + 1] = use[4 + i] .. ' ' .. use[g]
        end
    end
    return fields
end

-- What a tenant has after one of its attempts is over.
local function tenant_after(text, use, again)
    local t = tenant_unpack(text)
    t[RUNNING] = t[RUNNING] - 1
    t[QUEUED] = t[QUEUED] + again
    t[CPU] = t[CPU] - tonumber(use[2])
    t[MEMORY] = t[MEMORY] - tonumber(use[3])
    t[SCRATCH] = t[SCRATCH] - tonumber(use[4])
    return tenant_pack(t)
end

-- a: 8 attempt, 9 cumulative cost, 10 "1" = the task waits again, 11 "1" = job done, 12 job, 13 seconds, 14 accounts of
-- time, 15.. field and spent of each.
function ops.finish(k, a, force)
    local hold = hold_read(k, a[8])
    if not hold then
        return fence(a, read(k)) or refuse('no_hold')
    end
    local use = cmsgpack.unpack(hold.use)
    local depth, accounts = tonumber(use[1]), #hold.accounts + #hold.times / 3
    local fields = finish_fields(hold, use, depth)
    local v = read(k, unpack(fields)) -- v[i + 3] is the value of fields[i]
    local stop = fence(a, v)
    if stop then
        return stop
    end
    local refusal, back = settle_check(hold, tonumber(a[9]), a, 15, tonumber(a[14]))
    if refusal then
        return refusal
    end
    if a[11] == '1' and not force then
        local own, held = 'a:job:' .. a[12], 0
        for _, field in ipairs(hold.accounts) do
            held = field == own and hold.held or held
        end
        if job_account_busy(k, a[12], held) then
            return refuse('bad')
        end
    end
    local w, again = {}, a[10] == '1' and 1 or 0
    for i = 1, depth do
        put(w, fields[i], tenant_after(v[i + 3], use, again))
    end
    for i = depth + 1, depth + accounts do
        put(w, fields[i], settled(v[i + 3], back[fields[i]]))
    end
    local generics = (#use - 4 - depth) / 2
    for i = depth + accounts + 1, #fields do
        local g = (i - depth - accounts - 1) % generics
        local used, limit = struct.unpack(GENERIC, v[i + 3])
        put(w, fields[i], struct.pack(GENERIC, used - tonumber(use[6 + depth + 2 * g]), limit))
    end
    write(k, a, w)
    redis.call('HDEL', k[3], a[8])
    if a[11] == '1' then
        job_done(k, a[12], a[13])
    end
end

-- ---- policy --------------------------------------------------------------------------------------------------

local function tenant_read(k, path)
    local text = redis.call('HGET', k[1], 't:' .. path)
    return text and tenant_unpack(text)
end

local function tenant_write(k, path, t)
    redis.call('HSET', k[1], 't:' .. path, tenant_pack(t))
end

-- A set tenant: path, parent, generic limits, 5 numbers, then pairs (generic, limit).
-- Where its generic limits begin, where the next one does.
local function set_parts(a, at)
    local generics = at + 8
    return generics, generics + 2 * tonumber(a[at + 2])
end

local function policy_refusal(k, a, removed, set)
    local leaving, gone, coming = {}, {}, {}
    for i = 10, 8 + 2 * removed, 2 do
        gone[a[i]] = true
        leaving[a[i + 1]] = (leaving[a[i + 1]] or 0) + 1
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

local function adopt(k, parent, children)
    local t = tenant_read(k, parent)
    if t then
        t[CHILDREN] = t[CHILDREN] + children
        tenant_write(k, parent, t)
    end
end

local function remove_tenant(k, path, parent)
    local t = tenant_read(k, path)
    if t then
        for name in t.generics:gmatch('%S+') do
            redis.call('HDEL', k[1], 't:' .. path .. ' ' .. name)
        end
        redis.call('HDEL', k[1], 't:' .. path)
        adopt(k, parent, -1)
    end
end

local function generic_limit(k, t, path, name, limit)
    local field = 't:' .. path .. ' ' .. name
    local text = redis.call('HGET', k[1], field)
    local use = 0
    if text then
        use = struct.unpack(GENERIC, text)
    else
        t.generics = t.generics .. name .. ' '
    end
    redis.call('HSET', k[1], field, struct.pack(GENERIC, use, limit))
end

local function set_tenant(k, a, at)
    local path, parent = a[at], a[at + 1]
    local generics, next_at = set_parts(a, at)
    local t = tenant_read(k, path)
    if not t then
        t = new_tenant()
        adopt(k, parent, 1)
    end
    for i = 0, 4 do
        t[L_QUEUED + i] = tonumber(a[at + 3 + i])
    end
    for name in t.generics:gmatch('%S+') do
        generic_limit(k, t, path, name, 0) -- what the new rule doesn't name has no limit
    end
    for i = generics, next_at - 1, 2 do
        generic_limit(k, t, path, a[i], tonumber(a[i + 1]))
    end
    tenant_write(k, path, t)
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
-- then how many limits, and these (set_limits). The root's parent is the root.
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
    for i = 10, 8 + 2 * removed, 2 do
        remove_tenant(k, a[i], a[i + 1])
    end
    local at = 10 + 2 * removed
    for _ = 1, set do
        at = set_tenant(k, a, at)
    end
    set_limits(k, a, at + 1, tonumber(a[at]))
end

-- ---- functions -----------------------------------------------------------------------------------------------

--[[ Mode "" asks and writes; "!" writes without asking about limits (replay); anything else is the refusal to record
(replay). A replay that contradicts the state is refused: the caller sees an answer that isn't "ok". ]]
local function commit(k, a)
    if a[5] ~= '' and a[5] ~= '!' then
        local stop = fence(a, read(k))
        if not stop then
            write_refused(k, a, a[5])
        end
        return stop or 'ok'
    end
    local answer = ops[a[6]](k, a, a[5] == '!')
    if type(answer) == 'table' and a[5] == '' then
        write_refused(k, a, answer[1])
    end
    return answer or 'ok'
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
        tenant_write(k, '/', new_tenant())
    end
    return 'ok'
end

-- k: 1 P c.  a: term, durable.
local function durable(k, a)
    local v = redis.call('HMGET', k[1], 'term', 'durable')
    if v[1] == a[1] and tonumber(v[2]) < tonumber(a[2]) then
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
