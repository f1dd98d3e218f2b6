// A request head: the request line's method and version, then its fields; with the Host rules behind it.
#include <cstring>

#include "fuzz.hpp"
#include "http/guard.hpp"
#include "route/host.hpp"
#include "route/path.hpp"

namespace {

using fcgate::Field;
using fcgate::RequestHead;
using fcgate::Settings;
using fcgate::Status;
using fcgate::test::promise;

const Settings& known_sites() {
    static Settings settings;
    static const bool is_made = [] {
        fcgate::ConfigError error;
        const bool good = settings.set("site one", "host", "router.lan *.local", error) == Status::ok &&
                          settings.set("site two", "host", "panel.example", error) == Status::ok;
        promise(good, "the sites are good");
        return true;
    }();
    (void)is_made;
    return settings;
}

[[nodiscard]] bool is_known(std::string_view name) {
    for (const std::string_view known : {"router.lan", "panel.example", "localhost", "box", "box.lan"}) {
        if (fcgate::equals_ignore_case(name, known)) {
            return true;
        }
    }
    return fcgate::ends_with_ignore_case(name, ".local");
}

void check_host(std::string_view value) {
    fcgate::route::HostPort host;
    if (fcgate::route::parse_host(value, host) != Status::ok) {
        return;
    }
    promise(!host.name.empty() && host.name.size() <= 255, "a Host has a name");
    promise(!fcgate::has_control(host.name) && host.name.find_first_of("/@ \\%#?") == std::string_view::npos,
            "the name is one");
    promise(host.port.size() <= 5 && host.port.find_first_not_of("0123456789") == std::string_view::npos,
            "a port is a number");
    const auto site = fcgate::route::find_site(known_sites(), host, "box");
    promise(!site.ok() || host.is_ip || is_known(host.name), "a foreign name finds no site");
}

void check_good_head(const RequestHead& head) {
    size_t hosts = 0;
    size_t lengths = 0;
    for (const Field& field : head.fields) {
        promise(fcgate::is_token(field.name) && !fcgate::has_control(field.value), "fields are what they should be");
        hosts += fcgate::equals_ignore_case(field.name, "Host") ? 1U : 0U;
        lengths += fcgate::equals_ignore_case(field.name, "Content-Length") ? 1U : 0U;
    }
    promise(hosts == 1 || (hosts == 0 && head.is_http_1_0), "one Host");
    promise(lengths == (head.has_content_length ? 1U : 0U), "one length");
    promise(!(head.is_chunked && (head.has_content_length || head.is_http_1_0)), "one way to tell the length");
    promise(fcgate::is_token(head.method), "a method is a token");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view rest = fcgate::test::as_text(data, size);
    std::string_view line;
    RequestHead head;
    if (!fcgate::test::next_line(rest, line)) {
        return 0;
    }
    head.method = fcgate::split_first(line, ' ', line);
    head.target = fcgate::split_first(line, ' ', line);
    const std::string_view version = line;
    static Field fields[fcgate::limits::request_fields];
    size_t count = 0;
    while (count < fcgate::limits::request_fields && fcgate::test::next_line(rest, line)) {
        std::string_view value;
        const std::string_view name = fcgate::split_first(line, ':', value);
        fields[count++] = {name, fcgate::trim(value)};
    }
    head.fields = {fields, count};
    if (fcgate::http::check_head(head, version).status == 0) {
        check_good_head(head);
    }
    for (const Field& field : head.fields) {
        check_host(field.value);
    }
    fcgate::route::Target target;
    if (fcgate::route::split_target(head.target, target) == Status::ok) {
        promise(target.authority.find('@') == std::string_view::npos, "no user in an authority");
        check_host(target.authority);
    }
    return 0;
}
