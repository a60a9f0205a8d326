/* Validator and dumper: everything of a part, read and decoded. */
#include "base/fpconv.h"
#include "part/part_private.h"

struct checking {
    struct part *part;
    struct part_buffer buffer;
    struct strbuf *report;
    uint64_t problems;
    uint64_t samples;
};

static void problem(struct checking *c, const struct err *e)
{
    c->problems++;
    strbuf_add_c(c->report, e->message);
    strbuf_add_char(c->report, '\n');
}

static int ignore_labels(void *context, uint32_t id, const struct label *labels, size_t count)
{
    return 0;
}

/* Every column of every table; samples must add up to what the index says. */
static void check_group(struct checking *c, uint32_t index)
{
    const struct part_group *g = &part_groups(c->part)[index];
    uint32_t columns = part_schema(c->part, g->schema).column_count;
    uint64_t samples = 0, problems = c->problems;
    for (uint32_t column = 0; column < columns; column++) {
        for (uint32_t table = 0; table < g->target_count; table++) {
            struct err e = ERR_INIT;
            size_t count = 0;
            if (part_read(c->part, index, table, column, INT64_MIN, INT64_MAX, &c->buffer, &count,
                    &e) != 0) {
                problem(c, &e);
                continue;
            }
            samples += count;
            if (count > 0 &&
                (c->buffer.times[0] < g->min_t || c->buffer.times[count - 1] > g->max_t)) {
                err_set(&e, ERR_CORRUPT, -1, "%s: group %u has samples outside its range",
                    part_path(c->part), index);
                problem(c, &e);
            }
        }
    }
    if (samples != g->samples && c->problems == problems) {
        struct err e = ERR_INIT;
        err_set(&e, ERR_CORRUPT, -1, "%s: group %u has %llu samples, its index says %llu",
            part_path(c->part), index, (unsigned long long)samples, (unsigned long long)g->samples);
        problem(c, &e);
    }
    c->samples += samples;
}

int part_verify(
    struct vfs *fs, const char *path, struct strbuf *report, uint64_t *problem_count_out)
{
    static const struct part_dictionary_handler nothing = {NULL, ignore_labels, ignore_labels};
    struct checking c = {.report = report};
    struct err e = ERR_INIT;
    part_buffer_init(&c.buffer);
    if (part_open(fs, path, NULL, &c.part, &e) != 0) {
        problem(&c, &e);
    } else {
        if (part_read_dictionary(c.part, &nothing, &e) != 0) {
            problem(&c, &e);
        }
        for (uint32_t i = 0; i < part_info(c.part)->group_count; i++) {
            check_group(&c, i);
        }
        if (c.problems == 0 && c.samples != part_info(c.part)->samples) {
            err_set(&e, ERR_CORRUPT, -1, "%s: %llu samples, its info says %llu", path,
                (unsigned long long)c.samples, (unsigned long long)part_info(c.part)->samples);
            problem(&c, &e);
        }
    }
    part_buffer_release(&c.buffer);
    part_unref(c.part);
    *problem_count_out += c.problems;
    return c.problems > 0 ? ERR_CORRUPT : 0;
}

/* ---- Sizes ---- */

void part_sizes(const struct part *p, struct part_sizes *sizes_out)
{
    *sizes_out =
        (struct part_sizes){.file = p->info.file_bytes, .dictionary = p->dictionary.stored_size};
    for (uint32_t i = 0; i < p->info.group_count; i++) {
        const struct part_group_place *place = &p->places[i];
        sizes_out->times += place->times_size;
        sizes_out->values +=
            place->page_offsets[place->page_count] - place->body - place->times_size;
    }
    sizes_out->index =
        sizes_out->file - sizes_out->dictionary - sizes_out->times - sizes_out->values;
}

/* ---- Dump ---- */

struct names {
    struct strbuf *out;
    const char *side;
};

static int dump_labels(void *context, uint32_t id, const struct label *labels, size_t count)
{
    struct names *n = context;
    strbuf_addf(n->out, "%s %u {", n->side, id);
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(n->out, "%s%.*s=\"%.*s\"", i > 0 ? ", " : "", STR_ARG(labels[i].name),
            STR_ARG(labels[i].value));
    }
    strbuf_add_c(n->out, "}\n");
    return 0;
}

static int dump_target(void *context, uint32_t id, const struct label *labels, size_t count)
{
    ((struct names *)context)->side = "target";
    return dump_labels(context, id, labels, count);
}

static int dump_shape(void *context, uint32_t id, const struct label *labels, size_t count)
{
    ((struct names *)context)->side = "shape";
    return dump_labels(context, id, labels, count);
}

static void dump_column(struct checking *c, uint32_t group, uint32_t table, uint32_t column)
{
    struct err e = ERR_INIT;
    size_t count = 0;
    if (part_read(c->part, group, table, column, INT64_MIN, INT64_MAX, &c->buffer, &count, &e) !=
        0) {
        strbuf_addf(c->report, "    %s\n", e.message);
        return;
    }
    const struct part_group *g = &part_groups(c->part)[group];
    struct column what = part_schema(c->part, g->schema).columns[column];
    strbuf_addf(c->report, "    target %u shape %u%s\n", g->targets[table], what.shape,
        what.kind == COLUMN_HISTOGRAM ? " (histograms)" : "");
    struct part_references references;
    if (part_read_references(c->part, group, column, &c->buffer, &references) == 0) {
        for (uint32_t i = 0; i < references.count; i++) {
            const struct part_reference *r = &references.items[i];
            strbuf_addf(c->report, "      leans on %cshape %u\n", r->subtract ? '-' : '+',
                part_schema(c->part, g->schema).columns[r->column].shape);
        }
    }
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(c->report, "      %lld ", (long long)c->buffer.times[i]);
        if (what.kind == COLUMN_HISTOGRAM) {
            strbuf_addf(c->report, "%zu bytes", c->buffer.histograms[i].len);
        } else {
            strbuf_add_double(c->report, c->buffer.values[i]);
        }
        strbuf_add_char(c->report, '\n');
    }
}

/* How many columns may lean on others. */
static uint32_t count_leaning(struct checking *c, uint32_t group, uint32_t columns)
{
    uint32_t leaning = 0;
    for (uint32_t column = 0; column < columns; column++) {
        struct part_references references;
        if (part_read_references(c->part, group, column, &c->buffer, &references) == 0) {
            leaning += references.count > 0;
        }
    }
    return leaning;
}

static void dump_group(struct checking *c, uint32_t index, bool with_samples)
{
    const struct part_group *g = &part_groups(c->part)[index];
    const struct part_group_place *place = &c->part->places[index];
    uint32_t columns = part_schema(c->part, g->schema).column_count;
    uint64_t bytes = place->page_offsets[place->page_count] - place->body;
    strbuf_addf(c->report,
        "group %u: schema %u, %u tables, %u columns (%u lean on others), %lld..%lld, %llu samples, "
        "%llu bytes (times "
        "%u, %u pages), %.3f bytes/sample\n",
        index, g->schema, g->target_count, columns, count_leaning(c, index, columns),
        (long long)g->min_t, (long long)g->max_t, (unsigned long long)g->samples,
        (unsigned long long)bytes, place->times_size, place->page_count,
        g->samples > 0 ? (double)bytes / (double)g->samples : 0);
    for (uint32_t table = 0; with_samples && table < g->target_count; table++) {
        for (uint32_t column = 0; column < columns; column++) {
            dump_column(c, index, table, column);
        }
    }
}

int part_dump(
    struct vfs *fs, const char *path, bool with_samples, struct strbuf *out, struct err *e)
{
    struct checking c = {.report = out};
    struct names names = {out, ""};
    const struct part_dictionary_handler handler = {&names, dump_target, dump_shape};
    int status = part_open(fs, path, NULL, &c.part, e);
    if (status != 0) {
        return status;
    }
    const struct part_info *info = part_info(c.part);
    strbuf_addf(out,
        "part %s: sequence %llu, level %u, %lld..%lld, %llu samples, %llu bytes, dictionary %llu "
        "bytes, %.3f bytes/sample\n",
        path, (unsigned long long)info->origin.sequence, info->origin.level, (long long)info->min_t,
        (long long)info->max_t, (unsigned long long)info->samples,
        (unsigned long long)info->file_bytes, (unsigned long long)c.part->dictionary.stored_size,
        info->samples > 0 ? (double)info->file_bytes / (double)info->samples : 0);
    part_buffer_init(&c.buffer);
    status = part_read_dictionary(c.part, &handler, e);
    for (uint32_t i = 0; status == 0 && i < info->group_count; i++) {
        dump_group(&c, i, with_samples);
    }
    part_buffer_release(&c.buffer);
    part_unref(c.part);
    return status != 0 ? status : strbuf_error(out);
}
