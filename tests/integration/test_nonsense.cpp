// Answers that are no answers: each is a 502 (or 503) with its reason in the log, and the connection they came on is given up.
#include "scene.hpp"

namespace {

using namespace fcgate::test;

struct Vector {
    const char* name;
    unsigned status;
    const char* words;  // of the log
    void (*write)(Buffer& records);
};

constexpr Vector vectors[] = {
    {"no FastCGI at all", 502, "record of an unknown FastCGI version",
     [](Buffer& records) { records.append("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); }},
    {"another version", 502, "record of an unknown FastCGI version",
     [](Buffer& records) { append_record(records, fcgi_stdout, hello, 0, 1, 2); }},
    {"another request's record", 502, "record of another request",
     [](Buffer& records) { append_record(records, fcgi_stdout, hello, 0, 2); }},
    {"the management id", 502, "record of another request",
     [](Buffer& records) { append_record(records, fcgi_stdout, hello, 0, 0); }},
    {"a type that only servers send", 502, "record of a type that is no answer",
     [](Buffer& records) { append_record(records, fcgi_stdin, hello); }},
    {"a type that nobody knows", 502, "record of a type that is no answer",
     [](Buffer& records) { append_record(records, 99, hello); }},
    {"an end of a wrong length", 502, "FCGI_END_REQUEST of a wrong length",
     [](Buffer& records) { append_record(records, fcgi_end_request, "1234"); }},
    {"an end without a head", 502, "the script ended without a response head",
     [](Buffer& records) { append_end(records); }},
    {"an end in the head", 502, "the script ended without a response head",
     [](Buffer& records) {
         append_output(records, "X: y\r\n");
         append_end(records);
     }},
    {"overloaded", 503, "it says that it is overloaded", [](Buffer& records) { append_end(records, fcgi_overloaded); }},
    {"unknown role", 502, "it refused the request (is it a FastCGI responder?): protocol status 3 [backend-rejected]",
     [](Buffer& records) { append_end(records, fcgi_unknown_role); }},
    {"a head without fields", 502, "response without header fields [head-malformed]",
     [](Buffer& records) { append_output(records, "\r\nbody"); }},
    {"a status line", 502, "HTTP status line instead of a CGI head",
     [](Buffer& records) { append_output(records, "HTTP/1.1 200 OK\r\nX: y\r\n\r\n"); }},
    {"a field without a colon", 502, "header field without a colon",
     [](Buffer& records) { append_output(records, "X: y\r\nWarning in line 5\r\n\r\n"); }},
    {"a field name with a space", 502, "header field name with a forbidden character",
     [](Buffer& records) { append_output(records, "Foo Bar: 1\r\n\r\n"); }},
    {"a control byte in a value", 502, "header field value with a control character",
     [](Buffer& records) { append_output(records, "X: a\rb\r\n\r\n"); }},
    {"a folded field", 502, "folded header field",
     [](Buffer& records) { append_output(records, "X: a\r\n b\r\n\r\n"); }},
    {"a status that is no number", 502, "Status is no code from 200 to 999",
     [](Buffer& records) { append_output(records, "Status: OK\r\n\r\n"); }},
    {"an end in a head that is too large", 502,
     "its response head has 10412 bytes in 0 fields; there is room for 10240",
     [](Buffer& records) {
         Buffer head;
         append_output(records, head.append("Set-Cookie: ").append_letters(10400).view());
         append_end(records);
     }},
    {"an interim status", 502, "Status is no code from 200 to 999",
     [](Buffer& records) { append_output(records, "Status: 103 Early Hints\r\nLink: x\r\n\r\n"); }},
    {"two statuses", 502, "two different Status fields",
     [](Buffer& records) { append_output(records, "Status: 200\r\nStatus: 404\r\n\r\n"); }},
    {"a length that is no number", 502, "Content-Length is no number",
     [](Buffer& records) { append_output(records, "Content-Length: -1\r\n\r\n"); }},
    {"two lengths", 502, "two different Content-Length fields",
     [](Buffer& records) { append_output(records, "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy"); }},
    {"a head that is too large", 502,
     "its response head has 12422 bytes in 30 fields; there is room for 10240 in 160 (see `connection_memory`) "
     "[head-too-large]",
     [](Buffer& records) {
         Buffer head;
         for (int i = 0; i < 30; ++i) {
             head.append("Set-Cookie: ").append_letters(400).append("\r\n");
         }
         append_output(records, head.append("\r\n").view());
         append_end(records);
     }},
    {"too many fields", 502,
     "its response head has 1022 bytes in 170 fields; there is room for 10240 in 160 (see `connection_memory`)",
     [](Buffer& records) {
         Buffer head;
         for (int i = 0; i < 170; ++i) {
             head.append("A: b\r\n");
         }
         append_output(records, head.append("\r\n").view());
         append_end(records);
     }},
};

void expect_refused(Scene& scene, const Vector& vector) {
    scene.about = vector.name;
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Buffer records;
    vector.write(records);
    (void)php.raw(records.view());
    expect_status(client, vector.status);
    assert_true(scene.log.has(vector.words));
    assert_true(php.is_left());
    assert_true(client.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    expect_reply(client, 200, "static");
    client.close();
}

void nonsense_is_refused_with_its_reason(Scene& scene) {
    scene.start();
    size_t lines = 0;
    for (const Vector& vector : vectors) {
        const size_t before = scene.log.count(vector.words);
        expect_refused(scene, vector);
        assert_int_equal(scene.log.count(vector.words), before + 1);
        assert_int_equal(scene.log.count("GET /t.php: "), ++lines);
    }
    assert_int_equal(scene.log.count(": backend "), lines);
    scene.expect_served();
}

void nonsense_byte_by_byte_is_refused_as_well(Scene& scene) {
    scene.start();
    for (const Vector& vector : vectors) {
        scene.about = vector.name;
        Client& client = scene.client_with(get_script);
        PhpConnection& php = scene.take();
        Buffer records;
        vector.write(records);
        // The server leaves as soon as it has seen enough.
        const size_t step = records.size() > 1000 ? 100 : 1;
        for (size_t at = 0; at < records.size(); at += step) {
            if (!php.raw(fcgate::slice(records.view(), at, step))) {
                break;
            }
        }
        expect_status(client, vector.status);
        client.close();
    }
    scene.expect_served();
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(nonsense_is_refused_with_its_reason),
        FCGATE_CASE(nonsense_byte_by_byte_is_refused_as_well),
    };
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP, 2 threads", .threads = "2", .php_over_tcp = true},
    };
    return play("nonsense", cases, variants);
}
