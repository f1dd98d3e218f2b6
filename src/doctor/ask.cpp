#include "doctor/ask.hpp"

#include <sys/socket.h>

#include "base/descriptor.hpp"
#include "base/limits.hpp"
#include "fastcgi/inquiry.hpp"
#include "fastcgi/params.hpp"
#include "fastcgi/reader.hpp"
#include "fastcgi/response_head.hpp"

namespace fcgate::doctor {

namespace {

void keep(TextBuffer& out, std::string_view text) {
    out.append(slice(text, 0, out.room()));
}

[[nodiscard]] bool send_all(int fd, std::span<const uint8_t> bytes) {
    return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

[[nodiscard]] bool send_request(int fd, const Question& question) {
    uint8_t storage[3 * limits::path];
    fastcgi::ParamsWriter params(storage, false);
    params.add("GATEWAY_INTERFACE", "CGI/1.1");
    params.add("REQUEST_METHOD", "GET");
    params.add("REQUEST_URI", "/fcgate-doctor");
    params.add("SCRIPT_NAME", "/fcgate-doctor");
    params.add("SCRIPT_FILENAME", question.file);
    params.add("QUERY_STRING", "");
    params.add("SERVER_PROTOCOL", "HTTP/1.1");
    params.add("SERVER_NAME", "localhost");
    params.add("REMOTE_ADDR", "127.0.0.1");
    params.add("REDIRECT_STATUS", "200");
    params.add("FCGATE_DOCTOR", question.subject);
    const Result<std::span<const uint8_t>> head = params.finish();
    uint8_t no_body[fastcgi::header_size];
    fastcgi::encode_header(no_body, fastcgi::RecordType::standard_input, 0);
    return head.ok() && send_all(fd, head.value()) && send_all(fd, no_body);
}

// Takes answers apart as they come.
class Listener {
  public:
    explicit Listener(Answer& answer) : answer_(answer), head_(storage_) {}

    // again: more is needed.
    [[nodiscard]] Status take(std::span<const char> input);

  private:
    using Event = fastcgi::RecordReader::Event;

    Answer& answer_;
    fastcgi::RecordReader reader_;
    char storage_[2048]{};
    fastcgi::ResponseHead head_;
    bool has_head_ = false;
};

Status Listener::take(std::span<const char> input) {
    for (;;) {
        const Event event = reader_.next(input);
        std::string_view piece = reader_.slice();
        switch (event) {
            case Event::need_more:
                return Status::again;
            case Event::standard_error:
                keep(answer_.errors, piece);
                break;
            case Event::standard_output:
                if (!has_head_) {
                    const Status status = head_.feed(piece);
                    if (status != Status::ok) {
                        if (status == Status::again) {
                            break;
                        }
                        return Status::malformed;
                    }
                    has_head_ = true;
                }
                keep(answer_.body, piece);
                break;
            case Event::end_request:
                answer_.status = head_.status();
                return has_head_ ? Status::ok : Status::malformed;
            case Event::malformed:
                return Status::malformed;
        }
    }
}

}  // namespace

Status ask(const Question& question, Answer& answer) {
    Descriptor fd;
    const Status connected = fastcgi::connect_by(question.backend, question.socket, question.deadline, fd);
    if (connected != Status::ok) {
        return connected;
    }
    if (!send_request(fd.get(), question)) {
        return Status::gone;
    }
    Listener listener(answer);
    for (;;) {
        char bytes[1024];
        const Status waited = fastcgi::wait_for_input(fd.get(), question.deadline);
        if (waited != Status::ok) {
            return waited;
        }
        const ssize_t count = recv(fd.get(), bytes, sizeof bytes, 0);
        if (count <= 0) {
            return Status::gone;
        }
        const Status taken = listener.take({bytes, static_cast<size_t>(count)});
        if (taken != Status::again) {
            return taken;
        }
    }
}

}  // namespace fcgate::doctor
