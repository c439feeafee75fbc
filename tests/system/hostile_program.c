/* What runs inside the sandbox: hostile_program NAME. */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "tests/system/hostile.h"

int main(int argc, char **argv)
{
    const struct {
        const struct attack *rows;
        size_t count;
    } tables[] = {{attacks_see, attacks_see_count},         {attacks_escape, attacks_escape_count},
                  {attacks_calls, attacks_calls_count},     {attacks_exhaust, attacks_exhaust_count},
                  {attacks_witness, attacks_witness_count}, {attacks_tenants, attacks_tenants_count}};
    for (size_t t = 0; t < COUNT_OF(tables); t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            if (argc == 2 && strcmp(tables[t].rows[i].name, argv[1]) == 0) {
                tables[t].rows[i].run();
                return 0;
            }
        }
    }
    fprintf(stderr, "usage: hostile_program NAME\n");
    return 2;
}
