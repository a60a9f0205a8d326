/* The wrapper of libzstd; the one file that includes it. */
#include "wire/zstd_codec.h"

#include <zstd.h>

#include "base/err.h"
#include "base/mem.h"

/* Contexts are made when they are first needed: most codecs go one way. */
struct zstd_codec {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
};

int zstd_codec_new(struct zstd_codec **codec_out)
{
    struct zstd_codec *codec = mem_calloc(1, sizeof(*codec));
    if (codec == NULL) {
        return ERR_NOMEM;
    }
    *codec_out = codec;
    return 0;
}

void zstd_codec_free(struct zstd_codec *codec)
{
    if (codec == NULL) {
        return;
    }
    ZSTD_freeCCtx(codec->compress);
    ZSTD_freeDCtx(codec->decompress);
    mem_free(codec);
}

int zstd_encode(struct zstd_codec *codec, struct str plain, int level, struct strbuf *out)
{
    size_t bound = ZSTD_compressBound(plain.len);
    char *room = strbuf_reserve(out, bound);
    if (room == NULL) {
        return strbuf_error(out);
    }
    codec->compress = codec->compress != NULL ? codec->compress : ZSTD_createCCtx();
    if (codec->compress == NULL) {
        return ERR_NOMEM;
    }
    size_t size = ZSTD_compressCCtx(codec->compress, room, bound, plain.ptr, plain.len, level);
    if (ZSTD_isError(size)) {
        return ERR_NOMEM;
    }
    strbuf_commit(out, size);
    return 0;
}

int zstd_decode(struct zstd_codec *codec, struct str frame, size_t limit, struct strbuf *out)
{
    unsigned long long announced = ZSTD_getFrameContentSize(frame.ptr, frame.len);
    if (announced == ZSTD_CONTENTSIZE_ERROR || announced == ZSTD_CONTENTSIZE_UNKNOWN) {
        return ERR_CORRUPT;
    }
    if (announced > limit) {
        return ERR_LIMIT;
    }
    char *room = strbuf_reserve(out, (size_t)announced);
    if (room == NULL) {
        return strbuf_error(out);
    }
    codec->decompress = codec->decompress != NULL ? codec->decompress : ZSTD_createDCtx();
    if (codec->decompress == NULL) {
        return ERR_NOMEM;
    }
    size_t size =
        ZSTD_decompressDCtx(codec->decompress, room, (size_t)announced, frame.ptr, frame.len);
    if (ZSTD_isError(size) || size != announced) {
        return ERR_CORRUPT;
    }
    strbuf_commit(out, size);
    return 0;
}
