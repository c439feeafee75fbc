#include "base/where.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"

enum kind { W_OR, W_AND, W_NOT, W_EXISTS, W_EQ, W_NE, W_IN, W_LT, W_LE, W_GT, W_GE };
static const char *const signs[] = {[W_OR] = "||", [W_AND] = "&&", [W_EQ] = "==", [W_NE] = "!=", [W_IN] = "in",
                                    [W_LT] = "<",  [W_LE] = "<=",  [W_GT] = ">",  [W_GE] = ">="};

#define WORD_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:+@"

enum token { T_END, T_WORD, T_QUOTED, T_SIGN, T_BAD };

struct parser {
    const char *text;
    size_t at;        /* behind the token */
    size_t from, len; /* of the token; of a quoted one what is inside */
    enum token token;
    unsigned depth;
    struct where *w;
    struct err *err;
};

/* ---- tokens ----------------------------------------------------------------------------------------- */

static void next_quoted(struct parser *p)
{
    p->from = p->at + 1;
    p->len = strcspn(p->text + p->from, "\"");
    p->token = p->text[p->from + p->len] == '"' ? T_QUOTED : T_BAD;
    for (size_t i = 0; i < p->len; i++)
        if ((unsigned char)p->text[p->from + i] < ' ' || p->text[p->from + i] == 0x7f)
            p->token = T_BAD;
    p->at = p->from + p->len + (p->token == T_QUOTED);
}

static void next(struct parser *p)
{
    static const char *const known[] = {"||", "&&", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", ","};
    p->at += strspn(p->text + p->at, " \t\n");
    p->from = p->at;
    p->len = strspn(p->text + p->at, WORD_CHARS);
    p->token = p->len > 0 ? T_WORD : p->text[p->at] == '\0' ? T_END : T_BAD;
    if (p->text[p->at] == '"') {
        next_quoted(p);
        return;
    }
    for (size_t i = 0; p->token == T_BAD && i < COUNT_OF(known); i++)
        if (strncmp(p->text + p->at, known[i], strlen(known[i])) == 0) {
            p->token = T_SIGN;
            p->len = strlen(known[i]);
        }
    p->at += p->len;
}

static bool is_text(const struct parser *p, const char *text)
{
    return strlen(text) == p->len && memcmp(p->text + p->from, text, p->len) == 0;
}

static bool is_sign(const struct parser *p, const char *sign)
{
    return p->token == T_SIGN && is_text(p, sign);
}

static bool is_key(const struct parser *p, const char *word)
{
    return p->token == T_WORD && is_text(p, word);
}

static int refuse(const struct parser *p, const char *wanted)
{
    char found[PARSE_TEXT_MAX], quoted[PARSE_QUOTE_MAX];
    size_t len = MIN(strlen(p->text + p->from), sizeof found - 1);
    if (p->token != T_BAD)
        len = MIN(p->len, len);
    memcpy(found, p->text + p->from, len);
    found[len] = '\0';
    if (p->token == T_END)
        return err_set(p->err, -EINVAL, "it ends where %s should be", wanted);
    return err_set(p->err, -EINVAL, "character %zu: %s, where %s should be", p->from + 1,
                   format_quote(found, quoted), wanted);
}

static int too_much(const struct parser *p, const char *what, int most)
{
    return err_set(p->err, -EINVAL, "character %zu: %s; at most %d", p->from + 1, what, most);
}

/* ---- parts ------------------------------------------------------------------------------------------ */

static int add_part(struct parser *p, struct where_part part, uint16_t *ret)
{
    if (p->w->count == WHERE_PARTS_MAX)
        return too_much(p, "too many conditions", WHERE_PARTS_MAX);
    *ret = p->w->count;
    p->w->parts[p->w->count++] = part;
    return 0;
}

/* Words take no more room than the text they come from: each is followed there by a character that is no part of it. */
static int take_word(struct parser *p, const char *wanted, uint16_t *ret)
{
    bool reserved = is_key(p, "in") || is_key(p, "exists");
    if ((p->token != T_WORD && p->token != T_QUOTED) || reserved)
        return refuse(p, wanted);
    *ret = p->w->words_len;
    BUG(p->w->words_len + p->len + 1 > sizeof p->w->words);
    memcpy(p->w->words + p->w->words_len, p->text + p->from, p->len);
    p->w->words[p->w->words_len + p->len] = '\0';
    p->w->words_len = (uint16_t)(p->w->words_len + p->len + 1);
    next(p);
    return 0;
}

static int take_label(struct parser *p, uint16_t *ret)
{
    if (p->token == T_QUOTED && p->len == 0)
        return refuse(p, "a label");
    return take_word(p, "a label", ret);
}

static int take_values(struct parser *p, struct where_part *part)
{
    if (!is_sign(p, "("))
        return refuse(p, "'('");
    do {
        uint16_t word;
        next(p);
        int rc = take_word(p, "a value", &word);
        if (rc < 0)
            return rc;
        part->b = part->values == 0 ? word : part->b;
        if (++part->values == WHERE_PARTS_MAX)
            return too_much(p, "too many values", WHERE_PARTS_MAX - 1);
    } while (is_sign(p, ","));
    if (!is_sign(p, ")"))
        return refuse(p, "',' or ')'");
    next(p);
    return 0;
}

static int take_number(struct parser *p, struct where_part *part)
{
    struct err inner = {0};
    size_t from = p->from;
    int rc = take_word(p, "a number", &part->b);
    if (rc == 0 && parse_money(p->w->words + part->b, &part->micros, &inner) < 0)
        return err_set(p->err, -EINVAL, "character %zu: '%.40s' is not a number; write 4, 12.5 or at most six decimals",
                       from + 1, p->w->words + part->b);
    part->values = 1;
    return rc;
}

static int take_test(struct parser *p, uint16_t *ret)
{
    struct where_part part = {0};
    int rc = take_label(p, &part.a);
    if (rc < 0)
        return rc;
    for (part.kind = W_EQ; part.kind <= W_GE; part.kind++)
        if (part.kind == W_IN ? is_key(p, "in") : is_sign(p, signs[part.kind]))
            break;
    if (part.kind > W_GE)
        return refuse(p, "==, !=, <, <=, >, >= or in");
    next(p);
    if (part.kind == W_IN) {
        rc = take_values(p, &part);
    } else if (part.kind >= W_LT) {
        rc = take_number(p, &part);
    } else {
        part.values = 1;
        rc = take_word(p, "a value", &part.b);
    }
    return rc < 0 ? rc : add_part(p, part, ret);
}

static int take_exists(struct parser *p, uint16_t *ret)
{
    struct where_part part = {.kind = W_EXISTS};
    next(p);
    int rc = take_label(p, &part.a);
    return rc < 0 ? rc : add_part(p, part, ret);
}

static int take_all(struct parser *p, uint16_t *ret);

static int take_unit(struct parser *p, uint16_t *ret)
{
    bool negated = is_sign(p, "!");
    uint16_t inner;
    if (negated)
        next(p);
    int rc;
    if (is_sign(p, "(")) {
        if (++p->depth > WHERE_DEPTH_MAX)
            return too_much(p, "too many parentheses inside each other", WHERE_DEPTH_MAX);
        next(p);
        rc = take_all(p, &inner);
        if (rc == 0 && !is_sign(p, ")"))
            return refuse(p, "&&, || or ')'");
        p->depth--;
        if (rc == 0)
            next(p);
    } else if (is_key(p, "exists")) {
        rc = take_exists(p, &inner);
    } else {
        rc = negated ? refuse(p, "'(' or exists") : take_test(p, &inner);
    }
    if (rc < 0 || !negated) {
        *ret = rc == 0 ? inner : 0;
        return rc;
    }
    return add_part(p, (struct where_part){.kind = W_NOT, .a = inner}, ret);
}

static int take_joined(struct parser *p, enum kind kind, uint16_t *ret)
{
    int rc = kind == W_OR ? take_joined(p, W_AND, ret) : take_unit(p, ret);
    while (rc == 0 && is_sign(p, signs[kind])) {
        struct where_part part = {.kind = (uint8_t)kind, .a = *ret};
        next(p);
        rc = kind == W_OR ? take_joined(p, W_AND, &part.b) : take_unit(p, &part.b);
        if (rc == 0)
            rc = add_part(p, part, ret);
    }
    return rc;
}

static int take_all(struct parser *p, uint16_t *ret)
{
    return take_joined(p, W_OR, ret);
}

int where_parse(const char *text, struct where *ret, struct err *err)
{
    if (strlen(text) > WHERE_TEXT_MAX)
        return err_set(err, -EINVAL, "longer than %d characters", WHERE_TEXT_MAX);
    *ret = (struct where){0};
    struct parser p = {.text = text, .w = ret, .err = err};
    next(&p);
    int rc = take_all(&p, &ret->root);
    return rc == 0 && p.token != T_END ? refuse(&p, "&& or ||") : rc;
}

/* ---- text ------------------------------------------------------------------------------------------- */

static void put_word(const char *word, struct buf *out)
{
    bool plain = word[0] != '\0' && word[strspn(word, WORD_CHARS)] == '\0' && strcmp(word, "in") != 0 &&
                 strcmp(word, "exists") != 0;
    buf_addf(out, plain ? "%s" : "\"%s\"", word);
}

static void put_test(const struct where *w, const struct where_part *part, struct buf *out)
{
    if (part->kind == W_EXISTS)
        buf_add_str(out, "exists ");
    put_word(w->words + part->a, out);
    if (part->kind == W_EXISTS)
        return;
    buf_addf(out, " %s %s", signs[part->kind], part->kind == W_IN ? "(" : "");
    const char *value = w->words + part->b;
    for (unsigned i = 0; i < part->values; i++, value += strlen(value) + 1) {
        buf_add_str(out, i > 0 ? ", " : "");
        put_word(value, out);
    }
    buf_add_str(out, part->kind == W_IN ? ")" : "");
}

/* `around`: what it stands in, W_OR at the top. */
static void put(const struct where *w, uint16_t at, enum kind around, struct buf *out)
{
    const struct where_part *part = &w->parts[at];
    bool enclosed = (part->kind == W_OR && around == W_AND) || (around == W_NOT && part->kind != W_EXISTS);
    buf_add_str(out, enclosed ? "(" : "");
    if (part->kind == W_NOT) {
        buf_add_str(out, "!");
        put(w, part->a, W_NOT, out);
    } else if (part->kind <= W_AND) {
        put(w, part->a, part->kind, out);
        buf_addf(out, " %s ", signs[part->kind]);
        put(w, part->b, part->kind, out);
    } else {
        put_test(w, part, out);
    }
    buf_add_str(out, enclosed ? ")" : "");
}

void where_format(const struct where *w, struct buf *out)
{
    put(w, w->root, W_OR, out);
}

/* ---- the question ----------------------------------------------------------------------------------- */

struct subject {
    const struct where *w;
    const char *node;
    const struct pairs *labels;
};

static bool compares(const struct where_part *part, const char *has)
{
    struct err ignored = {0};
    int64_t micros;
    if (parse_money(has, &micros, &ignored) < 0)
        return false;
    switch (part->kind) {
    case W_LT: return micros < part->micros;
    case W_LE: return micros <= part->micros;
    case W_GT: return micros > part->micros;
    default: return micros >= part->micros;
    }
}

static bool is_one_of(const struct subject *s, const struct where_part *part, const char *has)
{
    const char *value = s->w->words + part->b;
    for (unsigned i = 0; i < part->values; i++, value += strlen(value) + 1)
        if (strcmp(value, has) == 0)
            return true;
    return false;
}

static bool passes(const struct subject *s, const struct where_part *part)
{
    const char *label = s->w->words + part->a;
    const char *has = strcmp(label, WHERE_NODE) == 0 ? s->node : pairs_get(s->labels, label);
    if (has == NULL || part->kind == W_EXISTS)
        return has != NULL ? true : part->kind == W_NE;
    if (part->kind >= W_LT)
        return compares(part, has);
    return is_one_of(s, part, has) == (part->kind != W_NE);
}

static bool holds(const struct subject *s, uint16_t at)
{
    const struct where_part *part = &s->w->parts[at];
    switch (part->kind) {
    case W_OR: return holds(s, part->a) || holds(s, part->b);
    case W_AND: return holds(s, part->a) && holds(s, part->b);
    case W_NOT: return !holds(s, part->a);
    default: return passes(s, part);
    }
}

bool where_matches(const struct where *w, const char *node, const struct pairs *labels)
{
    return holds(&(struct subject){w, node, labels}, w->root);
}

static unsigned lacks(const struct subject *s, uint16_t at, unsigned before, struct buf *out)
{
    const struct where_part *part = &s->w->parts[at];
    if (part->kind == W_AND) {
        unsigned count = lacks(s, part->a, before, out);
        return count + lacks(s, part->b, before + count, out);
    }
    if (holds(s, at))
        return 0;
    buf_add_str(out, before > 0 ? " && " : "");
    put(s->w, at, W_AND, out);
    return 1;
}

unsigned where_lacks(const struct where *w, const char *node, const struct pairs *labels, struct buf *out)
{
    return lacks(&(struct subject){w, node, labels}, w->root, 0, out);
}
