// What holds from the start of a server, and what a server changes in the settings that it takes over.
#include "config/keys.hpp"
#include "config/settings.hpp"

namespace fcgate {

Status Settings::keep_start_keys(const Settings& running, TextBuffer& changed, ConfigError& error) {
    Status status = Status::ok;
    chosen_ = UINT32_MAX;  // of the two profiles none presets what is kept, nor what is not
    const config::KeyNumbers keys = config::keys_of(config::SectionKind::server);
    for (size_t i = keys.first; i < keys.end; ++i) {
        const config::Key key = config::key_at(i);
        if (!key.at_start) {
            continue;
        }
        Text<limits::config_value + 1> before;
        Text<limits::config_value + 1> after;
        config::print_value(key, &running.server, 0, before);
        config::print_value(key, &server, 0, after);
        if (before.view() == after.view()) {
            continue;
        }
        changed.append(slice(changed.size() > 0 ? ", " : "", 0, changed.room()));
        changed.append(slice(key.name, 0, changed.room()));
        status = set("server", key.name, before.view(), error);
        if (status != Status::ok) {
            break;
        }
    }
    return status;
}

Settings::Original::Original(const Settings& settings)
    : server(static_cast<const StartSettings&>(settings.server)),
      chosen(settings.chosen_),
      text_size(settings.text_size_) {
    for (const ReplacedBackend& backend : settings.backends) {
        (void)backends.push_back(backend);
    }
}

void Settings::put_back(const Original& original) {
    static_cast<StartSettings&>(server) = original.server;
    chosen_ = original.chosen;
    text_size_ = original.text_size;
    BackendSettings* backend = backends.begin();
    for (const ReplacedBackend& before : original.backends) {
        static_cast<ReplacedBackend&>(*backend++) = before;
    }
}

}  // namespace fcgate
