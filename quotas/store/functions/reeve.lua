#!lua name=reeve
--[[
reeve - the commit: what makes quotas and budgets true. One call is one journal entry.

Order of a call: fence, then every check, then the entry, then the counters. Redis doesn't roll back, so no error path
is left after the first write; the entry comes first, because XADD is the only write that Redis could still refuse.
Without the flag allow-oom Redis asks about memory before the function starts, never in the middle of it.

Numbers: amounts come and go as text and move with HINCRBY (int64). Lua counts in doubles, so they are compared only
below 2^53; what would grow beyond is refused as "bad". quotas/ledger*.c is the same rules in C, the tests hold one
against the other.

Keys (in one hash tag; P = reeve1:{<cell>}:)
  k[1] P meta   k[2] P j (stream)   k[3] P h (holds)   then what the operation names.
  What a hold names (its tenants and accounts) is read from the hold, and what a job names (its idempotency key) from
  P k: the fact that ends it doesn't repeat them. Those keys are built here; the tag keeps them in the same slot.
Tenant (P t:<path>)     u:queued u:running u:cpu u:memory u:scratch ug:<generic>: use; l:… lg:…: limits, absent = none;
                        bl, bp: the budget rule's limit and period; n: number of children. u:queued is always there.
Account (P a:<name>)    limit (-1 = none), spent, held
Hold (field of P h)     "<spent> <held>\n" and, packed: tenants, fields of use, their amounts, accounts
P ts, P as              sets: all tenants, all accounts
P i:<tenant>:<key>      "<job> <hash of the body>";   P k: job -> "<tenant>:<key>", until the job is done

Replies: "ok" | "dup" | "gap" | "fenced" | {refusal code, where}. An error reply means that nothing was written.
]]

local LIBRARY = 1
local MONEY_MAX = 4503599627370496 -- 2^52
local COUNT_MAX = 9007199254740991 -- 2^53 - 1

-- k[1] is P meta: what stands before "meta" is the prefix of every key.
local function prefix_of(k)
    return k[1]:sub(1, -5)
end

-- "P t:acme/etl" -> "acme/etl", "P a:job:8" -> "job:8".
local function name_of(k, key)
    return key:sub(#k[1] - 1)
end

local function refuse(code, where)
    return {code, where or ''}
end

-- Every amount of money that a fact names.
local function is_amount(number)
    return number and number >= 0 and number <= MONEY_MAX
end

-- The journal entry, and with it the seq: the first write of every call.
local function enter(k, a)
    redis.call('XADD', k[2], a[3] .. '-0', 'd', a[7])
    redis.call('HSET', k[1], 'seq', a[3], 'durable', a[4])
end

local function enter_refused(k, a, code)
    redis.call('XADD', k[2], a[3] .. '-0', 'd', a[7], 'r', code)
    redis.call('HSET', k[1], 'seq', a[3], 'durable', a[4])
end

local function add(key, field, amount)
    if amount ~= 0 then
        redis.call('HINCRBY', key, field, ('%.0f'):format(amount))
    end
end

-- ---- accounts ------------------------------------------------------------------------------------------------

-- The limit that a tenant's account gets when it comes into being; nil and a refusal when it can't.
local function new_limit(k, key, tenant_key)
    local name = name_of(k, key)
    if tenant_key == key then
        return nil, refuse('bad', name) -- a job's account is never made by a hold
    end
    local rule = redis.call('HMGET', tenant_key, 'u:queued', 'bl', 'bp')
    if not rule[1] then
        return nil, refuse('no_tenant', name)
    end
    local bare_total = name == '/@total' and rule[3] ~= 'total'
    return (not bare_total and rule[2]) or '-1'
end

--[[ Accounts k[first .. first + count - 1], their tenants in the `count` keys behind them (a job's account stands there
itself). `back` (renewals): what the old hold returns before this one is taken: back.on[name], held, delta.
Gives: a refusal that nothing weighs against, the first budget that is short, limits of accounts not there yet. ]]
local function look_at_accounts(k, first, count, ask, back)
    local short, fresh = nil, {}
    for i = first, first + count - 1 do
        local v = redis.call('HMGET', k[i], 'limit', 'spent', 'held')
        local limit, spent, held = v[1], 0, 0
        if limit then
            spent, held = tonumber(v[2]), tonumber(v[3])
        else
            local refusal
            limit, refusal = new_limit(k, k[i], k[i + count])
            if refusal then
                return refusal, nil, fresh
            end
            fresh[i] = limit
        end
        if back and back.on[name_of(k, k[i])] then
            spent, held = spent + back.delta, held - back.held
        end
        if spent + held + ask > COUNT_MAX then
            return refuse('bad', name_of(k, k[i])), nil, fresh
        end
        limit = tonumber(limit)
        if not short and limit >= 0 and (ask > 0 or not back) and limit - spent - held < ask then
            short = refuse('budget', name_of(k, k[i]))
        end
    end
    return nil, short, fresh
end

local function open_account(k, key, limit, held)
    local name = name_of(k, key)
    redis.call('HSET', key, 'limit', limit, 'spent', '0', 'held', held)
    redis.call('SADD', prefix_of(k) .. 'as', name)
end

local function account_names(k, first, count)
    local names = {}
    for i = 1, count do
        names[i] = name_of(k, k[first + i - 1])
    end
    return names
end

-- ---- holds ---------------------------------------------------------------------------------------------------

local function hold_read(k, id)
    local text = redis.call('HGET', k[3], id)
    if not text then
        return nil
    end
    local stop = text:find('\n', 1, true)
    local space = text:find(' ', 1, true)
    local parts = cmsgpack.unpack(text:sub(stop + 1))
    return {
        spent = tonumber(text:sub(1, space - 1)), held = tonumber(text:sub(space + 1, stop - 1)),
        path = parts[1], fields = parts[2], amounts = parts[3], accounts = parts[4],
    }
end

local function hold_write(k, id, spent, held, path, fields, amounts, accounts)
    redis.call('HSET', k[3], id, spent .. ' ' .. held .. '\n' .. cmsgpack.pack({path, fields, amounts, accounts}))
end

-- May the cumulative cost grow to `spent`? Then by how much.
local function settle_check(hold, spent)
    if not spent or spent < hold.spent or spent > COUNT_MAX then
        return refuse('bad'), 0
    end
    local delta = spent - hold.spent
    if delta > hold.held then
        return refuse('overrun'), delta
    end
    return nil, delta
end

-- ---- jobs ----------------------------------------------------------------------------------------------------

-- A job's account closes with its last task; nothing but `held_by_this` may be held on it then.
local function job_account_busy(key, held_by_this)
    local held = redis.call('HGET', key, 'held')
    return held and tonumber(held) ~= held_by_this
end

-- k[4] is P k, k[5] the job's account. The idempotency key lives on for a while, so that a late repetition of the
-- submission still finds its job.
local function job_done(k, job, ttl_s)
    local name = redis.call('HGET', k[4], job)
    if name then
        redis.call('EXPIRE', prefix_of(k) .. 'i:' .. name, ttl_s)
        redis.call('HDEL', k[4], job)
    end
    if redis.call('DEL', k[5]) == 1 then
        redis.call('SREM', prefix_of(k) .. 'as', name_of(k, k[5]))
    end
end

-- ---- operations: checks, enter(), writes; a refusal when a check said no, nothing when all is written ------------
-- Arguments a[1..7]: writer, term, seq, durable, mode, operation, bytes of the fact. `force`: don't ask, write.

local ops = {}

-- A fact that touches no counters.
function ops.note(k, a)
    enter(k, a)
end

-- k: 4 idempotency key, 5 P k, 6.. tenants, then the job's account if it has a budget.
-- a: 8 job, 9 hash of the body, 10 tasks, 11 tenants, 12 budget or "", 13 "<tenant>:<key>".
function ops.submit(k, a, force)
    local tasks, depth = tonumber(a[10]), tonumber(a[11])
    if not force then
        local known = redis.call('GET', k[4])
        if known then
            local space = known:find(' ', 1, true) or #known + 1
            local same = known:sub(space + 1) == a[9]
            return refuse(same and 'key_exists' or 'key_conflict', known:sub(1, space - 1))
        end
        local full
        for i = 6, 5 + depth do
            local v = redis.call('HMGET', k[i], 'u:queued', 'l:queued')
            if not v[1] then
                return refuse('no_tenant', name_of(k, k[i]))
            end
            if not full and v[2] and tonumber(v[1]) + tasks > tonumber(v[2]) then
                full = refuse('queue_full', name_of(k, k[i]))
            end
        end
        if a[12] ~= '' and not is_amount(tonumber(a[12])) then
            return refuse('bad')
        end
        if full then
            return full
        end
    end
    enter(k, a)
    for i = 6, 5 + depth do
        redis.call('HINCRBY', k[i], 'u:queued', a[10])
    end
    redis.call('SET', k[4], a[8] .. ' ' .. a[9])
    redis.call('HSET', k[5], a[8], a[13])
    if a[12] ~= '' then
        open_account(k, k[6 + depth], a[12], '0')
    end
end

-- k: 4 P k, 5 the job's account, 6.. tenants.  a: 8 job, 9 tasks, 10 tenants, 11 "1" = job done, 12 seconds.
function ops.cancel(k, a, force)
    local tasks, depth = tonumber(a[9]), tonumber(a[10])
    if not force then
        local bad
        for i = 6, 5 + depth do
            local queued = redis.call('HGET', k[i], 'u:queued')
            if not queued then
                return refuse('no_tenant', name_of(k, k[i]))
            end
            if not bad and tonumber(queued) < tasks then
                bad = refuse('bad', name_of(k, k[i]))
            end
        end
        if bad then
            return bad
        end
        if a[11] == '1' and job_account_busy(k[5], 0) then
            return refuse('bad')
        end
    end
    enter(k, a)
    for i = 6, 5 + depth do
        add(k[i], 'u:queued', -tasks)
    end
    if a[11] == '1' then
        job_done(k, a[8], a[12])
    end
end

--[[ Tenants k[first .. last] for one more attempt. a[names ..] are the fields to ask for: l:running u:running u:queued,
then limit and use of each resource; a[amounts ..] are the amounts. Gives: a refusal that nothing weighs against, the
first quota that is reached. ]]
local function look_at_tenants(k, first, last, a, names, amounts, resources)
    local bad, full
    for i = first, last do
        local v = redis.call('HMGET', k[i], unpack(a, names, names + 2 + 2 * resources))
        if not v[3] then
            return refuse('no_tenant', name_of(k, k[i]))
        end
        local reached = v[1] and tonumber(v[2] or 0) + 1 > tonumber(v[1])
        local wrong = tonumber(v[3]) < 1
        for r = 1, resources do
            local after = tonumber(v[3 + 2 * r] or 0) + tonumber(a[amounts + r - 1])
            wrong = wrong or after > COUNT_MAX
            reached = reached or (v[2 + 2 * r] and after > tonumber(v[2 + 2 * r]))
        end
        if wrong and not bad then
            bad = refuse('bad', name_of(k, k[i]))
        end
        if reached and not full then
            full = refuse('quota', name_of(k, k[i]))
        end
    end
    return bad, full
end

-- k: 4.. tenants, then accounts, then the accounts' tenants.
-- a: 8 attempt, 9 hold, 10 tenants, 11 accounts, 12 resources, 13.. names of fields, then amounts.
function ops.place(k, a, force)
    local depth, accounts, resources = tonumber(a[10]), tonumber(a[11]), tonumber(a[12])
    local names, amounts = 13, 16 + 2 * resources
    local first = 4 + depth
    local ask = tonumber(a[9])
    local bad, full
    if not force then
        if redis.call('HEXISTS', k[3], a[8]) == 1 then
            return refuse('duplicate')
        end
        bad, full = look_at_tenants(k, 4, 3 + depth, a, names, amounts, resources)
        if bad then
            return bad
        end
        if not is_amount(ask) then
            return refuse('bad')
        end
    end
    local wrong, short, fresh = look_at_accounts(k, first, accounts, ask)
    if (wrong or full or short) and not force then
        return wrong or full or short
    end
    local path, fields, used = {}, {}, {}
    for r = 1, resources do
        fields[r], used[r] = a[names + 2 + 2 * r], a[amounts + r - 1]
    end
    enter(k, a)
    for i = 4, 3 + depth do
        path[i - 3] = name_of(k, k[i])
        redis.call('HINCRBY', k[i], 'u:queued', -1)
        redis.call('HINCRBY', k[i], 'u:running', 1)
        for r = 1, resources do
            redis.call('HINCRBY', k[i], fields[r], used[r])
        end
    end
    for i = first, first + accounts - 1 do
        if fresh[i] then
            open_account(k, k[i], fresh[i], a[9])
        else
            add(k[i], 'held', ask)
        end
    end
    hold_write(k, a[8], '0', a[9], path, fields, used, account_names(k, first, accounts))
end

-- k: 4.. accounts of the new hold, then their tenants.  a: 8 attempt, 9 cumulative cost, 10 new hold, 11 accounts.
function ops.renew(k, a, force)
    local spent, ask, accounts = tonumber(a[9]), tonumber(a[10]), tonumber(a[11])
    local hold = hold_read(k, a[8])
    if not hold then
        if force then
            enter(k, a)
            return
        end
        return refuse('no_hold')
    end
    local refusal, delta = settle_check(hold, spent)
    if refusal and not force then
        return refusal
    end
    if not is_amount(ask) and not force then
        return refuse('bad')
    end
    local back = {on = {}, held = hold.held, delta = delta}
    for _, name in ipairs(hold.accounts) do
        back.on[name] = true
    end
    local wrong, short, fresh = look_at_accounts(k, 4, accounts, ask, back)
    if (wrong or short) and not force then
        return wrong or short
    end
    enter(k, a)
    local prefix = prefix_of(k) .. 'a:'
    local keeps = {} -- accounts of the old hold that the new one names again: one step instead of two
    for i = 4, 3 + accounts do
        local name = name_of(k, k[i])
        if fresh[i] then
            open_account(k, k[i], fresh[i], a[10])
        elseif back.on[name] then
            keeps[name] = true
            add(k[i], 'held', ask - hold.held)
        else
            add(k[i], 'held', ask)
        end
    end
    for _, name in ipairs(hold.accounts) do
        add(prefix .. name, 'spent', delta)
        if not keeps[name] then
            add(prefix .. name, 'held', -hold.held)
        end
    end
    hold_write(k, a[8], a[9], a[10], hold.path, hold.fields, hold.amounts, account_names(k, 4, accounts))
end

-- k: 4 P k, 5 the job's account.
-- a: 8 attempt, 9 cumulative cost, 10 "1" = the task waits again, 11 "1" = job done, 12 job, 13 seconds.
function ops.finish(k, a, force)
    local hold = hold_read(k, a[8])
    if not hold then
        if force then
            enter(k, a)
            return
        end
        return refuse('no_hold')
    end
    local refusal, delta = settle_check(hold, tonumber(a[9]))
    if refusal and not force then
        return refusal
    end
    local prefix = prefix_of(k)
    if a[11] == '1' and not force then
        local held = 0
        for _, name in ipairs(hold.accounts) do
            held = prefix .. 'a:' .. name == k[5] and hold.held or held
        end
        if job_account_busy(k[5], held) then
            return refuse('bad')
        end
    end
    enter(k, a)
    for _, name in ipairs(hold.accounts) do
        local key = prefix .. 'a:' .. name
        add(key, 'spent', delta)
        add(key, 'held', -hold.held)
    end
    for _, path in ipairs(hold.path) do
        local key = prefix .. 't:' .. path
        redis.call('HINCRBY', key, 'u:running', -1)
        for r, field in ipairs(hold.fields) do
            redis.call('HINCRBY', key, field, '-' .. hold.amounts[r])
        end
        if a[10] == '1' then
            redis.call('HINCRBY', key, 'u:queued', 1)
        end
    end
    redis.call('HDEL', k[3], a[8])
    if a[11] == '1' then
        job_done(k, a[12], a[13])
    end
end

-- ---- policy --------------------------------------------------------------------------------------------------

local function create_tenant(k, key, parent)
    redis.call('HSET', key, 'u:queued', '0', 'u:running', '0', 'n', '0')
    redis.call('SADD', prefix_of(k) .. 'ts', name_of(k, key))
    if parent ~= key then
        redis.call('HINCRBY', parent, 'n', 1)
    end
end

-- Limits and budget of the old rule go, whatever the new one says.
local function forget_rule(key)
    for _, field in ipairs(redis.call('HKEYS', key)) do
        local first = field:sub(1, 1)
        if first == 'l' or first == 'b' then
            redis.call('HDEL', key, field)
        end
    end
end

--[[ k: 4.. pairs (tenant, parent) of removed tenants, then for each set one: tenant, parent, the accounts whose limit
follows. a: 8 removed, 9 set, 10.. for each set one: accounts, fields, the accounts' limits, field, value, …
Parents come before children. The root's parent is the root. ]]
local function policy_refusal(k, a, removed, set, first)
    local leaving, gone, coming = {}, {}, {}
    for i = 4, first - 1, 2 do
        gone[k[i]] = true
        leaving[k[i + 1]] = (leaving[k[i + 1]] or 0) + 1
    end
    for i = 4, first - 1, 2 do
        local v = redis.call('HMGET', k[i], 'u:queued', 'u:running', 'n')
        if not v[1] then
            return refuse('no_tenant', name_of(k, k[i]))
        end
        if tonumber(v[1]) > 0 or tonumber(v[2]) > 0 or tonumber(v[3]) > (leaving[k[i]] or 0) then
            return refuse('in_use', name_of(k, k[i]))
        end
    end
    local key, arg = first, 10
    for _ = 1, set do
        local tenant, parent = k[key], k[key + 1]
        coming[tenant] = true
        if parent ~= tenant and redis.call('EXISTS', tenant) == 0 and not coming[parent] and
            (gone[parent] or redis.call('EXISTS', parent) == 0) then
            return refuse('no_tenant', name_of(k, tenant))
        end
        key = key + 2 + tonumber(a[arg])
        arg = arg + 2 + tonumber(a[arg]) + 2 * tonumber(a[arg + 1])
    end
end

function ops.policy(k, a, force)
    local removed, set = tonumber(a[8]), tonumber(a[9])
    local first = 4 + 2 * removed
    local refusal = not force and policy_refusal(k, a, removed, set, first)
    if refusal then
        return refusal
    end
    enter(k, a)
    for i = 4, first - 1, 2 do
        if redis.call('DEL', k[i]) == 1 then
            redis.call('SREM', prefix_of(k) .. 'ts', name_of(k, k[i]))
            if redis.call('EXISTS', k[i + 1]) == 1 then
                redis.call('HINCRBY', k[i + 1], 'n', -1)
            end
        end
    end
    local key, arg = first, 10
    for _ = 1, set do
        local tenant, parent = k[key], k[key + 1]
        local accounts, fields = tonumber(a[arg]), tonumber(a[arg + 1])
        if redis.call('EXISTS', tenant) == 0 then
            create_tenant(k, tenant, parent)
        else
            forget_rule(tenant)
        end
        arg = arg + 2
        for i = 1, accounts do
            if redis.call('EXISTS', k[key + 1 + i]) == 1 then
                redis.call('HSET', k[key + 1 + i], 'limit', a[arg + i - 1])
            end
        end
        arg = arg + accounts
        if fields > 0 then
            redis.call('HSET', tenant, unpack(a, arg, arg + 2 * fields - 1))
        end
        key = key + 2 + accounts
        arg = arg + 2 * fields
    end
end

-- ---- functions -----------------------------------------------------------------------------------------------

-- Mode "" asks and writes; "!" writes without asking (replay); anything else is the refusal to record (replay).
local function commit(k, a)
    local meta = redis.call('HMGET', k[1], 'writer', 'term', 'seq')
    if meta[1] ~= a[1] or meta[2] ~= a[2] then
        return 'fenced'
    end
    local seq, last = tonumber(a[3]), tonumber(meta[3])
    if seq <= last then
        return 'dup'
    end
    if seq ~= last + 1 then
        return 'gap'
    end
    if a[5] ~= '' and a[5] ~= '!' then
        enter_refused(k, a, a[5])
        return 'ok'
    end
    local refusal = ops[a[6]](k, a, a[5] == '!')
    if refusal then
        enter_refused(k, a, refusal[1])
        return refusal
    end
    return 'ok'
end

-- k: 1 P meta, 2 P t:/ (the root tenant), 3 P ts.  a: writer, term, schema. The fence itself: only a higher term takes it.
local function take_term(k, a)
    local meta = redis.call('HMGET', k[1], 'term', 'schema')
    if meta[2] and meta[2] ~= a[3] then
        return {'schema', meta[2]}
    end
    if meta[1] and tonumber(meta[1]) >= tonumber(a[2]) then
        return {'stale', meta[1]}
    end
    redis.call('HSET', k[1], 'schema', a[3], 'library', LIBRARY, 'writer', a[1], 'term', a[2])
    redis.call('HSETNX', k[1], 'seq', '0')
    redis.call('HSETNX', k[1], 'durable', '0')
    if redis.call('EXISTS', k[2]) == 0 then
        redis.call('HSET', k[2], 'u:queued', '0', 'u:running', '0', 'n', '0')
        redis.call('SADD', k[3], '/')
    end
    return 'ok'
end

-- k: 1 P meta.  a: term, durable.
local function durable(k, a)
    local meta = redis.call('HMGET', k[1], 'term', 'durable')
    if meta[1] == a[1] and tonumber(meta[2]) < tonumber(a[2]) then
        redis.call('HSET', k[1], 'durable', a[2])
    end
    return 'ok'
end

-- A hold as a snapshot has it; counters are seeded apart. k: 1 P meta, 2 -, 3 P h.
-- a: attempt, spent, held, tenants, resources, accounts, then these: tenants, fields, amounts, accounts.
local function seed_hold(k, a)
    local lists, at = {{}, {}, {}, {}}, 7
    for i, count in ipairs({a[4], a[5], a[5], a[6]}) do
        for _ = 1, tonumber(count) do
            table.insert(lists[i], a[at])
            at = at + 1
        end
    end
    hold_write(k, a[1], a[2], a[3], lists[1], lists[2], lists[3], lists[4])
    return 'ok'
end

redis.register_function('reeve_commit', commit)
redis.register_function('reeve_take_term', take_term)
redis.register_function('reeve_durable', durable)
redis.register_function('reeve_seed_hold', seed_hold)
redis.register_function{
    function_name = 'reeve_library',
    callback = function() return LIBRARY end,
    flags = {'no-writes'},
}
