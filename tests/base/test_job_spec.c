/* Job specs: what is completed, what is refused, and the bytes of facts. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/fact.h"
#include "base/io/json.h"
#include "base/proto.h"
#include "tests/run.h"

static int read_spec(const char *text, struct job_spec *spec, struct err *err)
{
    int r = json_read(&job_spec_fields, text, strlen(text), JSON_STRICT, spec, err);
    return r < 0 ? r : job_spec_complete(spec, err);
}

#define RETRY(what) "{\"command\":[\"true\"],\"retries\":2,\"retry\":{" what "}}"
#define VOLUMES "\"volumes\":[{\"name\":\"in\"},{\"name\":\"out\",\"writable\":true}],"

static const struct {
    const char *what, *text, *says; /* says NULL = accepted */
} cases[] = {
    {"a command is enough", "{\"command\":[\"true\"]}", NULL},
    {"a script is enough", "{\"script\":\"#!/bin/sh\\necho hi\\n\"}", NULL},
    {"a command of two lines", "{\"command\":[\"sh\",\"-c\",\"a\\nb\"],\"env\":{\"A\":\"x\\ny\"}}", NULL},
    {"nothing to run", "{\"name\":\"x\"}", "command: a job needs a command or a script"},
    {"unknown key", "{\"command\":[\"true\"],\"comand\":1}", "comand"},
    {"wrong type", "{\"command\":7}", "command"},
    {"memory that is no size", "{\"command\":[\"true\"],\"resources\":{\"memory\":\"4 Gigs\"}}", "resources.memory"},
    {"memory too small", "{\"command\":[\"true\"],\"resources\":{\"memory\":\"1Mi\"}}",
     "resources.memory: at least 4Mi"},
    {"memory that overflows", "{\"command\":[\"true\"],\"resources\":{\"memory\":\"99999999999Gi\"}}",
     "resources.memory"},
    {"memory beyond 64 bits", "{\"command\":[\"true\"],\"resources\":{\"memory\":99999999999999999999999}}", ""},
    {"negative cpu", "{\"command\":[\"true\"],\"resources\":{\"cpu\":-1}}", "resources.cpu"},
    {"relative cwd", "{\"command\":[\"true\"],\"cwd\":\"tmp\"}", "cwd: 'tmp' is not an absolute path"},
    {"array backwards", "{\"command\":[\"true\"],\"array\":{\"first\":5,\"last\":4}}", "array.last"},
    {"array too large", "{\"command\":[\"true\"],\"array\":{\"first\":0,\"last\":1000000}}", "array: at most"},
    {"retries of nothing", "{\"command\":[\"true\"],\"retry\":{\"pause\":\"2s\"}}",
     "retry: nothing is tried again without `retries`"},
    {"every wish for retries",
     RETRY("\"on\":[\"exit\",\"time_limit\"],\"exit_codes\":[\"75\",\"100-110\"],\"pause_max\":\"1h\""),
     NULL},
    {"an empty wish for retries",
     RETRY(""), NULL},
    {"a cause that is the platform's",
     RETRY("\"on\":[\"node_lost\"]"), "retry.on[0]: 'node_lost' is none of"},
    {"a cause twice",
     RETRY("\"on\":[\"exit\",\"exit\"]"), "retry.on[1]: 'exit' is there twice"},
    {"an exit code that is success",
     RETRY("\"exit_codes\":[\"0\"]"), "retry.exit_codes[0]: '0' is no exit code"},
    {"an exit code beyond a byte",
     RETRY("\"not_exit_codes\":[\"256\"]"), "retry.not_exit_codes[0]: '256' is no exit code"},
    {"a range backwards",
     RETRY("\"exit_codes\":[\"9-3\"]"), "retry.exit_codes[0]: '9-3' is no exit code"},
    {"half a range",
     RETRY("\"exit_codes\":[\"9-\"]"), "retry.exit_codes[0]: '9-' is no exit code"},
    {"a range without end",
     RETRY("\"exit_codes\":[\"99999999999999999999-\"]"),
     "retry.exit_codes[0]: '99999999999999999999-'"},
    {"a code in two ranges",
     RETRY("\"exit_codes\":[\"1-9\",\"5\"]"), "retry.exit_codes[1]: 5 is there twice"},
    {"codes and others",
     RETRY("\"exit_codes\":[\"1\"],\"not_exit_codes\":[\"2\"]"),
     "retry.not_exit_codes: there are exit_codes already"},
    {"codes where exits are final",
     RETRY("\"on\":[\"signal\"],\"exit_codes\":[\"1\"]"),
     "retry.exit_codes: 'exit' is not among"},
    {"no code left",
     RETRY("\"not_exit_codes\":[\"1-255\"]"), "retry.not_exit_codes: that is every exit code"},
    {"a pause that is none",
     RETRY("\"pause\":\"10ms\""), "retry.pause: at least 1s"},
    {"a pause of two days",
     RETRY("\"pause\":\"48h\""), "retry.pause"},
    {"a largest pause below the first",
     RETRY("\"pause\":\"10s\",\"pause_max\":\"5s\""), "retry.pause_max: 5s is less than the first pause, 10s"},
    {"a wish that isn't one",
     RETRY("\"backoff\":1"), "backoff"},
    {"our own variables", "{\"command\":[\"true\"],\"env\":{\"REEVE_FENCE\":\"1\"}}", "env.REEVE_FENCE"},
    {"a variable with =", "{\"command\":[\"true\"],\"env\":{\"A=B\":\"1\"}}", "env.A=B"},
    {"priority too high", "{\"command\":[\"true\"],\"priority\":1001}", "priority"},
    {"priority too low", "{\"command\":[\"true\"],\"priority\":-1001}", "priority"},
    {"lowest priority", "{\"command\":[\"true\"],\"priority\":-1000}", NULL},
    {"negative budget", "{\"command\":[\"true\"],\"budget\":\"-1\"}", "budget"},
    {"generic named cpu", "{\"command\":[\"true\"],\"resources\":{\"generic\":{\"cpu\":1}}}", "resources.generic.cpu"},
    {"generic of zero", "{\"command\":[\"true\"],\"resources\":{\"generic\":{\"gpu\":0}}}", "resources.generic.gpu"},
    {"generic named io", "{\"command\":[\"true\"],\"resources\":{\"generic\":{\"io\":1}}}", "resources.generic.io"},
    {"unknown lease", "{\"command\":[\"true\"],\"lease\":\"quick\"}", "lease"},
    {"empty program", "{\"command\":[\"\"]}", "command"},
    {"nodes by their labels", "{\"command\":[\"true\"],\"where\":\"zone==eu &&\\n!exists spot\"}", NULL},
    {"an empty condition is none", "{\"command\":[\"true\"],\"where\":\"\"}", NULL},
    {"a condition that is none", "{\"command\":[\"true\"],\"where\":\"zone\"}", "where: it ends where ==,"},
    {"limits of every kind",
     "{\"command\":[\"true\"],\"limits\":{\"swap\":\"1Gi\",\"memory_high\":\"100Mi\",\"memory_min\":\"1Mi\","
     "\"huge_pages_2m\":\"4Mi\",\"pin_cpus\":true,\"processes\":100,\"devices\":[\"fuse\"],"
     "\"io\":{\"read_bps\":\"1Mi\",\"write_bps\":1000,\"read_ops\":10,\"write_ops\":10,\"weight\":50}}}",
     NULL},
    {"all that it may move", "{\"command\":[\"true\"],\"limits\":{\"io_bytes\":\"20Gi\"}}", NULL},
    {"more than anybody moves", "{\"command\":[\"true\"],\"limits\":{\"io_bytes\":72057594037927937}}",
     "limits.io_bytes"},
    {"I/O that isn't a size", "{\"command\":[\"true\"],\"limits\":{\"io_bytes\":\"much\"}}", "limits.io_bytes"},
    {"a soft limit above the hard one", "{\"command\":[\"true\"],\"limits\":{\"memory_high\":\"1Gi\"}}",
     "limits.memory_high"},
    {"a guarantee above the limit", "{\"command\":[\"true\"],\"limits\":{\"memory_min\":\"1Gi\"}}",
     "limits.memory_min"},
    {"half a huge page", "{\"command\":[\"true\"],\"limits\":{\"huge_pages_2m\":\"1Mi\"}}", "limits.huge_pages_2m"},
    {"half a core of its own", "{\"command\":[\"true\"],\"resources\":{\"cpu\":0.5},\"limits\":{\"pin_cpus\":true}}",
     "limits.pin_cpus"},
    {"no process", "{\"command\":[\"true\"],\"limits\":{\"processes\":1}}", "limits.processes"},
    {"a device that is a path", "{\"command\":[\"true\"],\"limits\":{\"devices\":[\"/dev/sda\"]}}", "limits.devices"},
    {"a device twice", "{\"command\":[\"true\"],\"limits\":{\"devices\":[\"fuse\",\"fuse\"]}}", "is there twice"},
    {"a weight beyond bfq's", "{\"command\":[\"true\"],\"limits\":{\"io\":{\"weight\":1001}}}", "limits.io.weight"},
    {"a limit that isn't one", "{\"command\":[\"true\"],\"limits\":{\"memory_hgih\":1}}", "memory_hgih"},
    {"an image, written over, and volumes",
     "{\"command\":[\"true\"],\"image\":\"debian-12.sqfs\",\"root\":\"overlay\",\"volumes\":[{\"name\":\"ref\"},"
     "{\"name\":\"out\",\"path\":\"/data/out\",\"writable\":true}]}",
     NULL},
    {"an image that is a path", "{\"command\":[\"true\"],\"image\":\"../etc\"}", "image: a name has only"},
    {"an image that is hidden", "{\"command\":[\"true\"],\"image\":\".x\"}", "image: a name has only"},
    {"an overlay over nothing", "{\"command\":[\"true\"],\"root\":\"overlay\"}", "root: an overlay needs an image"},
    {"a volume that goes up", "{\"command\":[\"true\"],\"volumes\":[{\"name\":\"a\",\"path\":\"/a/../b\"}]}",
     "volumes[0]: a path has no part"},
    {"a volume over /", "{\"command\":[\"true\"],\"volumes\":[{\"name\":\"a\",\"path\":\"/\"}]}", "volumes[0]"},
    {"a volume over /proc", "{\"command\":[\"true\"],\"volumes\":[{\"name\":\"a\",\"path\":\"/proc/sys\"}]}",
     "nothing can lie in /proc"},
    {"a volume over the scratch", "{\"command\":[\"true\"],\"volumes\":[{\"name\":\"a\",\"path\":\"/tmp\"}]}",
     "/tmp itself"},
    {"inputs and outputs",
     "{\"command\":[\"true\"]," VOLUMES "\"inputs\":[{\"from\":\"/mnt/in/a\"},{\"from\":\"/mnt/in\","
     "\"to\":\"all\",\"max\":\"1Gi\"}],\"outputs\":[{\"from\":\"res\",\"to\":\"/mnt/out/res\",\"when"
     "\":\"always\",\"sha256\":\"record\"}]}",
     NULL},
    {"an input from nowhere",
     "{\"command\":[\"true\"]," VOLUMES "\"inputs\":[{\"from\":\"/etc/passwd\"}]}",
     "inputs[0]: from: '/etc/passwd' lies in none of the job's volumes"},
    {"an input that goes up",
     "{\"command\":[\"true\"]," VOLUMES "\"inputs\":[{\"from\":\"/mnt/in/../out/a\"}]}",
     "inputs[0]: from: a path has no part that is empty"},
    {"an input with a line end in its path",
     "{\"command\":[\"true\"]," VOLUMES "\"inputs\":[{\"from\":\"/mnt/in/a\\nb\"}]}",
     "inputs[0].from: byte 9 is a control character"},
    {"an input into a volume",
     "{\"command\":[\"true\"]," VOLUMES "\"inputs\":[{\"from\":\"/mnt/in/a\",\"to\":\"/mnt/out/a\"}]}",
     "inputs[0]: to: '/mnt/out/a' lies in a volume"},
    {"an input over all volumes",
     "{\"command\":[\"true\"]," VOLUMES "\"inputs\":[{\"from\":\"/mnt/in/a\",\"to\":\"/mnt\"}]}",
     "inputs[0]: to: '/mnt' lies in a volume"},
    {"an input to /proc",
     "{\"command\":[\"true\"]," VOLUMES "\"inputs\":[{\"from\":\"/mnt/in/a\",\"to\":\"/proc/self\"}]}",
     "nothing can lie in /proc"},
    {"two inputs in one place",
     "{\"command\":[\"true\"]," VOLUMES "\"inputs\":[{\"from\":\"/mnt/in/a\"},{\"from\":\"/mnt/in/b/a\"}]}",
     "inputs[1].to: '/tmp/a' and '/tmp/a' lie one inside the other"},
    {"a digest that is none",
     "{\"command\":[\"true\"]," VOLUMES "\"inputs\":[{\"from\":\"/mnt/in/a\",\"sha256\":\"abc\"}]}",
     "inputs[0]: sha256: 'abc' is neither 64 digits"},
    {"a digest in capitals",
     "{\"command\":[\"true\"]," VOLUMES "\"inputs\":[{\"from\":\"/mnt/in/a\","
     "\"sha256\":\"ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789\"}]}",
     "is neither 64 digits"},
    {"an input that is always",
     "{\"command\":[\"true\"]," VOLUMES "\"inputs\":[{\"from\":\"/mnt/in/a\",\"when\":\"always\"}]}",
     "when"},
    {"an output that ends with the job",
     "{\"command\":[\"true\"]," VOLUMES "\"outputs\":[{\"from\":\"a\",\"to\":\"/tmp/b\"}]}",
     "outputs[0]: to: '/tmp/b' is gone when the job ends; name a place in a writable volume"},
    {"an output to what is only read",
     "{\"command\":[\"true\"]," VOLUMES "\"outputs\":[{\"from\":\"a\",\"to\":\"/mnt/in/b\"}]}",
     "is gone when the job ends"},
    {"an output over the volume",
     "{\"command\":[\"true\"]," VOLUMES "\"outputs\":[{\"from\":\"a\",\"to\":\"/mnt/out\"}]}",
     "outputs[0]: to: '/mnt/out' is the volume itself; name a place in it: /mnt/out/NAME"},
    {"an output into itself",
     "{\"command\":[\"true\"]," VOLUMES "\"outputs\":[{\"from\":\"/mnt/out/a\",\"to\":\"/mnt/out/a/b\"}]}",
     "lie one inside the other"},
    {"an output without a place",
     "{\"command\":[\"true\"]," VOLUMES "\"outputs\":[{\"from\":\"a\"}]}",
     "to"},
    {"outputs of an array in one place",
     "{\"command\":[\"true\"]," VOLUMES "\"array\":{\"last\":3},\"outputs\":[{\"from\":\"a\",\"to\":\"/mnt/out/a\"}]}",
     "outputs[0]: to: tasks of an array would overwrite each other; put {task} into '/mnt/out/a'"},
    {"outputs of an array, each its own",
     "{\"command\":[\"true\"]," VOLUMES "\"array\":{\"last\":3},\"outputs\":[{\"from\":\"a\","
     "\"to\":\"/mnt/out/{task}\"}]}",
     NULL},
    {"a path that is too long with its numbers",
     "{\"command\":[\"true\"]," VOLUMES "\"outputs\":[{\"from\":\"a\","
     "\"to\":\"/mnt/out/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{job}\"}]}",
     "longer than 511 characters with its numbers"},
    {"a volume in a volume",
     "{\"command\":[\"true\"],\"volumes\":[{\"name\":\"a\",\"path\":\"/a\"},{\"name\":\"b\",\"path\":\"/a/b\"}]}",
     "one inside the other"},
    {"volumes beside each other",
     "{\"command\":[\"true\"],\"volumes\":[{\"name\":\"a\",\"path\":\"/a\"},{\"name\":\"b\",\"path\":\"/ab\"}]}", NULL},
    {"time without unit", "{\"command\":[\"true\"],\"time_limit\":\"30\"}", "time_limit"},
};

START_TEST(specs)
{
    struct job_spec spec = {0};
    struct err err = {0};
    int r = read_spec(cases[_i].text, &spec, &err);
    if (cases[_i].says == NULL)
        ck_assert_msg(r == 0, "%s: %s", cases[_i].what, err.text);
    else
        ck_assert_msg(r == -EINVAL && strstr(err.text, cases[_i].says) != NULL, "%s: %d '%s'", cases[_i].what, r,
                      err.text);
    fields_clear(&job_spec_fields, &spec);
}
END_TEST

START_TEST(defaults_are_filled_once)
{
    struct job_spec spec = {0}, again = {0};
    struct err err = {0};
    ck_assert_int_eq(read_spec("{\"command\":\"python3 a.py | gzip\"}", &spec, &err), 0);
    ck_assert_uint_eq(spec.command.count, 3);
    ck_assert_str_eq(spec.command.v[0], "/bin/sh");
    ck_assert_str_eq(spec.command.v[2], "python3 a.py | gzip");
    ck_assert_str_eq(spec.cwd, "/tmp");
    ck_assert_uint_eq(spec.resources.cpu_milli, 1000);
    ck_assert_uint_eq(job_spec_tasks(&spec), 1);
    ck_assert_int_eq(fields_copy(&job_spec_fields, &spec, &again), 0);
    ck_assert_int_eq(job_spec_complete(&again, &err), 0);
    ck_assert(fields_equal(&job_spec_fields, &spec, &again));
    fields_clear(&job_spec_fields, &spec);
    fields_clear(&job_spec_fields, &again);
}
END_TEST

START_TEST(same_spec_same_bytes_other_spec_names_the_difference)
{
    struct job_spec a = {0}, b = {0};
    struct err err = {0};
    ck_assert_int_eq(read_spec("{\"command\":[\"a\",\"b\"],\"env\":{\"X\":\"1\",\"A\":\"2\"}}", &a, &err), 0);
    ck_assert_int_eq(read_spec("{\"env\":{\"A\":\"2\",\"X\":\"1\"},\"command\":[\"a\",\"b\"]}", &b, &err), 0);
    struct buf x = {0}, y = {0}, diff = {0};
    fields_encode(&job_spec_fields, &a, &x);
    fields_encode(&job_spec_fields, &b, &y);
    ck_assert_uint_eq(x.len, y.len);
    ck_assert_mem_eq(x.data, y.data, x.len);
    b.resources.mem_bytes *= 2;
    b.retries = 3;
    fields_diff(&job_spec_fields, &a, &b, &diff);
    ck_assert_str_eq(buf_text(&diff), "resources.memory, retries");
    buf_fini(&x);
    buf_fini(&y);
    buf_fini(&diff);
    fields_clear(&job_spec_fields, &a);
    fields_clear(&job_spec_fields, &b);
}
END_TEST

/* An object with something in every field, by the table. */
static struct fact sample(uint32_t kind)
{
    struct fact fact = {.kind = kind, .at_utc_us = 1764000000000000 + (int64_t)kind};
    struct err err = {0};
    if (kind == FACT_JOB_SUBMITTED) {
        fact.submitted.job = 812;
        ck_assert_int_eq(str_set(&fact.submitted.tenant, "acme/etl"), 0);
        ck_assert_int_eq(str_set(&fact.submitted.key, "k1"), 0);
        ck_assert_int_eq(strs_add(&fact.submitted.path, "acme/etl"), 0);
        ck_assert_int_eq(strs_add(&fact.submitted.path, "acme"), 0);
        ck_assert_int_eq(read_spec("{\"command\":[\"a\"],\"array\":{\"first\":1,\"last\":9},\"budget\":\"1.5\"}",
                                   &fact.submitted.spec, &err),
                         0);
    } else if (kind == FACT_ATTEMPT_ENDED) {
        fact.ended.id = (struct attempt_id){812, 3, 2};
        fact.ended.record.cause = END_SIGNAL;
        fact.ended.record.signal = 9;
        fact.ended.spent_micros = 123456;
        struct charge *c = list_add(&fact.ended.charges, sizeof *c);
        ck_assert_int_eq(str_set(&c->resource, "cpu"), 0);
        c->micros = 123456;
    }
    return fact;
}

START_TEST(every_kind_of_fact_survives_its_bytes)
{
    uint32_t kind = (uint32_t)_i;
    ck_assert_ptr_nonnull(fact_fields(kind));
    struct fact fact = sample(kind), back = {0}, copy = {0};
    struct buf bytes = {0};
    struct err err = {0};
    fact_encode(&fact, &bytes);
    ck_assert_msg(fact_decode(bytes.data, bytes.len, &back, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(back.kind, kind);
    ck_assert_int_eq(back.at_utc_us, fact.at_utc_us);
    ck_assert(fields_equal(fact_fields(kind), fact_body_const(&fact), fact_body_const(&back)));
    ck_assert_int_eq(fact_copy(&back, &copy), 0);
    for (size_t n = 0; n < bytes.len; n++) { /* no prefix crashes or leaves anything behind */
        struct fact cut = {0};
        if (fact_decode(bytes.data, n, &cut, &err) == 0)
            fact_clear(&cut);
    }
    fact_clear(&fact);
    fact_clear(&back);
    fact_clear(&copy);
    buf_fini(&bytes);
}
END_TEST

START_TEST(no_limit_is_null_on_the_wire)
{
    struct tenant_row row = {.limit_micros = -1}, back = {0};
    struct buf text = {0};
    struct err err = {0};
    ck_assert_int_eq(json_write(&tenant_row_fields, &row, &text), 0);
    ck_assert_msg(strstr(buf_text(&text), "\"limit\":null") != NULL, "%s", buf_text(&text));
    ck_assert_int_eq(json_read(&tenant_row_fields, text.data, text.len, JSON_LENIENT, &back, &err), 0);
    ck_assert_int_eq(back.limit_micros, -1);
    buf_fini(&text);
    fields_clear(&tenant_row_fields, &back);
}
END_TEST

START_TEST(a_fact_of_tomorrow_is_refused_by_name)
{
    struct fact fact = {0};
    struct err err = {0};
    ck_assert_int_eq(fact_decode("\x7f\x00", 2, &fact, &err), -EPROTONOSUPPORT);
    ck_assert_ptr_nonnull(strstr(err.text, "127"));
    ck_assert_int_eq(fact_decode("", 0, &fact, &err), -EBADMSG);
}
END_TEST

static const struct {
    const char *what, *text, *says;
} policies[] = {
    {"an empty policy", "{}", NULL},
    {"a tree", "{\"tenants\":{\"acme/etl\":{},\"acme\":{\"quota\":{\"cpu\":4}}}}", NULL},
    {"a budget", "{\"tenants\":{\"a\":{\"budget\":{\"limit\":\"500.00\",\"period\":\"month\"}}}}", NULL},
    {"a quota of 0, which would be none", "{\"tenants\":{\"a\":{\"quota\":{\"max_running\":0}}}}",
     "tenants.a.quota.max_running: 0 is below 1; leave it out for no limit"},
    {"0 cores", "{\"tenants\":{\"a\":{\"quota\":{\"cpu\":\"0\"}}}}", "tenants.a.quota.cpu: 0 is below 1; leave it out"},
    {"0 of a generic resource", "{\"tenants\":{\"a\":{\"quota\":{\"generic\":{\"gpu\":0}}}}}",
     "tenants.a.quota.generic.gpu: 0 is below 1; leave it out"},
    {"0 that is lent, and a budget of 0, are said",
     "{\"tenants\":{\"a\":{\"quota\":{\"lend\":{\"cpu\":0}},\"budget\":{\"limit\":0,\"period\":\"month\"}}}}", NULL},
    {"a missing parent", "{\"tenants\":{\"acme/etl\":{}}}", "its parent 'acme' is not there"},
    {"the same tenant twice", "{\"tenants\":{\"a\":{},\"a\":{}}}", ""},
    {"a path that climbs", "{\"tenants\":{\"..\":{}}}", "tenants"},
    {"a path too deep", "{\"tenants\":{\"a/b/c/d/e/f/g/h/i\":{}}}", "tenants"},
    {"a currency of four letters", "{\"currency\":\"EURO\"}", "currency"},
    {"a currency in small letters", "{\"currency\":\"eur\"}", "currency"},
    {"prices", "{\"prices\":[{\"from\":\"2026-01-01\",\"per_hour\":{\"cpu\":\"0.04\"}}]}", NULL},
    {"prices out of order",
     "{\"prices\":[{\"from\":\"2026-02-01\",\"per_hour\":{}},{\"from\":\"2026-01-01\",\"per_hour\":{}}]}",
     "prices[1].from"},
    {"a price too high", "{\"prices\":[{\"from\":\"2026-02-01\",\"per_hour\":{\"cpu\":\"10001\"}}]}", "at most 10000"},
    {"a price of I/O", "{\"prices\":[{\"from\":\"2026-02-01\",\"per_hour\":{},\"per_gib\":{\"io\":\"0.002\"},"
     "\"io_allowance\":\"4Gi\"}]}", NULL},
    {"I/O by the hour", "{\"prices\":[{\"from\":\"2026-02-01\",\"per_hour\":{\"io\":\"1\"}}]}",
     "prices[0].per_hour.io: I/O is no matter of hours"},
    {"a GiB of something else", "{\"prices\":[{\"from\":\"2026-02-01\",\"per_gib\":{\"cpu\":\"1\"}}]}",
     "prices[0].per_gib.cpu: only io"},
    {"I/O too dear", "{\"prices\":[{\"from\":\"2026-02-01\",\"per_gib\":{\"io\":\"10001\"}}]}", "at most 10000 a GiB"},
    {"an allowance too small", "{\"prices\":[{\"from\":\"2026-02-01\",\"io_allowance\":\"1Ki\"}]}", "at least 1Mi"},
    {"volumes to read and to write", "{\"tenants\":{\"a\":{\"volumes\":{\"ref\":\"ro\",\"out\":\"rw\"}}}}", NULL},
    {"a volume for something else", "{\"tenants\":{\"a\":{\"volumes\":{\"ref\":\"wo\"}}}}", "'wo' is neither ro "
        "nor rw"},
    {"a volume that is a path", "{\"tenants\":{\"a\":{\"volumes\":{\"/etc\":\"ro\"}}}}", "a name has only"},
    {"no weight at all", "{\"tenants\":{\"a\":{\"io\":{\"weight\":0}}}}", "tenants.a.io.weight: 0 is below 1"},
    {"a limit of no bytes", "{\"tenants\":{\"a\":{\"io\":{\"bytes_per_s\":0}}}}",
     "tenants.a.io.bytes_per_s: 0 is below 1"},
    {"of no operations", "{\"tenants\":{\"a\":{\"io\":{\"ops_per_s\":0}}}}", "tenants.a.io.ops_per_s: 0 is below 1"},
    {"of no time", "{\"tenants\":{\"a\":{\"io\":{\"limit_percent\":0}}}}",
     "tenants.a.io.limit_percent: 0 is below 1"},
    {"shares of disks", "{\"tenants\":{\"a\":{\"io\":{\"weight\":300,\"reserved_percent\":40,\"limit_percent\":50,"
        "\"bytes_per_s\":\"100Mi\",\"ops_per_s\":2000}},\"b\":{\"io\":{\"reserved_percent\":40}}}}", NULL},
    {"more of disks reserved than leaves the others something",
     "{\"tenants\":{\"a\":{\"io\":{\"reserved_percent\":50}},\"b\":{\"io\":{\"reserved_percent\":31}}}}",
     "tenants.b.io.reserved_percent: with it all have 81 % together; at most 80"},
    {"what is reserved below a tenant is a part of its own",
     "{\"tenants\":{\"a\":{\"io\":{\"reserved_percent\":50}},\"a-b\":{\"io\":{\"reserved_percent\":20}},"
     "\"a/x\":{\"io\":{\"reserved_percent\":40}},\"a/y\":{\"io\":{\"reserved_percent\":20}}}}", NULL},
    {"more than that reserved below it is more than it",
     "{\"tenants\":{\"a\":{\"io\":{\"reserved_percent\":50}},\"a-b\":{\"io\":{\"reserved_percent\":20}},"
     "\"a/x\":{\"io\":{\"reserved_percent\":40}},\"a/y\":{\"io\":{\"reserved_percent\":21}}}}",
     "tenants.a/y.io.reserved_percent: with it all have 81 % together; at most 80"},
    {"disks of the cell itself", "{\"tenants\":{\"/\":{\"io\":{\"weight\":1}}}}", "tenants./.io"},
    {"a budget without limit", "{\"tenants\":{\"a\":{\"budget\":{\"period\":\"day\"}}}}", "limit"},
    {"a period that is none", "{\"tenants\":{\"a\":{\"budget\":{\"limit\":1,\"period\":\"moon\"}}}}", "period"},
};

START_TEST(policy_files)
{
    struct policy_file file = {0};
    struct err err = {0};
    int r = json_read(&policy_file_fields, policies[_i].text, strlen(policies[_i].text), JSON_STRICT, &file, &err);
    if (r == 0)
        r = policy_file_check(&file, &err);
    if (policies[_i].says == NULL)
        ck_assert_msg(r == 0, "%s: %s", policies[_i].what, err.text);
    else
        ck_assert_msg(r < 0 && strstr(err.text, policies[_i].says) != NULL, "%s: %d '%s'", policies[_i].what, r,
                      err.text);
    fields_clear(&policy_file_fields, &file);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/job_spec, fact, policy");
    TCase *t = tcase_create("specs");
    tcase_add_loop_test(t, specs, 0, (int)COUNT_OF(cases));
    tcase_add_test(t, defaults_are_filled_once);
    tcase_add_test(t, same_spec_same_bytes_other_spec_names_the_difference);
    tcase_add_loop_test(t, every_kind_of_fact_survives_its_bytes, FACT_NONE + 1, FACT_KIND_COUNT);
    tcase_add_test(t, a_fact_of_tomorrow_is_refused_by_name);
    tcase_add_test(t, no_limit_is_null_on_the_wire);
    tcase_add_loop_test(t, policy_files, 0, (int)COUNT_OF(policies));
    suite_add_tcase(s, t);
    return run_suite(s);
}
