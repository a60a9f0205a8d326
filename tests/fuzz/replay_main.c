/* Runs a fuzz target over a corpus without libFuzzer, so that every input that ever broke a decoder
 * stays an ordinary test in every preset.
 *
 *   replay_NAME FILE-OR-FOLDER...
 *
 * Beside each input as it is, its prefixes up to REPLAY_PREFIX_MAX bytes are run: a decoder's most
 * common mistake is to read on where the input ends. Each run gets a copy of exactly its size from
 * the heap, so that AddressSanitizer sees one byte too many. An empty corpus fails.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>

#define REPLAY_PREFIX_MAX ((size_t)512)
#define REPLAY_INPUT_BYTES_MAX ((size_t)16 << 20)
#define REPLAY_PATH_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t input_count;

/* One run on a copy of its own. */
static void run_once(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert(copy != NULL);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    (void)LLVMFuzzerTestOneInput(copy, size); /* targets always answer 0 */
    free(copy);
}

static int replay_file(const char *path, size_t size)
{
    if (size > REPLAY_INPUT_BYTES_MAX) {
        fprintf(stderr, "%s: %zu bytes; an input has at most %zu\n", path, size,
            REPLAY_INPUT_BYTES_MAX);
        return 1;
    }
    FILE *file = fopen(path, "rbe");
    uint8_t *bytes = malloc(size + 1);
    size_t got = file != NULL && bytes != NULL ? fread(bytes, 1, size, file) : 0;
    int failed = file == NULL || bytes == NULL || got != size;
    if (failed) {
        fprintf(stderr, "%s: cannot be read\n", path);
    } else {
        printf("%s\n", path); /* before the run: a crash is named by the last line */
        fflush(stdout);
        for (size_t prefix = 0; prefix < size && prefix <= REPLAY_PREFIX_MAX; prefix++) {
            run_once(bytes, prefix);
        }
        run_once(bytes, size);
        input_count++;
    }
    if (file != NULL) {
        fclose(file);
    }
    free(bytes);
    return failed;
}

static int replay_path(const char *path);

static int replay_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    int failed = count < 0;
    for (int i = 0; i < count; i++) {
        char child[REPLAY_PATH_MAX];
        int length = snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            failed |= length < 0 || (size_t)length >= sizeof(child) || replay_path(child);
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    return failed;
}

static int replay_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        fprintf(stderr, "%s: errno %d\n", path, errno);
        return 1;
    }
    return S_ISDIR(status.st_mode) ? replay_folder(path)
                                   : replay_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed |= replay_path(argv[i]);
    }
    printf("%zu inputs\n", input_count);
    return failed || input_count == 0;
}
