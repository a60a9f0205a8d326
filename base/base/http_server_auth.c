/* Basic authentication (RFC 7617) against bcrypt hashes, by crypt(3). */
#include "http_server_auth.h"

#include <crypt.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/mem.h"

/* Stands for the hash of a name that is not there; cost 10 is the usual one. */
static const char NOBODY[] = "$2y$10$abcdefghijklmnopqrstuu37RkUr9H1EPO4Rc63Ngz60LSVREthYa";

/* Decoded: "name:password". */
struct credentials {
    char text[HTTP_AUTH_HEADER_MAX + 1];
    const char *name, *password;
};

/* ---- The header ---- */

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* Into zero-terminated text of at most HTTP_AUTH_HEADER_MAX bytes; false for anything but base64. */
static bool decode_base64(struct str in, char *out)
{
    size_t size = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    while (in.len > 0 && in.ptr[in.len - 1] == '=') {
        in.len--;
    }
    for (size_t i = 0; i < in.len; i++) {
        int digit = base64_digit(in.ptr[i]);
        if (digit < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[size++] = (char)(bits >> have);
        }
    }
    out[size] = '\0';
    return memchr(out, '\0', size) == NULL;
}

static bool parse(struct str header, struct credentials *out)
{
    if (header.len < 6 || header.len > HTTP_AUTH_HEADER_MAX ||
        strncasecmp(header.ptr, "Basic ", 6) != 0 ||
        !decode_base64(str_trim(str_skip(header, 6)), out->text)) {
        return false;
    }
    char *colon = strchr(out->text, ':');
    if (colon == NULL) {
        return false;
    }
    *colon = '\0';
    out->name = out->text;
    out->password = colon + 1;
    return true;
}

static const char *hash_of(const struct config_map *users, const char *name)
{
    for (size_t i = 0; i < users->count; i++) {
        if (strcmp(users->items[i].key, name) == 0) {
            return users->items[i].value;
        }
    }
    return NULL;
}

/* ---- What was good ---- */

void http_auth_memory_init(struct http_auth_memory *memory)
{
    *memory = (struct http_auth_memory){0};
    lock_init(&memory->lock, LOCK_RANK_LEAF);
    for (size_t i = 0; i < sizeof(memory->key); i += sizeof(uint64_t)) {
        uint64_t random = hash_seed_random();
        memcpy(memory->key + i, &random, sizeof(random));
    }
}

void http_auth_memory_release(struct http_auth_memory *memory)
{
    explicit_bzero(memory->key, sizeof(memory->key));
    lock_release(&memory->lock);
}

static void sum_of(const struct http_auth_memory *memory, const struct credentials *who,
    const char *hash, uint8_t sum[HASH_SHA256_SIZE])
{
    /* The hash has one length: nothing of name and password can move into it. */
    const struct str parts[] = {str_of(hash), str_of(who->name), STR(":"), str_of(who->password)};
    struct str key = str_make((const char *)memory->key, sizeof(memory->key));
    hash_hmac_sha256(key, parts, sizeof(parts) / sizeof(parts[0]), sum);
}

static bool is_remembered(struct http_auth_memory *memory, const uint8_t *sum)
{
    bool found = false;
    lock_take(&memory->lock);
    for (size_t i = 0; i < memory->count && !found; i++) {
        found = memcmp(memory->sums[i], sum, HASH_SHA256_SIZE) == 0;
    }
    lock_give(&memory->lock);
    return found;
}

static void remember(struct http_auth_memory *memory, const uint8_t *sum)
{
    lock_take(&memory->lock);
    memcpy(memory->sums[memory->next], sum, HASH_SHA256_SIZE);
    memory->next = (memory->next + 1) % HTTP_AUTH_REMEMBERED_MAX;
    memory->count += memory->count < HTTP_AUTH_REMEMBERED_MAX;
    lock_give(&memory->lock);
}

/* ---- Verdicts ---- */

enum http_auth_verdict http_auth_recall(
    struct http_auth_memory *memory, const struct config_map *users, struct str header)
{
    struct credentials who;
    uint8_t sum[HASH_SHA256_SIZE];
    if (!parse(header, &who)) {
        return HTTP_AUTH_BAD;
    }
    const char *hash = hash_of(users, who.name);
    enum http_auth_verdict verdict = HTTP_AUTH_UNKNOWN;
    if (hash != NULL) {
        sum_of(memory, &who, hash, sum);
        verdict = is_remembered(memory, sum) ? HTTP_AUTH_GOOD : HTTP_AUTH_UNKNOWN;
    }
    explicit_bzero(&who, sizeof(who));
    return verdict;
}

/* In a time that does not tell where they differ. */
static bool same_text(const char *a, const char *b)
{
    size_t size = strlen(a);
    unsigned differs = 0;
    if (size != strlen(b)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        differs |= (unsigned char)(a[i] ^ b[i]);
    }
    return differs == 0;
}

static bool password_is(const char *password, const char *hash)
{
    struct crypt_data *data = mem_calloc(1, sizeof(*data));
    if (data == NULL) {
        return false;
    }
    const char *computed = crypt_r(password, hash, data);
    bool good = computed != NULL && computed[0] != '*' && same_text(computed, hash);
    explicit_bzero(data, sizeof(*data));
    mem_free(data);
    return good;
}

bool http_auth_check(
    struct http_auth_memory *memory, const struct config_map *users, struct str header)
{
    struct credentials who;
    uint8_t sum[HASH_SHA256_SIZE];
    if (!parse(header, &who)) {
        return false;
    }
    const char *hash = hash_of(users, who.name);
    bool good = password_is(who.password, hash != NULL ? hash : NOBODY) && hash != NULL;
    if (good) {
        sum_of(memory, &who, hash, sum);
        remember(memory, sum);
    }
    explicit_bzero(&who, sizeof(who));
    return good;
}
