/* The columns, FOCUS' own first. Whoever adds one marks it as of the next layout, so that closed months keep theirs. */
#include "quotas/reports/focus.h"

#define BOTH (FOCUS_1_2 | FOCUS_1_4)
#define NEW FOCUS_1_4
#define OLD FOCUS_1_2
#define BOTH_2 (BOTH | FOCUS_SINCE_2)
#define NEW_2 (NEW | FOCUS_SINCE_2)

const struct focus_column focus_columns[] = {
    {"AllocatedMethodDetails", NEW_2, FOCUS_OBJECT, CELL_ALLOCATED_DETAILS, 0},
    {"AllocatedMethodId", NEW_2, FOCUS_STRING, CELL_ALLOCATED_METHOD, 0},
    {"AllocatedResourceId", NEW_2, FOCUS_STRING, CELL_ALLOCATED, 0},
    {"AllocatedResourceName", NEW_2, FOCUS_STRING, CELL_ALLOCATED_NAME, 0},
    {"AllocatedTags", NEW_2, FOCUS_OBJECT, CELL_NULL, 0},
    {"BilledCost", BOTH, FOCUS_DECIMAL, CELL_BILLED, 6},
    {"BillingAccountId", BOTH, FOCUS_STRING, CELL_ACCOUNT, 0},
    {"BillingAccountName", BOTH, FOCUS_STRING, CELL_ACCOUNT, 0},
    {"BillingCurrency", BOTH, FOCUS_STRING, CELL_CURRENCY, 0},
    {"BillingPeriodEnd", BOTH, FOCUS_TIME, CELL_PERIOD_TO, 0},
    {"BillingPeriodStart", BOTH, FOCUS_TIME, CELL_PERIOD_FROM, 0},
    {"ChargeCategory", BOTH, FOCUS_STRING, CELL_CATEGORY, 0},
    {"ChargeClass", BOTH, FOCUS_STRING, CELL_CLASS, 0},
    {"ChargeDescription", BOTH, FOCUS_STRING, CELL_DESCRIPTION, 0},
    {"ChargeFrequency", BOTH, FOCUS_STRING, CELL_FREQUENCY, 0},
    {"ChargePeriodEnd", BOTH, FOCUS_TIME, CELL_CHARGE_TO, 0},
    {"ChargePeriodStart", BOTH, FOCUS_TIME, CELL_CHARGE_FROM, 0},
    {"ConsumedQuantity", BOTH, FOCUS_DECIMAL, CELL_QUANTITY, 9},
    {"ConsumedUnit", BOTH, FOCUS_STRING, CELL_UNIT, 0},
    {"ContractedCost", BOTH, FOCUS_DECIMAL, CELL_CONTRACTED, 15},
    {"ContractedUnitPrice", BOTH, FOCUS_DECIMAL, CELL_PRICE, 6},
    {"EffectiveCost", BOTH, FOCUS_DECIMAL, CELL_EFFECTIVE, 6},
    {"HostProviderName", NEW, FOCUS_STRING, CELL_ISSUER, 0},
    {"InvoiceDetailId", NEW_2, FOCUS_STRING, CELL_INVOICE_DETAIL, 0},
    {"InvoiceId", BOTH_2, FOCUS_STRING, CELL_INVOICE, 0},
    {"InvoiceIssuerName", BOTH, FOCUS_STRING, CELL_ISSUER, 0},
    {"ListCost", BOTH, FOCUS_DECIMAL, CELL_LIST, 15},
    {"ListUnitPrice", BOTH, FOCUS_DECIMAL, CELL_LIST_PRICE, 6},
    {"PricingCategory", BOTH, FOCUS_STRING, CELL_PRICING, 0},
    {"PricingQuantity", BOTH, FOCUS_DECIMAL, CELL_QUANTITY, 9},
    {"PricingUnit", BOTH, FOCUS_STRING, CELL_UNIT, 0},
    {"ProviderName", OLD, FOCUS_STRING, CELL_ISSUER, 0},
    {"PublisherName", OLD, FOCUS_STRING, CELL_ISSUER, 0},
    {"ResourceId", BOTH, FOCUS_STRING, CELL_RESOURCE, 0},
    {"ResourceName", BOTH, FOCUS_STRING, CELL_RESOURCE_NAME, 0},
    {"ResourceType", BOTH, FOCUS_STRING, CELL_RESOURCE_TYPE, 0},
    {"ServiceCategory", BOTH, FOCUS_STRING, CELL_SERVICE_CATEGORY, 0},
    {"ServiceName", BOTH, FOCUS_STRING, CELL_SERVICE, 0},
    {"ServiceProviderName", NEW, FOCUS_STRING, CELL_ISSUER, 0},
    {"ServiceSubcategory", BOTH, FOCUS_STRING, CELL_SERVICE_SUBCATEGORY, 0},
    {"SkuId", BOTH, FOCUS_STRING, CELL_SKU, 0},
    {"SkuMeter", BOTH, FOCUS_STRING, CELL_METER, 0},
    {"SkuPriceDetails", BOTH, FOCUS_OBJECT, CELL_SKU_DETAILS, 0},
    {"SkuPriceId", BOTH, FOCUS_STRING, CELL_SKU_PRICE, 0},
    {"SubAccountId", BOTH, FOCUS_STRING, CELL_TENANT, 0},
    {"SubAccountName", BOTH, FOCUS_STRING, CELL_TENANT, 0},
    {"Tags", BOTH, FOCUS_OBJECT, CELL_TAGS, 0},
    {"x_Attempt", BOTH, FOCUS_STRING, CELL_ATTEMPT, 0},
    {"x_ChargedBy", BOTH, FOCUS_STRING, CELL_CHARGED_BY, 0},
    {"x_Corrects", BOTH, FOCUS_STRING, CELL_ABOUT, 0},
    {"x_LedgerLine", BOTH, FOCUS_DECIMAL, CELL_LINE, 0},
    {"x_LedgerSeq", BOTH, FOCUS_DECIMAL, CELL_SEQ, 0},
    {"x_Node", BOTH, FOCUS_STRING, CELL_NODE, 0},
    {"x_PriceClass", BOTH, FOCUS_STRING, CELL_PRICE_CLASS, 0},
    {"x_PriceVersion", BOTH, FOCUS_DECIMAL, CELL_VERSION, 0},
    {"x_User", BOTH, FOCUS_STRING, CELL_USER, 0},
};
const size_t focus_columns_count = COUNT_OF(focus_columns);

bool focus_column_is_of(const struct focus_column *column, uint32_t version, uint32_t layout)
{
    return (column->versions & version) != 0 && ((column->versions & FOCUS_SINCE_2) == 0 || layout >= 2);
}

const struct focus_column focus_period_columns[] = {
    {"BillingPeriodCreated", NEW, FOCUS_TIME, CELL_NULL, 0},
    {"BillingPeriodEnd", NEW, FOCUS_TIME, CELL_NULL, 0},
    {"BillingPeriodLastUpdated", NEW, FOCUS_TIME, CELL_NULL, 0},
    {"BillingPeriodStart", NEW, FOCUS_TIME, CELL_NULL, 0},
    {"BillingPeriodStatus", NEW, FOCUS_STRING, CELL_NULL, 0},
    {"InvoiceIssuerName", NEW, FOCUS_STRING, CELL_NULL, 0},
    {"x_BillingPeriod", NEW, FOCUS_STRING, CELL_NULL, 0},
    {"x_LedgerSeq", NEW, FOCUS_DECIMAL, CELL_NULL, 0},
    {"x_State", NEW, FOCUS_STRING, CELL_NULL, 0},
};
const size_t focus_period_columns_count = COUNT_OF(focus_period_columns);

static const char *const format_names[] = {[FOCUS_CSV] = "csv", [FOCUS_JSON] = "json", [FOCUS_NDJSON] = "ndjson"};
const struct names focus_format_names = {format_names, COUNT_OF(format_names)};

const char *focus_version_name(uint32_t version)
{
    return version == FOCUS_1_2 ? "1.2" : "1.4";
}

const char *focus_content_type(uint32_t format)
{
    static const char *const types[] = {[FOCUS_CSV] = "text/csv; charset=utf-8; header=present",
                                        [FOCUS_JSON] = "application/json", [FOCUS_NDJSON] = "application/x-ndjson"};
    return types[format];
}
