// Owns: the checking of passwords: questions that wait, a thread that answers them one at a time (crypt(3) takes as long as a password is safe), and
// what was right lately. All of its memory is given to it.
// Borrows: the paths of the files, as long as the question that names one is not given back; whoever is told of answers.
// Must not touch: requests, configurations, the heap.
#pragma once

#include <pthread.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "auth/credentials.hpp"
#include "auth/fingerprint.hpp"
#include "auth/password_file.hpp"
#include "base/limits.hpp"
#include "base/lock.hpp"
#include "base/status.hpp"
#include "base/text.hpp"
#include "route/router.hpp"

struct crypt_data;

namespace fcgate::auth {

enum class Verdict : uint8_t {
    pending,
    granted,
    denied,      // no such user, or another password
    unusable,    // the user's hash is not taken, or crypt(3) does not know its kind
    unreadable,  // the file; `error_number` tells
    late,        // it has waited for too long
};

struct Answer {
    Verdict verdict = Verdict::pending;
    int error_number = 0;
};

class Verifier {
  public:
    // Tells a worker, on the verifier's thread, that a question of its has an answer.
    struct Bell {
        void* context = nullptr;
        void (*ring)(void* context, uint32_t worker) = nullptr;
    };

    struct Question {
        std::string_view file;
        const Credentials& credentials;
        uint64_t client_key = 0;  // by turns among clients
        uint32_t worker = 0;      // who asks,
        void* owner = nullptr;    // and for whom
    };

    // What a server needs for one, with what crypt(3) needs.
    [[nodiscard]] static size_t memory_size();
    // Makes one there; `memory` is zero, and aligned for any type.
    [[nodiscard]] static Verifier* make(std::span<char> memory);

    // Starts the thread. exhausted: there is none to be had; errno tells.
    [[nodiscard]] Status start(const Bell& bell);
    // Waits for the password that is being checked. Nobody is told of answers any more; questions may still be given back.
    void finish();

    // ---- any thread ----

    // These were right a while ago, and the file has not changed since. `now`: monotonic, in milliseconds.
    [[nodiscard]] bool knows(std::string_view file, const Credentials& credentials, int64_t now);
    // The number of the question, which is the asker's to give back. exhausted: too many wait, or too many of this client.
    [[nodiscard]] Result<uint8_t> ask(const Question& question, int64_t now);
    [[nodiscard]] Answer look(uint8_t number);
    // Answered or not.
    void give_back(uint8_t number);
    // The owner of a question of this worker that has an answer, each once; nullptr: there is no further one.
    [[nodiscard]] void* next_answered(uint32_t worker);

  private:
    struct Room;
    enum class Stage : uint8_t { free, waiting, working, answered, told };

    struct Slot {
        Stage stage = Stage::free;
        bool is_left = false;  // given back while it was worked at
        uint32_t worker = 0;
        uint32_t turn = 0;   // the client's next behind the others it has, or had last
        uint32_t order = 0;  // 0: nobody has asked yet
        uint64_t client_key = 0;
        int64_t since = 0;
        void* owner = nullptr;
        std::string_view file;
        Credentials credentials;
        Answer answer;
    };

    // A password that was right.
    struct Known {
        Fingerprint fingerprint{};
        route::FileIdentity file;  // as it was then
        int64_t looked_at = 0;     // when it was seen to be the same
        int64_t used_at = 0;
        bool is_used = false;
    };

    static void* thread_main(void* verifier);
    void run();
    [[nodiscard]] Slot* next_waiting();
    void answer(Slot& slot);
    // `identity` is that of the file, or none if it might change unseen.
    [[nodiscard]] Answer judge(std::string_view file, const Credentials& credentials, route::FileIdentity& identity);
    [[nodiscard]] Fingerprint fingerprint(std::string_view file, const Credentials& credentials) const;
    [[nodiscard]] bool find_known(const Fingerprint& fingerprint, std::string_view file, int64_t now);
    void remember(const Fingerprint& fingerprint, const route::FileIdentity& identity, int64_t now);

    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t asked_ = PTHREAD_COND_INITIALIZER;
    pthread_t thread_{};
    bool is_running_ = false;
    bool is_ending_ = false;
    Bell bell_;
    uint32_t turn_ = 0;   // of the question that was looked at last
    uint32_t order_ = 0;  // of the last question
    bool has_key_ = false;
    FingerprintKey key_{};  // drawn before anything is remembered
    std::array<Slot, limits::password_questions> slots_;
    std::array<Known, limits::passwords_known> known_;
    // The thread's
    Text<limits::path> path_;
    Hash hash_;
    crypt_data* crypt_ = nullptr;
};

}  // namespace fcgate::auth
