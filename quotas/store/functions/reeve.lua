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

Keys (in one hash tag; P = reeve2:{<cell>}:)
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
Hold: "<spent> <held> <n> <m>\n", n bytes: packed {"a:<account>", …} of money, m bytes: packed {"a:<account>", spent,
  held, …} of time (m = 0: none), then packed {tenants, cpu, memory, scratch, "t:<path>", …, generic, amount, …}.

Replies: "ok" | "dup" | "gap" | "fenced" | {refusal code, where}. An error reply means that nothing was written.
]]

local LIBRARY = 3
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
local RULE = '<' .. ('i8'):rep(11) -- a rule's: nominal, borrow, lend of cpu, memory, scratch; submits, starts
local GENERIC_RULE = '<i8i8i8i8' -- limit, nominal, borrow, lend

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

-- One more use of `amount` in t[use]: is the limit reached, would it leave the exact numbers.
local function use_more(t, use, amount)
    local after = t[use] + amount
    local limit = t[use + LIMITS]
    t[use] = after
    return amount > 0 and limit > 0 and after > limit, after > COUNT_MAX
end

--[[ Generic resources of the tenants: gs[g][i], use as it was, and one more use of amounts[g]. Gives for each tenant
whether a limit is reached, whether it leaves the exact numbers; then the first that would have to borrow too much. ]]
local function generics_more(depth, v, at, amounts, touched)
    local gs, reached, wrong, lent = {}, {}, {}, nil
    for g, amount in ipairs(amounts) do
        local used, rows = {}, {}
        for i = 1, depth do
            local row = generic_unpack(v[at + (i - 1) * #amounts + g - 1])
            rows[i], used[i] = row, row[1]
            row[1] = row[1] + amount
            reached[i] = reached[i] or (row[2] > 0 and row[1] > row[2])
            wrong[i] = wrong[i] or row[1] > COUNT_MAX
        end
        gs[g] = rows
        local first = use_along(depth, used, rows, 2, amount, touched)
        lent = first and (not lent or first < lent) and first or lent
    end
    return gs, reached, wrong, lent
end

-- What of these two comes first along the path.
local function sooner(one, two) return one and (not two or one < two) and one or two end

--[[ One more attempt on the tenants, whose values are v[4 .. 3 + depth] and whose generic ones begin at v[generic].
Gives: a refusal that nothing weighs against, the first quota that is reached, the first tenant that starts too fast. ]]
local function look_at_tenants(k, a, v, depth, generic, names, amounts, w)
    local bad, full
    local use = {tonumber(a[14]), tonumber(a[15]), tonumber(a[16])}
    local ts = {}
    for i = 4, 3 + depth do
        if not v[i] then
            return refuse('no_tenant', name_of(a[i + 17]))
        end
        ts[i - 3] = tenant_unpack(v[i])
    end
    local qs, touched = quotas_read(k, ts, a, 21), {}
    local lent = use_all(ts, qs, use, 1, touched)
    local late = rates_take(depth, qs, STARTS, 1, tonumber(a[20]), touched)
    local gs, reached, wrong, lent_too = generics_more(depth, v, generic, amounts, {})
    quotas_put(w, ts, qs, touched, a, 21)
    lent = sooner(lent, lent_too)
    for i, t in ipairs(ts) do
        local field = a[i + 20]
        t[QUEUED] = t[QUEUED] - 1
        local r1, w1 = use_more(t, RUNNING, 1)
        local r2, w2 = use_more(t, CPU, use[1])
        local r3, w3 = use_more(t, MEMORY, use[2])
        local r4, w4 = use_more(t, SCRATCH, use[3])
        if not bad and (t[QUEUED] < 0 or w1 or w2 or w3 or w4 or wrong[i]) then
            bad = refuse('bad', name_of(field))
        end
        if not full and (r1 or r2 or r3 or r4 or reached[i]) then
            full = refuse('quota', name_of(field))
        end
        for g, name in ipairs(names) do
            if gs[g][i].fresh then
                t.generics = t.generics .. name .. ' '
            end
            put(w, field .. ' ' .. name, generic_pack(gs[g][i]))
        end
        put(w, field, tenant_pack(t))
    end
    full = full or lent and refuse('borrow', name_of(a[lent + 20]))
    return bad, full, late and refuse('rate', name_of(a[late + 20]))
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
    local bad, full, late = look_at_tenants(k, a, v, depth, first - 17 + money + times, names, amounts, w)
    local c = {
        first = first, shift = 3 + depth, count = money + times, money = money, ask = tonumber(a[9]),
        asks = after_fields + 2 * generics, at = tonumber(a[20]),
    }
    if bad or not claims_are_amounts(a, c) then
        return bad or refuse('bad')
    end
    local wrong, short, after = look_at_accounts(a, v, c)
    if wrong or ((full or short or late) and not force) then
        return wrong or full or short or late
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

--[[ The tenants (v[4 ..]) and their generic resources (v[at ..]) after one of their attempts is over, into w. use: as
the hold has it; fields: the tenants' first. ]]
local function tenants_after(k, v, fields, depth, at, use, again, w)
    local ts, touched = {}, {}
    local less = {tonumber(use[2]), tonumber(use[3]), tonumber(use[4])}
    for i = 1, depth do
        ts[i] = tenant_unpack(v[i + 3])
    end
    local qs = quotas_read(k, ts, fields, 1)
    use_all(ts, qs, less, -1, touched)
    quotas_put(w, ts, qs, touched, fields, 1)
    for i, t in ipairs(ts) do
        t[RUNNING] = t[RUNNING] - 1
        t[QUEUED] = t[QUEUED] + again
        for r = 1, 3 do
            t[CPU + r - 1] = t[CPU + r - 1] - less[r]
        end
        put(w, fields[i], tenant_pack(t))
    end
    local generics = (#use - 4 - depth) / 2
    for g = 1, generics do
        local used, rows, amount = {}, {}, tonumber(use[4 + depth + 2 * g])
        for i = 1, depth do
            rows[i] = generic_unpack(v[at + (i - 1) * generics + g - 1])
            used[i] = rows[i][1]
        end
        use_along(depth, used, rows, 2, -amount, {})
        for i = 1, depth do
            rows[i][1] = rows[i][1] - amount
            put(w, fields[i] .. ' ' .. use[3 + depth + 2 * g], generic_pack(rows[i]))
        end
    end
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
    tenants_after(k, v, fields, depth, 4 + depth + accounts, use, again, w)
    for i = depth + 1, depth + accounts do
        put(w, fields[i], settled(v[i + 3], back[fields[i]]))
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

local function runs_below(hold, from)
    local use = cmsgpack.unpack(hold.use)
    for i = 5, 4 + tonumber(use[1]) do
        if use[i] == 't:' .. from then
            return true
        end
    end
    return false
end

local function is_every_attempt(k, a, first, count, from, t)
    local seen, running = {}, 0
    for i = first, first + count - 1 do
        local hold = not seen[a[i]] and hold_read(k, a[i])
        if not hold then
            return false
        end
        seen[a[i]] = true
        running = running + (runs_below(hold, from) and 1 or 0)
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

-- The hold of an attempt: if it runs there, its tenants lead up from the new place; its accounts have their new names.
local function lead_hold(k, id, from, to, up_new, renamed)
    local hold = hold_read(k, id)
    local use, path = cmsgpack.unpack(hold.use), {}
    for i = 5, 4 + tonumber(use[1]) do
        local tenant = name_of(use[i])
        if is_below(tenant, from, '/') then
            path[#path + 1] = 't:' .. to .. tenant:sub(#from + 1)
        end
    end
    if #path > 0 then
        for _, above in ipairs(up_new) do
            path[#path + 1] = 't:' .. above
        end
        local after = {tostring(#path), use[2], use[3], use[4]}
        for _, field in ipairs(path) do
            after[#after + 1] = field
        end
        for i = 5 + tonumber(use[1]), #use do
            after[#after + 1] = use[i]
        end
        hold.use = cmsgpack.pack(after)
    end
    for i, field in ipairs(hold.accounts) do
        hold.accounts[i] = renamed[field] or field
    end
    for i = 1, #hold.times, 3 do
        hold.times[i] = renamed[hold.times[i]] or hold.times[i]
    end
    local times = #hold.times > 0 and cmsgpack.pack(hold.times) or ''
    redis.call('HSET', k[3], id, hold_text(string.format('%.0f', hold.spent), string.format('%.0f', hold.held),
                                           cmsgpack.pack(hold.accounts), times, hold.use))
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
