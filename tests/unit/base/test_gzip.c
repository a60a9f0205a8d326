/* gzip and zlib bodies. Golden bytes come from Python's gzip and zlib modules; limits, damage and
 * bombs are made from them. */
#include "support/support.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/gzip.h"
#include "base/mem.h"

/* "hello hello hello", "world", "named" with a file name in the header, and nothing. */
static const uint8_t hello_gzip[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
    0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x90, 0x00, 0x80, 0x88, 0xf9, 0xe5, 0x11, 0x00,
    0x00, 0x00};
static const uint8_t hello_zlib[] = {
    0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x90, 0x00, 0x3a, 0x2e, 0x06, 0x7d};
static const uint8_t world_gzip[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
    0x2b, 0xcf, 0x2f, 0xca, 0x49, 0x01, 0x00, 0x43, 0x11, 0x77, 0x3a, 0x05, 0x00, 0x00, 0x00};
static const uint8_t named_gzip[] = {0x1f, 0x8b, 0x08, 0x08, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff,
    0x6e, 0x61, 0x6d, 0x65, 0x2e, 0x74, 0x78, 0x74, 0x00, 0xcb, 0x4b, 0xcc, 0x4d, 0x4d, 0x01, 0x00,
    0x87, 0xcc, 0xe0, 0x71, 0x05, 0x00, 0x00, 0x00};
static const uint8_t empty_gzip[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
    0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};

#define BYTES(array) str_make((const char *)(array), sizeof(array))

static void test_golden(void **state)
{
    char both[sizeof(hello_gzip) + sizeof(world_gzip)];
    memcpy(both, hello_gzip, sizeof(hello_gzip));
    memcpy(both + sizeof(hello_gzip), world_gzip, sizeof(world_gzip));
    const struct {
        struct str compressed;
        const char *expected;
    } cases[] = {
        {BYTES(hello_gzip), "hello hello hello"},
        {BYTES(hello_zlib), "hello hello hello"},
        {BYTES(named_gzip), "named"},
        {BYTES(empty_gzip), ""},
        {BYTES(both), "hello hello helloworld"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        strbuf_add_c(&out, "before ");
        int status = gzip_decode(cases[i].compressed, 100, &out);
        if (status != 0 || !str_eq_c(str_skip(strbuf_str(&out), 7), cases[i].expected)) {
            fail_msg(
                "case %zu: got %d \"%s\", expected \"%s\"", i, status, out.data, cases[i].expected);
        }
        strbuf_release(&out);
    }
}

static void test_limit(void **state)
{
    static const struct {
        struct str compressed;
        size_t limit;
        int expected;
    } cases[] = {
        {{(const char *)hello_gzip, sizeof(hello_gzip)}, 17, 0},
        {{(const char *)hello_gzip, sizeof(hello_gzip)}, 16, ERR_LIMIT},
        {{(const char *)hello_zlib, sizeof(hello_zlib)}, 17, 0},
        {{(const char *)hello_zlib, sizeof(hello_zlib)}, 16, ERR_LIMIT},
        {{(const char *)empty_gzip, sizeof(empty_gzip)}, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        int got = gzip_decode(cases[i].compressed, cases[i].limit, &out);
        if (got != cases[i].expected || (got != 0 && out.size != 0)) {
            fail_msg("case %zu: got %d, expected %d", i, got, cases[i].expected);
        }
        strbuf_release(&out);
    }
    struct strbuf small;
    strbuf_init(&small, 10);
    assert_int_equal(gzip_decode(BYTES(hello_gzip), 100, &small), ERR_LIMIT);
    strbuf_release(&small);
}

/* Every cut and every changed byte: an error or, where a byte does not matter, the same text. */
static void test_damage(void **state)
{
    for (size_t cut = 0; cut < sizeof(hello_gzip); cut++) {
        struct strbuf out = STRBUF_INIT;
        assert_int_equal(
            gzip_decode(str_make((const char *)hello_gzip, cut), 100, &out), ERR_CORRUPT);
        assert_int_equal(out.size, 0);
        strbuf_release(&out);
    }
    size_t refused = 0;
    for (size_t at = 0; at < sizeof(hello_gzip); at++) {
        uint8_t damaged[sizeof(hello_gzip)];
        memcpy(damaged, hello_gzip, sizeof(damaged));
        damaged[at] ^= 0x55;
        struct strbuf out = STRBUF_INIT;
        int status = gzip_decode(BYTES(damaged), 100, &out);
        refused += status != 0;
        assert_true(status == ERR_CORRUPT || status == ERR_LIMIT ||
                    str_eq_c(strbuf_str(&out), "hello hello hello"));
        strbuf_release(&out);
    }
    assert_true(refused >= sizeof(hello_gzip) - 6); /* time, extra flags and system do not matter */
}

/* Zeros packed a thousandfold, and the same with a size that lies. */
static void test_bomb(void **state)
{
    size_t size = 64 << 20;
    char *zeros = mem_calloc(1, size);
    assert_non_null(zeros);
    struct strbuf bomb = STRBUF_INIT, out = STRBUF_INIT;
    assert_int_equal(gzip_encode(str_make(zeros, size), 9, &bomb), 0);
    assert_true(bomb.size < size / 900);
    assert_int_equal(gzip_decode(strbuf_str(&bomb), 1 << 20, &out), ERR_LIMIT);
    assert_true(out.cap <= 4 << 20);
    strbuf_release(&out);
    put_le32((uint8_t *)bomb.data + bomb.size - 4, 100);
    assert_int_equal(gzip_decode(strbuf_str(&bomb), 1 << 20, &out), ERR_LIMIT);
    strbuf_release(&out);
    strbuf_release(&bomb);
    mem_free(zeros);
}

static void test_round_trip(void **state)
{
    uint64_t random = test_seed();
    for (int level = 1; level <= 9; level++) {
        for (size_t size = 0; size < 300000; size = size * 7 + 1) {
            char *plain = mem_alloc(size);
            assert_non_null(plain);
            for (size_t i = 0; i < size; i++) {
                plain[i] = (char)(test_random(&random) % (size % 3 == 0 ? 256 : 4));
            }
            struct strbuf packed = STRBUF_INIT, out = STRBUF_INIT;
            assert_int_equal(gzip_encode(str_make(plain, size), level, &packed), 0);
            assert_int_equal(gzip_decode(strbuf_str(&packed), size, &out), 0);
            assert_true(str_eq(strbuf_str(&out), str_make(plain, size)));
            strbuf_release(&packed);
            strbuf_release(&out);
            mem_free(plain);
        }
    }
}

/* Pieces of any size, empty ones too, come out as one member that says what went in. */
static void test_stream(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (size_t round = 0; round < 18; round++) {
        struct strbuf plain = STRBUF_INIT, packed = STRBUF_INIT, back = STRBUF_INIT;
        struct gzip_stream *stream;
        assert_int_equal(gzip_stream_new(1 + (int)(round % 9), &stream), 0);
        size_t pieces = test_random(&random) % 12;
        for (size_t i = 0; i < pieces; i++) {
            size_t begin = plain.size, size = test_random(&random) % 60000 * (i % 3);
            for (size_t j = 0; j < size; j++) {
                uint64_t noise = round % 2 == 0 ? test_random(&random) : j / 7;
                strbuf_add_char(&plain, (char)noise);
            }
            struct str piece = {plain.data != NULL ? plain.data + begin : "", size};
            assert_int_equal(gzip_stream_add(stream, piece, false, &packed), 0);
        }
        assert_int_equal(gzip_stream_add(stream, STR(""), true, &packed), 0);
        gzip_stream_free(stream);
        assert_int_equal(gzip_decode(strbuf_str(&packed), plain.size, &back), 0);
        assert_int_equal(back.size, plain.size);
        assert_true(str_eq(strbuf_str(&back), strbuf_str(&plain)));
        strbuf_release(&plain);
        strbuf_release(&packed);
        strbuf_release(&back);
    }
    gzip_stream_free(NULL);
}

/* Whatever the pieces and the room: what comes out is what gzip_decode gives, and the end is known. */
static void test_reader(void **state)
{
    static char plain[20000], out[sizeof(plain) * 2];
    uint64_t random = test_seed();
    struct strbuf body = STRBUF_INIT;
    for (size_t i = 0; i < sizeof(plain); i++) {
        plain[i] = (char)('a' + test_random(&random) % 8);
    }
    assert_int_equal(gzip_encode(str_make(plain, sizeof(plain)), 6, &body), 0);
    size_t one = body.size;
    assert_int_equal(gzip_encode(str_make(plain, sizeof(plain)), 6, &body), 0);
    for (int round = 0; round < 200; round++) {
        struct gzip_reader *reader = NULL;
        struct str rest = strbuf_str(&body);
        size_t size = 0, piece_max = 1 + test_random(&random) % 4000;
        assert_int_equal(gzip_reader_new(&reader), 0);
        assert_false(gzip_reader_is_whole(reader));
        while (rest.len > 0) {
            size_t length = 1 + test_random(&random) % piece_max;
            struct str piece = str_make(rest.ptr, length < rest.len ? length : rest.len);
            rest = str_skip(rest, piece.len);
            int more = 1;
            while (more == 1) {
                size_t written, room = 1 + test_random(&random) % piece_max;
                room = room < sizeof(out) - size ? room : sizeof(out) - size + 1;
                char *at = mem_alloc(room); /* what is written behind its end is seen */
                more = gzip_reader_take(reader, &piece, at, room, &written);
                assert_true(more >= 0 && written <= room && size + written <= sizeof(out));
                memcpy(out + size, at, written);
                size += written;
                mem_free(at);
            }
            assert_int_equal(piece.len, 0);
            size_t taken = body.size - rest.len;
            assert_int_equal(gzip_reader_is_whole(reader), taken == one || taken == body.size);
        }
        assert_int_equal(size, sizeof(out));
        assert_memory_equal(out, plain, sizeof(plain));
        assert_memory_equal(out + sizeof(plain), plain, sizeof(plain));
        gzip_reader_free(reader);
    }
    struct gzip_reader *reader = NULL;
    struct str nonsense = STR("this is no gzip");
    size_t written;
    assert_int_equal(gzip_reader_new(&reader), 0);
    assert_int_equal(gzip_reader_take(reader, &nonsense, out, sizeof(out), &written), ERR_CORRUPT);
    gzip_reader_free(reader);
    gzip_reader_free(NULL);
    strbuf_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
