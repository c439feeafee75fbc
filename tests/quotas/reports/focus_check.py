#!/usr/bin/env python3
"""Holds a FOCUS file against the rules of the specification, in decimal.

focus_check.py FILE --version 1.4|1.2 [--dataset cost|periods] [--format csv|json|ndjson] [--sum MICROS] [--rows N]
    [--closed] [--idle MICROS] [--layout 1]

Prints one line per violation, "row N: Column: rule: found", and ends with 1 when there was any. What is checked: every
mandatory column there and no column of another version; order and names; types, formats and allowed values; what may be
null, must be and must not be; units; products of price and quantity; what rows have to agree on among themselves (the
parts of an allocated charge, an invoice and its account); and what Reeve promises beyond it (BilledCost adds up, a
correction lies in its own month, invoices come with the closing: --closed, idle capacity is on none: its EffectiveCost
adds up to --idle). --layout 1: a month that was closed before there were invoices.
"""
import argparse
import json
import re
import sys
from decimal import Decimal, localcontext

STRING, DECIMAL, TIME, JSON = "string", "decimal", "time", "json"
M, C, R = "mandatory", "conditional", "recommended"
BOTH, NEW, OLD = ("1.2", "1.4"), ("1.4",), ("1.2",)

# name: versions, level, type, may be null
COST = {
    "AllocatedMethodDetails": (NEW, R, JSON, True),
    "AllocatedMethodId": (NEW, C, STRING, True),
    "AllocatedResourceId": (NEW, C, STRING, True),
    "AllocatedResourceName": (NEW, C, STRING, True),
    "AllocatedTags": (NEW, C, JSON, True),
    "AvailabilityZone": (BOTH, R, STRING, True),
    "BilledCost": (BOTH, M, DECIMAL, False),
    "BillingAccountId": (BOTH, M, STRING, False),
    "BillingAccountName": (BOTH, M, STRING, True),
    "BillingAccountType": (BOTH, C, STRING, False),
    "BillingCurrency": (BOTH, M, STRING, False),
    "BillingPeriodEnd": (BOTH, M, TIME, False),
    "BillingPeriodStart": (BOTH, M, TIME, False),
    "ChargeCategory": (BOTH, M, STRING, False),
    "ChargeClass": (BOTH, M, STRING, True),
    "ChargeDescription": (BOTH, M, STRING, True),
    "ChargeFrequency": (BOTH, R, STRING, False),
    "ChargePeriodEnd": (BOTH, M, TIME, False),
    "ChargePeriodStart": (BOTH, M, TIME, False),
    "ConsumedQuantity": (BOTH, C, DECIMAL, True),
    "ConsumedUnit": (BOTH, C, STRING, True),
    "ContractedCost": (BOTH, M, DECIMAL, False),
    "ContractedUnitPrice": (BOTH, C, DECIMAL, True),
    "EffectiveCost": (BOTH, M, DECIMAL, False),
    "HostProviderName": (NEW, M, STRING, False),
    "InvoiceDetailId": (NEW, C, STRING, True),
    "InvoiceId": (BOTH, C, STRING, True),
    "InvoiceIssuerName": (BOTH, M, STRING, False),
    "ListCost": (BOTH, M, DECIMAL, False),
    "ListUnitPrice": (BOTH, C, DECIMAL, True),
    "PricingCategory": (BOTH, C, STRING, True),
    "PricingQuantity": (BOTH, M, DECIMAL, True),
    "PricingUnit": (BOTH, M, STRING, True),
    "ProviderName": (OLD, M, STRING, False),
    "PublisherName": (OLD, M, STRING, False),
    "RegionId": (BOTH, C, STRING, True),
    "RegionName": (BOTH, C, STRING, True),
    "ResourceId": (BOTH, C, STRING, True),
    "ResourceName": (BOTH, C, STRING, True),
    "ResourceType": (BOTH, C, STRING, True),
    "ServiceCategory": (BOTH, M, STRING, False),
    "ServiceName": (BOTH, M, STRING, False),
    "ServiceProviderName": (NEW, M, STRING, False),
    "ServiceSubcategory": (BOTH, R, STRING, False),
    "SkuId": (BOTH, C, STRING, True),
    "SkuMeter": (BOTH, C, STRING, True),
    "SkuPriceDetails": (BOTH, C, JSON, True),
    "SkuPriceId": (BOTH, C, STRING, True),
    "SubAccountId": (BOTH, C, STRING, True),
    "SubAccountName": (BOTH, C, STRING, True),
    "SubAccountType": (BOTH, C, STRING, True),
    "Tags": (BOTH, C, JSON, True),
}
# What applies to us: prices are published and negotiated, usage is measured, there are resources, sub accounts, tags.
APPLIES = {"ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "ListUnitPrice", "PricingCategory", "ResourceId",
           "ResourceName", "ResourceType", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId",
           "SubAccountName", "Tags", "ChargeFrequency", "ServiceSubcategory"}
# What came with layout 2: idle capacity is split over tenants, and a closed month has invoices.
APPLIES_2 = {"AllocatedMethodDetails", "AllocatedMethodId", "AllocatedResourceId", "AllocatedResourceName",
             "AllocatedTags", "InvoiceDetailId", "InvoiceId"}
# How FOCUS calls the parts of AllocatedMethodDetails.
RATIO, UNIT, QUANTITY = "AllocatedRatio", "UsageUnit", "UsageQuantity"
IDLE = "Idle Capacity"
PERIODS = {
    "BillingPeriodCreated": (NEW, M, TIME, False),
    "BillingPeriodEnd": (NEW, M, TIME, False),
    "BillingPeriodLastUpdated": (NEW, M, TIME, False),
    "BillingPeriodStart": (NEW, M, TIME, False),
    "BillingPeriodStatus": (NEW, M, STRING, False),
    "InvoiceIssuerName": (NEW, M, STRING, False),
}
ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other"},
    "BillingPeriodStatus": {"Open", "Closed"},
    "ServiceCategory": {
        "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools",
        "Multicloud", "Identity", "Integration", "Internet of Things", "Management and Governance", "Media",
        "Migration", "Mobile", "Networking", "Security", "Storage", "Web", "Other"},
    # of Compute
    "ServiceSubcategory": {"Containers", "End User Computing", "Quantum Compute", "Serverless Compute",
                           "Virtual Machines", "Other (Compute)"},
}
NOT_NEGATIVE = {"ContractedUnitPrice", "ListUnitPrice"}
SIZES = {p + u for p in ("", "K", "M", "G", "T", "P", "E") for u in ("b", "B")} | \
        {p + "i" + u for p in ("K", "M", "G", "T", "P", "E") for u in ("b", "B")}
COUNTS = {"Count", "Unit", "Request", "Token", "Connection", "Certificate", "Domain", "Core"}
TIMES = {"Year", "Month", "Day", "Hour", "Minute", "Second"}
CURRENCIES = set("""
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR
ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT
MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND
VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
""".split())
NUMBER = re.compile(r"-?\d+(\.\d+)?(E-?\d+)?")
INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ")
NO_VALUE = {"null", "NULL", "N/A", "n/a", "None", "nan", "NaN"}


def parse_csv(data):
    """RFC 4180 to the letter. A field is (text, quoted); an empty one without quotes is null."""
    if not data.endswith("\r\n"):
        raise ValueError("the last line has no end")
    rows, row, at = [], [], 0
    while at < len(data):
        if data[at] == '"':
            text = []
            at += 1
            while True:
                end = data.index('"', at)
                text.append(data[at:end])
                at = end + 1
                if data[at:at + 1] != '"':
                    break
                text.append('"')
                at += 1
            row.append("".join(text))
        else:
            end = at
            while data[end] not in ',\r\n"':
                end += 1
            row.append(data[at:end] if end > at else None)
            at = end
        if data[at] == ",":
            at += 1
            if data[at] == "\r":
                row.append(None)
        if data[at:at + 2] == "\r\n":
            rows.append(row)
            row = []
            at += 2
        elif data[at - 1] != ",":
            raise ValueError(f"byte {at}: {data[at]!r} after a field")
    return rows


class Number(str):
    """A JSON number, as it was written."""


def no_twins(pairs):
    keys = [k for k, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key is there twice")
    return dict(pairs)


def parse_json(text):
    return json.loads(text, object_pairs_hook=no_twins, parse_float=Number, parse_int=Number)


def read(path, form):
    """Column names and rows; each value None, text, or for JSON columns text again."""
    with open(path, encoding="utf-8", newline="") as f:
        data = f.read()
    if form == "csv":
        rows = parse_csv(data)
        return rows[0], [dict(zip(rows[0], r)) if len(r) == len(rows[0]) else {"": len(r)} for r in rows[1:]], None
    if form == "ndjson":
        rows = [parse_json(line) for line in data.splitlines()]
    else:
        rows = parse_json(data)["rows"]
    return (list(rows[0]) if rows else None), rows, "json"


class Check:
    def __init__(self, version, dataset, closed=False, layout=2):
        self.version, self.table = version, COST if dataset == "cost" else PERIODS
        self.closed, self.applies = closed, APPLIES | (APPLIES_2 if layout == 2 else set())
        self.invoice, self.origin, self.ratio, self.idle = {}, {}, {}, Decimal(0)
        self.dataset, self.found = dataset, []
        self.sku, self.details, self.service = {}, {}, {}
        self.sum = Decimal(0)

    def bad(self, row, column, rule, value=""):
        self.found.append(f"row {row}: {column}: {rule}: {value}")

    def names(self, names):
        own = [n for n in names if n.startswith("x_")]
        for n in names:
            known = n in self.table and self.version in self.table[n][0]
            if not known and n not in own:
                self.bad(0, n, "no such column in this version")
            if not re.fullmatch(r"(x_)?[A-Z][A-Za-z0-9]*", n):
                self.bad(0, n, "not PascalCase")
        if names[len(names) - len(own):] != own:
            self.bad(0, own[0], "own columns come last")
        if len(set(names)) != len(names):
            self.bad(0, "", "a column is there twice")
        for n, (versions, level, _, _) in self.table.items():
            if self.version in versions and (level == M or n in self.applies) and n not in names:
                self.bad(0, n, "is missing")

    def value(self, i, n, v, native):
        _, _, kind, nullable = self.table.get(n, (BOTH, C, STRING, True))
        if v is None:
            if not nullable:
                self.bad(i, n, "must not be null")
            return
        if v == "" or (kind != JSON and v in NO_VALUE):
            self.bad(i, n, "a value that stands for null", repr(v))
        elif kind == DECIMAL:
            if native and not isinstance(v, Number):
                self.bad(i, n, "not a JSON number", repr(v))
            if not NUMBER.fullmatch(v):
                self.bad(i, n, "not a decimal", v)
            elif n in NOT_NEGATIVE and Decimal(v) < 0:
                self.bad(i, n, "negative", v)
        elif kind == TIME and not INSTANT.fullmatch(v):
            self.bad(i, n, "not an instant in UTC", v)
        elif kind == JSON:
            self.key_values(i, n, v)
        elif n in ALLOWED and v not in ALLOWED[n]:
            self.bad(i, n, "not an allowed value", v)
        elif n in ("PricingUnit", "ConsumedUnit") and not self.is_unit(v):
            self.bad(i, n, "not a unit", v)
        elif n == "BillingCurrency" and v not in CURRENCIES:
            self.bad(i, n, "not in ISO 4217", v)

    @staticmethod
    def is_unit(v):
        one, _, time = v.partition("-")
        if time:
            return (one in SIZES or one in COUNTS) and time.endswith("s") and time[:-1] in TIMES
        return one in SIZES or (one.endswith("s") and one[:-1] in COUNTS | TIMES)

    def key_values(self, i, n, v):
        try:
            pairs = parse_json(v) if isinstance(v, str) else v
        except ValueError as why:
            self.bad(i, n, "not JSON", why)
            return
        if n == "AllocatedMethodDetails":
            self.elements(i, n, pairs)
            return
        if not isinstance(pairs, dict) or any(isinstance(x, (dict, list)) for x in pairs.values()):
            self.bad(i, n, "not key and value", v)
        elif n == "SkuPriceDetails" and not all(k.startswith("x_") for k in pairs):
            self.bad(i, n, "own keys begin with x_", v)

    def elements(self, i, n, found):
        rows = found.get("Elements") if isinstance(found, dict) else None
        if not isinstance(rows, list) or not rows or not all(isinstance(e, dict) for e in rows):
            self.bad(i, n, "no Elements", found)
            return
        for e in rows:
            if not isinstance(e.get(RATIO), Number) or not 0 <= Decimal(e[RATIO]) <= 1:
                self.bad(i, n, "no ratio", e)
            if any(k not in (RATIO, UNIT, QUANTITY) and not k.startswith("x_") for k in e):
                self.bad(i, n, "own keys begin with x_", e)
            if QUANTITY in e and (UNIT not in e or not isinstance(e[QUANTITY], Number)):
                self.bad(i, n, "a quantity without its unit", e)

    def row(self, i, r, native):
        if "" in r:
            self.bad(i, "", "another number of fields", r[""])
            return
        for n in r:
            self.value(i, n, r[n], native)
        if any(line.startswith(f"row {i}:") for line in self.found[-50:]):
            return  # what follows computes with the values
        (self.cost if self.dataset == "cost" else self.period)(i, r)

    def period(self, i, r):
        if r["BillingPeriodStart"] >= r["BillingPeriodEnd"]:
            self.bad(i, "BillingPeriodEnd", "not after its start")
        if r["BillingPeriodLastUpdated"] < r["BillingPeriodCreated"]:
            self.bad(i, "BillingPeriodLastUpdated", "before it was created")

    def together(self, i, r, a, b):
        if (r[a] is None) != (r[b] is None):
            self.bad(i, b, f"null exactly when {a} is")

    def consistent(self, i, known, key, value, column, rule):
        if key is not None and known.setdefault(key, value) != value:
            self.bad(i, column, rule, f"{key}: {known[key]} and {value}")

    def cost(self, i, r):
        usage = r["ChargeCategory"] == "Usage"
        correction = r["ChargeClass"] is not None
        d = {n: None if r[n] is None else Decimal(r[n]) for n, row in COST.items() if n in r and row[2] == DECIMAL}
        self.sum += d["BilledCost"]
        for a, b in (("PricingQuantity", "PricingUnit"), ("ConsumedQuantity", "ConsumedUnit"), ("SkuId", "SkuMeter"),
                     ("SkuId", "SkuPriceId"), ("SubAccountId", "SubAccountName"), ("ResourceId", "ResourceType")):
            self.together(i, r, a, b)
        if r["SkuPriceId"] is None and r["SkuPriceDetails"] is not None:
            self.bad(i, "SkuPriceDetails", "null when SkuPriceId is")
        if r["ResourceName"] is not None and r["ResourceName"] in (r["ResourceId"],):
            self.bad(i, "ResourceName", "repeats ResourceId")
        if r["ResourceId"] is None and r["ResourceName"] is not None:
            self.bad(i, "ResourceName", "null when ResourceId is")
        for n in ("ConsumedQuantity", "ConsumedUnit"):
            if not usage and r[n] is not None:
                self.bad(i, n, "only of usage", r[n])
        if usage and not correction:
            for n in ("PricingQuantity", "PricingUnit", "ListUnitPrice", "ContractedUnitPrice", "SkuId", "SkuPriceId",
                      "PricingCategory", "ConsumedQuantity"):
                if r[n] is None:
                    self.bad(i, n, "must not be null of usage")
        idle = r["ResourceType"] == IDLE
        self.products(i, r, d, usage, idle)
        self.times(i, r, correction)
        if "InvoiceId" in r:
            self.invoices(i, r, idle)
        if "AllocatedMethodId" in r:
            self.allocated(i, r, d, idle)
        self.consistent(i, self.sku, r["SkuPriceId"], r["SkuId"], "SkuPriceId", "two parents")
        self.consistent(i, self.details, r["SkuPriceId"], r["SkuPriceDetails"], "SkuPriceDetails", "two of one price")
        self.consistent(i, self.service, r["ServiceName"], r["ServiceCategory"], "ServiceName", "two categories")

    def invoices(self, i, r, idle):
        """One of each billing account of a closed month; nothing that nobody pays is on it."""
        if (r["InvoiceId"] is not None) != (self.closed and not idle):
            self.bad(i, "InvoiceId", "not null exactly when a month is closed and somebody pays", r["InvoiceId"])
        if "InvoiceDetailId" in r:
            self.together(i, r, "InvoiceId", "InvoiceDetailId")
            if r["InvoiceId"] is not None:
                key, of = (r["InvoiceId"], r["InvoiceDetailId"]), r["SubAccountId"]
                self.consistent(i, self.invoice, key, of, "InvoiceDetailId", "of two sub accounts")
        whose = (r["BillingAccountId"], r["BillingPeriodStart"], r["InvoiceIssuerName"], r["BillingCurrency"])
        self.consistent(i, self.invoice, r["InvoiceId"], whose, "InvoiceId", "of two accounts or months")
        if not idle:
            self.consistent(i, self.invoice, whose, r["InvoiceId"], "InvoiceId", "two of one account and month")

    def allocated(self, i, r, d, idle):
        """Parts have what their origin charge has, and their ratios are the whole of it."""
        method, details = r["AllocatedMethodId"], r["AllocatedMethodDetails"]
        self.together(i, r, "AllocatedMethodId", "AllocatedMethodDetails")
        self.together(i, r, "AllocatedResourceId", "AllocatedResourceName")
        for n in ("AllocatedResourceId", "AllocatedTags"):
            if r[n] is not None and r["AllocatedMethodId" if n.endswith("Id") else "AllocatedResourceId"] is None:
                self.bad(i, n, "null when nothing is allocated", r[n])
        if method is not None and not idle:
            self.bad(i, "AllocatedMethodId", "null of what isn't split", method)
        if idle:
            self.idle += d["EffectiveCost"]
        if method is None or details is None:
            return
        key = (r["ResourceId"], r["ChargePeriodStart"], r["ListUnitPrice"])
        same = tuple(r[n] for n in ("BillingAccountId", "SubAccountId", "ChargePeriodEnd", "SkuId", "SkuPriceId",
                                    "PricingUnit", "ContractedUnitPrice", "AllocatedMethodId", "ChargeDescription"))
        self.consistent(i, self.origin, key, same, "AllocatedMethodId", "parts of one charge differ")
        parts = parse_json(details) if isinstance(details, str) else details
        self.ratio[key] = self.ratio.get(key, Decimal(0)) + sum(Decimal(e[RATIO]) for e in parts["Elements"])

    def end(self):
        for key, ratio in self.ratio.items():
            if ratio != 1:
                self.bad(0, "AllocatedMethodDetails", "the ratios of a charge aren't 1", f"{key}: {ratio}")

    def products(self, i, r, d, usage, idle):
        for cost, price in (("ListCost", "ListUnitPrice"), ("ContractedCost", "ContractedUnitPrice")):
            if d[price] is not None and d["PricingQuantity"] is not None:
                if d[price] * d["PricingQuantity"] != d[cost]:
                    self.bad(i, cost, f"is not {price} x PricingQuantity", f"{d[cost]}")
            elif d[cost] != d["BilledCost"]:
                self.bad(i, cost, "is not BilledCost, and there is no price", f"{d[cost]}")
        if idle and d["BilledCost"] != 0:
            self.bad(i, "BilledCost", "nobody is billed for what is idle", f"{d['BilledCost']}")
        if not idle and d["EffectiveCost"] != d["BilledCost"]:
            self.bad(i, "EffectiveCost", "is not BilledCost, and there is no commitment", f"{d['EffectiveCost']}")
        # One rounding to a micro-unit for the line and one for its piece; half a billionth of an hour of quantity.
        if usage and d["ContractedUnitPrice"] is not None:
            bound = Decimal("0.0000021") + d["ContractedUnitPrice"] * Decimal("0.000000002")
            cost = "EffectiveCost" if idle else "BilledCost"
            if abs(d["ContractedCost"] - d[cost]) > bound:
                self.bad(i, cost, "far from ContractedCost", f"{d[cost]} {d['ContractedCost']}")
        if r["ChargeCategory"] == "Credit" and d["BilledCost"] > 0:
            self.bad(i, "BilledCost", "a credit that costs", r["BilledCost"])

    def times(self, i, r, correction):
        if r["BillingPeriodStart"] >= r["BillingPeriodEnd"]:
            self.bad(i, "BillingPeriodEnd", "not after its start")
        if r["ChargePeriodStart"] >= r["ChargePeriodEnd"]:
            self.bad(i, "ChargePeriodEnd", "not after its start")
        inside = r["BillingPeriodStart"] <= r["ChargePeriodStart"] < r["BillingPeriodEnd"]
        if not correction and not inside:
            self.bad(i, "ChargePeriodStart", "of another month, and no correction")
        if correction and r["ChargePeriodStart"] >= r["BillingPeriodStart"]:
            self.bad(i, "ChargeClass", "a correction of the month itself")


def check(path, version, dataset="cost", form="csv", total=None, count=None, closed=False, idle=None, layout=2):
    c = Check(version, dataset, closed, layout)
    with localcontext() as context:
        context.prec = 100
        try:
            names, rows, native = read(path, form)
        except (ValueError, IndexError, KeyError) as why:
            return [f"row 0: : not {form}: {why}"]
        if names is not None:
            c.names(names)
        if not c.found:
            for i, r in enumerate(rows, 1):
                c.row(i, r, native)
                if native and list(r) != names:
                    c.bad(i, "", "other columns than the first row")
        c.end()
        if idle is not None and not c.found and c.idle != Decimal(idle).scaleb(-6):
            c.bad(0, "EffectiveCost", "what is idle does not add up", f"{c.idle}, not {Decimal(idle).scaleb(-6)}")
        if total is not None and not c.found and c.sum != Decimal(total).scaleb(-6):
            c.bad(0, "BilledCost", "does not add up", f"{c.sum}, the ledger has {Decimal(total).scaleb(-6)}")
        if count is not None and len(rows) != count:
            c.bad(0, "", "another number of rows", len(rows))
    return c.found


def main():
    p = argparse.ArgumentParser()
    p.add_argument("file")
    p.add_argument("--version", choices=("1.4", "1.2"), default="1.4")
    p.add_argument("--dataset", choices=("cost", "periods"), default="cost")
    p.add_argument("--format", choices=("csv", "json", "ndjson"), default="csv")
    p.add_argument("--sum", type=int)
    p.add_argument("--rows", type=int)
    p.add_argument("--closed", action="store_true")
    p.add_argument("--idle", type=int)
    p.add_argument("--layout", type=int, default=2)
    a = p.parse_args()
    found = check(a.file, a.version, a.dataset, a.format, a.sum, a.rows, a.closed, a.idle, a.layout)
    print("\n".join(found[:50]))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
