#!/usr/bin/env python3
"""A checker that can't fail is none: focus_mutants.py FILE breaks a sound Cost and Usage CSV (1.4) in one place at a
time; each must be found, by the rule named beside it. The month is closed and its idle capacity is split by usage."""
import json
import os
import sys
import tempfile

from focus_check import check, parse_csv


def write_field(v):
    if v is None:
        return ""
    if v == "" or any(c in v for c in ',"\r\n'):
        return '"' + v.replace('"', '""') + '"'
    return v


def write(rows):
    return "".join(",".join(write_field(v) for v in r) + "\r\n" for r in rows)


def put(column, value, where="Usage"):
    def mutate(names, rows):
        r = next(r for r in rows if r["ChargeCategory"] == where and r["ChargeClass"] is None)
        r[column] = value(r[column]) if callable(value) else value
        return names, rows
    return mutate


def put_idle(column, value):
    """In the first part of an origin charge that has several."""
    def mutate(names, rows):
        r = next(r for r in rows if r["ResourceType"] == "Idle Capacity")
        r[column] = value(r[column]) if callable(value) else value
        return names, rows
    return mutate


def drop(column):
    def mutate(names, rows):
        return [n for n in names if n != column], rows
    return mutate


def rename(old, new):
    def mutate(names, rows):
        for r in rows:
            r[new] = r.pop(old)
        return [new if n == old else n for n in names], rows
    return mutate


def add(column, first=False):
    def mutate(names, rows):
        for r in rows:
            r[column] = "1"
        return [column] + names if first else names + [column], rows
    return mutate


def last_digit(v):
    return v[:-1] + ("1" if v[-1] != "1" else "2")


MUTANTS = [
    ("a mandatory column is gone", drop("HostProviderName"), "HostProviderName: is missing"),
    ("a column that applies is gone", drop("SkuMeter"), "SkuMeter: is missing"),
    ("a column of an older version", rename("HostProviderName", "ProviderName"), "no such column in this version"),
    ("an unknown column", add("Colour"), "Colour: no such column"),
    ("an own column before FOCUS'", add("x_Early", first=True), "own columns come last"),
    ("a name that isn't PascalCase", add("x_snake_case"), "not PascalCase"),
    ("null where none may be", put("BillingAccountId", None), "BillingAccountId: must not be null"),
    ("an empty text for null", put("ChargeClass", ""), "a value that stands for null"),
    ("a word for null", put("ResourceName", "NULL"), "a value that stands for null"),
    ("a decimal with a plus", put("BilledCost", lambda v: "+" + v), "BilledCost: not a decimal"),
    ("a decimal with a comma", put("BilledCost", "1,000.0"), "BilledCost: not a decimal"),
    ("a positive exponent with a sign", put("BilledCost", "35.2E+7"), "BilledCost: not a decimal"),
    ("a negative unit price", put("ListUnitPrice", "-1.000000"), "ListUnitPrice: negative"),
    ("a time without a zone", put("ChargePeriodStart", lambda v: v[:-1]), "not an instant in UTC"),
    ("a time with a fraction", put("ChargePeriodStart", lambda v: v[:-1] + ".5Z"), "not an instant in UTC"),
    ("hour 24", put("ChargePeriodStart", lambda v: v[:11] + "24" + v[13:]), "not an instant in UTC"),
    ("an unknown category", put("ChargeCategory", "Use", "Usage"), "not an allowed value"),
    ("a subcategory of another category", put("ServiceSubcategory", "Object Storage"), "not an allowed value"),
    ("a unit in the singular", put("PricingUnit", "Core-Hour"), "PricingUnit: not a unit"),
    ("a unit of the wrong case", put("ConsumedUnit", "core-Hours"), "ConsumedUnit: not a unit"),
    ("a currency that is none", put("BillingCurrency", "EUX"), "not in ISO 4217"),
    ("a list cost one off in the last decimal", put("ListCost", last_digit), "is not ListUnitPrice x PricingQuantity"),
    ("a contracted cost one off", put("ContractedCost", last_digit), "is not ContractedUnitPrice x PricingQuantity"),
    ("an effective cost of its own", put("EffectiveCost", "9.000000"), "EffectiveCost: is not BilledCost"),
    ("a credit with another list cost", put("ListCost", "9.000000", "Credit"), "ListCost: is not BilledCost"),
    ("a quantity without its unit", put("PricingUnit", None), "null exactly when PricingQuantity is"),
    ("usage without a price", put("ContractedUnitPrice", None), "must not be null of usage"),
    ("usage without a SKU", put("SkuId", None), "SkuId: must not be null of usage"),
    ("a credit that consumes", put("ConsumedQuantity", "1.0", "Credit"), "only of usage"),
    ("a resource name that repeats the id", put("ResourceName", "job:1"), "repeats ResourceId"),
    ("tags that aren't flat", put("Tags", '{"a":{"b":1}}'), "not key and value"),
    ("tags with a key twice", put("Tags", '{"a":1,"a":2}'), "not JSON"),
    ("details without x_", put("SkuPriceDetails", '{"Colour":"red"}'), "own keys begin with x_"),
    ("one price of two SKUs", put("SkuId", "other"), "SkuPriceId: two parents"),
    ("a service of two categories", put("ServiceCategory", "Storage"), "two categories"),
    ("a charge of no length", lambda n, rows: put("ChargePeriodEnd", next(
        r for r in rows if r["ChargeCategory"] == "Usage" and r["ChargeClass"] is None)["ChargePeriodStart"])(n, rows),
     "ChargePeriodEnd: not after its start"),
    ("a charge of another month", put("ChargePeriodStart", "2025-01-01T00:00:00Z"), "of another month"),
    ("a correction of its own month", put("ChargeClass", "Correction"), "a correction of the month itself"),
    ("no invoice in a closed month", put("InvoiceId", None), "InvoiceId: not null exactly when"),
    ("two invoices of one account", put("InvoiceId", lambda v: v + "x"), "InvoiceId: two of one account"),
    ("an invoice of two accounts", put("BillingAccountId", "other"), "InvoiceId: of two accounts"),
    ("an invoice without its line", put("InvoiceDetailId", None), "InvoiceDetailId: null exactly when"),
    ("a line of two sub accounts", put("SubAccountId", "acme/other"), "of two sub accounts"),
    ("the invoice columns are gone", drop("InvoiceId"), "InvoiceId: is missing"),
    ("idle capacity on an invoice", put_idle("InvoiceId", "test/2026-11//"), "InvoiceId: not null exactly when"),
    ("idle capacity that is billed", put_idle("BilledCost", "0.000001"), "nobody is billed"),
    ("an idle cost that isn't that of its hours", put_idle("EffectiveCost", "9.000000"), "far from ContractedCost"),
    ("a part without its method", put_idle("AllocatedMethodId", None), "AllocatedMethodDetails: null exactly when"),
    ("a part without its ratio", put_idle("AllocatedMethodDetails", '{"Elements":[]}'), "no Elements"),
    ("a ratio beyond all", put_idle("AllocatedMethodDetails", '{"Elements":[{"AllocatedRatio":2}]}'), "no ratio"),
    ("ratios that aren't the whole", put_idle("AllocatedMethodDetails", '{"Elements":[{"AllocatedRatio":0.5}]}'),
     "the ratios of a charge aren't 1"),
    ("a quantity of nothing", put_idle("AllocatedMethodDetails", '{"Elements":[{"AllocatedRatio":1,"UsageQuantity":1}]}'),
     "a quantity without its unit"),
    ("a part of another charge", put_idle("ChargePeriodEnd", "2026-11-30T00:00:00Z"), "parts of one charge differ"),
    ("a name of nobody", put_idle("AllocatedResourceId", None), "AllocatedResourceName: null exactly when"),
    ("tags of nobody", put("AllocatedTags", '{"a":"b"}'), "AllocatedTags: null when nothing is allocated"),
    ("a job that is split", put("AllocatedMethodId", "x"), "AllocatedMethodDetails: null exactly when"),
    ("a billed cost that doesn't add up", put("BilledCost", "0.000001", "Credit"), ""),
]


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8", newline="") as f:
        names, *lines = parse_csv(f.read())
    bad = 0
    for what, mutate, expected in MUTANTS:
        new, rows = mutate(list(names), [dict(zip(names, r)) for r in lines])
        text = write([new] + [[r[n] for n in new] for r in rows])
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", delete=False) as f:
            f.write(text)
        found = check(f.name, "1.4", closed=True)
        os.unlink(f.name)
        if not any(expected in line for line in found):
            print(f"{what}: not found: {json.dumps(found[:3])}")
            bad += 1
    # What only bytes can say.
    with open(path, encoding="utf-8", newline="") as f:
        data = f.read()
    for what, text in (("lines end with LF", data.replace("\r\n", "\n")),
                       ("a quote in the middle", data.replace(",", ',a"', 1)), ("a line is cut", data[:-9] + "\r\n")):
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", delete=False) as f:
            f.write(text)
        if not check(f.name, "1.4", closed=True):
            print(f"{what}: not found")
            bad += 1
        os.unlink(f.name)
    print(f"{len(MUTANTS) + 3 - bad} of {len(MUTANTS) + 3} mutants found")
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
