/* Settings of OTLP metrics. */
#include "wire/otlp_settings.h"

#include "wire/otlp_names.h"

int otlp_settings_check(const struct otlp_settings *settings, struct err *e)
{
    enum otlp_naming naming;
    if (!otlp_naming_parse(str_of(settings->translation_strategy), &naming)) {
        return err_set(e, ERR_INVALID, -1,
            "translation_strategy \"%s\": expected UnderscoreEscapingWithSuffixes, "
            "UnderscoreEscapingWithoutSuffixes, NoUTF8EscapingWithSuffixes or NoTranslation",
            settings->translation_strategy);
    }
    return 0;
}

struct otlp_translate_options otlp_settings_translate(const struct otlp_settings *settings)
{
    struct otlp_translate_options options = {
        .promoted = (const char *const *)settings->promoted.items,
        .promoted_count = settings->promoted.count,
        .keep_identifying = settings->keep_identifying,
        .promote_scope = settings->promote_scope,
    };
    (void)otlp_naming_parse(str_of(settings->translation_strategy), &options.naming); /* checked */
    return options;
}
