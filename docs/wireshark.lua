-- Shows the bank's datagrams in Wireshark and tshark (4.0 and newer): who says what to whom, with
-- labels, epochs, amounts and operations.
--
--     wireshark -X lua_script:docs/wireshark.lua
--     tshark -X lua_script:docs/wireshark.lua -r a.pcap -Y 'p2pbank.operation == "alice/1.4"'
--
-- or copy it to the folder for personal Lua plugins (Help, About, Folders). Recordings are made by
-- the programs themselves (--pcap FILE) or by Wireshark. Datagrams are recognized by how they
-- begin; where another protocol is known for a port, add -o udp.try_heuristic_first:TRUE.
--
-- Sealed datagrams are opened with a log of session keys that the programs write when they are
-- asked to (--key-log FILE): give it as the preference p2pbank.keylog (-o p2pbank.keylog:FILE) or
-- in the environment as P2PBANK_KEYLOG. Opened is not checked: the tag, which proves that nobody
-- has changed the datagram, is shown and not computed.
--
-- The layout of packets is that of common/secure/packets.h and common/wire/envelope.h, the messages
-- are those of common/wire/*.proto, and the words that describe them those of the programs' traces
-- (common/core/describe.cpp); tests/processes/test_wireshark.py compares all three.

-- Messages as "number name type", with "*" behind the type where it is repeated.
-- Schema: made by scripts/wireshark_schema.py
local MESSAGES = {
    OperationId = [[1 initiator string, 2 epoch uint64, 3 counter uint64, 4 word bytes]],
    Totals = [[1 balance sint64, 2 opening sint64, 3 deposits sint64, 4 withdrawals sint64, 5 adjustments sint64,
        6 carried sint64, 7 dealings sint64]],
    Channel = [[1 peer string, 2 sent_last uint64, 3 sent_sum sint64, 4 received uint64*, 5 received_sum sint64]],
    Member = [[1 name string, 2 ip fixed32, 3 port2 uint32, 4 epoch uint64, 5 channel_key bytes, 6 signing_key bytes]],
    Reason = [[1 peer string, 2 transfers uint64]],
    Participant = [[1 name string, 2 holder bool, 3 reasons Reason*, 4 next_epoch uint64, 5 word bytes]],
    Activity = [[1 kind uint32, 2 what string, 3 number uint64, 4 amount sint64, 5 balance sint64, 6 at_ms uint64,
        7 note string, 8 rolled_back bool]],
    Datagram = [[1 sender string, 2 instance uint64, 3 number uint64, 4 cohort uint64, 5 epoch uint64,
        6 receiver_epoch uint64, 7 receiver string, 8 receiver_instance uint64, 10 hello Hello, 11 fragment Fragment,
        12 fragment_ack FragmentAck, 13 probe Probe, 16 transfers Transfers, 17 ack Ack, 18 epoch_notice EpochNotice,
        19 epoch_confirm EpochConfirm, 20 checkpoint_request CheckpointRequest, 21 rollback_request RollbackRequest,
        22 vote Vote, 23 outcome Decision, 24 outcome_ack DecisionAck, 25 signed Signed, 26 sign_request SignRequest,
        27 epoch_proof EpochProof, 32 command Command, 33 attach Attach, 34 settle Settle,
        35 settle_refused SettleRefused, 36 operation_begin OperationBegin, 37 decision_request DecisionRequest,
        38 decision_query DecisionQuery, 39 decision_ack DecisionAck, 40 report Report,
        41 cohort_ended_ack CohortEndedAck, 42 roster_request RosterRequest, 43 ask Ask, 44 deal Deal,
        45 evidence Evidence, 64 reply Reply, 65 attach_reply AttachReply, 66 settle_ack SettleAck,
        67 operation_begun OperationBegun, 68 decision Decision, 69 report_request ReportRequest, 70 roster Roster,
        71 join_request JoinRequest, 72 cohort_started CohortStarted, 73 freeze_request FreezeRequest,
        74 cohort_ended CohortEnded, 75 exit_order ExitOrder, 77 account_offer AccountOffer, 78 told Told,
        79 deal_reply DealReply, 80 evidence_request EvidenceRequest]],
    Hello = [[1 cookie fixed64, 2 echo fixed64, 3 need_echo bool, 15 padding bytes]],
    Fragment = [[1 id fixed64, 2 index uint32, 3 count uint32, 4 bytes bytes]],
    FragmentAck = [[1 id fixed64, 2 received uint64*]],
    Probe = [[1 nonce uint64, 2 answer bool, 4 starting_balance sint64]],
    Transfers = [[1 first_label uint64, 2 gaps uint64*, 3 amounts uint64*]],
    Ack = [[1 received uint64*, 2 covered uint64*]],
    Signed = [[1 digests bytes*, 2 signature bytes]],
    SignRequest = [[1 labels uint64*]],
    EpochProof = [[1 epoch uint64, 2 word bytes]],
    EpochNotice = [[1 received uint64*, 2 word bytes]],
    EpochConfirm = [[1 epoch uint64, 2 last_label uint64, 3 proof SignedTransfers]],
    CheckpointRequest = [[1 operation OperationId, 2 label uint64, 3 deadline_ms uint32]],
    RollbackRequest = [[1 operation OperationId, 2 label uint64, 3 next_epoch uint64, 4 deadline_ms uint32]],
    Vote = [[1 operation OperationId, 2 yes bool, 3 participants Participant*, 4 code string, 5 who string]],
    Decision = [[1 operation OperationId, 2 commit bool, 3 kind OperationKind, 4 why string, 5 word bytes]],
    DecisionAck = [[1 operation OperationId]],
    Command = [[1 request uint64, 2 open Open, 3 new_cohort NewCohort, 4 delete_cohort DeleteCohort, 5 exit Exit]],
    Open = [[1 name string, 2 balance uint64, 3 ip fixed32, 4 port1 uint32, 5 port2 uint32, 6 opener fixed64,
        7 authority Authority, 8 signing_key bytes]],
    NewCohort = [[1 size uint32]],
    DeleteCohort = [[1 force bool, 2 cohort uint64]],
    Reply = [[1 request uint64, 2 success bool, 3 code string, 4 text string, 5 lines string*]],
    Attach = [[1 ip fixed32, 2 port1 uint32, 3 port2 uint32, 4 opener fixed64, 5 wanted string, 6 signing_key bytes,
        7 run fixed64]],
    AttachReply = [[1 known bool, 2 exited bool, 3 cohort uint64, 4 cohort_name string, 5 adjustments sint64,
        6 epoch uint64, 7 totals Totals, 8 other_key bool, 9 statements uint64, 10 statement_digest bytes,
        11 boots uint64, 12 old_copy bool, 13 opener fixed64]],
    Settle = [[1 operation OperationId, 2 kind OperationKind, 3 statement SignedStatement]],
    SignedStatement = [[1 statement bytes, 2 signature bytes]],
    Statement = [[1 bank bytes, 2 name string, 3 number uint64, 4 previous bytes, 5 operation OperationId,
        6 kind OperationKind, 7 cohort uint64, 8 epoch uint64, 9 totals Totals, 10 channels Channel*,
        11 activity Activity*, 12 activity_left_out uint64, 13 transfers bytes]],
    SettleRefused = [[1 operation OperationId, 2 code string]],
    SettleAck = [[1 operation OperationId, 2 accepted bool]],
    OperationBegin = [[1 operation OperationId, 2 kind OperationKind]],
    OperationBegun = [[1 operation OperationId, 2 accepted bool]],
    DecisionRequest = [[1 operation OperationId, 2 kind OperationKind, 3 participants string*,
        4 rolled_back RolledBack*]],
    RolledBack = [[1 name string, 2 epoch uint64, 3 word bytes]],
    DecisionQuery = [[1 operation OperationId, 2 kind OperationKind]],
    ReportRequest = [[1 nonce uint64]],
    Report = [[1 nonce uint64, 2 totals Totals, 3 channels Channel*, 4 lost Reason*]],
    RosterRequest = [[1 cohort uint64]],
    Roster = [[1 body bytes, 2 signature bytes]],
    RosterBody = [[1 cohort uint64, 2 cohort_name string, 3 members Member*, 4 issued_ms uint64, 5 expires_ms uint64]],
    JoinRequest = [[1 operation OperationId, 2 cohort uint64, 3 cohort_name string, 4 deadline_ms uint32]],
    CohortStarted = [[1 operation OperationId, 2 roster Roster]],
    FreezeRequest = [[1 operation OperationId, 2 cohort uint64, 3 deadline_ms uint32]],
    CohortEnded = [[1 cohort uint64, 2 totals Totals, 3 operation OperationId, 4 statements uint64]],
    CohortEndedAck = [[1 cohort uint64]],
    ExitOrder = [[1 nonce uint64]],
    Exit = [[2 order uint64, 5 empty bool, 6 statement SignedStatement]],
    AccountOffer = [[1 name string]],
    Authority = [[1 session fixed64, 2 counter uint64]],
    Ask = [[1 nonce fixed64, 2 words string*, 3 secrets Secrets, 4 authority Authority, 5 signing_key bytes,
        6 epoch uint64, 7 statements uint64]],
    Secrets = [[2 name string, 3 password bytes, 4 new_password bytes, 6 padding bytes]],
    Told = [[1 nonce fixed64, 2 answer AnswerText, 3 session fixed64]],
    AnswerText = [[1 outcome uint32, 2 code string, 3 text string, 4 lines string*, 5 facts AnswerFact*,
        6 tables AnswerTable*, 7 currency string]],
    AnswerFact = [[1 name string, 2 value string, 3 is_number bool]],
    AnswerRow = [[1 facts AnswerFact*]],
    AnswerTable = [[1 name string, 2 rows AnswerRow*]],
    Deal = [[1 number uint64, 2 nonce fixed64, 3 kind DealKind, 4 what string, 5 quantity uint64, 6 amount sint64,
        7 months uint32, 8 authority Authority]],
    DealReply = [[1 number uint64, 2 epoch uint64, 3 nonce fixed64, 4 accepted bool, 5 code string, 6 text string,
        7 order uint64, 8 amount sint64, 9 what string, 10 name string, 11 has_token bool]],
    EvidenceRequest = [[1 operation OperationId, 2 peer string, 3 above uint64]],
    Evidence = [[1 operation OperationId, 2 peer string, 3 above uint64, 4 items SignedTransfers*, 5 more bool]],
    SignedTransfers = [[1 epoch uint64, 2 transfers Transfers*, 3 signed Signed]],
}
local ENUMS = {
    OperationKind = [[0 OPERATION_NONE, 1 OPERATION_CHECKPOINT, 2 OPERATION_ROLLBACK, 3 OPERATION_JOIN,
        4 OPERATION_FREEZE]],
    DealKind = [[0 DEAL_NONE, 1 DEAL_PURCHASE, 2 DEAL_PAYMENT, 3 DEAL_LOAN, 4 DEAL_REPAYMENT]],
}
-- End of the schema

-- What the schema does not say about numbers and bytes: money is in cents, sets of labels are
-- alternating gaps and lengths, and some bytes are messages that were signed.
local MONEY = [[Totals.balance, Totals.opening, Totals.deposits, Totals.withdrawals, Totals.adjustments, Totals.carried,
    Totals.dealings, Channel.sent_sum, Channel.received_sum, Activity.amount, Activity.balance, Probe.starting_balance,
    Transfers.amounts, Open.balance, AttachReply.adjustments, Deal.amount, DealReply.amount]]
local LABELS = [[Channel.received, FragmentAck.received, Ack.received, Ack.covered, SignRequest.labels,
    EpochNotice.received]]
local ADDRESSES = "Member.ip, Open.ip, Attach.ip"
local TIMES = "Activity.at_ms, RosterBody.issued_ms, RosterBody.expires_ms"
local SIGNED = { ["Roster.body"] = "RosterBody", ["SignedStatement.statement"] = "Statement" }

-- Lua 5.3 has operators, which Lua 5.2 cannot even read.
local bits = bit32 or load([[return {
    bxor = function(a, b) return (a ~ b) & 0xffffffff end,
    lrotate = function(a, n) return ((a << n) | (a >> (32 - n))) & 0xffffffff end,
}]])()

local p2pbank = Proto("p2pbank", "P2P Bank")

-- Fields ------------------------------------------------------------------------------------------

local TYPES = { [1] = "initiation", [2] = "response", [3] = "cookie", [4] = "sealed", [5] = "key request",
    [6] = "key answer", [7] = "other mode", [8] = "no session" }

local fields = {
    version = ProtoField.uint8("p2pbank.version", "Version"),
    type = ProtoField.uint8("p2pbank.type", "Type", base.DEC, TYPES),
    checksum = ProtoField.uint32("p2pbank.checksum", "CRC-32", base.HEX),
    sender_index = ProtoField.uint32("p2pbank.sender_index", "Sender's index", base.HEX),
    receiver_index = ProtoField.uint32("p2pbank.receiver_index", "Receiver's index", base.HEX),
    counter = ProtoField.uint64("p2pbank.counter", "Counter"),
    ephemeral = ProtoField.bytes("p2pbank.ephemeral", "Ephemeral key"),
    static = ProtoField.bytes("p2pbank.static", "Sender's key, sealed"),
    sealed = ProtoField.bytes("p2pbank.sealed", "Sealed"),
    tag = ProtoField.bytes("p2pbank.tag", "Tag"),
    mac1 = ProtoField.bytes("p2pbank.mac1", "mac1"),
    mac2 = ProtoField.bytes("p2pbank.mac2", "mac2"),
    nonce = ProtoField.bytes("p2pbank.nonce", "Nonce"),
    cookie = ProtoField.bytes("p2pbank.cookie", "Cookie, sealed"),
    padding = ProtoField.bytes("p2pbank.zeros", "Zeros"),
    channel_key = ProtoField.bytes("p2pbank.channel_key", "Channel key"),
    signing_key = ProtoField.bytes("p2pbank.signing_key", "Signing key"),
    signature = ProtoField.bytes("p2pbank.signature", "Signature"),
    id = ProtoField.string("p2pbank.id", "Id"),
    what = ProtoField.string("p2pbank.what", "What"),
    operation = ProtoField.string("p2pbank.operation", "Operation"),
    label = ProtoField.uint64("p2pbank.label", "Label"),
}

local function words(text)
    local found = {}
    for word in text:gmatch("[^,%s]+") do found[#found + 1] = word end
    return found
end

local function snake(name)
    return (name:gsub("(%l)(%u)", "%1_%2"):lower())
end

-- messages[name].by_number[n] = { name, type, repeated, form, pf, wire, path }
local messages, enums = {}, {}

for name, text in pairs(ENUMS) do
    enums[name] = {}
    for number, value in text:gmatch("(%d+) (%w[%w_]*)") do enums[name][tonumber(number)] = value end
end

-- How a type stands on the wire, and its kind of ProtoField.
local SCALARS = {
    uint64 = { 0, "uint64" }, uint32 = { 0, "uint32" }, sint64 = { 0, "int64" }, bool = { 0, "bool" },
    fixed64 = { 1, "uint64", base.HEX }, fixed32 = { 5, "uint32", base.HEX },
    string = { 2, "string" }, bytes = { 2, "bytes" },
}

local function new_field(message, name, kind, repeated)
    local field = { name = name, type = kind, repeated = repeated ~= "", path = message .. "." .. name }
    local abbreviation = "p2pbank." .. (message == "Datagram" and "" or snake(message) .. ".") .. name
    local scalar = SCALARS[kind]
    if scalar then
        field.wire = scalar[1]
        field.pf = ProtoField[scalar[2]](abbreviation, name, scalar[3])
    elseif enums[kind] then
        field.wire = 0
        field.pf = ProtoField.uint32(abbreviation, name, base.DEC, enums[kind])
    else
        field.wire, field.message = 2, kind
        field.pf = ProtoField.none(abbreviation, name)
    end
    fields[field.path] = field.pf
    return field
end

local forms = {}
for form, paths in pairs({ money = MONEY, labels = LABELS, address = ADDRESSES, time = TIMES }) do
    for _, path in ipairs(words(paths)) do forms[path] = form end
end
for path in pairs(SIGNED) do forms[path] = "signed" end

for message, text in pairs(MESSAGES) do
    messages[message] = {}
    for number, name, kind, repeated in text:gmatch("(%d+) ([%w_]+) (%w+)(%*?)") do
        local field = new_field(message, name, kind, repeated)
        field.form, forms[field.path] = forms[field.path], nil
        if field.form == "address" then
            field.pf = ProtoField.ipv4("p2pbank." .. snake(message) .. "." .. name, name)
            fields[field.path] = field.pf
        end
        messages[message][tonumber(number)] = field
    end
end
assert(next(forms) == nil, "the schema has no field " .. tostring(next(forms)))

p2pbank.fields = fields

-- Numbers as text ---------------------------------------------------------------------------------

local MAX_LABEL = UInt64.new(0, 0x40000000)  -- labels are below 2^62
local ZERO, ONE = UInt64.new(0, 0), UInt64.new(1, 0)

local function money(cents)
    local sign, digits = tostring(cents):match("^(%-?)(%d+)$")
    digits = ("0"):rep(3 - #digits) .. digits
    local units, rest = digits:sub(1, -3), digits:sub(-2)
    return sign .. units .. (rest == "00" and "" or "." .. rest)
end

-- Intervals { first, last } with rising firsts, as the programs write sets of labels.
local function intervals_to_text(intervals)
    local texts, last = {}, nil
    for _, interval in ipairs(intervals) do
        if last and interval[1] <= last[2] + ONE then
            if interval[2] > last[2] then last[2] = interval[2] end
        else
            last = { interval[1], interval[2] }
            texts[#texts + 1] = last
        end
    end
    for i, interval in ipairs(texts) do
        local first, final = tostring(interval[1]), tostring(interval[2])
        texts[i] = first == final and first or first .. "-" .. final
    end
    return #texts == 0 and "none" or table.concat(texts, " ")
end

-- A set as it is sent: alternating the gap before an interval and its length - 1.
local function labels_to_text(numbers)
    if #numbers % 2 ~= 0 then return "?" end
    local intervals, before = {}, ZERO
    for i = 1, #numbers, 2 do
        local gap, more = numbers[i], numbers[i + 1]
        if gap == ZERO or gap >= MAX_LABEL or more >= MAX_LABEL then return "?" end
        local first = before + gap
        local last = first + more
        if last >= MAX_LABEL then return "?" end
        intervals[#intervals + 1] = { first, last }
        before = last
    end
    return intervals_to_text(intervals)
end

-- Protobuf ----------------------------------------------------------------------------------------

-- The number at s[at] as two halves, and what follows it; nothing if there is none.
local function varint(s, at)
    local lo, hi = 0, 0
    for i = 0, 9 do
        local byte = s:byte(at + i)
        if not byte then return nil end
        local seven = byte % 128
        if i < 4 then
            lo = lo + seven * 2 ^ (7 * i)
        elseif i == 4 then
            lo = lo + (seven % 16) * 2 ^ 28
            hi = math.floor(seven / 16)
        else
            hi = (hi + seven * 2 ^ (7 * i - 32)) % 2 ^ 32
        end
        if byte < 128 then return lo, hi, at + i + 1 end
    end
end

local function fixed(s, at, bytes)
    if at + bytes - 1 > #s then return nil end
    local half = { 0, 0 }
    for i = 0, bytes - 1 do
        local part = i < 4 and 1 or 2
        half[part] = half[part] + s:byte(at + i) * 256 ^ (i % 4)
    end
    return half[1], half[2], at + bytes
end

local function scalar_value(field, lo, hi)
    if field.type == "bool" then return lo ~= 0 or hi ~= 0 end
    if field.type == "uint64" or field.type == "fixed64" then return UInt64.new(lo, hi) end
    if field.type ~= "sint64" then return lo end
    local odd = lo % 2 == 1
    lo = math.floor(lo / 2) + (hi % 2) * 2 ^ 31
    hi = math.floor(hi / 2)
    if odd then lo, hi = 2 ^ 32 - 1 - lo, 2 ^ 32 - 1 - hi end
    return Int64.new(lo, hi)
end

local READERS = { [0] = varint, [1] = function(s, at) return fixed(s, at, 8) end,
    [5] = function(s, at) return fixed(s, at, 4) end }

local parse

-- What stands between `at` and `last` for one field: adds to `items`. False for bytes that are none.
local function parse_piece(items, field, s, start, at, last)
    local item = { field = field, start = start, stop = last, at = at }
    if field.message then
        item.items = parse(field.message, s, at, last)
        if not item.items then return false end
        items.strange = items.strange or item.items.strange
    elseif field.wire == 2 then
        item.value = s:sub(at, last)
    else
        while at <= last do  -- several numbers in one piece
            local lo, hi, after = READERS[field.wire](s, at)
            if not lo or after - 1 > last then return false end
            items[#items + 1] = { field = field, start = at, stop = after - 1, at = at,
                value = scalar_value(field, lo, hi) }
            at = after
        end
        return true
    end
    items[#items + 1] = item
    return true
end

-- The fields of the message in s[at..last], in their order: { field, start, stop (of the whole
-- field), at (of its content), value or items }. Nothing for bytes that are no message; `strange`
-- if there are fields that the schema does not have.
parse = function(name, s, at, last)
    local items = {}
    while at <= last do
        local start = at
        local tag, _, content = varint(s, at)  -- of which protobuf looks at 32 bits
        if not tag or content - 1 > last or content - at > 5 or tag < 8 then return nil end
        local field, wire = messages[name][math.floor(tag / 8)], tag % 8
        if READERS[wire] then
            local lo, hi, after = READERS[wire](s, content)
            if not lo or after - 1 > last then return nil end
            if field and field.wire == wire then
                items[#items + 1] = { field = field, start = start, stop = after - 1, at = content,
                    value = scalar_value(field, lo, hi) }
            else
                items.strange = true
            end
            at = after
        elseif wire == 2 then
            local length, more, from = varint(s, content)
            if not length or more ~= 0 or from + length - 1 > last then return nil end
            if field and (field.wire == 2 or field.repeated) then
                if not parse_piece(items, field, s, start, from, from + length - 1) then return nil end
            else
                items.strange = true
            end
            at = from + length
        else
            return nil
        end
    end
    return items
end

local function all(items, name)
    local found = {}
    for _, item in ipairs(items or {}) do
        if item.field.name == name then found[#found + 1] = item.items or item.value end
    end
    return found
end

local function get(items, name, default)
    local found = all(items, name)
    if #found == 0 then return default end
    return found[#found]
end

local function number(items, name)
    return tostring(get(items, name, ZERO))
end

-- In a few words ----------------------------------------------------------------------------------

local function operation_to_text(items)
    return get(items, "initiator", "") .. "/" .. number(items, "epoch") .. "." .. number(items, "counter")
end

local function operation_of(items)
    return operation_to_text(get(items, "operation"))
end

-- The label of each amount; nothing if one is none.
local function labels_of_transfers(transfers)
    local gaps, amounts = all(transfers, "gaps"), all(transfers, "amounts")
    local label, found = get(transfers, "first_label", ZERO), {}
    for i = 1, #amounts do
        if #gaps > 0 then
            label = label + (gaps[i] or ZERO)
        elseif i > 1 then
            label = label + ONE
        end
        if label == ZERO or label >= MAX_LABEL then return nil end
        found[i] = label
    end
    return found
end

local function transfers_to_text(transfers)
    local found = labels_of_transfers(transfers)
    if not found then return "transfers ?" end
    local intervals = {}
    for i, label in ipairs(found) do intervals[i] = { label, label } end
    table.sort(intervals, function(a, b) return a[1] < b[1] end)
    return "transfers " .. intervals_to_text(intervals)
end

local function says(text)
    return function() return text end
end
local function with_operation(text)
    return function(m) return text .. " " .. operation_of(m) end
end
local function with_label(text)
    return function(m) return text .. " " .. operation_of(m) .. " label " .. number(m, "label") end
end
local function with_outcome(text)
    return function(m) return text .. (get(m, "commit") and " commit " or " abort ") .. operation_of(m) end
end
local function with_request(text)
    return function(m) return text .. " " .. number(m, "request") end
end

-- What a datagram is called after the first of these that it has.
local DESCRIPTIONS = {
    { "hello", says("hello") },
    { "probe", function(m) return get(m, "answer") and "probe answer" or "probe" end },
    { "fragment", function(m)
        return ("part %d of %d"):format((get(m, "index", 0) + 1) % 2 ^ 32, get(m, "count", 0))
    end },
    { "fragment_ack", says("part ack") },
    { "transfers", function(m, d) return transfers_to_text(m) .. (get(d, "ack") and " and ack" or "") end },
    { "ack", function(m) return "ack " .. labels_to_text(all(m, "received")) end },
    { "epoch_notice", function(_, d) return "epoch " .. number(d, "epoch") end },
    { "epoch_confirm", function(m) return "confirm epoch " .. number(m, "epoch") end },
    { "checkpoint_request", with_label("checkpoint request") },
    { "rollback_request", with_label("rollback request") },
    { "vote", function(m) return (get(m, "yes") and "vote yes " or "vote no ") .. operation_of(m) end },
    { "outcome", with_outcome("outcome") },
    { "outcome_ack", with_operation("outcome ack") },
    { "signed", function(m) return ("signs %d"):format(#all(m, "digests")) end },
    { "sign_request", function(m) return "ask to sign " .. labels_to_text(all(m, "labels")) end },
    { "epoch_proof", function(m) return "proof of epoch " .. number(m, "epoch") end },
    { "command", with_request("command") },
    { "attach", says("attach") },
    { "settle", with_operation("settle") },
    { "settle_refused", with_operation("settle refused") },
    { "operation_begin", with_operation("begin") },
    { "decision_request", with_operation("ask for commit") },
    { "decision_query", with_operation("ask for decision") },
    { "decision_ack", with_operation("decision ack") },
    { "report", says("report") },
    { "cohort_ended_ack", says("cohort ended ack") },
    { "roster_request", says("ask for roster") },
    { "evidence", with_operation("evidence") },
    { "ask", says("ask") },
    { "deal", function(m)
        return number(m, "number") == "0" and "question about a deal" or "deal " .. number(m, "number")
    end },
    { "reply", with_request("reply") },
    { "attach_reply", says("attach reply") },
    { "settle_ack", function(m) return (get(m, "accepted") and "settled " or "not settled ") .. operation_of(m) end },
    { "operation_begun", with_operation("begun") },
    { "decision", with_outcome("decision") },
    { "report_request", says("ask for report") },
    { "roster", says("roster") },
    { "join_request", with_operation("join") },
    { "cohort_started", with_operation("cohort started") },
    { "freeze_request", with_operation("freeze") },
    { "cohort_ended", says("cohort ended") },
    { "exit_order", says("exit order") },
    { "account_offer", says("account offer") },
    { "told", says("told") },
    { "evidence_request", with_operation("ask for evidence") },
    { "deal_reply", function(m)
        return (get(m, "accepted") and "accepts" or "refuses") ..
            (number(m, "number") == "0" and " the question" or " deal " .. number(m, "number"))
    end },
}

local function describe(datagram)
    for _, one in ipairs(DESCRIPTIONS) do
        local message = get(datagram, one[1])
        if message then return one[2](message, datagram) end
    end
    return "nothing"
end

-- The key log -------------------------------------------------------------------------------------

p2pbank.prefs.keylog = Pref.string("Key log file", "",
    "What programs write with --key-log. Without it: the file that P2PBANK_KEYLOG names in the environment.")

local keys, keys_read = {}, { file = nil, bytes = 0 }  -- by index: lists of keys as eight numbers

local function read_keys()
    local name = p2pbank.prefs.keylog
    if name == "" then name = os.getenv("P2PBANK_KEYLOG") or "" end
    local file = name ~= "" and io.open(name, "r")
    if not file then return end
    local bytes = file:seek("end")
    if name ~= keys_read.file or bytes ~= keys_read.bytes then
        keys, keys_read = {}, { file = name, bytes = bytes }
        file:seek("set")
        for line in file:lines() do
            local index, hex = line:match("^p2pbank%-key (%x+) (%x+)%s*$")
            if index and #index == 8 and #hex == 64 then
                local key = {}
                for i = 1, 8 do
                    local swapped = hex:sub(8 * i - 7, 8 * i):gsub("(..)(..)(..)(..)", "%4%3%2%1")
                    key[i] = tonumber(swapped, 16)
                end
                index = tonumber(index, 16)
                keys[index] = keys[index] or {}
                table.insert(keys[index], key)
            end
        end
    end
    file:close()
end

local QUARTERS = { { 1, 5, 9, 13 }, { 2, 6, 10, 14 }, { 3, 7, 11, 15 }, { 4, 8, 12, 16 },
    { 1, 6, 11, 16 }, { 2, 7, 12, 13 }, { 3, 8, 9, 14 }, { 4, 5, 10, 15 } }

-- One block of ChaCha20 (RFC 8439, 2.3), as sixteen numbers.
local function chacha20_block(key, block, counter_lo, counter_hi)
    local bxor, lrotate = bits.bxor, bits.lrotate
    local first = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[1], key[2], key[3], key[4],
        key[5], key[6], key[7], key[8], block, 0, counter_lo, counter_hi }
    local x = {}
    for i = 1, 16 do x[i] = first[i] end
    for _ = 1, 10 do
        for _, q in ipairs(QUARTERS) do
            local a, b, c, d = x[q[1]], x[q[2]], x[q[3]], x[q[4]]
            a = (a + b) % 4294967296; d = lrotate(bxor(d, a), 16)
            c = (c + d) % 4294967296; b = lrotate(bxor(b, c), 12)
            a = (a + b) % 4294967296; d = lrotate(bxor(d, a), 8)
            c = (c + d) % 4294967296; b = lrotate(bxor(b, c), 7)
            x[q[1]], x[q[2]], x[q[3]], x[q[4]] = a, b, c, d
        end
    end
    for i = 1, 16 do x[i] = (x[i] + first[i]) % 4294967296 end
    return x
end

-- The nonce is the counter of the packet; block 0 makes the key of the tag.
local function chacha20(key, counter_lo, counter_hi, sealed)
    local out = {}
    for at = 1, #sealed, 64 do
        local stream = chacha20_block(key, (at + 63) / 64, counter_lo, counter_hi)
        for i = 0, math.min(64, #sealed - at + 1) - 1 do
            local word = stream[math.floor(i / 4) + 1]
            local byte = math.floor(word / 256 ^ (i % 4)) % 256
            out[#out + 1] = string.char(bits.bxor(sealed:byte(at + i), byte))
        end
    end
    return table.concat(out)
end

-- What is inside of a sealed packet: nothing if its key is not known. An index may stand twice in a
-- log: the right key is the one that gives a message.
local function open(index, counter_lo, counter_hi, sealed)
    if not keys[index] then read_keys() end
    for _, key in ipairs(keys[index] or {}) do
        local plain = chacha20(key, counter_lo, counter_hi, sealed)
        local items = parse("Datagram", plain, 1, #plain)
        if items and not items.strange then return plain end
    end
end

-- The tree ----------------------------------------------------------------------------------------

local function as_value(field, item)
    if field.form == "address" then
        local n = item.value
        return Address.ip(("%d.%d.%d.%d"):format(math.floor(n / 2 ^ 24), math.floor(n / 2 ^ 16) % 256,
            math.floor(n / 256) % 256, n % 256))
    end
    return item.value
end

local show

local function show_item(tree, tvb, item)
    local field = item.field
    local range = tvb(item.start - 1, item.stop - item.start + 1)
    if item.items then
        local branch = tree:add(field.pf, range)
        if field.message == "OperationId" then
            branch:append_text(" " .. operation_to_text(item.items))
            branch:add(fields.operation, range, operation_to_text(item.items)):set_generated()
        end
        return show(branch, tvb, item.items, field.message)
    end
    if field.type == "bytes" then
        local content = item.stop >= item.at and tvb(item.at - 1, item.stop - item.at + 1)
        local node = content and tree:add(field.pf, content) or tree:add(field.pf, range)
        local inner = field.form == "signed" and parse(SIGNED[field.path], tvb:raw(), item.at, item.stop)
        if inner then show(node, tvb, inner, SIGNED[field.path]) end
        return
    end
    local node = tree:add(field.pf, range, as_value(field, item))
    if field.form == "money" then node:append_text(" (" .. money(item.value) .. ")") end
    if field.form == "time" then
        node:append_text(os.date("! (%Y-%m-%d %H:%M:%S UTC)", math.floor(item.value:tonumber() / 1000)))
    end
end

show = function(tree, tvb, items, message)
    local of_sets = {}
    for _, item in ipairs(items) do
        show_item(tree, tvb, item)
        if item.field.form == "labels" and not of_sets[item.field] then
            of_sets[item.field] = true
            tree:append_text((" %s: %s"):format(item.field.name, labels_to_text(all(items, item.field.name))))
        end
    end
    if message ~= "Transfers" then return end
    local amounts = all(items, "amounts")
    for i, label in ipairs(labels_of_transfers(items) or {}) do
        tree:add(fields.label, label):append_text(": " .. money(amounts[i])):set_generated()
    end
end

-- Messages in parts: what has come, by the two addresses and the message's id; and by the number of
-- the frame that made a message whole, that message.
local parts, wholes = {}, {}

function p2pbank.init()
    parts, wholes = {}, {}
    keys, keys_read = {}, { file = nil, bytes = 0 }
end

local function whole_of(pinfo, fragment)
    if pinfo.visited then return wholes[pinfo.number] end
    local count, index = get(fragment, "count", 0), get(fragment, "index", 0)
    if index >= count or count > 1000 then return nil end
    local id = table.concat({ tostring(pinfo.src), pinfo.src_port, tostring(pinfo.dst), pinfo.dst_port,
        number(fragment, "id"), count }, " ")
    parts[id] = parts[id] or { missing = count }
    local known = parts[id]
    if not known[index + 1] then
        known[index + 1] = get(fragment, "bytes", "")
        known.missing = known.missing - 1
    end
    if known.missing == 0 then wholes[pinfo.number] = table.concat(known) end
    return wholes[pinfo.number]
end

-- Adds a Datagram that `tvb` holds from `at` on; returns it in a few words.
local function show_datagram(tvb, pinfo, tree, at)
    local items = parse("Datagram", tvb:raw(), at + 1, tvb:len())
    if not items then
        tree:add_expert_info(PI_MALFORMED, PI_ERROR, "not a Datagram")
        return "malformed"
    end
    local what = describe(items)
    local id = get(items, "sender", "") .. "/" .. number(items, "instance") .. "/" .. number(items, "number")
    tree:add(fields.id, id):set_generated()
    tree:add(fields.what, what):set_generated()
    show(tree, tvb, items, "Datagram")
    local whole = get(items, "fragment") and whole_of(pinfo, get(items, "fragment"))
    if whole then
        local joined = ByteArray.new(whole, true):tvb("Message in parts")
        local branch = tree:add(p2pbank, joined(), "Message in parts, put together")
        what = what .. ": " .. show_datagram(joined, pinfo, branch, 0)
    end
    return what
end

-- Packets -----------------------------------------------------------------------------------------

local function dissect_clear(tvb, pinfo, tree)
    tree:append_text(", in clear")
    tree:add_le(fields.checksum, tvb(4, 4))
    return show_datagram(tvb, pinfo, tree, 8)
end

local function dissect_sealed(tvb, pinfo, tree)
    local index = tvb(4, 4):le_uint()
    tree:add_le(fields.receiver_index, tvb(4, 4))
    tree:add_le(fields.counter, tvb(8, 8))
    local length = tvb:len() - 32
    local plain = open(index, tvb(8, 4):le_uint(), tvb(12, 4):le_uint(), tvb:raw(16, length))
    if length > 0 then tree:add(fields.sealed, tvb(16, length)) end
    tree:add(fields.tag, tvb(16 + length, 16)):append_text(" (not checked)")
    if length == 0 then return "confirms the session" end
    if not plain then return ("sealed, %d bytes for %08x"):format(length, index) end
    tree:append_text(", opened with the key log")
    local opened = ByteArray.new(plain, true):tvb("Opened")
    return show_datagram(opened, pinfo, tree:add(p2pbank, opened(), "Opened"), 0)
end

-- { name of a field, its first byte, bytes, little endian? }
local LAYOUTS = {
    [1] = { { "sender_index", 4, 4, true }, { "ephemeral", 8, 32 }, { "static", 40, 48 }, { "tag", 88, 16 },
        { "mac1", 104, 16 }, { "mac2", 120, 16 } },
    [2] = { { "sender_index", 4, 4, true }, { "receiver_index", 8, 4, true }, { "ephemeral", 12, 32 },
        { "tag", 44, 16 }, { "mac1", 60, 16 }, { "mac2", 76, 16 } },
    [3] = { { "receiver_index", 4, 4, true }, { "nonce", 8, 24 }, { "cookie", 32, 32 } },
    [5] = { { "nonce", 4, 8 }, { "padding", 12, 128 } },
    [6] = { { "nonce", 4, 8 }, { "channel_key", 12, 32 }, { "signing_key", 44, 32 }, { "signature", 76, 64 } },
    [7] = {},
    [8] = { { "receiver_index", 4, 4, true } },
}
local SIZES = { [1] = 136, [2] = 92, [3] = 64, [5] = 140, [6] = 140, [7] = 4, [8] = 8 }
local INFO = {
    [1] = function(tvb) return ("initiation from %08x"):format(tvb(4, 4):le_uint()) end,
    [2] = function(tvb) return ("response from %08x for %08x"):format(tvb(4, 4):le_uint(), tvb(8, 4):le_uint()) end,
    [3] = function(tvb) return ("cookie for %08x"):format(tvb(4, 4):le_uint()) end,
    [8] = function(tvb) return ("no session %08x"):format(tvb(4, 4):le_uint()) end,
}

local function dissect_other(tvb, _, tree)
    local kind = tvb(3, 1):uint()
    for _, part in ipairs(LAYOUTS[kind]) do
        local add = part[4] and tree.add_le or tree.add
        add(tree, fields[part[1]], tvb(part[2], part[3]))
    end
    return INFO[kind] and INFO[kind](tvb) or TYPES[kind]
end

-- What dissects these bytes; nothing if they are not ours.
local function dissector_for(tvb)
    if tvb:len() < 4 or tvb(0, 2):uint() ~= 0x5042 then return nil end
    local version, kind = tvb(2, 1):uint(), tvb(3, 1):uint()
    if version == 1 and kind == 0 and tvb:len() >= 8 then return dissect_clear end
    if version ~= 2 then return nil end
    if kind == 4 and tvb:len() >= 32 then return dissect_sealed end
    if SIZES[kind] == tvb:len() then return dissect_other end
end

function p2pbank.dissector(tvb, pinfo, root)
    local dissect = dissector_for(tvb)
    if not dissect then return 0 end
    pinfo.cols.protocol = "P2PBANK"
    local tree = root:add(p2pbank, tvb())
    tree:add(fields.version, tvb(2, 1))
    if dissect ~= dissect_clear then tree:add(fields.type, tvb(3, 1)) end
    pinfo.cols.info = dissect(tvb, pinfo, tree)
    return tvb:len()
end

p2pbank:register_heuristic("udp", function(tvb, pinfo, root)
    if not dissector_for(tvb) then return false end
    p2pbank.dissector(tvb, pinfo, root)
    pinfo.conversation = p2pbank
    return true
end)
