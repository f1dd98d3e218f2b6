// A request whose CGI environment is looked at.
#pragma once

#include "decoded_params.hpp"
#include "fastcgi/environment.hpp"
#include "test_support.hpp"

namespace fcgate::test {

// GET /index.php?a=b from 192.0.2.7, as the HTTP side would hand it over; a case changes what it is about.
struct EnvironmentRequest {
    EnvironmentRequest() : cgi{.head = head} {
        head.method = "GET";
        head.target = "/index.php?a=b";
        head.client = Endpoint::parse_ip("192.0.2.7", 51234).value();
        head.local = Endpoint::parse_ip("192.0.2.1", 8080).value();
        cgi.texts[fastcgi::cgi::document_root] = "/www";
        cgi.texts[fastcgi::cgi::script_name] = "/index.php";
        cgi.texts[fastcgi::cgi::query] = "a=b";
        cgi.texts[fastcgi::cgi::host_name] = "router.lan";
        cgi.texts[fastcgi::cgi::server_software] = "fcgate/1.2.3";
    }
    EnvironmentRequest(const EnvironmentRequest&) = delete;
    EnvironmentRequest& operator=(const EnvironmentRequest&) = delete;

    // Also checks that no variable is sent twice, and that a second writing gives the same bytes.
    [[nodiscard]] DecodedParams environment() {
        fastcgi::ParamsWriter writer(memory.bytes(storage_size), true);
        fastcgi::write_environment(cgi, writer);
        const Result<std::span<const uint8_t>> result = writer.finish();
        check_status(result.status(), Status::ok);

        GuardedBytes second_memory(storage_size);
        fastcgi::ParamsWriter second(second_memory.bytes(result.value().size()), true);
        fastcgi::write_environment(cgi, second);
        const Result<std::span<const uint8_t>> again = second.finish();
        check_status(again.status(), Status::ok);
        assert_memory_equal(again.value().data(), result.value().data(), result.value().size());

        const DecodedParams decoded(result.value());
        for (size_t i = 0; i < decoded.count(); ++i) {
            assert_int_equal(decoded.times(decoded.name(i)), 1);
        }
        return decoded;
    }

    static constexpr size_t storage_size = 32768;

    RequestHead head;
    fastcgi::CgiRequest cgi;
    GuardedBytes memory{storage_size};
};

}  // namespace fcgate::test
