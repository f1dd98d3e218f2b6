// What a key does with its values: the other half of keys.hpp.
#include "base/features.hpp"
#include "base/log.hpp"
#include "base/packed_table.hpp"
#include "config/keys.hpp"
#include "config/settings.hpp"
#include "config/values.hpp"

namespace fcgate::config {

namespace {

using Type = Key::Type;
using Pairs = FixedList<Pair, limits::pairs_per_site>;
using Words = FixedList<std::string_view, limits::words_per_key>;
using Listeners = FixedList<ListenSettings, limits::listeners>;
using Networks = FixedList<Network, limits::networks>;
using Access = FixedList<AccessRule, limits::networks>;

constexpr size_t shown = 40;      // bytes of a wrong value in a message
constexpr size_t hint_room = 32;  // for that of a flag

template <typename Value>
Value& value_of(const Key& key, void* section) {
    return *static_cast<Value*>(static_cast<void*>(static_cast<char*>(section) + key.place));
}

template <typename Value>
const Value& value_of(const Key& key, const void* section) {
    return *static_cast<const Value*>(static_cast<const void*>(static_cast<const char*>(section) + key.place));
}

Status wrong(const Key& key, std::string_view value, Packed what, TextBuffer& message) {
    message.append<"\"%\" %; write %">(Escaped{value, shown}, what, key.hint);
    return Status::malformed;
}

Status no_room(size_t capacity, TextBuffer& message) {
    message.append<"more than % values">(capacity);
    return Status::too_large;
}

Status listed_twice(std::string_view value, TextBuffer& message) {
    message.append<"\"%\" is listed twice">(Escaped{value, shown});
    return Status::malformed;
}

void print_quantity(Type type, uint64_t value, TextBuffer& out) {
    if (type == Type::size) {
        print_size(value, out);
    } else if (type == Type::time) {
        print_time(value, out);
    } else {
        out.append_number(value);
    }
}

// By type: what a value is called, how it is written, and what there may be of it.
struct Quantity {
    std::string_view name;
    std::string_view form;
    std::string_view some;
};
constexpr Quantity quantities[] = {
    {"whole number", "one", "a number"},
    {"size", "bytes, or k or m behind the number,", "a size"},
    {"time", "ms, s, m, h or d behind the number,", "a time"},
};
constexpr auto quantity_words = pack_tightly<quantities, &Quantity::name, &Quantity::form, &Quantity::some>();
static_assert(Type::number == Type{0} && Type::size == Type{1} && Type::time == Type{2});

Result<uint64_t> parse_quantity(const Key& key, std::string_view value, TextBuffer& message) {
    const Result<uint64_t> parsed = key.type == Type::size   ? parse_size(value)
                                    : key.type == Type::time ? parse_time(value)
                                                             : parse_decimal(value);
    if (parsed.ok() && parsed.value() >= key.range.least && parsed.value() <= key.range.most) {
        return parsed;
    }
    const size_t words = 3 * static_cast<size_t>(key.type);
    if (parsed.ok() || parsed.status() == Status::too_large) {
        message.append<"\"%\" is out of range; write % from ">(Escaped{value, shown}, quantity_words[words + 2]);
    } else {
        message.append<"\"%\" is not a %; write % from ">(Escaped{value, shown}, quantity_words[words],
                                                          quantity_words[words + 1]);
    }
    print_quantity(key.type, key.range.least, message);
    message.append(" to "_p);
    print_quantity(key.type, key.range.most, message);
    return Status::malformed;
}

Status set_quantity(const Key& key, void* section, std::string_view value, TextBuffer& message) {
    const Result<uint64_t> parsed = parse_quantity(key, value, message);
    if (!parsed.ok()) {
        return parsed.status();
    }
    if (key.type == Type::size) {
        value_of<uint64_t>(key, section) = parsed.value();
    } else if (key.type == Type::time) {
        value_of<int64_t>(key, section) = static_cast<int64_t>(parsed.value());
    } else {
        value_of<uint32_t>(key, section) = static_cast<uint32_t>(parsed.value());
    }
    return Status::ok;
}

// Says why an address is not taken: for some reasons the example alone would not help.
void add_missing(std::string_view option, TextBuffer& message) {
    message.append<"this fcgate was built without it (-D%=disabled)">(option);
}

Status wrong_address(const Key& key, Status reason, std::string_view value, TextBuffer& message) {
    if (reason == Status::too_large) {
        return wrong(key, value, "is too long for a socket (107 bytes)"_p, message);
    }
    if (reason == Status::refused) {
        return wrong(key, value, "has a port above 65535"_p, message);
    }
    if (reason == Status::not_found) {
        return wrong(key, value, "names no network interface behind the %"_p, message);
    }
    // What is meant is plain where only the beginning is missing.
    const bool is_path = starts_with(value, "/");
    if (is_path || parse_decimal(value).ok()) {
        const char* const here = key.type == Type::listen ? ":" : "127.0.0.1:";
        message.append<"\"%\" is not an address; write %%">(Escaped{value}, is_path ? "unix:" : here, Escaped{value});
        return Status::malformed;
    }
    return wrong(key, value, "is not an address"_p, message);
}

Status add_listener(const Key& key, void* section, std::string_view value, TextBuffer& message) {
    auto& list = value_of<Listeners>(key, section);
    ListenSettings listener;
    const Status status = parse_listen(value, listener);
    if (status != Status::ok) {
        return wrong_address(key, status, value, message);
    }
    for (const ListenSettings& other : list) {
        if (other.text == listener.text) {
            return listed_twice(value, message);
        }
    }
    return list.push_back(listener) ? Status::ok : no_room(Listeners::capacity(), message);
}

Status add_server(const Key& key, BackendSettings& backend, std::string_view value, TextBuffer& message) {
    BackendAddress server;
    const Status status = parse_backend_address(value, server);
    if (status != Status::ok) {
        return wrong_address(key, status, value, message);
    }
    if (backend.kind == BackendSettings::Kind::unset) {
        static_cast<BackendAddress&>(backend) = server;
        return Status::ok;
    }
    if (server.is_alone() || backend.is_alone()) {
        message.append<"a backend has either % or other addresses">(server.is_alone() ? server.address
                                                                                      : backend.address);
        return Status::malformed;
    }
    for (size_t i = 0; i < backend.server_count(); ++i) {
        if (backend.server(i).address == value) {
            return listed_twice(value, message);
        }
    }
    return backend.other_servers.push_back(server) ? Status::ok : no_room(limits::servers, message);
}

template <typename List>
Status add_words(const Key& key, List& list, std::string_view value, TextBuffer& message) {
    List longer = list;
    std::string_view rest = value;
    for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
        if (!key.accepts(word)) {
            return wrong(key, word, "is not right"_p, message);
        }
        if (!longer.push_back(word)) {
            return no_room(List::capacity(), message);
        }
    }
    list = longer;
    return Status::ok;
}

Status add_index(const Key& key, SiteSettings& site, std::string_view value, TextBuffer& message) {
    auto list = site.index_is_default ? decltype(site.index){} : site.index;
    const Status status = add_words(key, list, value, message);
    if (status == Status::ok) {
        site.index = list;
        site.index_is_default = false;
    }
    return status;
}

Status add_pair(const Key& key, void* section, std::string_view value, TextBuffer& message) {
    auto& list = value_of<Pairs>(key, section);
    std::string_view rest = value;
    const std::string_view name = next_word(rest);
    rest = trim(rest);
    if (!key.accepts(name)) {
        return wrong(key, name, "cannot be set"_p, message);
    }
    if (rest.empty()) {
        return wrong(key, name, "has no value"_p, message);
    }
    if (!key.accepts_value(rest)) {
        return wrong(key, rest, "is not right"_p, message);
    }
    return list.push_back({name, rest}) ? Status::ok : no_room(Pairs::capacity(), message);
}

// Calls `add` for each word of `value`, which names networks; all of them or none.
template <typename List, typename Add>
Status add_networks(const Key& key, List& list, std::string_view value, TextBuffer& message, Add add) {
    List longer = list;
    std::string_view rest = value;
    for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
        const Result<Network> network = Network::parse(word);
        if (!network.ok()) {
            return wrong(key, word, "is no network"_p, message);
        }
        if (!add(longer, network.value())) {
            return no_room(List::capacity(), message);
        }
    }
    list = longer;
    return Status::ok;
}

// Which of the rules is the key's `number`th; their count when there are no more.
size_t find_rule(const Key& key, const Access& rules, size_t number) {
    size_t at = 0;
    while (at < rules.size() && (rules[at].allows != key.allows || number-- > 0)) {
        ++at;
    }
    return at;
}

size_t count_rules(const Key& key, const Access& rules) {
    size_t count = 0;
    for (const AccessRule& rule : rules) {
        count += rule.allows == key.allows ? 1U : 0U;
    }
    return count;
}

void clear_rules(const Key& key, Access& rules) {
    Access kept;
    for (const AccessRule& rule : rules) {
        // As many as there were: there is room.
        (void)(rule.allows == key.allows || kept.push_back(rule));
    }
    rules = kept;
}

Status check_support(const Key& key, std::string_view value, TextBuffer& message) {
    if (key.option.empty()) {
        return Status::ok;
    }
    if (key.type == Type::unbuilt) {
        add_missing(key.option, message);
        return Status::refused;
    }
    for (std::string_view word = next_word(value); !word.empty(); word = next_word(value)) {
        // "syslog:/PATH" too.
        if (slice(word, 0, word.find(':')) == key.option) {
            message.append<"\"%\": ">(word);
            add_missing(key.option, message);
            return Status::refused;
        }
    }
    return Status::ok;
}

// The hint names both: "yes or no".
std::string_view choice_of(const Key& key, bool value, TextBuffer& hint) {
    hint.clear();
    std::string_view no = hint.append(key.hint).view();
    const std::string_view yes = next_word(no);
    (void)next_word(no);
    return value ? yes : trim(no);
}

Result<bool> parse_choice(const Key& key, std::string_view value) {
    Text<hint_room> hint;
    for (const bool choice : {false, true}) {
        if (value == choice_of(key, choice, hint)) {
            return choice;
        }
    }
    return Status::malformed;
}

template <typename Parsed, typename Value>
Status store(const Key& key, const Result<Parsed>& parsed, Value& place, std::string_view text, TextBuffer& message) {
    if (!parsed.ok()) {
        return wrong(key, text, "is neither"_p, message);
    }
    place = parsed.value();
    return Status::ok;
}

}  // namespace

bool is_repeatable(const Key& key) {
    return key.type == Type::listen || key.type == Type::words || key.type == Type::index || key.type == Type::pairs ||
           key.type == Type::networks || key.type == Type::access || key.type == Type::address;
}

bool keeps_text(const Key& key) {
    return key.type == Type::text || is_repeatable(key);
}

Status set_value(const Key& key, void* section, std::string_view value, TextBuffer& message) {
    if (value.empty() && is_repeatable(key)) {
        clear_values(key, section);
        return Status::ok;
    }
    const Status support = check_support(key, value, message);
    if (support != Status::ok) {
        return support;
    }
    switch (key.type) {
        case Type::number:
        case Type::size:
        case Type::time:
            return set_quantity(key, section, value, message);
        case Type::flag:
            return store(key, parse_choice(key, value), value_of<bool>(key, section), value, message);
        case Type::log_level:
            return store(key, parse_log_level(value), value_of<LogLevel>(key, section), value, message);
        case Type::text:
            if (!key.accepts(value)) {
                return wrong(key, value, "is not right"_p, message);
            }
            value_of<std::string_view>(key, section) = value;
            return Status::ok;
        case Type::address: {
            if (!features::spawn && value == "spawn") {
                message.append("\"spawn\": "_p);
                add_missing("spawn", message);
                return Status::refused;
            }
            return add_server(key, value_of<BackendSettings>(key, section), value, message);
        }
        case Type::listen:
            return add_listener(key, section, value, message);
        case Type::words:
            return add_words(key, value_of<Words>(key, section), value, message);
        case Type::index:
            return add_index(key, value_of<SiteSettings>(key, section), value, message);
        case Type::pairs:
            return add_pair(key, section, value, message);
        case Type::networks:
            return add_networks(key, value_of<Networks>(key, section), value, message,
                                [](Networks& list, const Network& network) { return list.push_back(network); });
        case Type::access:
            return add_networks(key, value_of<Access>(key, section), value, message,
                                [&key](Access& list, const Network& network) {
                                    return list.push_back({network, key.allows});
                                });
        case Type::unbuilt:
            break;  // check_support() has refused it
    }
    return Status::refused;
}

void clear_values(const Key& key, void* section) {
    if (key.type == Type::listen) {
        value_of<Listeners>(key, section).clear();
    } else if (key.type == Type::words) {
        value_of<Words>(key, section).clear();
    } else if (key.type == Type::pairs) {
        value_of<Pairs>(key, section).clear();
    } else if (key.type == Type::networks) {
        value_of<Networks>(key, section).clear();
    } else if (key.type == Type::access) {
        clear_rules(key, value_of<Access>(key, section));
    } else if (key.type == Type::address) {
        auto& backend = value_of<BackendSettings>(key, section);
        static_cast<BackendAddress&>(backend) = BackendAddress();
        backend.other_servers.clear();
    } else if (key.type == Type::index) {
        auto& site = value_of<SiteSettings>(key, section);
        site.index.clear();
        site.index_is_default = false;
    }
}

size_t count_values(const Key& key, const void* section) {
    if (key.type == Type::listen) {
        return value_of<Listeners>(key, section).size();
    }
    if (key.type == Type::words) {
        return value_of<Words>(key, section).size();
    }
    if (key.type == Type::pairs) {
        return value_of<Pairs>(key, section).size();
    }
    if (key.type == Type::networks) {
        return value_of<Networks>(key, section).size();
    }
    if (key.type == Type::access) {
        return count_rules(key, value_of<Access>(key, section));
    }
    if (key.type == Type::index) {
        return value_of<SiteSettings>(key, section).index.size();
    }
    if (key.type == Type::address) {
        const auto& backend = value_of<BackendSettings>(key, section);
        return backend.kind == BackendSettings::Kind::unset ? 0 : backend.server_count();
    }
    return 1;
}

void print_value(const Key& key, const void* section, size_t number, TextBuffer& out) {
    switch (key.type) {
        case Type::number:
            out.append_number(value_of<uint32_t>(key, section));
            return;
        case Type::size:
            print_size(value_of<uint64_t>(key, section), out);
            return;
        case Type::time:
            print_time(static_cast<uint64_t>(value_of<int64_t>(key, section)), out);
            return;
        case Type::flag: {
            Text<hint_room> hint;
            out.append(choice_of(key, value_of<bool>(key, section), hint));
            return;
        }
        case Type::log_level:
            out.append(log_level_name(value_of<LogLevel>(key, section)));
            return;
        case Type::text:
            out.append(value_of<std::string_view>(key, section));
            return;
        case Type::address:
            out.append(value_of<BackendSettings>(key, section).server(number).address);
            return;
        case Type::listen:
            out.append(value_of<Listeners>(key, section)[number].text);
            return;
        case Type::words:
            out.append(value_of<Words>(key, section)[number]);
            return;
        case Type::index:
            out.append(value_of<SiteSettings>(key, section).index[number]);
            return;
        case Type::pairs: {
            const Pair& pair = value_of<Pairs>(key, section)[number];
            out.append<"% %">(pair.name, pair.value);
            return;
        }
        case Type::networks:
            out.append(value_of<Networks>(key, section)[number].text());
            return;
        case Type::access: {
            const Access& rules = value_of<Access>(key, section);
            out.append(rules[find_rule(key, rules, number)].network.text());
            return;
        }
        case Type::unbuilt:
            return;
    }
}

}  // namespace fcgate::config
