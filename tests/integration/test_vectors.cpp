// tests/cases/requests.txt and probes.txt, with a canary behind each request on the same connection: it is answered exactly once or the
// connection ends, and PHP runs at most once. FCGATE_CASES is the folder.
#include <atomic>

#include "base/clock.hpp"
#include "base/features.hpp"
#include "base/text.hpp"
#include "scene.hpp"
#include "vectors.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view canary = "GET /canary.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
constexpr std::string_view canary_body = "the canary lives";
constexpr size_t fewest_vectors = 450;
constexpr unsigned length_required = 411;
constexpr size_t most_in_pieces = 2048;

std::atomic<size_t> smuggled{0};

void answer(const PhpConnection& request, Buffer& cgi) {
    smuggled += request.param("QUERY_STRING") == "smuggled" ? 1U : 0U;
    cgi.append("Content-Type: text/plain\r\n\r\n").append(request.body());
}

// What a vector has led to.
struct Outcome {
    unsigned status = 0;  // of the first reply
    size_t canaries = 0;
    size_t in_php = 0;
    bool is_reply_right = true;
};

// PHP got the body that is in the vector, and HTTP/1.0 has not been told to continue.
[[nodiscard]] bool is_reply_right(const Vector& vector, const HttpReply& reply) {
    const bool is_old = vector.bytes.view().find(" HTTP/1.0\r\n") != std::string_view::npos;
    return (!vector.has_body || reply.status != 200 || reply.body.view() == vector.body.view()) &&
           (!is_old || reply.interim == 0);
}

// Sends it, in pieces of so many bytes, and listens until the server ends the connection.
void listen_to(Scene& scene, const Vector& vector, size_t piece, Outcome& outcome) {
    Buffer all;
    all.append(vector.bytes.view()).append(canary);
    const size_t before = scene.responder.requests();
    Client client;
    assert_true(client.connect(scene.front));
    for (size_t at = 0; at < all.size(); at += piece) {
        // What is too large for anything need not be cut all along.
        piece = at < most_in_pieces ? piece : all.size();
        if (!client.send(fcgate::slice(all.view(), at, piece))) {
            break;  // it has been closed already
        }
    }
    const bool to_head = fcgate::starts_with(vector.bytes.view(), "HEAD ");
    // A reply is whole as long as there is one; what comes then is the end, or no HTTP.
    for (bool is_first = true; client.read(is_first && to_head); is_first = false) {
        const HttpReply& reply = client.reply();
        if (is_first) {
            outcome.status = reply.status;
            outcome.is_reply_right = is_reply_right(vector, reply);
        }
        outcome.canaries += reply.body.view() == canary_body ? 1U : 0U;
    }
    assert_true(client.read_to_end());
    outcome.in_php = scene.responder.requests() - before;
}

[[nodiscard]] bool is_right(const Vector& vector, const Outcome& outcome) {
    // Nobody reads chunks then.
    if (!fcgate::features::spool && outcome.status == length_required) {
        return outcome.in_php == 0 && outcome.canaries <= 1 && smuggled == 0;
    }
    const bool has_run = outcome.in_php == 1;
    const bool is_php_right = vector.runs_in_php ? has_run : outcome.in_php == 0 || (has_run && outcome.status == 200);
    const bool is_canary_right = vector.canary == Vector::Canary::any        ? outcome.canaries <= 1
                                 : vector.canary == Vector::Canary::answered ? outcome.canaries == 1
                                                                             : outcome.canaries == 0;
    return vector.allows(outcome.status) && is_canary_right && is_php_right && outcome.is_reply_right && smuggled == 0;
}

void expect_all_right(Scene& scene, size_t piece) {
    // Who sends too little is answered in a moment as well.
    scene.set("server.header_timeout", "2s");
    scene.set("server.body_timeout", "2s");
    scene.tree.file("canary.txt", canary_body);
    scene.listen_php();
    scene.responder.start(scene.php, &answer);
    scene.start();
    VectorTable table;
    assert_true(table.load(FCGATE_CASES "/requests.txt"));
    assert_true(table.load(FCGATE_CASES "/probes.txt"));
    Vector vector;
    size_t count = 0;
    size_t wrong = 0;
    for (; table.next(vector); ++count) {
        Outcome outcome;
        scene.about = vector.name.c_str();
        smuggled = 0;
        listen_to(scene, vector, piece, outcome);
        if (!is_right(vector, outcome)) {
            ++wrong;
            print_error("%s: status %u, %zu canaries, %zu times in PHP, %zu smuggled\n", vector.name.c_str(),
                        outcome.status, outcome.canaries, outcome.in_php, smuggled.load());
        }
    }
    scene.about = nullptr;
    assert_false(table.is_malformed());
    assert_true(count >= fewest_vectors);
    assert_int_equal(wrong, 0);
    scene.responder.stop();
    scene.expect_served();
}

void every_vector_at_once(Scene& scene) {
    expect_all_right(scene, SIZE_MAX / 2);
}
void every_vector_byte_by_byte(Scene& scene) {
    expect_all_right(scene, 1);
}
void every_vector_in_pieces(Scene& scene) {
    expect_all_right(scene, 13);
}

// Cut anywhere, a head is no request until its other part comes.
void half_a_head_is_waited_for(Scene& scene) {
    constexpr std::string_view head = "GET /static.txt HTTP/1.1\r\nHost:\tlocalhost\r\nConnection: close\r\n\r\n";
    Client* clients[head.size()] = {};
    scene.start();
    for (size_t cut = 1; cut < head.size(); ++cut) {
        clients[cut] = &scene.client_with(fcgate::slice(head, 0, cut));
    }
    scene.settle();
    for (size_t cut = 1; cut < head.size(); ++cut) {
        assert_true(clients[cut]->next(fcgate::monotonic_ms()) == Receipt::late);
        assert_true(clients[cut]->send(fcgate::slice(head, cut)));
        expect_reply(*clients[cut], 200, "static");
        assert_true(clients[cut]->is_closed());
    }
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(every_vector_at_once),
        FCGATE_CASE(every_vector_byte_by_byte),
        FCGATE_CASE(every_vector_in_pieces),
        FCGATE_CASE(half_a_head_is_waited_for),
    };
    static constexpr Variant variants[] = {{.name = "TCP"}};
    return play("vectors", cases, variants);
}
