/* Space and files of each mounted filesystem.
 *
 * The list of mounts is that of process 1 (a sandboxed agent has another one of its own), filtered by
 * mount point and type. Sizes come from statfs on side threads: a mount that hangs shows as
 * device_error="mountpoint timeout" and delays nobody; one that fails shows the system's words. In
 * both cases only device_error and readonly are given. Mounts that would be told apart by no label
 * count once.
 */
#include <stdio.h>

#include "base/mem.h"
#include "collectors/rows.h"
#include "collectors/statfs_pool.h"
#include "procfs/mountinfo.h"

#define MOUNTS_MAX 65536
/* Strings of all mounts together. */
#define MOUNT_TEXT_MAX ((size_t)16 << 20)
#define MOUNT_PATH_MAX 4096
#define ERROR_TEXT_MAX 128

struct mount_row {
    /* Offsets and lengths in the state's text. */
    size_t device, device_length;
    size_t mountpoint, mountpoint_length;
    size_t type, type_length;
    uint64_t major;
    uint64_t minor;
    bool readonly;
    struct statfs_request *request; /* borrowed from the table of mounts */
    struct statfs_result result;
    char error[ERROR_TEXT_MAX];
};

/* A request outlives the pass; it belongs to a mount point. */
struct known_mount {
    char *path; /* as in mountinfo, unescaped */
    struct statfs_request *request;
    bool seen;
};

struct filesystem_state {
    struct kept_file mounts_of_init;
    struct kept_file mounts_of_self;
    struct collect_filter mount_filter;
    struct collect_filter type_filter;
    struct statfs_pool *pool;
    struct known_mount *known; /* in the order of the last list */
    size_t known_count, known_cap;
    struct mount_row *rows;
    size_t count, cap;
    struct strbuf text;
    int status; /* of reading the list of mounts */
};

static int filesystem_open(struct collect *c, void *state, struct err *e)
{
    struct filesystem_state *s = state;
    strbuf_init(&s->text, MOUNT_TEXT_MAX);
    int status = collect_filter_open(
        c, COLLECTOR_SETTING_MOUNT_INCLUDE, COLLECTOR_SETTING_MOUNT_EXCLUDE, &s->mount_filter, e);
    if (status == 0) {
        status = collect_filter_open(c, COLLECTOR_SETTING_FILESYSTEM_INCLUDE,
            COLLECTOR_SETTING_FILESYSTEM_EXCLUDE, &s->type_filter, e);
    }
    if (status == 0) {
        struct statfs_pool_options options = {
            .clock = c->clock, .wait_ms = STATFS_WAIT_MS, .stuck_ms = STATFS_STUCK_MS};
        status = statfs_pool_open(&options, &s->pool);
    }
    return status;
}

/* Types whose statfs asks another machine or another process. */
static bool is_remote(struct str type)
{
    static const char *const remote[] = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "ceph",
        "9p", "afs", "glusterfs", "lustre", "gpfs", "beegfs", "virtiofs", "gfs2", "ocfs2", "autofs",
        "fuse"};
    if (str_starts_with(type, STR("fuse."))) {
        return true;
    }
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        if (str_eq_c(type, remote[i])) {
            return true;
        }
    }
    return false;
}

/* The path of a mount point seen from here: below the root that was configured. */
static int host_path(const struct collect *c, const char *mountpoint, char *buffer, size_t size)
{
    const char *root = c->roots[COLLECT_ROOT];
    size_t root_length = strlen(root);
    while (root_length > 0 && root[root_length - 1] == '/') {
        root_length--;
    }
    int length = snprintf(buffer, size, "%.*s%s", (int)root_length, root, mountpoint);
    return length < 0 || (size_t)length >= size ? ERR_LIMIT : 0;
}

static int add_known(
    struct collect *c, struct filesystem_state *s, struct str mountpoint, struct str type)
{
    int status = mem_array_grow(
        (void **)&s->known, &s->known_cap, s->known_count + 1, sizeof(*s->known), MOUNTS_MAX);
    if (status != 0) {
        return status;
    }
    struct known_mount mount = {.path = mem_strndup(mountpoint.ptr, mountpoint.len), .seen = true};
    if (mount.path == NULL) {
        return ERR_NOMEM;
    }
    char path[MOUNT_PATH_MAX];
    status = host_path(c, mount.path, path, sizeof(path));
    if (status == 0) {
        status = statfs_request_new(
            s->pool, is_remote(type) ? STATFS_NETWORK : STATFS_LOCAL, path, &mount.request);
    }
    if (status != 0) {
        mem_free(mount.path);
        return status;
    }
    s->known[s->known_count++] = mount;
    return 0;
}

/* The request of a mount point. It usually stands where it stood in the last pass. */
static int find_request(struct collect *c, struct filesystem_state *s, struct str mountpoint,
    struct str type, size_t hint, struct statfs_request **request_out)
{
    size_t at = hint < s->known_count && str_eq_c(mountpoint, s->known[hint].path) ? hint : 0;
    while (at < s->known_count && !str_eq_c(mountpoint, s->known[at].path)) {
        at++;
    }
    if (at == s->known_count) {
        int status = add_known(c, s, mountpoint, type);
        if (status != 0) {
            return status;
        }
    }
    s->known[at].seen = true;
    *request_out = s->known[at].request;
    return 0;
}

static void drop_unseen(struct filesystem_state *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->known_count; i++) {
        if (s->known[i].seen) {
            s->known[kept++] = s->known[i];
        } else {
            statfs_request_free(s->pool, s->known[i].request);
            mem_free(s->known[i].path);
        }
    }
    s->known_count = kept;
}

/* Appends `raw` to the text, cleaned for a label. */
static void keep_text(
    struct filesystem_state *s, struct str raw, size_t *offset_out, size_t *length_out)
{
    char buffer[MOUNT_PATH_MAX];
    struct str clean = collect_label_text(raw, buffer, sizeof(buffer));
    *offset_out = s->text.size;
    *length_out = clean.len;
    strbuf_add_str(&s->text, clean);
}

static struct str text_at(const struct filesystem_state *s, size_t offset, size_t length)
{
    return str_make(s->text.data + offset, length);
}

static bool is_same_mount(
    const struct filesystem_state *s, const struct mount_row *a, const struct mount_row *b)
{
    return str_eq(text_at(s, a->mountpoint, a->mountpoint_length),
               text_at(s, b->mountpoint, b->mountpoint_length)) &&
           str_eq(
               text_at(s, a->device, a->device_length), text_at(s, b->device, b->device_length)) &&
           str_eq(text_at(s, a->type, a->type_length), text_at(s, b->type, b->type_length));
}

static bool is_readonly(const struct procfs_mount *mount)
{
    return procfs_mount_has_option(mount->options, STR("ro")) ||
           procfs_mount_has_option(mount->super_options, STR("ro")) ||
           procfs_mount_has_option(mount->super_options, STR("emergency_ro"));
}

static int add_row(struct collect *c, struct filesystem_state *s, const struct procfs_mount *mount)
{
    char mountpoint_buffer[MOUNT_PATH_MAX];
    char source_buffer[MOUNT_PATH_MAX];
    if (mount->mountpoint.len > MOUNT_PATH_MAX || mount->source.len > MOUNT_PATH_MAX) {
        return ERR_LIMIT;
    }
    struct str mountpoint = procfs_unescape(mount->mountpoint, mountpoint_buffer);
    struct str source = procfs_unescape(mount->source, source_buffer);
    if (!collect_filter_accepts(&s->mount_filter, mountpoint) ||
        !collect_filter_accepts(&s->type_filter, mount->type)) {
        return 0;
    }
    int status =
        mem_array_grow((void **)&s->rows, &s->cap, s->count + 1, sizeof(*s->rows), MOUNTS_MAX);
    if (status != 0) {
        return status;
    }
    struct mount_row row = {
        .major = mount->major, .minor = mount->minor, .readonly = is_readonly(mount)};
    keep_text(s, source, &row.device, &row.device_length);
    keep_text(s, mountpoint, &row.mountpoint, &row.mountpoint_length);
    keep_text(s, mount->type, &row.type, &row.type_length);
    if ((status = strbuf_error(&s->text)) != 0) {
        return status;
    }
    for (size_t i = 0; i < s->count; i++) {
        if (is_same_mount(s, &s->rows[i], &row)) {
            return 0;
        }
    }
    status = find_request(c, s, mountpoint, mount->type, s->count, &row.request);
    if (status == 0) {
        s->rows[s->count++] = row;
    }
    return status;
}

static int read_mounts(struct collect *c, struct filesystem_state *s)
{
    struct str text;
    s->count = 0;
    int status = collect_read(c, &s->mounts_of_init, COLLECT_PROC, "1/mountinfo", &text);
    if (status != 0) {
        status = collect_read(c, &s->mounts_of_self, COLLECT_PROC, "self/mountinfo", &text);
    }
    if (status != 0) {
        return status;
    }
    strbuf_reset(&s->text);
    for (size_t i = 0; i < s->known_count; i++) {
        s->known[i].seen = false;
    }
    struct procfs_mount mount;
    while ((status = procfs_mountinfo_next(&text, &mount)) > 0) {
        status = add_row(c, s, &mount);
        if (status != 0) {
            return status;
        }
    }
    return status;
}

static void describe_error(struct mount_row *row)
{
    if (row->result.answer == STATFS_STUCK) {
        (void)snprintf(row->error, sizeof(row->error), "mountpoint timeout");
    } else if (row->result.answer == STATFS_FAILED) {
        // Go prints errno texts with a small first letter, and so does node_exporter.
        (void)err_errno_text(row->result.errno_value, row->error, sizeof(row->error));
        if (row->error[0] >= 'A' && row->error[0] <= 'Z') {
            row->error[0] = (char)(row->error[0] | 0x20);
        }
    }
}

static void take_answers(struct filesystem_state *s)
{
    statfs_wait(s->pool);
    for (size_t i = 0; i < s->count; i++) {
        s->rows[i].result = statfs_request_result(s->pool, s->rows[i].request);
        describe_error(&s->rows[i]);
    }
}

enum quantity { AVAILABLE, DEVICE_ERROR, FILES, FILES_FREE, FREE, READONLY, SIZE, QUANTITIES };

static const struct quantity_row {
    const char *name;
    const char *help;
} quantity_rows[QUANTITIES] = {
    [AVAILABLE] = {"node_filesystem_avail_bytes", "Space left for users without privilege."},
    [DEVICE_ERROR] = {"node_filesystem_device_error",
        "1 when the filesystem could not be asked for its sizes."},
    [FILES] = {"node_filesystem_files", "File nodes in all."},
    [FILES_FREE] = {"node_filesystem_files_free", "File nodes that are free."},
    [FREE] = {"node_filesystem_free_bytes",
        "Space that is free, the part reserved for root included."},
    [READONLY] = {"node_filesystem_readonly", "1 when the filesystem is mounted read-only."},
    [SIZE] = {"node_filesystem_size_bytes", "Size of the filesystem."},
};

static double quantity_value(const struct mount_row *row, enum quantity quantity)
{
    const struct statfs_space *space = &row->result.space;
    double block = (double)space->block_bytes;
    switch (quantity) {
    case AVAILABLE:
        return (double)space->blocks_available * block;
    case DEVICE_ERROR:
        return row->result.answer != STATFS_SPACE;
    case FILES:
        return (double)space->files;
    case FILES_FREE:
        return (double)space->files_free;
    case FREE:
        return (double)space->blocks_free * block;
    case READONLY:
        return row->readonly;
    default:
        return (double)space->blocks * block;
    }
}

static void give_quantity(
    struct collect *c, const struct filesystem_state *s, enum quantity quantity)
{
    metric_family(
        c->sink, quantity_rows[quantity].name, METRIC_TYPE_GAUGE, quantity_rows[quantity].help);
    bool always = quantity == DEVICE_ERROR || quantity == READONLY;
    for (size_t i = 0; i < s->count; i++) {
        const struct mount_row *row = &s->rows[i];
        if (row->result.answer == STATFS_NONE || (row->result.answer != STATFS_SPACE && !always)) {
            continue;
        }
        struct label_pair labels[] = {
            {"device", text_at(s, row->device, row->device_length)},
            {"device_error", str_of(row->error)},
            {"fstype", text_at(s, row->type, row->type_length)},
            {"mountpoint", text_at(s, row->mountpoint, row->mountpoint_length)},
        };
        metric_sample(c->sink, labels, 4, quantity_value(row, quantity));
    }
}

static void give_mount_info(struct collect *c, const struct filesystem_state *s)
{
    metric_family(c->sink, "node_filesystem_mount_info", METRIC_TYPE_GAUGE,
        "Device numbers of a mount, always 1.");
    for (size_t i = 0; i < s->count; i++) {
        const struct mount_row *row = &s->rows[i];
        struct number_text major, minor;
        struct label_pair labels[] = {
            {"device", text_at(s, row->device, row->device_length)},
            {"major", collect_number_text(row->major, &major)},
            {"minor", collect_number_text(row->minor, &minor)},
            {"mountpoint", text_at(s, row->mountpoint, row->mountpoint_length)},
        };
        metric_sample(c->sink, labels, 4, 1);
    }
}

/* The threads work while the other collectors run, so that nobody sleeps for them: on a virtual machine
 * going to sleep and being woken costs more than all the calls. */
static void filesystem_begin(struct collect *c, void *state)
{
    struct filesystem_state *s = state;
    s->status = read_mounts(c, s);
    drop_unseen(s);
    for (size_t i = 0; i < s->count; i++) {
        (void)statfs_submit(s->pool, s->rows[i].request); // no thread: no answer, shown as such
    }
    statfs_start(s->pool);
}

static int filesystem_collect(struct collect *c, void *state)
{
    struct filesystem_state *s = state;
    take_answers(s);
    for (int quantity = 0; quantity < QUANTITIES; quantity++) {
        give_quantity(c, s, (enum quantity)quantity);
    }
    give_mount_info(c, s);
    return s->status;
}

static void filesystem_close(struct collect *c, void *state)
{
    struct filesystem_state *s = state;
    kept_file_close(c, &s->mounts_of_init);
    kept_file_close(c, &s->mounts_of_self);
    for (size_t i = 0; i < s->known_count; i++) {
        statfs_request_free(s->pool, s->known[i].request);
        mem_free(s->known[i].path);
    }
    statfs_pool_close(s->pool);
    collect_filter_close(&s->mount_filter);
    collect_filter_close(&s->type_filter);
    strbuf_release(&s->text);
    mem_free(s->known);
    mem_free(s->rows);
}

const struct collector filesystem_collector = {
    .name = "filesystem",
    .help = "Space and files of mounted filesystems (mountinfo, statfs)",
    .default_enabled = true,
    .state_size = sizeof(struct filesystem_state),
    .open = filesystem_open,
    .begin = filesystem_begin,
    .collect = filesystem_collect,
    .close = filesystem_close,
};
