#include "fastcgi/environment.hpp"

#include <array>

#include "base/text.hpp"
#include "base/text_table.hpp"

namespace fcgate::fastcgi {

namespace {

constexpr std::string_view header_prefix = "HTTP_";

// What a proxy says of its client.
bool is_said_by_proxies(std::string_view name) {
    return starts_with_ignore_case(name, "X-Forwarded-") || equals_ignore_case(name, "Forwarded") ||
           equals_ignore_case(name, "X-Real-IP");
}

constexpr std::string_view not_forwarded[] = {"Host", "Content-Type", "Content-Length", "Proxy", "Redirect-Status"};

bool is_forwarded(std::string_view name) {
    for (const char c : name) {
        const char lower = to_lower(c);
        if (!is_digit(c) && (lower < 'a' || lower > 'z') && c != '-') {
            return false;
        }
    }
    return !name.empty() && !is_hop_by_hop(name) && !is_one_of(name, not_forwarded);
}

// True when `variable` is what the header field `name` becomes.
bool is_variable_of(std::string_view variable, std::string_view name) {
    if (!starts_with(variable, header_prefix) || variable.size() != header_prefix.size() + name.size()) {
        return false;
    }
    variable.remove_prefix(header_prefix.size());
    for (size_t i = 0; i < name.size(); ++i) {
        if (variable[i] != header_variable_character(name[i])) {
            return false;
        }
    }
    return true;
}

// Path and query of a request target; the path in two parts, for an absolute target may lack it.
struct RequestUri {
    std::string_view slash;
    std::string_view rest;
};

RequestUri request_uri(std::string_view target) {
    size_t authority = 0;
    if (starts_with_ignore_case(target, "http://")) {
        authority = 7;
    } else if (starts_with_ignore_case(target, "https://")) {
        authority = 8;
    } else {
        return {{}, target};
    }
    const std::string_view rest = slice(target, target.find_first_of("/?", authority));
    return {slice("/", rest.starts_with('/') ? 1 : 0), rest};
}

// One bit of 32 for a field name, whatever its case.
uint32_t name_bit(std::string_view name) {
    const auto first = static_cast<unsigned char>(to_lower(name.front()));
    const auto last = static_cast<unsigned char>(to_lower(name.back()));
    return uint32_t{1} << ((name.size() * 7 + size_t{5} * first + last) % 32);
}

// What values are made of.
enum Part : uint8_t {
    nothing,
    ok_status,
    method,
    uri_slash,
    uri_rest,
    query,
    root,
    root_or_slash,
    script,
    path_info,
    interface,
    software,
    protocol,
    local,
    server_port,
    remote,
    remote_port,
    scheme,
    https,
    opening,
    server_name,
    closing,
    content_type,
    part_count,
};

struct Variable {
    std::string_view name;
    std::array<Part, 3> parts = {};
    Part needed = ok_status;  // it is left out when this is empty
};

constexpr Variable variables[] = {
    {"REQUEST_METHOD", {method}},
    {"REQUEST_URI", {uri_slash, uri_rest}},
    {"QUERY_STRING", {query}},
    {"DOCUMENT_ROOT", {root_or_slash}},
    {"DOCUMENT_URI", {script, path_info}},
    {"SCRIPT_NAME", {script}},
    {"SCRIPT_FILENAME", {root, script}},
    {"PATH_INFO", {path_info}, path_info},
    {"PATH_TRANSLATED", {root, path_info}, path_info},
    {"REDIRECT_STATUS", {ok_status}},  // php-cgi refuses to run without it (cgi.force_redirect)
    {"GATEWAY_INTERFACE", {interface}},
    {"SERVER_SOFTWARE", {software}},
    {"SERVER_PROTOCOL", {protocol}},
    {"SERVER_ADDR", {local}},
    {"SERVER_PORT", {server_port}},
    {"REMOTE_ADDR", {remote}},
    {"REMOTE_PORT", {remote_port}, remote_port},
    {"REQUEST_SCHEME", {scheme}},
    {"HTTPS", {https}, https},
    {"SERVER_NAME", {opening, server_name, closing}},
    {"CONTENT_TYPE", {content_type}, content_type},
};
constexpr auto names = pack_texts<variables, &Variable::name>();
constexpr auto parts_of = pack_column<variables, &Variable::parts>();
constexpr auto needed_by = pack_column<variables, &Variable::needed>();

class Environment {
  public:
    Environment(const CgiRequest& request, ParamsWriter& writer) : request_(request), writer_(writer) {}

    void add_all();

  private:
    void add_variables();
    void add_headers();
    void add_header(std::string_view name, std::string_view value);
    void add_joined(size_t at);
    [[nodiscard]] size_t find_field(std::string_view name, size_t from) const;
    void add_params();
    [[nodiscard]] bool is_configured(std::string_view name) const;
    [[nodiscard]] bool is_header_configured(std::string_view name) const;

    const CgiRequest& request_;
    ParamsWriter& writer_;
};

void Environment::add_all() {
    add_variables();
    if (request_.has_body) {
        Text<24> length;
        length.append_number(request_.body_length);
        writer_.add("CONTENT_LENGTH", length.view());
    }
    add_headers();
    add_params();
}

void Environment::add_variables() {
    const RequestHead& head = request_.head;
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
    const RequestUri uri = request_uri(head.target);
    const std::string_view fallback = head.local.is_ip() ? local_text.view() : "localhost";
    const std::string_view name = request_.server_name.empty() ? fallback : request_.server_name;
    const bool is_bare = name.find(':') != std::string_view::npos && !name.starts_with('[');  // RFC 3875 section 4.1.14

    std::string_view values[part_count];
    values[ok_status] = "200";
    values[method] = head.method;
    values[uri_slash] = uri.slash;
    values[uri_rest] = uri.rest;
    values[query] = request_.query;
    values[root] = request_.document_root;
    values[root_or_slash] = request_.document_root.empty() ? "/" : request_.document_root;
    values[script] = request_.script_name;
    values[path_info] = request_.path_info;
    values[interface] = "CGI/1.1";
    values[software] = request_.server_software;
    values[protocol] = head.is_http_1_0 ? "HTTP/1.0" : "HTTP/1.1";
    values[local] = local_text.view();
    values[server_port] = head.is_proxied && !request_.server_port.empty() ? request_.server_port : local_port.view();
    values[remote] = remote_text.view();
    values[remote_port] = remote_port_text.view();
    values[scheme] = head.is_tls ? "https" : "http";
    values[https] = head.is_tls ? "on" : "";
    values[opening] = is_bare ? "[" : "";
    values[server_name] = name;
    values[closing] = is_bare ? "]" : "";
    values[content_type] = head.field("Content-Type");
    for (size_t i = 0; i < std::size(names); ++i) {
        if (!values[needed_by[i]].empty() && !is_configured(names[i])) {
            const std::array<Part, 3>& parts = parts_of[i];
            const std::string_view value[] = {values[parts[0]], values[parts[1]], values[parts[2]]};
            writer_.add(names[i], value);
        }
    }
}

void Environment::add_headers() {
    // The authority of an absolute target replaces Host (RFC 9112 section 3.2.2).
    if (!request_.head.host.empty()) {
        add_header("Host", request_.head.host);
    }
    const std::span<const Field> fields = request_.head.fields;
    // Names are compared only where two of them share a bit: most requests repeat none.
    uint32_t once = 0;
    uint32_t twice = 0;
    for (const Field& field : fields) {
        if (!field.name.empty()) {
            const uint32_t bit = name_bit(field.name);
            twice |= once & bit;
            once |= bit;
        }
    }
    for (size_t i = 0; i < fields.size(); ++i) {
        if (!is_forwarded(fields[i].name) || (request_.drops_forwarded && is_said_by_proxies(fields[i].name))) {
            continue;
        }
        if ((twice & name_bit(fields[i].name)) == 0) {
            add_header(fields[i].name, fields[i].value);
        } else {
            add_joined(i);
        }
    }
}

void Environment::add_header(std::string_view name, std::string_view value) {
    if (!is_header_configured(name)) {
        writer_.add_header(name, value);
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

// Adds the fields of one name at the first of them; does nothing when `at` is a later one.
void Environment::add_joined(size_t at) {
    const std::span<const Field> fields = request_.head.fields;
    const std::string_view name = fields[at].name;
    if (find_field(name, 0) < at || is_header_configured(name)) {
        return;
    }
    const std::string_view separator = equals_ignore_case(name, "Cookie") ? "; " : ", ";
    size_t length = fields[at].value.size();
    for (size_t i = at; (i = find_field(name, i + 1)) < fields.size();) {
        length += separator.size() + fields[i].value.size();
    }
    writer_.begin_value(name, true, length);
    writer_.append_value(fields[at].value);
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

bool Environment::is_configured(std::string_view name) const {
    for (const Pair& param : request_.params) {
        if (param.name == name) {
            return true;
        }
    }
    return false;
}

bool Environment::is_header_configured(std::string_view name) const {
    for (const Pair& param : request_.params) {
        if (is_variable_of(param.name, name)) {
            return true;
        }
    }
    return false;
}

}  // namespace

[[gnu::noinline]] void write_environment(const CgiRequest& request, ParamsWriter& writer) {
    Environment(request, writer).add_all();
}

}  // namespace fcgate::fastcgi
