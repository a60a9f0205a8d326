/* Plain bits by id; see the header. */
#include "index/id_bits.h"

#include "base/err.h"
#include "base/mem.h"

int id_bits_init(struct id_bits *bits, uint32_t count)
{
    *bits = (struct id_bits){.count = count};
    bits->words = mem_calloc((size_t)count / 64 + 1, sizeof(*bits->words));
    if (bits->words == NULL) {
        bits->count = 0;
        return ERR_NOMEM;
    }
    return 0;
}

void id_bits_release(struct id_bits *bits)
{
    mem_free(bits->words);
    *bits = (struct id_bits){0};
}

static bool add_id(uint32_t id, void *context)
{
    id_bits_add(context, id);
    return true;
}

void id_bits_add_set(struct id_bits *bits, const struct id_set *set)
{
    id_set_each(set, add_id, bits);
}

struct id_set *id_bits_to_set(const struct id_bits *bits)
{
    struct id_set *set = id_set_new();
    int status = set != NULL ? 0 : ERR_NOMEM;
    for (uint32_t word = 0; status == 0 && word < (bits->count + 63) / 64; word++) {
        for (uint64_t left = bits->words[word]; status == 0 && left != 0; left &= left - 1) {
            status = id_set_add(set, word * 64 + (uint32_t)__builtin_ctzll(left));
        }
    }
    if (status != 0) {
        id_set_free(set);
        set = NULL;
    }
    return set;
}
