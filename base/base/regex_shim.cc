/* The shim to RE2. The one file that includes it; its C face is regex_shim.h. No exception leaves
 * it: RE2 and the standard library throw only when memory is short.
 */
#include "regex_shim.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <re2/re2.h>
#include <string>
#include <vector>

struct regex_program {
    regex_program(const re2::StringPiece &pattern, const RE2::Options &options)
        : re2(pattern, options)
    {
    }
    RE2 re2;
};

static RE2::Options options_for(bool dot_matches_newline, size_t memory_max)
{
    RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(dot_matches_newline);
    options.set_max_mem(static_cast<int64_t>(memory_max));
    return options;
}

static void copy_sentence(const std::string &sentence, char *message, size_t message_size)
{
    size_t length = std::min(sentence.size(), message_size - 1);
    std::memcpy(message, sentence.data(), length);
    message[length] = '\0';
}

extern "C" enum regex_shim_status regex_program_new(const char *pattern, size_t size,
    bool dot_matches_newline, size_t memory_max, struct regex_program **program_out, char *message,
    size_t message_size)
{
    try {
        auto *program = new regex_program(
            re2::StringPiece(pattern, size), options_for(dot_matches_newline, memory_max));
        if (!program->re2.ok()) {
            copy_sentence(program->re2.error(), message, message_size);
            bool large = program->re2.error_code() == RE2::ErrorPatternTooLarge;
            delete program;
            return large ? REGEX_SHIM_TOO_LARGE : REGEX_SHIM_INVALID;
        }
        *program_out = program;
        return REGEX_SHIM_OK;
    } catch (const std::bad_alloc &) {
        return REGEX_SHIM_NO_MEMORY;
    }
}

extern "C" void regex_program_free(struct regex_program *program)
{
    delete program;
}

extern "C" bool regex_program_matches(
    const struct regex_program *program, const char *text, size_t size)
{
    return program->re2.Match(re2::StringPiece(text, size), 0, size, RE2::ANCHOR_BOTH, nullptr, 0);
}

static int find(const struct regex_program *program, re2::StringPiece text, size_t from,
    RE2::Anchor anchor, struct regex_span *spans, size_t count)
{
    try {
        std::vector<re2::StringPiece> groups(count);
        if (!program->re2.Match(
                text, from, text.size(), anchor, groups.data(), static_cast<int>(count))) {
            return 0;
        }
        for (size_t i = 0; i < count; i++) {
            spans[i] = {groups[i].data(), groups[i].size()};
        }
        return 1;
    } catch (const std::bad_alloc &) {
        return -1;
    }
}

extern "C" int regex_program_groups(const struct regex_program *program, const char *text,
    size_t size, struct regex_span *spans, size_t count)
{
    return find(program, re2::StringPiece(text, size), 0, RE2::ANCHOR_BOTH, spans, count);
}

extern "C" int regex_program_find(const struct regex_program *program, const char *text,
    size_t from, size_t size, struct regex_span *spans, size_t count)
{
    return find(program, re2::StringPiece(text, size), from, RE2::UNANCHORED, spans, count);
}

extern "C" size_t regex_program_group_count(const struct regex_program *program)
{
    return static_cast<size_t>(program->re2.NumberOfCapturingGroups());
}

extern "C" int regex_program_group_index(
    const struct regex_program *program, const char *name, size_t size)
{
    try {
        const auto &names = program->re2.NamedCapturingGroups();
        auto found = names.find(std::string(name, size));
        return found == names.end() ? -1 : found->second;
    } catch (const std::bad_alloc &) {
        return -1;
    }
}
