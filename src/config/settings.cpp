#include "config/settings.hpp"

#include <cstring>

#include "config/keys.hpp"
#include "config/profile.hpp"
#include "config/values.hpp"

namespace fcgate {

using config::Key;
using config::SectionKind;

// A section by its name, and where its values are.
struct Settings::Section {
    SectionKind kind = SectionKind::server;
    std::string_view name;  // empty for [server], [backend], [site]
    void* values = nullptr;
};

// How full everything is, to undo what a failed call has added.
struct Settings::Mark {
    size_t backends;
    size_t sites;
    size_t text;
};

namespace {

// They take no room where they are set: print() shows those that nobody has set, and what it shows must be readable again.
constexpr std::string_view default_words = "index.php index.html refuse stderr off combined rfc5424 /tmp";

struct SectionName {
    std::string_view kind;
    std::string_view name;
};

// "site NAME"; false for more than two words.
bool split_section(std::string_view text, SectionName& out) {
    out.kind = next_word(text);
    out.name = next_word(text);
    return next_word(text).empty();
}

// "site:NAME.key" becomes "site NAME" and "key". Keys have no dots, names may.
bool split_name(std::string_view text, TextBuffer& section, std::string_view& key) {
    const size_t dot = text.rfind('.');
    if (dot == std::string_view::npos) {
        return false;
    }
    key = slice(text, dot + 1);
    std::string_view name;
    const std::string_view kind = split_first(slice(text, 0, dot), ':', name);
    section.append(kind).append(' ').append(name);
    return section.ok();
}

bool find_kind(std::string_view text, SectionKind& kind) {
    for (const SectionKind candidate : {SectionKind::server, SectionKind::backend, SectionKind::site}) {
        if (text == config::kind_name(candidate)) {
            kind = candidate;
            return true;
        }
    }
    return false;
}

template <typename List>
auto* find_by_name(List& list, std::string_view name) {
    for (auto& entry : list) {
        if (entry.name == name) {
            return &entry;
        }
    }
    return static_cast<decltype(&list[0])>(nullptr);
}

const void* find_values(const Settings& settings, SectionKind kind, std::string_view name) {
    switch (kind) {
        case SectionKind::server:
            return &settings.server;
        case SectionKind::backend:
            return find_by_name(settings.backends, name);
        case SectionKind::site:
            return find_by_name(settings.sites, name);
    }
    return nullptr;
}

// The first match decides, so both keys are shown with the first of them, in their order.
void print_access(const Key& key, const SiteSettings& site, TextBuffer& out) {
    if (site.access.empty()) {
        out.append<"% =\n">(key.name);
    }
    for (size_t i = 0; key.allows && i < site.access.size(); ++i) {
        out.append<"% = %\n">(site.access[i].allows ? "allow" : "deny", site.access[i].network.text());
    }
}

void print_section(SectionKind kind, std::string_view name, const void* values, TextBuffer& out) {
    config::print_heading(kind, name, out);
    out.append('\n');
    const config::KeyNumbers keys = config::keys_of(kind);
    for (size_t number = keys.first; number < keys.end; ++number) {
        const Key key = config::key_at(number);
        if (key.type == Key::Type::unbuilt) {
            continue;
        }
        if (key.type == Key::Type::access) {
            print_access(key, *static_cast<const SiteSettings*>(values), out);
            continue;
        }
        const size_t count = config::count_values(key, values);
        if (count == 0 && config::is_repeatable(key)) {
            out.append<"% =\n">(key.name);
        }
        for (size_t i = 0; i < count; ++i) {
            Text<limits::config_value + 1> value;
            config::print_value(key, values, i, value);
            out.append<"%%%\n">(key.name, value.size() == 0 ? " =" : " = ", value.view());
        }
    }
}

Status unusable_name(std::string_view name, ConfigError& error) {
    error.text.append<"unknown name \"%\"; write SECTION.KEY or SECTION:NAME.KEY, for example site.root">(
        Escaped{name, 60});
    config::suggest_key(SectionKind::server, name, error.text);
    return Status::malformed;
}

// What the configuration file cannot carry is not taken from elsewhere either: print() must be readable again.
Status check_characters(std::string_view value, ConfigError& error) {
    if (value.size() > limits::config_value) {
        error.text.append<"the value is longer than % bytes">(limits::config_value);
        return Status::too_large;
    }
    if (has_control(value)) {
        error.text.append("the value contains a control character"_p);
        return Status::malformed;
    }
    if (value.starts_with(';') || value.find(" ;") != std::string_view::npos ||
        value.find("\t;") != std::string_view::npos) {
        error.text.append("a semicolon behind a space begins a comment; leave the space out"_p);
        return Status::malformed;
    }
    return Status::ok;
}

}  // namespace

Result<std::string_view> Settings::keep(std::string_view text, ConfigError& error) {
    const size_t known = default_words.find(text);
    if (known != std::string_view::npos) {
        return slice(default_words, known, text.size());
    }
    if (text.size() > text_.size() - text_size_) {
        error.text.append<"the configuration is too large: more than % bytes">(text_.size());
        return Status::too_large;
    }
    char* place = text_.data() + text_size_;
    memcpy(place, text.data(), text.size());
    text_size_ += text.size();
    return std::string_view(place, text.size());
}

Settings::Mark Settings::mark() const {
    return {backends.size(), sites.size(), text_size_};
}

void Settings::go_back(const Mark& mark) {
    while (backends.size() > mark.backends) {
        backends.pop_back();
    }
    while (sites.size() > mark.sites) {
        sites.pop_back();
    }
    text_size_ = mark.text;
}

Status Settings::open(std::string_view text, Section& section, ConfigError& error) {
    SectionName parts;
    if (!split_section(text, parts) || !find_kind(parts.kind, section.kind) ||
        (section.kind == SectionKind::server && !parts.name.empty())) {
        error.text.append<"unknown section [%]">(Escaped{trim(text), 60});
        config::suggest_kind(parts.kind, error.text);
        return Status::malformed;
    }
    section.name = parts.name;
    // One accessor for reading and writing; *this is not const here.
    section.values = const_cast<void*>(find_values(*this, section.kind, section.name));
    if (section.values != nullptr) {
        return Status::ok;
    }
    if (!section.name.empty() && !config::is_section_name(section.name)) {
        error.text.append<"\"%\" cannot name a section; write at most % letters, digits, dots, dashes and underscores">(
            Escaped{section.name, 40}, limits::section_name);
        return Status::malformed;
    }
    if (section.kind == SectionKind::backend && section.name.empty() && !backends.empty()) {
        error.text.append<
            "behind [backend %] no site would use a [backend] without a name; write [backend NAME], or "
            "backend:NAME.KEY on the command line">(backends[0].name);
        return Status::malformed;
    }
    const Result<std::string_view> kept = keep(section.name, error);
    if (!kept.ok()) {
        return kept.status();
    }
    size_t capacity = 0;
    if (section.kind == SectionKind::backend) {
        BackendSettings* const backend = backends.add();
        section.values = backend;
        capacity = decltype(backends)::capacity();
        if (backend != nullptr) {
            backend->name = kept.value();
        }
    } else {
        SiteSettings* const site = sites.add();
        section.values = site;
        capacity = decltype(sites)::capacity();
        if (site != nullptr) {
            site->name = kept.value();
            site->index_is_default = site->index.push_back("index.php") && site->index.push_back("index.html");
        }
    }
    if (section.values == nullptr) {
        error.text.append<"more than % sections [%]">(capacity, parts.kind);
        return Status::too_large;
    }
    return Status::ok;
}

Status Settings::open_section(std::string_view section, ConfigError& error) {
    return set(section, none, {}, error);
}

Status Settings::set(std::string_view section, std::string_view key, std::string_view value, ConfigError& error) {
    const Mark before = mark();
    error.text.clear();
    const Status status = try_set(section, key, value, error);
    if (status == Status::ok) {
        error.text.clear();
    } else {
        go_back(before);
    }
    return status;
}

// After a failure what it has added is still there. Without a key it opens the section.
Status Settings::try_set(std::string_view section, std::string_view key, std::string_view value, ConfigError& error) {
    Section opened;
    Status status = open(section, opened, error);
    if (status != Status::ok || key.data() == &nothing) {
        return status;
    }
    Key known;
    if (!config::find_key(opened.kind, key, known)) {
        error.text.append<"unknown key \"%\" in ">(Escaped{key, 40});
        config::print_heading(opened.kind, opened.name, error.text);
        config::suggest_key(opened.kind, key, error.text);
        return Status::malformed;
    }
    config::print_heading(opened.kind, opened.name, error.text);
    error.text.append<" %: ">(known.name);
    if (value.data() == &nothing && !config::is_repeatable(known)) {
        error.text.append("it has one value, which can only be replaced"_p);
        return Status::malformed;
    }
    value = trim(value);
    status = check_characters(value, error);
    if (status == Status::ok && config::keeps_text(known)) {
        const Result<std::string_view> kept = keep(value, error);
        status = kept.status();
        value = kept.ok() ? kept.value() : value;
    }
    if (status == Status::ok) {
        status = config::set_value(known, opened.values, value, error.text);
    }
    if (status == Status::ok && opened.kind == SectionKind::server) {
        chosen_ |= config::preset_bit(known.place);
        config::apply_profile(server, chosen_);
    }
    return status;
}

Status Settings::set(std::string_view name, std::string_view value, ConfigError& error) {
    Text<128> section;
    std::string_view key;
    error.text.clear();
    if (!split_name(name, section, key)) {
        return unusable_name(name, error);
    }
    return set(section.view(), key, value, error);
}

Status Settings::print(TextBuffer& out) const {
    print_section(SectionKind::server, {}, &server, out);
    for (const BackendSettings& backend : backends) {
        out.append('\n');
        print_section(SectionKind::backend, backend.name, &backend, out);
    }
    for (const SiteSettings& site : sites) {
        out.append('\n');
        print_section(SectionKind::site, site.name, &site, out);
    }
    return out.status();
}

Status Settings::get(std::string_view name, TextBuffer& out) const {
    Text<128> section;
    std::string_view key;
    SectionName parts;
    SectionKind kind = SectionKind::server;
    if (!split_name(name, section, key) || !split_section(section.view(), parts) || !find_kind(parts.kind, kind)) {
        return Status::not_found;
    }
    const void* values = find_values(*this, kind, parts.name);
    Key known;
    if (values == nullptr || !config::find_key(kind, key, known)) {
        return Status::not_found;
    }
    const size_t count = config::count_values(known, values);
    for (size_t i = 0; i < count; ++i) {
        if (i > 0) {
            out.append('\n');
        }
        config::print_value(known, values, i, out);
    }
    return out.status();
}

size_t Settings::used_size() const {
    // Settings that a server has begin on a page: what they use is the same wherever this object lies.
    constexpr uintptr_t page = 4096;
    const auto pages = [this](const void* begin, const void* end) {
        const uintptr_t start = reinterpret_cast<uintptr_t>(this);
        return (reinterpret_cast<uintptr_t>(end) - start + page - 1) / page -
               (reinterpret_cast<uintptr_t>(begin) - start) / page;
    };
    // The lists are the last members but for the text; what stands before them is small.
    const size_t used =
        pages(this, backends.end()) + pages(&sites, sites.end()) + pages(&text_size_, text_.data() + text_size_);
    return used * page;
}

}  // namespace fcgate
