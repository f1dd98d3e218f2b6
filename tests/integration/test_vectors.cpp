// tests/cases/requests.txt, with a canary behind each request on the same connection: it is answered exactly once or the connection
// ends, and PHP runs at most once. FCGATE_CASES is the folder.
#include <atomic>

#include "base/text.hpp"
#include "scene.hpp"
#include "vectors.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view canary = "GET /canary.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
constexpr std::string_view canary_body = "the canary lives";
constexpr size_t fewest_vectors = 150;

std::atomic<size_t> smuggled{0};

void answer(const PhpConnection& request, Buffer& cgi) {
    smuggled += request.param("QUERY_STRING") == "smuggled" ? 1U : 0U;
    cgi.append(hello);
}

// What a vector has led to.
struct Outcome {
    unsigned status = 0;  // of the first reply
    size_t canaries = 0;
    size_t in_php = 0;
};

// Sends it, in pieces of so many bytes, and listens until the server ends the connection.
void listen_to(Scene& scene, const Vector& vector, size_t piece, Outcome& outcome) {
    Buffer all;
    all.append(vector.bytes.view()).append(canary);
    const size_t before = scene.responder.requests();
    Client& client = scene.client();
    for (size_t at = 0; at < all.size(); at += piece) {
        if (!client.send(fcgate::slice(all.view(), at, piece))) {
            break;  // it has been closed already
        }
    }
    // A reply is whole as long as there is one; what comes then is the end, or no HTTP.
    while (client.read()) {
        const HttpReply& reply = client.reply();
        outcome.status = outcome.status == 0 ? reply.status : outcome.status;
        outcome.canaries += reply.body.view() == canary_body ? 1U : 0U;
    }
    assert_true(client.read_to_end());
    client.close();
    outcome.in_php = scene.responder.requests() - before;
}

[[nodiscard]] bool is_right(const Vector& vector, const Outcome& outcome) {
    const bool has_run = outcome.in_php == 1;
    const bool is_php_right = vector.runs_in_php ? has_run : outcome.in_php == 0 || (has_run && outcome.status == 200);
    const bool is_canary_right = vector.canary == Vector::Canary::any        ? outcome.canaries <= 1
                                 : vector.canary == Vector::Canary::answered ? outcome.canaries == 1
                                                                             : outcome.canaries == 0;
    return vector.allows(outcome.status) && is_canary_right && is_php_right && smuggled == 0;
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

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(every_vector_at_once),
        FCGATE_CASE(every_vector_byte_by_byte),
        FCGATE_CASE(every_vector_in_pieces),
    };
    static constexpr Variant variants[] = {{.name = "TCP"}};
    return play("vectors", cases, variants);
}
