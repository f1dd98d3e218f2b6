#include "fastcgi/environment.hpp"

#include "base/text.hpp"

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
    for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
        if (starts_with_ignore_case(target, scheme)) {
            authority = scheme.size();
        }
    }
    if (authority == 0) {
        return {{}, target};
    }
    const size_t end = target.find_first_of("/?", authority);
    const std::string_view rest = end == std::string_view::npos ? std::string_view() : slice(target, end);
    return {rest.starts_with('/') ? "" : "/", rest};
}

// One bit of 64 for a field name, whatever its case.
uint64_t name_bit(std::string_view name) {
    const auto first = static_cast<unsigned char>(to_lower(name.front()));
    const auto last = static_cast<unsigned char>(to_lower(name.back()));
    return uint64_t{1} << ((name.size() * 7 + size_t{5} * first + last) % 64);
}

class Environment {
  public:
    Environment(const CgiRequest& request, ParamsWriter& writer) : request_(request), writer_(writer) {}

    void add_all();

  private:
    void add(std::string_view name, std::string_view value);
    void add(std::string_view name, std::string_view first, std::string_view second, std::string_view third = {});
    void add_number(std::string_view name, uint64_t value);
    void add_server();
    void add_script();
    void add_headers();
    void add_header(std::string_view name, std::string_view value);
    void add_joined(size_t at);
    void add_params();
    [[nodiscard]] bool is_configured(std::string_view name) const;
    [[nodiscard]] bool is_header_configured(std::string_view name) const;

    const CgiRequest& request_;
    ParamsWriter& writer_;
};

void Environment::add_all() {
    add_script();
    add_server();
    if (request_.has_body) {
        Text<24> length;
        length.append_number(request_.body_length);
        writer_.add("CONTENT_LENGTH", length.view());
    }
    const std::string_view content_type = request_.head.field("Content-Type");
    if (!content_type.empty()) {
        add("CONTENT_TYPE", content_type);
    }
    add_headers();
    add_params();
}

void Environment::add_script() {
    const std::string_view root = request_.document_root;
    const RequestUri uri = request_uri(request_.head.target);
    add("REQUEST_METHOD", request_.head.method);
    add("REQUEST_URI", uri.slash, uri.rest);
    add("QUERY_STRING", request_.query);
    add("DOCUMENT_ROOT", root.empty() ? "/" : root);
    add("DOCUMENT_URI", request_.script_name, request_.path_info);
    add("SCRIPT_NAME", request_.script_name);
    add("SCRIPT_FILENAME", root, request_.script_name);
    if (!request_.path_info.empty()) {
        add("PATH_INFO", request_.path_info);
        add("PATH_TRANSLATED", root, request_.path_info);
    }
    add("REDIRECT_STATUS", "200");  // php-cgi refuses to run without it (cgi.force_redirect)
}

void Environment::add_server() {
    const RequestHead& head = request_.head;
    Text<64> local;
    head.local.print_address(local);
    Text<64> remote;
    head.client.print_address(remote);

    add("GATEWAY_INTERFACE", "CGI/1.1");
    add("SERVER_SOFTWARE", request_.server_software);
    add("SERVER_PROTOCOL", head.is_http_1_0 ? "HTTP/1.0" : "HTTP/1.1");
    add("SERVER_ADDR", local.view());
    // What a client of the proxy before us sees: our own port would lead scripts' absolute addresses astray, and a unix socket has none.
    const unsigned scheme_port = head.is_tls ? 443 : 80;
    if (head.is_proxied && !request_.server_port.empty()) {
        add("SERVER_PORT", request_.server_port);
    } else {
        add_number("SERVER_PORT", head.local.is_ip() && !head.is_proxied ? head.local.port() : scheme_port);
    }
    add("REMOTE_ADDR", remote.view());
    if (head.client.port() != 0) {
        add_number("REMOTE_PORT", head.client.port());
    }
    add("REQUEST_SCHEME", head.is_tls ? "https" : "http");
    if (head.is_tls) {
        add("HTTPS", "on");
    }

    const std::string_view fallback = head.local.is_ip() ? local.view() : "localhost";
    const std::string_view name = request_.server_name.empty() ? fallback : request_.server_name;
    if (name.find(':') != std::string_view::npos && !name.starts_with('[')) {
        add("SERVER_NAME", "[", name, "]");  // RFC 3875 section 4.1.14
    } else {
        add("SERVER_NAME", name);
    }
}

void Environment::add_headers() {
    // The authority of an absolute target replaces Host (RFC 9112 section 3.2.2).
    if (!request_.head.host.empty()) {
        add_header("Host", request_.head.host);
    }
    const std::span<const Field> fields = request_.head.fields;
    // Names are compared only where two of them share a bit: most requests repeat none.
    uint64_t once = 0;
    uint64_t twice = 0;
    for (const Field& field : fields) {
        if (!field.name.empty()) {
            const uint64_t bit = name_bit(field.name);
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

// Adds the fields of one name at the first of them; does nothing when `at` is a later one.
void Environment::add_joined(size_t at) {
    const std::span<const Field> fields = request_.head.fields;
    const std::string_view name = fields[at].name;
    for (const Field& earlier : fields.first(at)) {
        if (equals_ignore_case(earlier.name, name)) {
            return;
        }
    }
    if (is_header_configured(name)) {
        return;
    }
    const std::string_view separator = equals_ignore_case(name, "Cookie") ? "; " : ", ";
    size_t length = fields[at].value.size();
    for (const Field& later : fields.subspan(at + 1)) {
        if (equals_ignore_case(later.name, name)) {
            length += separator.size() + later.value.size();
        }
    }
    writer_.begin_value(name, true, length);
    writer_.append_value(fields[at].value);
    for (const Field& later : fields.subspan(at + 1)) {
        if (equals_ignore_case(later.name, name)) {
            writer_.append_value(separator);
            writer_.append_value(later.value);
        }
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

void Environment::add(std::string_view name, std::string_view value) {
    if (!is_configured(name)) {
        writer_.add(name, value);
    }
}

void Environment::add(std::string_view name, std::string_view first, std::string_view second, std::string_view third) {
    if (!is_configured(name)) {
        writer_.add(name, first, second, third);
    }
}

void Environment::add_number(std::string_view name, uint64_t value) {
    Text<24> text;
    text.append_number(value);
    add(name, text.view());
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

void write_environment(const CgiRequest& request, ParamsWriter& writer) {
    Environment(request, writer).add_all();
}

}  // namespace fcgate::fastcgi
