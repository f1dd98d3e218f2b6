#include "fastcgi/environment.hpp"

#include <algorithm>
#include <array>

#include "base/limits.hpp"
#include "base/small_set.hpp"
#include "base/text.hpp"
#include "base/text_table.hpp"
#include "base/words.hpp"

namespace fcgate::fastcgi {

namespace {

constexpr std::string_view header_prefix = "HTTP_";

// What a proxy says of its client.
bool is_said_by_proxies(std::string_view name) {
    return starts_with_ignore_case(name, "X-Forwarded-") || equals_ignore_case(name, "Forwarded") ||
           equals_ignore_case(name, "X-Real-IP");
}

constexpr std::string_view not_forwarded_names[] = {"Host", "Content-Type", "Content-Length", "Proxy",
                                                    "Redirect-Status"};
constexpr NameSet not_forwarded(not_forwarded_names);

constexpr size_t hash_bits = 10;
constexpr size_t hash_count = size_t{1} << hash_bits;

// A short hash of a field's name, whatever its case; 0 when no variable is made of it.
uint16_t hash_of_forwarded(std::string_view name) {
    if (name.empty() || is_hop_by_hop(name) || not_forwarded.has(name)) {
        return 0;
    }
    constexpr auto multiplier = static_cast<words::Word>(0x94d049bb133111ebU);  // odd, and its bits are well mixed
    words::Word hash = name.size();
    const auto take = [&hash](words::Word word) {
        hash = (hash ^ (word | words::ones * 0x20)) * multiplier;
        return words::is_plain(word);
    };
    if (name.size() < sizeof(words::Word)) {
        words::Word word = words::ones * 'a';
        memcpy(&word, name.data(), name.size());
        if (!take(word)) {
            return 0;
        }
    } else if (words::for_each(name, take) != name.data() + name.size()) {
        return 0;
    }
    return std::max<uint16_t>(static_cast<uint16_t>(hash >> (8 * sizeof hash - hash_bits)), 1);
}

// True when `variable` is that name; or what a header field of that name becomes.
bool is_variable_of(std::string_view variable, std::string_view name, bool as_header) {
    if (as_header) {
        if (!starts_with(variable, header_prefix)) {
            return false;
        }
        variable.remove_prefix(header_prefix.size());
    }
    if (variable.size() != name.size()) {
        return false;
    }
    for (size_t i = 0; i < name.size(); ++i) {
        // Nothing changes in the name of a variable.
        if (variable[i] != header_variable_character(name[i])) {
            return false;
        }
    }
    return true;
}

using enum cgi::Text;

struct Variable {
    std::string_view name;
    std::array<cgi::Text, 3> parts = {};
    cgi::Text needed = redirect_status;  // it is left out when this is empty
};

constexpr Variable variables[] = {
    {"REQUEST_METHOD", {method}},
    {"REQUEST_URI", {uri_slash, uri_rest}},
    {"QUERY_STRING", {query}},
    {"DOCUMENT_ROOT", {root_or_slash}},
    {"DOCUMENT_URI", {script_name, path_info}},
    {"SCRIPT_NAME", {script_name}},
    {"SCRIPT_FILENAME", {document_root, script_name}},
    {"PATH_INFO", {path_info}, path_info},
    {"PATH_TRANSLATED", {document_root, path_info}, path_info},
    {"REDIRECT_STATUS", {redirect_status}},  // php-cgi refuses to run without it (cgi.force_redirect)
    {"GATEWAY_INTERFACE", {interface}},
    {"SERVER_SOFTWARE", {server_software}},
    {"SERVER_PROTOCOL", {protocol}},
    {"SERVER_ADDR", {local}},
    {"SERVER_PORT", {server_port}},
    {"REMOTE_ADDR", {remote}},
    {"REMOTE_PORT", {remote_port}, remote_port},
    {"REQUEST_SCHEME", {scheme}},
    {"HTTPS", {https}, https},
    {"SERVER_NAME", {opening, server_name, closing}},
    {"CONTENT_TYPE", {content_type}, content_type},
#if FCGATE_WITH_AUTH
    {"REMOTE_USER", {remote_user}, remote_user},
    {"AUTH_TYPE", {auth_type}, auth_type},
#endif
};
constexpr auto names = pack_texts<variables, &Variable::name>();
constexpr auto parts_of = pack_column<variables, &Variable::parts>();
constexpr auto needed_by = pack_column<variables, &Variable::needed>();

class Environment {
  public:
    Environment(CgiRequest& request, ParamsWriter& writer) : request_(request), writer_(writer) {}

    void add_all();

  private:
    void work_out_uri();
    void add_variables();
    void add_headers();
    void add_header(size_t at, bool is_repeated);
    [[nodiscard]] size_t find_field(std::string_view name, size_t from) const;
    void add_params();
    [[nodiscard]] bool is_configured(std::string_view name, bool as_header) const;

    CgiRequest& request_;
    ParamsWriter& writer_;
};

void Environment::add_all() {
    add_variables();
    // These two say that there is a body, which may be empty (RFC 9112 section 6, RFC 3875 section 4.1.2).
    if (request_.head.has_content_length || request_.head.is_chunked) {
        Text<24> length;
        length.append_number(request_.body_length);
        writer_.add("CONTENT_LENGTH", length.view());
    }
    add_headers();
    add_params();
}

// Path and query of the request's target; an absolute one may lack the path.
void Environment::work_out_uri() {
    const std::string_view target = request_.head.target;
    auto& texts = request_.texts;
    texts[uri_slash] = {};
    texts[uri_rest] = target;
    if (const size_t authority = scheme_size(target); authority > 0) {
        const std::string_view rest = slice(target, target.find_first_of("/?", authority));
        texts[uri_slash] = slice("/", rest.starts_with('/') ? 1 : 0);
        texts[uri_rest] = rest;
    }
}

void Environment::add_variables() {
    const RequestHead& head = request_.head;
    auto& texts = request_.texts;
    Text<64> local_text;
    Text<64> remote_text;
    Text<8> local_port;
    Text<8> remote_port_text;
    head.local.print_address(local_text);
    head.client.print_address(remote_text);
    // What a client of the proxy before us sees: our own port would lead scripts' absolute addresses astray, and a unix socket has none.
    const unsigned scheme_port = head.is_tls ? 443 : 80;
    local_port.append_number(head.local.is_ip() && !head.is_proxied ? head.local.port() : scheme_port);
    if (head.client.port() != 0) {
        remote_port_text.append_number(head.client.port());
    }
    const std::string_view fallback = head.local.is_ip() ? local_text.view() : "localhost";
    const std::string_view name = texts[host_name].empty() ? fallback : texts[host_name];
    const bool is_bare = name.find(':') != std::string_view::npos && !name.starts_with('[');  // RFC 3875 section 4.1.14

    work_out_uri();
    if (texts[redirect_status].empty()) {
        texts[redirect_status] = "200";
    }
    texts[method] = head.method;
    texts[root_or_slash] = texts[document_root].empty() ? "/" : texts[document_root];
    texts[interface] = "CGI/1.1";
    texts[protocol] = head.is_http_1_0 ? "HTTP/1.0" : "HTTP/1.1";
    texts[local] = local_text.view();
    texts[server_port] = head.is_proxied && !texts[host_port].empty() ? texts[host_port] : local_port.view();
    texts[remote] = remote_text.view();
    texts[remote_port] = remote_port_text.view();
    texts[scheme] = slice("https", 0, head.is_tls ? 5 : 4);
    texts[https] = slice("on", 0, head.is_tls ? 2 : 0);
    texts[opening] = slice("[", 0, is_bare ? 1 : 0);
    texts[server_name] = name;
    texts[closing] = slice("]", 0, is_bare ? 1 : 0);
    texts[content_type] = head.field("Content-Type");
    for (size_t i = 0; i < std::size(names); ++i) {
        if (!texts[needed_by[i]].empty() && !is_configured(names[i], false)) {
            const std::array<cgi::Text, 3>& parts = parts_of[i];
            const std::string_view value[] = {texts[parts[0]], texts[parts[1]], texts[parts[2]]};
            writer_.add(names[i], value);
        }
    }
}

void Environment::add_headers() {
    // The authority of an absolute target replaces Host (RFC 9112 section 3.2.2).
    const std::string_view host = request_.head.host;
    if (!host.empty() && !is_configured("Host", true)) {
        writer_.add_header("Host", host);
    }
    const std::span<const Field> fields = request_.head.fields;
    std::array<uint16_t, limits::request_fields> hashes{};
    const size_t count = std::min(fields.size(), hashes.size());
    // Names are compared only where two of them share a hash: most requests repeat none.
    SmallSet<hash_count> once;
    SmallSet<hash_count> twice;
    for (size_t i = 0; i < count; ++i) {
        const uint16_t hash = hashes[i] = hash_of_forwarded(fields[i].name);
        (once.has(hash) ? twice : once).add(hash);
    }
    for (size_t i = 0; i < count; ++i) {
        const std::string_view name = fields[i].name;
        if (hashes[i] != 0 && !(request_.drops_forwarded && is_said_by_proxies(name)) && !is_configured(name, true)) {
            add_header(i, twice.has(hashes[i]));
        }
    }
}

// The first field of this name from there on; their number when there is none.
size_t Environment::find_field(std::string_view name, size_t from) const {
    const std::span<const Field> fields = request_.head.fields;
    while (from < fields.size() && !equals_ignore_case(fields[from].name, name)) {
        ++from;
    }
    return from;
}

// Of fields that are repeated all at the first of them; nothing for a later one.
void Environment::add_header(size_t at, bool is_repeated) {
    const std::span<const Field> fields = request_.head.fields;
    const auto [name, value] = fields[at];
    if (!is_repeated) {
        writer_.add_header(name, value);
        return;
    }
    if (find_field(name, 0) < at) {
        return;
    }
    const std::string_view separator = equals_ignore_case(name, "Cookie") ? "; " : ", ";
    size_t length = value.size();
    for (size_t i = at; (i = find_field(name, i + 1)) < fields.size();) {
        length += separator.size() + fields[i].value.size();
    }
    writer_.begin_value(name, true, length);
    writer_.append_value(value);
    for (size_t i = at; (i = find_field(name, i + 1)) < fields.size();) {
        writer_.append_value(separator);
        writer_.append_value(fields[i].value);
    }
}

void Environment::add_params() {
    std::span<const Pair> rest = request_.params;
    while (!rest.empty()) {
        const Pair& param = rest.front();
        rest = rest.subspan(1);
        bool is_last = param.name != "CONTENT_LENGTH";
        for (const Pair& later : rest) {
            is_last = is_last && later.name != param.name;
        }
        if (is_last) {
            writer_.add(param.name, param.value);
        }
    }
}

bool Environment::is_configured(std::string_view name, bool as_header) const {
    for (const Pair& param : request_.params) {
        if (is_variable_of(param.name, name, as_header)) {
            return true;
        }
    }
    return false;
}

}  // namespace

[[gnu::noinline]] void write_environment(CgiRequest& request, ParamsWriter& writer) {
    Environment(request, writer).add_all();
}

}  // namespace fcgate::fastcgi
